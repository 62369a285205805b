"""One browser for all tests of pages, and the pages that they look at."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Dialog, Page, expect, sync_playwright

from specsia_build.look.page import html_of
from tests.look.browser.pages import HOSTILE, document, strip

Show = Callable[..., Page]

PATIENCE_MS = 60_000
"""Time limit of what is waited for, on a machine that has other work."""

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, as the system has it."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("tests of pages need Chromium: `apt-get install chromium`, or have it on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@cache
def documents() -> dict[str, dict[str, Any]]:
    """Documents of pages by name."""
    lost = {"stage": "render", "backend": None, "details": "logs/one.log", "strip": None, "frames": 0}
    failures = [
        {**lost, "key": "broken", "id": "broken", "reason": "no mesh in it", "command": "specsia build --out my-run"}
    ]
    low = {**lost, "stage": "project", "backend": "relief", "details": None, "strip": strip(120, 4), "frames": 4}
    fix = "specsia build --out my-run --min-iou 0.1"
    failures += [
        {**low, "key": f"low {k}", "id": f"low {k}", "reason": f"its mean IoU is 0.{k}, below 0.5", "command": fix}
        for k in range(1, 15)
    ]
    counts = "<table><tbody><tr><td>written by the program</td></tr></tbody></table>"
    sections = [{"anchor": "counts", "title": "Counts", "html": counts}]
    names = [f"figure {number}" for number in range(40)]
    hostile = document(HOSTILE, title=HOSTILE[1], lead=HOSTILE[0], root=HOSTILE[5], missing=[HOSTILE[0]])
    for item, text in zip(hostile["items"], HOSTILE, strict=True):
        item.update(license=text, credit=text, split=text, warnings=[text, text])
    hostile["failures"] = [
        {**failures[0], "key": text, "id": text, "reason": text, "command": text} for text in HOSTILE
    ]
    figures = document(names, failures=failures, sections=sections)
    figures["items"][2]["sides"]["relief"]["values"]["iou"][2] = None
    figures["items"][3]["sides"]["fusion"] = {"strips": {}, "problem": "its pictures cannot be read: <cut short>"}
    return {
        "figures": figures,
        "clips": document(["figure 0/walk", "figure 0/run", "figure 1/walk"], fps=12),
        "hostile": hostile,
        "few": document(names[:6], failures=failures, sections=sections),
        "empty": document([]),
    }


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Show]:
    """Open a document's page at an address; at the end, check that no console said anything."""
    messages: list[str] = []
    pages: list[Page] = []

    def dismiss(dialog: Dialog) -> None:
        messages.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open_page(
        name: str = "figures", at: str = "", width: int = 1280, theme: Literal["light", "dark"] = "light"
    ) -> Page:
        path = tmp_path / f"{name}.html"
        path.write_text(html_of(documents()[name]), encoding="utf-8")
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
        page.set_default_timeout(PATIENCE_MS)
        pages.append(page)
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("dialog", dismiss)
        page.goto(path.as_uri() + at)
        page.wait_for_selector("main h1")
        return page

    yield open_page
    for page in pages:
        page.close()
    assert messages == []


def alike(one: bytes, other: bytes) -> bool:
    """Whether two screenshots show the same, however they were scaled."""
    pixels = [np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int) for shot in (one, other)]
    return bool((np.abs(pixels[0] - pixels[1]).max(axis=2) > 64).mean() < 0.02)


def serious(page: Page) -> list[str]:
    """What keeps people out of a page: each a rule and the first element that breaks it."""
    violations = Axe().run(page).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html']}" for v in violations if v["impact"] in ("serious", "critical")]
