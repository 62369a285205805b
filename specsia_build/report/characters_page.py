"""The page about a source before anything is built: view 0 of each character, with what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from specsia_build.characters.survey import CharacterFacts
from specsia_build.report.markup import Html, image, join, plural, section, tag
from specsia_build.report.page import document, save
from specsia_build.report.pictures import tile
from specsia_build.stages.first_view import SIZE, FirstView

FEW, SMALL = 400, 128
"""Of more characters, the pictures are scaled down to so many pixels."""


def write_characters_page(name: str, facts: Sequence[CharacterFacts], views: Sequence[FirstView], path: Path) -> None:
    """Write one self-contained page; those with warnings or problems come first.

    Args:
        name: of the source.
        facts, views: of each character.
        path: of the page.

    Raises:
        WriteError: if it cannot be written.
    """
    pixels = SIZE if len(facts) <= FEW else SMALL
    pairs = sorted(zip(facts, views, strict=True), key=lambda pair: not _said(*pair))
    troubled = sum(bool(_said(*pair)) for pair in pairs)
    cards = [_card(one, view, pixels) for one, view in pairs]
    shown = section("characters", "Characters", tag("div", *cards, cls="cards small"))
    lead = f"View 0 of {plural(len(facts), 'character')}, {troubled} with warnings or problems."
    save(path, document(name, lead, {"characters": shown}))


def _said(facts: CharacterFacts, view: FirstView) -> list[str]:
    grey = [] if view.grey is None else [f"shows a plain grey of {view.grey} and nothing else"]
    return [*([] if facts.problem is None else [facts.problem]), *facts.warnings, *grey]


def _card(facts: CharacterFacts, view: FirstView, pixels: int) -> Html:
    line = [facts.format, f"{facts.triangles:,} triangles", f"faces {facts.faces}", facts.pose]
    head = tag("header", tag("h4", facts.id), tag("p", join((tag("span", p) for p in line if p), " "), cls="facts"))
    shown = None
    if view.picture:
        small = tile(view.picture, facts.id, None, pixels)
        shown = tag("div", image(small.uri, f"view 0 of {facts.id}", small.pixels), cls="look")
    said = [tag("p", sentence, cls="problem") for sentence in _said(facts, view)]
    return tag("article", head, *([] if shown is None else [shown]), *said, cls="card")
