"""View 0 of a character before anything is built."""

from __future__ import annotations

from dataclasses import replace

from specsia_build import png
from specsia_build.characters.character import Character, Entry
from specsia_build.characters.colour import plain_materials, plain_view
from specsia_build.characters.read import read_character
from specsia_build.characters.survey import CharacterFacts, facts_of, unread
from specsia_build.errors import CharacterError
from specsia_build.frame import normalise, view_cameras
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import Layers
from specsia_build.rendering.mesh import compacted

SIZE, VIEWS = 256, 10
"""Pixels on a side, and the views that no edge may cut, of which only the first is drawn."""


def surveyed(entry: Entry, *, pictured: bool) -> tuple[CharacterFacts, bytes]:
    """What a character is like, or why it cannot be read, and that view 0 shows one plain colour where it does.

    Returns:
        That, and view 0 as PNG, RGBA, without a contour; empty where it is not `pictured` or cannot be drawn.
    """
    try:
        character = read_character(entry)
        facts = facts_of(character)
        # Of what nobody coloured more is said already.
        coloured = plain_materials(character.mesh) is None
        if not (coloured or pictured):
            return facts, b""
        layers = _drawn(character)
    except CharacterError as error:
        return unread(entry, str(error)), b""
    plain = plain_view(character.mesh, layers.color, layers.coverage) if coloured else None
    if plain is not None:
        said = f"{facts.file} shows a plain {plain} in view 0 and nothing else: look at it, and at its textures"
        facts = replace(facts, warnings=(*facts.warnings, said))
    return facts, png.encode(layers.color) if pictured else b""


def _drawn(character: Character) -> Layers:
    mesh = compacted(character.mesh)
    cameras = view_cameras(VIEWS, SIZE)
    placed = normalise(mesh.vertices, cameras, 1)
    return next(iter(FastRenderer().render(mesh.with_vertices(placed.apply(mesh.vertices)), cameras[:1])))
