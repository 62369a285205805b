"""The overview and the failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.report.browser.conftest import Show


def test_the_overview_says_what_there_is(show: Show) -> None:
    page = show()
    tiles = dict(
        zip(page.locator(".tile dt").all_inner_texts(), page.locator(".tile dd").all_inner_texts(), strict=True)
    )
    assert tiles["characters"] == "40"
    assert tiles["views"] == "160"
    assert tiles["failed"] == "15"
    assert page.inner_text("details:has-text('Counts') td") == "written by the program"
    assert page.title() == "specsia: figures – figures"
    page.click("text=Look through all in the gallery")
    page.wait_for_selector("main.gallery")


def test_bars_choose_what_the_gallery_shows(show: Show) -> None:
    page = show()
    bars = page.get_by_role("group", name="Histogram: colours").locator(".bin")
    bars.first.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert page.inner_text("#count") == "9 of 40 characters"
    page.click("nav a:has-text('Gallery')")
    page.wait_for_selector("main.gallery")
    assert page.inner_text("#count") == "9 of 40 characters"
    page.go_back()
    page.wait_for_selector("main.overview")
    assert bars.first.get_attribute("aria-pressed") == "true"
    page.keyboard.press("Escape")
    assert page.inner_text("#count") == "40 characters"


@pytest.mark.parametrize(
    ("means", "bars"),
    [
        ([[0.1, 0.7, 0.25], [0.9, 0.9, 0.9]], 13),
        ([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]], 0),
    ],
    ids=["just below an edge", "alike but for rounding"],
)
def test_every_value_has_a_bar(
    show: Show, document_of: Callable[[str], dict[str, Any]], means: list[list[float]], bars: int
) -> None:
    page = show()
    data = document_of("figures")
    data["items"] = data["items"][: len(means)]
    for item, values in zip(data["items"], means, strict=True):
        for side in ("inflate", "fusion"):
            item["sides"][side]["values"] = {"iou": [*values]}
    page.evaluate("specsiaUpdate", data)
    assert page.inner_text("#count") == "2 characters"
    assert page.get_by_role("group", name="Histogram: IoU, inflate").locator(".bin").count() == bars


def test_failures_are_folded_by_kind_with_what_mends_them(show: Show) -> None:
    page = show()
    page.click("nav a:has-text('Failures')")
    assert page.inner_text("main .lead") == "15 failures of 2 kinds."
    kind = page.locator(".failure").first
    assert kind.locator("h2").inner_text() == "its mean IoU is 0.1, below 0.5"
    assert kind.locator(".where").inner_text().split() == ["project,", "inflate", "×", "14"]
    assert kind.locator("details .lost").count() == 2, "twelve are shown, the others at a press"
    assert kind.locator("pre").inner_text() == "specsia build --out my-run --min-iou 0.1"
    assert kind.locator(".lost .strip.ready").count() > 0
    assert page.locator(".failure").nth(1).locator(".lost").inner_text().split() == [
        "broken",
        "more",
        "in",
        "logs/one.log",
    ]
