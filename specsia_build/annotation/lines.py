"""The line art of a frame: creases, borders, silhouettes and where parts cover each other, without what is hidden."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.annotation.features import Features
from specsia_build.annotation.ink import ink
from specsia_build.annotation.seams import seams
from specsia_build.annotation.specks import lengths_together
from specsia_build.annotation.tracing import CUT, View, candidates, depths_around, seen_pieces
from specsia_build.rendering.seen import Seen

BINARY = 200
"""Level below which a pixel of a line picture is line, where it is binarised."""

WIDTHS = (1.0, 4.0)
"""Narrowest and widest line, in pixels."""

SPECK = 4.0
"""Pixels of line below which what is joined to nothing else is left out."""


@dataclass(frozen=True)
class Lines:
    """Straight pieces of lines, P of them.

    Attributes:
        places: (P, 2, 2) float32, x and y in pixels of their ends.
        vertices: (P, 2) int32, the `Features.points` of the mesh that they end in, -1 where they end in none: where
            something begins to hide an edge, and along borders at which the mesh has no edge.
    """

    places: NDArray[np.float32]
    vertices: NDArray[np.int32]


def visible_lines(seen: Seen, features: Features) -> Lines:
    """The lines of a frame.

    Every border between two regions of the picture, and between a region and the background, has a line on it, unless
    it is a speck's.

    Args:
        seen: what the view knew.
        features: of the same mesh.
    """
    height, width = seen.face.shape
    which = candidates(
        seen.faces,
        features.ends,
        features.start,
        features.faces,
        features.third,
        features.always,
        features.turning,
        seen.screen,
        seen.facing,
    )
    far = depths_around(seen.faces, seen.screen, seen.depth)
    view = View(seen.faces, seen.screen, seen.depth, seen.face, seen.sample, far)
    known = features.ends, features.opaque, features.welded, features.corners, features.points
    places, vertices = seen_pieces(which, *known, view)
    drawn = np.full((height, width), 255, np.uint8)
    ink(places, WIDTHS[0], drawn)
    between = seams(seen.numbers(features.region), seen.box, drawn, BINARY, view)
    places = np.concatenate([places, between])
    vertices = np.concatenate([vertices, np.full((len(between), 2), CUT, np.int32)])
    kept = lengths_together(places, vertices, len(features.points), height, width) >= SPECK
    return Lines(places[kept], vertices[kept])


def draw_lines(lines: Lines, size: int, width: float) -> NDArray[np.uint8]:
    """Lines as a picture, black on white and anti-aliased.

    Args:
        lines: of the frame.
        size: of the picture, in pixels.
        width: of the lines in pixels, 1 to 4.

    Returns:
        (S, S) uint8. Binarised at `BINARY`, lines let nothing through between neighbours right and left, above and
        below.

    Raises:
        ValueError: if the width is out of range.
    """
    if not WIDTHS[0] <= width <= WIDTHS[1]:
        raise ValueError(f"lines are {WIDTHS[0]:g} to {WIDTHS[1]:g} px wide, not {width}")
    out = np.full((size, size), 255, np.uint8)
    ink(lines.places, width, out)
    return out
