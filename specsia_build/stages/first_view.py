"""View 0 of a character before anything is built."""

from __future__ import annotations

from dataclasses import dataclass

from specsia_build import png
from specsia_build.characters.character import Entry
from specsia_build.characters.colour import plain_picture
from specsia_build.characters.read import read_character
from specsia_build.errors import CharacterError
from specsia_build.frame import normalise, view_cameras
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import compacted

SIZE, VIEWS = 256, 10
"""Pixels on a side, and the views that no edge may cut, of which only the first is drawn."""


@dataclass(frozen=True)
class FirstView:
    """What view 0 shows.

    Attributes:
        picture: PNG, RGBA, without a contour; empty where there is none.
        plain: the grey or colour that it shows nothing but, as `plain_picture` says it; None where it shows more.
    """

    picture: bytes = b""
    plain: str | None = None


def first_view(entry: Entry) -> FirstView:
    """Draw a character's view 0; one that cannot be drawn gives none, and `survey` says why."""
    try:
        mesh = compacted(read_character(entry).mesh)
        cameras = view_cameras(VIEWS, SIZE)
        placed = normalise(mesh.vertices, cameras, 1)
    except CharacterError:
        return FirstView()
    layers = next(iter(FastRenderer().render(mesh.with_vertices(placed.apply(mesh.vertices)), cameras[:1])))
    return FirstView(png.encode(layers.color), plain_picture(layers.color, layers.coverage))
