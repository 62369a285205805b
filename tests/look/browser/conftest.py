"""Galleries with known content, and how a browser shows them."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Error, Page, expect

from specsia_build.dataset.schema import COLOR, GT_MASK, MASK
from specsia_build.look.items import FailedItem, Gallery, Item, Side
from specsia_build.look.open import open_gallery
from specsia_build.look.page import write_page
from specsia_build.look.sections import Sections, tag
from tests.look.galleries import gallery, item, write_repair

Show = Callable[..., Page]

TILE = 48
HOSTILE = (
    '"><img src=x onerror=alert(1)>',
    "</script><script>alert(2)</script>",
    "n" * 5_000,
    "ساحر \u202e txt.exe",
    "bell \x07 escape \x1b[31m nul \x00",
    "'; rm -rf ~ #",
    "${alert(3)}`{{4}}`",
    "100%_of?it&all=so#there/.. ",
)
"""Texts that harm what takes them for anything but text."""

UNREADABLE = ("figure 3", "fusion")


def draw(item: str, side: str, layer: str, frame: int) -> NDArray[np.uint8] | str:
    """A figure that turns, in a colour of its item, side and layer."""
    if (item, side) == UNREADABLE:
        return "<cut short>"
    flat, wide = layer in (MASK, GT_MASK), 6 * (layer == MASK)
    picture = Image.new("L" if flat else "RGBA", (TILE, TILE))
    pen, hue = ImageDraw.Draw(picture), sum(f"{item}{side}{layer}".encode()) % 360
    pen.ellipse((10 - wide, 6, TILE - 10 + wide, TILE - 6), fill=255 if flat else f"hsl({hue}, 80%, 45%)")
    if not flat:
        pen.rectangle((4 + 3 * frame, 20, 10 + 3 * frame, 28), fill="black")
    return np.asarray(picture)


def figure(name: str, number: int, **more: Any) -> Item:
    """A character or clip; what is said of it follows from its number."""
    means = {"relief": 0.5 + 0.04 * (number % 10), "fusion": 0.95 - 0.02 * (number % 7)}
    return item(
        name,
        {side: [mean - 0.01 * k for k in range(4)] for side, mean in means.items()},
        split=("train", "validation", "test")[max(0, number % 10 - 7)],
        license="CC0-1.0" if number % 2 else "CC-BY-4.0",
        credit="KayKit" if number % 3 else None,
        warnings=("its back is open",) if number % 5 == 0 else (),
        numbers={"seconds": 1 + 0.1 * number, "triangles": 10.0 + number % 9},
        **more,
    )


def shown(*items: Item, **more: Any) -> Gallery:
    return gallery("my run", *items, draw=draw, **{"title": "figures", **more})


def galleries() -> dict[str, tuple[Gallery, Sections]]:
    """What is looked at, by name, and the tables of its overview."""
    row = tag("tr", tag("td", "written by the program"))
    sections = {"counts": ("Counts", tag("table", tag("tbody", row)))}
    again = "specsia build --out my-run"
    broken = FailedItem("broken", "broken", "render", None, "no mesh in it", "logs/one.log", again)
    side, fix = Side("relief", (COLOR,)), "specsia build --out my-run --min-iou 0.1"
    failed = [broken]
    for k in range(1, 15):
        reason = f"its mean IoU is 0.{k}, below 0.5"
        failed.append(FailedItem(f"low {k}", f"low {k}", "project", "relief", reason, None, fix, side, 4))
    figures = [figure(f"figure {number}", number) for number in range(40)]
    gap = figures[2].sides["relief"]
    gap = replace(gap, values={"iou": (*gap.values["iou"][:2], None, *gap.values["iou"][3:])})
    figures[2] = replace(figures[2], sides={**figures[2].sides, "relief": gap})
    hostile = [
        replace(figure(text, k), license=text, credit=text, split=text, warnings=(text,) * 2)
        for k, text in enumerate(HOSTILE)
    ]
    harmed = [replace(broken, key=text, id=text, reason=text, command=text) for text in HOSTILE]
    names = {"title": HOSTILE[1], "lead": HOSTILE[0], "missing": (HOSTILE[0],), "failed": tuple(harmed)}
    moving = {"yaws": None, "fps": 12.0, "action": "Walk"}
    names_of_clips = ("figure 0/walk", "figure 0/run", "figure 1/walk")
    clips = [figure(name, k, **moving) for k, name in enumerate(names_of_clips)]
    return {
        "figures": (shown(*figures, failed=tuple(failed)), sections),
        "clips": (shown(*clips), {}),
        "hostile": (replace(shown(*hostile, **names), where=HOSTILE[5]), {}),
        "few": (shown(*figures[:6], failed=tuple(failed)), sections),
        "empty": (shown(), {}),
    }


PATIENCE_MS = 60_000
"""What is waited for may take long on a machine that has other work; by default 5 seconds is all it may."""

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The page of a name of `galleries`, written once."""
    folder, shown = tmp_path_factory.mktemp("pages"), galleries()

    def page_of(name: str) -> Path:
        path = folder / f"{name}.html"
        if not path.exists() and name == "repair":
            opened, sections = open_gallery(str(write_repair(folder / "hero", *HOSTILE)))
            write_page(opened, sections(), path)
        elif not path.exists():
            write_page(*shown[name], path)
        return path

    return page_of


def alike(one: bytes, other: bytes) -> bool:
    """Whether two pictures show the same, however they were scaled."""
    differ = np.abs(pixels(one).astype(int) - pixels(other)).max(axis=2) > 64
    return bool(differ.mean() < 0.02)


def pixels(screenshot: bytes) -> NDArray[np.uint8]:
    """(height, width, 3)."""
    with Image.open(io.BytesIO(screenshot)) as opened:
        return np.asarray(opened.convert("RGB"))


@pytest.fixture
def show(browser: Browser, site: Callable[[str], Path]) -> Iterator[Show]:
    """Open a page at an address; at the end see that nothing was said in any console."""
    contexts, said = [], []

    def heard(message: ConsoleMessage | Error | Dialog) -> None:
        said.append(message.text if isinstance(message, ConsoleMessage) else message.message)
        if isinstance(message, Dialog):
            message.dismiss()

    events: tuple[Any, ...] = ("console", "pageerror", "dialog")

    def open_page(
        name: str = "figures", at: str = "", width: int = 1280, theme: Literal["light", "dark"] = "light"
    ) -> Page:
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE_MS)
        for event in events:
            page.on(event, heard)
        page.goto(site(name).as_uri() + at)
        page.wait_for_selector("main h1")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []


def serious(page: Page) -> list[str]:
    """What keeps people out of a page as it is: each a rule and the first element that breaks it."""
    found = Axe().run(page).response["violations"]
    worst = [one for one in found if one["impact"] in ("serious", "critical")]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in worst]
