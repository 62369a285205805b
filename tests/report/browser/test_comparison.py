"""The page of a comparison, as a person sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from specsia_build.gallery.compared import compared
from specsia_build.gallery.items import Item, Measure, Side
from specsia_build.pipeline.progress import Progress
from specsia_build.report.measured import sections_of_comparison
from specsia_build.report.page import write_page
from tests.gallery.made import gallery, item


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of two galleries, of which one item is much worse in the second and one a little better."""
    values = {"a": 0.9, "b": 0.8, "c": 0.7}
    one = [item(name, {"inflate": [iou, iou]}) for name, iou in values.items()]
    two = [item(name, {"inflate": [iou, iou + {"a": 0.05, "b": -0.3, "c": 0}[name]]}) for name, iou in values.items()]
    found = compared(gallery("old", *one), gallery("new", *two, item("d", {"inflate": [0.5, 0.5]}), unreadable="c"))
    path = tmp_path_factory.mktemp("comparison") / "page.html"
    write_page(found.gallery, sections_of_comparison(found), path, Progress())
    return path


@pytest.fixture
def page(written: Path, browser: Browser) -> Page:
    page = browser.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto(written.as_uri())
    return page


def names(page: Page) -> list[str]:
    return page.locator(".card .open .name").all_text_contents()


def test_what_changed_most_comes_first(page: Page) -> None:
    expect(page.locator("main h1")).to_have_text("old and new")
    expect(page.locator(".note")).to_contain_text("1 character only in new: d.")
    expect(page.locator("#section-means")).to_contain_text("-0.042")
    page.get_by_role("link", name="Gallery", exact=True).click()
    assert names(page) == ["b", "a", "c", "d"]
    expect(page.locator(".card").first).to_contain_text("change 0.300")
    page.close()


def test_both_stand_beside_each_other(page: Page) -> None:
    page.goto(f"{page.url}#/item/b")
    expect(page.locator(".side")).to_have_count(3)
    for name in ("Y*", "old: inflate", "new: inflate"):
        expect(page.locator(f'.side[data-side="{name}"]')).to_be_visible()
    page.goto(f"{page.url.partition('#')[0]}#/item/c")
    expect(page.locator(".warnings")).to_contain_text("Y* differs between old and new")
    page.close()


def test_of_many_measures_the_main_one_is_summed_up(browser: Browser, tmp_path: Path) -> None:
    measures = tuple(Measure(f"m{k}", f"measure {k}", "low", 3, "") for k in range(5))
    values = {measure.key: (0.1,) for measure in measures}
    sides = {name: Side(name, (), values) for name in ("raw", "line", "mine")}
    items = [Item(name, name, "test", 1, sides, yaws=(0.0,)) for name in ("a", "b")]
    path = tmp_path / "page.html"
    write_page(gallery("many", *items, measures=measures), {}, path, Progress())
    page = browser.new_page()
    page.goto(path.as_uri())
    expect(page.locator(".tiles")).to_contain_text("mean measure 0")
    expect(page.locator(".tiles")).not_to_contain_text("mean measure 1")
    page.goto(f"{path.as_uri()}#gallery")
    expect(page.locator("select").first).to_contain_text("measure 4")
    page.close()
