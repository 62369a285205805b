"""The gallery, by mouse and by keyboard."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.report.browser.conftest import Show, alike, colours


def names(page: Page) -> list[str]:
    """Names of the cards that are there, in order."""
    return page.locator(".card .open > .name").all_text_contents()


def tally(page: Page) -> str | None:
    return page.text_content("#count")


def box(page: Page, number: int) -> Locator:
    """Of a card, what selects it."""
    return page.locator(".card").nth(number).locator("input")


def test_search_leaves_those_that_have_the_words(show: Show) -> None:
    page = show(at="#gallery")
    assert tally(page) == "40 characters"
    page.keyboard.press("/")
    page.keyboard.type("figure 3")
    assert tally(page) == "13 of 40 characters"
    assert names(page)[:2] == ["figure 3", "figure 13"]
    page.fill("#search", "BACK")
    assert tally(page) == "8 of 40 characters", "words of warnings count"
    page.fill("#search", "nobody")
    assert page.is_visible("text=Nothing matches all of this.")
    page.press("#search", "Escape")
    assert tally(page) == "40 characters"


def test_cards_are_sorted_by_what_is_asked(show: Show) -> None:
    page = show(at="#gallery")
    page.select_option("#order", "iou")
    assert names(page)[:2] == ["figure 3", "figure 20"], "the lowest mean of what there is comes first"
    page.click("#end")
    assert names(page)[0] == "figure 29"
    page.select_option("#order", "seconds")
    assert names(page)[:2] == ["figure 39", "figure 38"]
    assert "seconds 4.9 s" in page.locator(".card").first.inner_text()
    page.select_option("#order", "worst-iou")
    assert page.locator(".card").first.locator(".score .number").first.inner_text() == "0.470"
    page.go_back()
    assert names(page)[0] == "figure 39"


def test_cards_are_filtered_and_the_filters_taken_back(show: Show) -> None:
    page = show(at="#gallery")
    page.click("button.value:has-text('validation')")
    page.click("button.value:has-text('has warnings')")
    assert page.url.endswith("#gallery?split=validation&flag=has+warnings")
    assert tally(page) == "0 of 40 characters"
    page.click("button[aria-label='Remove: Split: validation']")
    assert tally(page) == "8 of 40 characters"
    page.locator("button.value:has-text('CC-BY-4.0')").press("Enter")
    assert tally(page) == "4 of 40 characters"
    assert page.evaluate("document.activeElement.textContent").startswith("CC-BY-4.0"), "the focus stays"
    page.click("text=clear all")
    assert tally(page) == "40 characters"
    page.click("button.value:has-text('fusion')")
    assert page.locator(".card").first.locator(".score").count() == 1, "only what is asked for is compared"


def test_bars_of_histograms_filter_by_mouse_and_by_keys(show: Show) -> None:
    page = show(at="#gallery")
    bars = page.get_by_role("group", name="Histogram: IoU, inflate")
    bars.get_by_role("button").first.click()
    assert tally(page) == "4 of 40 characters"
    assert bars.get_by_role("button", pressed=True).count() == 1
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert tally(page) == "8 of 40 characters"
    page.keyboard.press("Escape")
    assert tally(page) == "40 characters"
    assert page.url.endswith("#gallery")


def test_a_card_turns_under_the_pointer_and_by_the_arrow_keys(show: Show) -> None:
    page = show(at="#gallery")
    picture = page.locator(".card .turning").first
    front = picture.screenshot()
    area = picture.bounding_box()
    assert area is not None
    page.mouse.move(area["x"] + 0.9 * area["width"], area["y"] + 50)
    page.wait_for_selector(".turning .strip + .strip.ready")
    turned = picture.screenshot()
    assert not alike(turned, front)
    page.mouse.move(5, 5)
    assert alike(picture.screenshot(), front)
    page.mouse.move(area["x"] + 5, area["y"] + 50)
    page.mouse.down()
    page.mouse.move(area["x"] + 5 + 0.75 * area["width"], area["y"] + 50)
    page.mouse.up()
    assert alike(picture.screenshot(), turned), "dragged by three quarters of its width"
    assert page.url.endswith("#gallery"), "and not opened"
    page.mouse.move(5, 5)
    link = page.locator(".card a").first
    link.focus()
    page.keyboard.press("ArrowLeft")
    assert alike(picture.screenshot(), turned), "one to the left of the first is the last"
    expect(page.locator("#said")).to_have_text("View 3, 270°")


def test_clips_play_under_the_pointer_unless_little_is_to_move(show: Show) -> None:
    page = show("clips", "#gallery")
    page.locator(".card .turning").first.hover()
    expect(page.locator(".turning .strip").nth(1)).to_have_attribute("style", re.compile("--column: 2"))
    calm = show("clips", "#gallery", reduced_motion="reduce")
    calm.locator(".card .turning").first.hover()
    calm.wait_for_timeout(300)
    assert calm.locator(".turning .strip").first.locator("+ .strip").count() == 0


def test_pictures_are_seen(show: Show) -> None:
    page = show(at="#gallery")
    page.wait_for_selector(".card .strip.ready")
    seen = colours(page.locator(".card .turning").nth(1).screenshot())
    assert len(seen) > 2, "the figure, its mark and the ground"
    page.select_option("#show", "inflate")
    page.wait_for_selector(".card .strip.ready")
    assert colours(page.locator(".card .turning").nth(0).screenshot()) != seen


def test_only_what_is_near_the_window_is_there(show: Show) -> None:
    page = show("many", "#gallery")
    assert tally(page) == "400 characters"
    assert page.locator(".card").count() < 60
    page.keyboard.press("End")
    page.wait_for_selector(".card:has-text('figure 399')")
    assert page.locator(".card").count() < 60
    assert page.locator(".card", has_text="figure 399").get_attribute("aria-posinset") == "400"
    page.locator("#search:visible").fill("figure 3")
    expect(page.locator(".card").first).to_be_in_viewport()


def test_a_character_opens_and_back_leads_to_where_one_was(show: Show) -> None:
    page = show("many", "#gallery?sort=seconds")
    page.evaluate("scrollTo(0, 2000)")
    page.wait_for_selector(".card:has-text('figure 360')")
    card = page.locator(".card", has_text="figure 360").locator("a")
    card.focus()
    before = card.bounding_box()
    page.keyboard.press("Enter")
    page.wait_for_selector("main.item h1")
    assert page.url.endswith("#/item/figure%20360")
    page.go_back()
    page.wait_for_selector("main.gallery")
    assert before is not None
    assert card.bounding_box() == before
    assert page.evaluate("document.activeElement.closest('.card').dataset.id") == "figure 360"


def test_a_selection_writes_the_command_that_acts_on_it(show: Show, tmp_path: Path) -> None:
    page = show(at="#gallery", permissions=["clipboard-read", "clipboard-write"])
    box(page, 1).check()
    box(page, 3).click(modifiers=["Shift"])
    box(page, 5).focus()
    page.keyboard.press("Shift+Space")
    assert page.inner_text("#dock b") == "5 selected"
    page.keyboard.press("Space")
    box(page, 2).press("Space")
    box(page, 4).press("Space")
    assert page.inner_text("#dock b") == "2 selected"
    page.click("text=Leave them out")
    assert page.locator("#dock pre").all_inner_texts() == [
        "figure 1\nfigure 3\n",
        "specsia build --out 'my run' --exclude exclude.txt",
    ]
    page.click("#dock [aria-label='Copy the command']")
    expect(page.locator("#said")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()").endswith("--exclude exclude.txt")
    with page.expect_download() as download:
        page.click("text=Save the file")
    assert download.value.suggested_filename == "exclude.txt"
    download.value.save_as(tmp_path / "exclude.txt")
    assert (tmp_path / "exclude.txt").read_text() == "figure 1\nfigure 3\n"
    page.click("text=Only these")
    assert page.locator("#dock pre").first.inner_text().count("\n") == 38
    page.click("text=Manifest lines")
    first = json.loads(page.locator("#dock pre").inner_text().splitlines()[0])
    assert first == {
        "id": "figure 1",
        "path": "PATH",
        "split": "train",
        "license": "CC0-1.0",
        "source": "KayKit",
        "drop": [],
    }
    page.locator("#dock").get_by_text("clear").press("Enter")
    assert page.is_hidden("#dock")
    page.click("text=Select all 40")
    assert page.inner_text("#dock b") == "40 selected"


def test_stars_are_kept_and_filtered_by(show: Show) -> None:
    page = show(at="#gallery")
    page.locator(".card").nth(2).hover()
    page.locator(".card .star").nth(2).click()
    page.locator(".card .star").nth(4).press("Enter")
    page.reload()
    page.click("button.value:has-text('starred by you')")
    assert names(page) == ["figure 2", "figure 4"]
    box(page, 0).check()
    page.click("text=add 2 starred")
    assert page.inner_text("#dock b") == "2 selected"


@pytest.mark.parametrize("start", ["#overview", "#gallery?q=figure+9", "#failures"])
def test_new_data_takes_the_place_of_the_old_and_nothing_is_lost(
    show: Show, start: str, document_of: Callable[[str], dict[str, object]]
) -> None:
    page = show(at=start)
    if page.query_selector(".card"):
        page.locator(".card a").first.focus()
        page.evaluate("document.querySelector('.card').mark = 'the same'")
    page.evaluate("scrollTo(0, 100)")
    more = document_of("figures")
    more["items"] = [*more["items"], *document_of("many")["items"][150:160]]  # type: ignore[misc, index]
    page.evaluate("document => specsiaUpdate(document)", more)
    if page.query_selector(".card"):
        assert tally(page) == ("5 of 50 characters" if "q=" in start else "50 characters")
        assert page.evaluate("document.querySelector('.card').mark") == "the same"
        assert page.evaluate("document.activeElement.dataset.id") == names(page)[0]
    assert page.evaluate("scrollY") == min(100, page.evaluate("document.documentElement.scrollHeight - innerHeight"))
