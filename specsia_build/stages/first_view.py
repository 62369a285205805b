"""View 0 of a character, before anything is built."""

from __future__ import annotations

from dataclasses import replace

from specsia_build import png
from specsia_build.characters.character import Character, Entry
from specsia_build.characters.colour import one_colour
from specsia_build.characters.read import read_character
from specsia_build.characters.survey import CharacterFacts, facts_of, unread
from specsia_build.errors import CharacterError
from specsia_build.frame import normalise, view_cameras
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import Layers
from specsia_build.rendering.mesh import compacted

SIZE, VIEWS = 256, 10
"""Pixels on a side, and the views that no edge may cut."""


def surveyed(entry: Entry, *, pictured: bool) -> tuple[CharacterFacts, bytes]:
    """What a character is like, or why it cannot be read, with the doubts that view 0 gives.

    Returns:
        That, and view 0 as PNG, RGBA, without a contour; empty where it is not `pictured` or cannot be drawn.
    """
    try:
        character = read_character(entry)
        front = _drawn(character)
    except CharacterError as error:
        return unread(entry, str(error)), b""
    doubts = tuple(one_colour(character, front.color, front.coverage))
    character = replace(
        character,
        warnings=(*character.warnings, *(doubt.sentence for doubt in doubts)),
        doubts=(*character.doubts, *doubts),
    )
    return facts_of(character), png.encode(front.color) if pictured else b""


def _drawn(character: Character) -> Layers:
    mesh = compacted(character.mesh)
    cameras = view_cameras(VIEWS, SIZE)
    placed = normalise(mesh.vertices, cameras, 1)
    return next(iter(FastRenderer().render(mesh.with_vertices(placed.apply(mesh.vertices)), cameras[:1])))
