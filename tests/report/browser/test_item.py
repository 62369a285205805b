"""A character's page, and a clip's, as one uses them."""

from __future__ import annotations

import io
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.report.browser.conftest import Show, serious
from tests.report.browser.pages import TILE

AT = "#/item/figure%201"
DRAWN = '.stage figure:is([data-layer="gt"], [data-layer="color"], [data-layer="pos"]) .strip'


def pixels(of: Locator) -> NDArray[np.int32]:
    return np.asarray(Image.open(io.BytesIO(of.screenshot())).convert("RGB")).astype(np.int32)


def frame_of(of: Locator) -> int:
    """Which frame a picture of a figure shows: where its black mark is tells it."""
    found = pixels(of)
    row = found[int(found.shape[0] * 24 / TILE)].max(axis=1)
    return round((float(np.mean(np.flatnonzero(row < 40))) * TILE / len(row) - 7) / 3)


def shown(page: Page) -> set[int]:
    """The frames that all pictures of figures show."""
    expect(page.locator(".stage .strip:not(.ready)")).to_have_count(0)
    return {frame_of(one) for one in page.locator(DRAWN).all()}


def opened(show: Show, at: str = AT, **more: Any) -> Page:
    page = show(at=at, **more)
    page.wait_for_selector(".stage .strip.ready")
    return page


def test_one_slider_turns_all_pictures(show: Show) -> None:
    page = opened(show)
    assert page.locator(DRAWN).count() == 5
    assert shown(page) == {0}
    slider = page.get_by_role("slider", name="View", exact=True)
    slider.press("ArrowRight")
    assert shown(page) == {1}
    assert slider.get_attribute("aria-valuetext") == "90°, view 2 of 4"
    slider.press("End")
    assert shown(page) == {3}
    box = slider.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.66, box["y"] + box["height"] / 2)
    assert shown(page) == {2}


def test_the_target_is_shown_larger_and_compared_in_the_size_of_others(show: Show) -> None:
    page = opened(show, at=f"{AT}?compare=difference")
    wide = "all => all.map(one => one.naturalWidth)"
    assert page.locator('[data-layer="gt"] img').evaluate_all(wide) == [4 * 2 * TILE]
    assert page.locator('[data-layer="color"] img').evaluate_all(wide) == [4 * TILE] * 2
    assert page.locator(".duel img").evaluate_all(wide) == [4 * TILE] * 2


def test_dragging_a_picture_turns_all(show: Show) -> None:
    page = opened(show)
    box = page.locator(DRAWN).nth(1).bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.9, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.4, middle, steps=5)
    page.mouse.up()
    assert shown(page) == {1}


def test_keys_turn_round_and_a_picture_may_be_hidden(show: Show) -> None:
    page = opened(show)
    for key, frame in (("ArrowLeft", 3), (".", 0), (".", 1), (",", 0), ("End", 3), ("Home", 0)):
        page.keyboard.press(key)
        assert page.get_by_role("slider", name="View", exact=True).input_value() == str(frame), key
    button = page.get_by_role("button", name="Zpos", exact=True)
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert page.locator(DRAWN).filter(visible=True).count() == 3
    page.get_by_role("group", name="Sides").get_by_role("button", name="fusion").click()
    assert page.locator(DRAWN).filter(visible=True).count() == 2


def test_zoom_enlarges_all_pictures_about_one_point(show: Show) -> None:
    page = opened(show)
    target, made = page.locator(DRAWN).nth(0), page.locator(DRAWN).nth(1)
    ground = [pixels(one)[2, 2] for one in (target, made)]
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.keyboard.press("+")
    box = target.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert page.locator(".shownbar output").text_content() == "3.4×"
    for before, one in zip(ground, (target, made), strict=True):
        assert np.abs(pixels(one)[-3, 3 * pixels(one).shape[1] // 8] - before).max() > 40
    page.keyboard.press("0")
    assert page.locator(".shownbar output").text_content() == "1×"


def test_a_wipe_shows_one_picture_on_either_side(show: Show) -> None:
    page = opened(show, at=f"{AT}?right=pos@fusion")
    duel = page.locator(".duel")
    alone = {
        side: pixels(page.locator(f'.stage [data-side="{side}"] [data-layer="{layer}"] .strip'))
        for side, layer in (("Y*", "gt"), ("fusion", "pos"))
    }

    def colour(of: NDArray[np.int32], x: float) -> NDArray[np.int32]:
        found: NDArray[np.int32] = of[int(of.shape[0] * 0.7), int(of.shape[1] * x)]
        return found

    left, right = colour(alone["Y*"], 0.5), colour(alone["fusion"], 0.5)
    assert np.abs(left - right).max() > 30
    slider = page.get_by_role("slider", name="Wipe")
    slider.press("Home")
    assert np.abs(colour(pixels(duel), 0.6) - right).max() < 12
    box = duel.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 2, box["y"] + box["height"] * 0.7)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.7, steps=3)
    page.mouse.up()
    assert slider.input_value() == "50"
    assert np.abs(colour(pixels(duel), 0.4) - left).max() < 12
    assert np.abs(colour(pixels(duel), 0.6) - right).max() < 12
    page.get_by_role("button", name="Swap them").click()
    assert np.abs(colour(pixels(duel), 0.4) - right).max() < 12


def test_the_difference_of_a_picture_and_itself_is_cold(show: Show) -> None:
    page = opened(show, at=f"{AT}?compare=difference&right=gt@Y*")
    expect(page.locator(".duel .strip.ready")).to_have_count(2)
    inside = pixels(page.locator(".duel"))[20:-20, 20:-20]
    assert inside.max() < 12
    page.get_by_label("Right picture").select_option("Zpos · fusion")
    expect(page.locator(".duel .strip.ready")).to_have_count(2)
    inside = pixels(page.locator(".duel"))[20:-20, 20:-20]
    assert inside[:20].max() < 12
    assert (inside.max(axis=2) > 120).mean() > 0.2


def test_outlines_are_drawn_in_the_colours_that_the_legend_names(show: Show) -> None:
    page = opened(show, at=f"{AT}?compare=outlines")
    expect(page.locator(".duel .strip.ready")).to_have_count(3)
    found = pixels(page.locator(".duel"))
    wide = {}
    for place in ("left", "right"):
        said = page.locator(f".legend .line.{place}").evaluate("(one) => getComputedStyle(one).backgroundColor")
        colour = np.array([int(part) for part in said.strip("rgb()").split(",")])
        near = np.abs(found - colour).max(axis=2) < 24
        assert near.sum() > 200, place
        wide[place] = np.ptp(np.flatnonzero(near.any(axis=0)))
    assert wide["right"] > wide["left"] * 1.2
    assert page.locator(".legend").first.text_content() == "Y* (broad)inflate (fine)"


def test_the_chart_chooses_the_view_and_leaves_gaps(show: Show) -> None:
    page = opened(show, at="#/item/figure%202")
    chart = page.get_by_role("slider", name="IoU by view")
    lines = chart.locator("path.line")
    assert [(lines.nth(k).get_attribute("d") or "").count("M") for k in range(2)] == [2, 1]
    assert chart.locator("path.dot:not(.large)").count() == 7
    box = chart.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] - 12, box["y"] + 60)
    assert shown(page) == {3}
    chart.press("ArrowLeft")
    assert shown(page) == {2}
    assert chart.get_attribute("aria-valuetext") == "180°: inflate –, fusion 0.890"
    page.get_by_text("Values", exact=True).click()
    row = page.locator("tr[aria-current]")
    assert row.locator("td").all_text_contents() == ["–", "0.890"]
    page.get_by_role("button", name="90°", exact=True).click()
    assert shown(page) == {1}


def test_the_address_keeps_what_is_looked_at(show: Show) -> None:
    page = show(at="#gallery?q=figure+1")
    page.get_by_role("link", name="figure 1", exact=True).click()
    page.wait_for_selector(".stage .strip.ready")
    page.keyboard.press("End")
    page.get_by_role("button", name="Difference").click()
    page.get_by_role("button", name="edge", exact=True).click()
    page.wait_for_url(lambda url: "compare=difference" in url and "layer=" in url)
    address = page.url
    assert "frame=3" in address
    page.reload()
    assert shown(page) == {3}
    assert page.url == address
    assert page.get_by_role("button", name="Difference").get_attribute("aria-pressed") == "true"
    assert page.get_by_role("button", name="edge", exact=True).get_attribute("aria-pressed") == "false"
    page.go_back()
    assert page.text_content("#count") == "25 of 40 characters"
    page.go_forward()
    assert shown(page) == {3}


def test_neighbours_follow_the_order_of_the_gallery_and_escape_goes_back_to_it(show: Show) -> None:
    page = show(at="#gallery?sort=name&first=high")
    cards = page.locator(".card .open")
    names = cards.locator(".name").all_text_contents()
    card = page.get_by_role("link", name=names[10], exact=True)
    card.hover()
    top = page.evaluate("scrollY")
    assert top > 0
    card.click()
    assert page.locator("h1").text_content() == names[10]
    page.keyboard.press("j")
    assert page.locator("h1").text_content() == names[11]
    page.get_by_role("button", name="Previous character (K)").click()
    assert page.locator("h1").text_content() == names[10]
    page.keyboard.press("Escape")
    page.wait_for_selector("#count")
    assert page.evaluate("scrollY") == top


def test_what_cannot_be_shown_is_said_in_its_place(show: Show) -> None:
    page = opened(show, at="#/item/figure%203")
    side = page.locator('.side[data-side="fusion"]')
    assert side.locator(".problem").text_content() == "its pictures cannot be read: <cut short>"
    assert side.locator("figure").count() == 0
    assert show(at="#/item/nobody").locator(".problem").text_content() == "No character of this name is in figures."


def test_commands_draw_the_character_that_is_looked_at(show: Show) -> None:
    page = opened(show)
    assert page.locator(".commands code").all_text_contents() == [
        "specsia turntable 'my run' 'figure 1' --out turntable.webp",
        "specsia sheet 'my run' 'figure 1' --values --out sheet.png",
    ]


def test_other_data_leaves_what_is_looked_at_as_it_is(show: Show) -> None:
    page = opened(show)
    page.keyboard.press("End")
    page.evaluate("""() => {
        window.same = document.querySelector('.stage');
        const data = JSON.parse(document.getElementById('data').textContent);
        data.items[0].warnings = ['another'];
        window.specsiaUpdate(data);
    }""")
    assert page.evaluate("window.same.isConnected")
    page.evaluate("""() => {
        const data = JSON.parse(document.getElementById('data').textContent);
        data.items[1].warnings = ['its own'];
        window.specsiaUpdate(data);
    }""")
    assert page.locator(".warnings li").all_text_contents() == ["its own"]
    assert shown(page) == {3}


CLIP = "#/item/figure%200%2Fwalk"


def test_what_is_made_meanwhile_is_one_key_away(show: Show, document_of: Callable[[str], dict[str, Any]]) -> None:
    page = opened(show)
    page.get_by_label("Star figure 1").focus()
    more = document_of("figures")
    more["items"].append({**deepcopy(more["items"][0]), "id": "figure 0b", "character": "figure 0b"})
    page.evaluate("document => specsiaUpdate(document)", more)
    assert page.inner_text(".head .soft") == "3 of 41"
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Star figure 1"
    page.keyboard.press("k")
    assert page.inner_text("main h1") == "figure 0b"


def test_a_clip_plays_by_the_clock_and_stops(show: Show) -> None:
    page = opened(show, at=f"{CLIP}?frame=0", name="clips")
    slider = page.get_by_role("slider", name="Frame", exact=True)
    page.keyboard.press("Space")
    page.get_by_role("button", name="Stop (Space)").wait_for()
    expect(slider).not_to_have_value("0")
    page.keyboard.press("Space")
    page.get_by_role("button", name="Play (Space)").wait_for()
    frame = int(slider.input_value())
    assert shown(page) == {frame}
    assert {frame_of(one) for one in page.locator(".siblings .strip").all()} == {frame}
    page.keyboard.press(".")
    assert shown(page) == {(frame + 1) % 4}
    assert {frame_of(one) for one in page.locator(".siblings .strip").all()} == {(frame + 1) % 4}


def test_a_clip_starts_by_itself_only_where_motion_is_welcome(show: Show) -> None:
    page = opened(show, at=CLIP, name="clips")
    page.get_by_role("button", name="Stop (Space)").click()
    page.keyboard.press("j")
    assert page.get_by_role("button", name="Play (Space)").is_visible()
    page = opened(show, at=CLIP, name="clips", reduced_motion="reduce")
    assert page.get_by_role("button", name="Play (Space)").is_visible()
    page.keyboard.press("Space")
    page.keyboard.press("j")
    assert page.get_by_role("button", name="Stop (Space)").is_visible()


def test_a_clip_that_is_not_looped_ends(show: Show) -> None:
    page = opened(show, at=f"{CLIP}?frame=2", name="clips")
    page.get_by_role("button", name="Over and over").click()
    page.get_by_label("Speed").select_option("2×")
    page.get_by_role("button", name="Play (Space)").click()
    page.get_by_role("button", name="Play (Space)").wait_for()
    assert shown(page) == {3}
    page.wait_for_url("**loop=no**")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("name", "at"), [("figures", f"{AT}?compare=outlines"), ("clips", f"{CLIP}?frame=1")])
def test_nothing_serious_keeps_anybody_out(show: Show, name: str, at: str, theme: str) -> None:
    page = opened(show, at=at, name=name, theme=theme)
    assert serious(page) == []


@pytest.mark.parametrize("width", [390, 820, 1600])
def test_nothing_is_wider_than_the_window(show: Show, width: int) -> None:
    page = opened(show, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    boxes = [one.bounding_box() for one in page.locator(".stage .strip").filter(visible=True).all()]
    assert all(box is not None and box["width"] >= 80 and box["x"] + box["width"] <= width for box in boxes)


def test_hostile_texts_stay_texts(show: Show) -> None:
    page = show(name="hostile", at="#gallery", width=390)
    for link in page.locator(".card .open").evaluate_all("(all) => all.map((one) => one.hash)"):
        page.evaluate("(hash) => (location.hash = hash)", link)
        page.wait_for_selector(".stage .strip.ready")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
