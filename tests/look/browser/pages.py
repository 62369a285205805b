"""Galleries to show in a browser: drawn here, so that each test knows what it must see."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from specsia_build.dataset.schema import COLOR, GT_MASK, MASK
from specsia_build.look.items import Gallery, Item, Lost, Side
from specsia_build.look.sections import Sections, tag
from tests.look.made import gallery, item

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
    sections = {"counts": ("Counts", tag("table", tag("tbody", tag("tr", tag("td", "written by the program")))))}
    broken = Lost("broken", "broken", "render", None, "no mesh in it", "logs/one.log", "specsia build --out my-run")
    lost = [broken]
    for k in range(1, 15):
        side = Side("relief", (COLOR,))
        reason, fix = f"its mean IoU is 0.{k}, below 0.5", "specsia build --out my-run --min-iou 0.1"
        lost.append(Lost(f"low {k}", f"low {k}", "project", "relief", reason, None, fix, side, 4))
    figures = [figure(f"figure {number}", number) for number in range(40)]
    gap = figures[2].sides["relief"]
    gap = replace(gap, values={"iou": (*gap.values["iou"][:2], None, *gap.values["iou"][3:])})
    figures[2] = replace(figures[2], sides={**figures[2].sides, "relief": gap})
    hostile = [
        replace(figure(text, k), license=text, credit=text, split=text, warnings=(text, text))
        for k, text in enumerate(HOSTILE)
    ]
    harmed = [replace(broken, key=text, id=text, reason=text, command=text) for text in HOSTILE]
    names = {"title": HOSTILE[1], "lead": HOSTILE[0], "missing": (HOSTILE[0],), "lost": tuple(harmed)}
    moving = {"yaws": None, "fps": 12.0, "action": "Walk"}
    clips = [figure(name, k, **moving) for k, name in enumerate(("figure 0/walk", "figure 0/run", "figure 1/walk"))]
    return {
        "figures": (shown(*figures, lost=tuple(lost)), sections),
        "clips": (shown(*clips), {}),
        "hostile": (replace(shown(*hostile, **names), where=HOSTILE[5]), {}),
        "few": (shown(*figures[:6], lost=tuple(lost)), sections),
        "empty": (shown(), {}),
    }
