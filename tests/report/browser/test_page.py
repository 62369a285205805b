"""What holds of every view: nothing of the data is run, everybody can use it, and it fits."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.backends.upstream.standins import eventually
from tests.report.browser.conftest import Show, serious
from tests.report.browser.pages import HOSTILE

VIEWS = ("#overview", "#gallery", "#failures")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 820, 1600])
def test_everybody_can_use_it_at_every_width_in_both_themes(show: Show, width: int, theme: str) -> None:
    page = show("few", width=width, theme=theme)
    for view in VIEWS:
        page.evaluate("address => { location.hash = address }", view)
        page.wait_for_selector(f"main.{view[1:]} h1")
        if view == "#gallery":
            page.locator(".card input").first.check()
            page.click("text=Leave them out")
            if page.is_visible("#filters"):
                page.click("#filters")
        assert serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_theme_is_kept(show: Show) -> None:
    page = show()
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.click("#theme")
    dark = page.evaluate(ground)
    assert dark != light

    def after_a_reload() -> bool:
        page.reload()
        page.wait_for_selector("main h1")
        return bool(page.evaluate(ground) == dark)

    # The browser writes down what a page keeps a moment later, and may reload it in another process.
    assert eventually(after_a_reload, 60.0)


def test_the_content_is_one_key_away(show: Show) -> None:
    page = show(at="#gallery")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "search"
    assert page.url.endswith("#gallery")


def test_texts_from_data_stay_texts(show: Show) -> None:
    page = show("hostile", width=390)
    for view in VIEWS:
        page.evaluate("address => { location.hash = address }", view)
        page.wait_for_selector(f"main.{view[1:]} h1")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.evaluate("document.querySelectorAll('main script, main img[src=x]').length") == 0
    page.evaluate("location.hash = '#gallery'")
    page.wait_for_selector("main.gallery")
    shown = page.evaluate("[...document.querySelectorAll('.card .open > .name')].map(one => one.textContent)")
    assert sorted(shown) == sorted((*HOSTILE[:4], "bell ␇ escape ␛[31m nul ␀", *HOSTILE[5:]))
    assert page.evaluate("Math.max(...[...document.querySelectorAll('.card')].map(one => one.offsetWidth))") <= 200


def test_hostile_names_are_filtered_by_opened_and_left_out(show: Show) -> None:
    page = show("hostile", "#gallery")
    for text in HOSTILE:
        page.evaluate("text => { location.hash = `#gallery?${new URLSearchParams({ split: text })}` }", text)
        expect(page.locator("#count")).to_have_text("1 of 8 characters")
        page.locator(".card a").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("main.item h1")
        page.go_back()
        page.wait_for_selector("main.gallery .card")
        page.locator(".card input").check()
    page.click("text=Leave them out")
    assert page.locator("#dock pre").first.text_content() == "".join(f"{text}\n" for text in HOSTILE)
    assert "'\\''; rm -rf ~ #'" in page.locator("#dock pre").nth(1).inner_text()


def test_nothing_to_show_is_said(show: Show) -> None:
    page = show("empty")
    assert page.inner_text("#count") == "0 characters"
    assert page.inner_text(".empty") == "There is nothing to look at."
    page.click("nav a:has-text('Gallery')")
    assert page.inner_text("#empty") == "There is nothing to look at.", "there are no filters to clear"
    page.click("nav a:has-text('Failures')")
    assert page.inner_text("main .lead") == "Nothing failed."


def test_the_whole_list_is_printed(show: Show) -> None:
    page = show("many", "#gallery")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator(".card").count() == 400
    assert page.is_hidden(".toolbar")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator(".card").count() < 60
