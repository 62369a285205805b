"""View 0 of a character, and others where that shows pieces, before anything is built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from specsia_build import png
from specsia_build.characters.character import Character, Entry
from specsia_build.characters.colour import plain_materials, plain_view
from specsia_build.characters.read import read_character
from specsia_build.characters.scattered import pieces_of, scattered
from specsia_build.characters.survey import CharacterFacts, facts_of, unread
from specsia_build.errors import CharacterError
from specsia_build.frame import normalise, view_cameras
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import Layers
from specsia_build.rendering.mesh import compacted

SIZE, VIEWS = 256, 10
"""Pixels on a side, and the views that no edge may cut; others than the first are drawn while all show pieces."""


def surveyed(entry: Entry, *, pictured: bool) -> tuple[CharacterFacts, bytes]:
    """What a character is like, or why it cannot be read; that view 0 shows one plain colour, or that it comes apart.

    Returns:
        That, and view 0 as PNG, RGBA, without a contour; empty where it is not `pictured` or cannot be drawn.
    """
    try:
        character = read_character(entry)
        facts = facts_of(character)
        views = _drawn(character)
        front = next(views)
        shown = [pieces_of(front.coverage)]
        while not shown[-1].together and (further := next(views, None)) is not None:
            shown.append(pieces_of(further.coverage))
    except CharacterError as error:
        return unread(entry, str(error)), b""
    said = []
    # Of what nobody coloured more is said already.
    plain = plain_view(character.mesh, front.color, front.coverage) if plain_materials(character.mesh) is None else None
    if plain is not None:
        said.append(f"{facts.file} shows a plain {plain} in view 0 and nothing else: look at it, and at its textures")
    if not shown[-1].together:
        said.append(f"{facts.file} {scattered(shown)}")
    facts = replace(facts, warnings=(*facts.warnings, *said))
    return facts, png.encode(front.color) if pictured else b""


def _drawn(character: Character) -> Iterator[Layers]:
    mesh = compacted(character.mesh)
    cameras = view_cameras(VIEWS, SIZE)
    placed = normalise(mesh.vertices, cameras, 1)
    return iter(FastRenderer().render(mesh.with_vertices(placed.apply(mesh.vertices)), cameras))
