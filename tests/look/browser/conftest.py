"""One browser for all tests of pages, and the pages that they look at."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Error, Page, expect, sync_playwright

from specsia_build.look.page import write_page
from tests.look.browser.pages import galleries

Show = Callable[..., Page]

PATIENCE_MS = 60_000
"""What is waited for may take long on a machine that has other work; by default 5 seconds is all it may."""

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, as the system has it."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.fail("tests of pages need Chromium: `apt-get install chromium`, or have it on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The page of a name of `galleries`, written once."""
    folder, shown = tmp_path_factory.mktemp("pages"), galleries()

    def page_of(name: str) -> Path:
        path = folder / f"{name}.html"
        if not path.exists():
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


@pytest.fixture(scope="session")
def tab(browser: Browser) -> Page:
    """A page that one test after the other looks at: to begin another takes three times what it takes to show one."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    return page


@pytest.fixture
def show(browser: Browser, tab: Page, site: Callable[[str], Path]) -> Iterator[Show]:
    """Open a page at an address; at the end see that nothing was said in any console, and close them all.

    The first that asks for nothing more has `tab`, each other one a page of its own.
    """
    contexts, said, shown = [], [], []

    def heard(message: ConsoleMessage | Error | Dialog) -> None:
        """A dialog is closed by the browser only if somebody does."""
        said.append(message.message if isinstance(message, Error | Dialog) else message.text)
        if isinstance(message, Dialog):
            message.dismiss()

    events: tuple[Any, ...] = ("console", "pageerror", "dialog")

    def open_page(
        name: str | Path = "figures",
        at: str = "",
        width: int = 1280,
        theme: Literal["light", "dark"] = "light",
        **more: Any,
    ) -> Page:
        if more or tab in shown:
            contexts.append(browser.new_context(**more))
            page = contexts[-1].new_page()
            page.set_default_timeout(PATIENCE_MS)
        else:
            page = tab
        shown.append(page)
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)
        for event in events:
            page.on(event, heard)
        page.goto((site(name) if isinstance(name, str) else name).as_uri() + at)
        page.wait_for_selector("main h1")
        return page

    yield open_page
    if tab in shown:
        tab.evaluate("() => { localStorage.clear(); sessionStorage.clear() }")
        tab.emulate_media(media="null", color_scheme="null")
        tab.mouse.move(0, 0)
        tab.goto("about:blank")
        for event in events:
            tab.remove_listener(event, heard)
    for context in contexts:
        context.close()
    assert said == []


def serious(page: Page) -> list[str]:
    """What keeps people out of a page as it is: each a rule and the first element that breaks it."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")]
