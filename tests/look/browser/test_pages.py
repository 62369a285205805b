"""The report page in a browser: filters, comparison, accessibility, and no scripts from data."""

import pytest
from playwright.sync_api import expect

from tests.look.browser.conftest import HOSTILE, Show, alike, serious

VIEWS = ("#overview", "#gallery", "#failures")
ITEM = "#/item/figure%202"


@pytest.mark.parametrize(("width", "theme"), [(390, "light"), (1600, "dark")])
def test_accessibility(show: Show, width: int, theme: str) -> None:
    page = show("few", width=width, theme=theme)
    for view in (*VIEWS, ITEM):
        page.evaluate("address => { location.hash = address }", view)
        page.wait_for_selector("main h1")
        assert serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_repair(show: Show) -> None:
    page = show("repair", width=390)
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    video = page.locator("video")
    page.wait_for_function("document.querySelector('video').readyState > 0")
    assert video.evaluate("video => [video.videoWidth, video.paused]") == [16, True]
    for image in page.locator(".made img").all():
        assert image.evaluate("image => image.complete && image.naturalWidth") > 0


def test_hostile_text_is_escaped(show: Show) -> None:
    page = show("hostile", width=390)
    for view in VIEWS:
        page.evaluate("address => { location.hash = address }", view)
        page.wait_for_selector(f"main.{view[1:]} h1")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.evaluate("document.querySelectorAll('main script, main img[src=x]').length") == 0
    for text in HOSTILE:
        page.evaluate("text => { location.hash = `#gallery?${new URLSearchParams({ split: text })}` }", text)
        expect(page.locator("#count")).to_have_text("1 of 8 characters")
        page.locator(".card a").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("main.item h1")


def test_filter_sort_and_search(show: Show) -> None:
    page = show(at="#gallery")
    page.click("button.value:has-text('validation')")
    expect(page.locator("#count")).to_have_text("4 of 40 characters")
    page.click(".chip")
    page.fill("#search", "back is open")
    expect(page.locator("#count")).to_have_text("8 of 40 characters")
    page.select_option("#order", "seconds")
    expect(page.locator(".card .name").first).to_have_text("figure 35")
    page.go_back()
    page.reload()
    page.wait_for_selector(".card")
    assert "q=back+is+open" in page.url


def test_cards_pair_z_with_gt(show: Show) -> None:
    page = show("few", "#gallery")
    card = page.locator(".card").first
    expect(card.locator(".pictures > .turning")).to_have_count(2)
    card.locator("a").focus()
    before = card.locator(".pictures").screenshot()
    page.keyboard.press("ArrowRight")
    expect(card.locator(".strip.ready")).to_have_count(4)
    assert not alike(before, card.locator(".pictures").screenshot())


def test_selection_names_what_is_left_out(show: Show) -> None:
    page = show("few", "#gallery")
    page.locator(".card input").nth(1).check()
    with page.expect_download() as found:
        page.click("text=Save exclude.txt")
    assert found.value.path().read_text() == "figure 1\n"
    assert "--exclude exclude.txt" in page.inner_text("#dock pre")


def test_item_opens_on_its_worst_view(show: Show) -> None:
    page = show(at="#/item/figure%200")
    assert page.inner_text("output.where") == "270°", "values fall by view"
    page.keyboard.press("Home")
    assert page.inner_text("output.where") == "0°"
    page.keyboard.press("ArrowLeft")
    assert page.inner_text("output.where") == "270°"
    page.click("button[title='Turn by itself (Space)']")
    expect(page.locator("output.where")).to_have_text("90°")
    page.keyboard.press("Escape")
    page.wait_for_selector("main.gallery")


def test_hidden_layers_stay_in_address(show: Show) -> None:
    page = show(at=ITEM)
    page.click("button.toggle:has-text('Zpos')")
    page.wait_for_url("**layer=**")
    page.reload()
    page.wait_for_selector("main.item h1")
    assert page.locator("figure[data-layer=pos]:visible").count() == 0
    assert page.locator("figure[data-layer=color]:visible").count() == 2


def test_wipe_and_difference(show: Show) -> None:
    page = show(at=ITEM)
    duel = page.locator(".duel.wiped")
    before = duel.screenshot()
    page.select_option("select[aria-label='Right picture']", "pos@relief")
    assert not alike(before, duel.screenshot())
    page.locator("input[aria-label=Wipe]").fill("100")
    expect(page.locator(".part.left")).to_have_css("clip-path", "inset(0px 0% 0px 0px)")
    page.click("button.toggle:has-text('Difference')")
    expect(page.locator(".heat")).to_be_visible()


def test_problems(show: Show) -> None:
    page = show(at="#/item/figure%203")
    assert "<cut short>" in page.inner_text(".side .problem")
    page.evaluate("location.hash = '#/item/nobody'")
    expect(page.locator(".problem")).to_contain_text("No character")


def test_clips_play(show: Show) -> None:
    page = show("clips", "#/item/figure%200%2Fwalk")
    first = page.inner_text("output.where")
    expect(page.locator("output.where")).not_to_have_text(first)


def test_equal_failures_are_grouped(show: Show) -> None:
    page = show("few", "#failures")
    expect(page.locator(".failure")).to_have_count(2)
    assert page.locator(".failure").first.locator(".lost").count() == 14
    page = show("empty", "#failures")
    assert page.inner_text("main .lead") == "Nothing failed."
