from __future__ import annotations

from tests.report.browser.conftest import Show


def test_search_leaves_those_whose_name_has_the_words(show: Show) -> None:
    page = show(at="#gallery")
    assert page.text_content("#count") == "40 characters"
    page.keyboard.press("/")
    page.keyboard.type("figure 3")
    assert page.text_content("#count") == "13 of 40 characters"
    names = page.locator(".card .open .name").all_text_contents()
    assert names[:2] == ["figure 3", "figure 13"]
    page.keyboard.press("Escape")
    assert page.text_content("#count") == "40 characters"
