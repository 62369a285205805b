"""The line art of a frame: creases, borders, silhouettes and where parts cover each other, without what is hidden."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.annotation.features import Features
from specsia_build.annotation.tracing import CUT, View, candidates, depths_around, plane_at, seen_pieces
from specsia_build.jit import compiled, inlined, uncounted
from specsia_build.rendering.seen import Seen
from specsia_build.rendering.topology import root


@uncounted
def ink(places, width, out):  # type: ignore[no-untyped-def]
    """Darken `out` (H, W) uint8 under pieces (P, 2, 2) in pixels, round at their ends.

    A pixel is as dark as the nearest piece makes it: lines that meet or lie on each other are no darker than one.
    """
    reach = 0.5 * width + 0.5
    for p in range(len(places)):
        x0, y0 = np.float64(places[p, 0, 0]), np.float64(places[p, 0, 1])
        dx, dy = places[p, 1, 0] - x0, places[p, 1, 1] - y0
        squared = dx * dx + dy * dy
        top = max(0, int(np.floor(min(y0, y0 + dy) - reach)))
        bottom = min(out.shape[0] - 1, int(np.floor(max(y0, y0 + dy) + reach)))
        for row in range(top, bottom + 1):
            y = row + 0.5 - y0
            # The columns beside the part of the piece that is near this row.
            low, high = 0.0, 1.0
            if dy > 0:
                low, high = max(low, (y - reach) / dy), min(high, (y + reach) / dy)
            elif dy < 0:
                low, high = max(low, (y + reach) / dy), min(high, (y - reach) / dy)
            xa, xb = x0 + low * dx, x0 + high * dx
            left = max(0, int(np.floor(min(xa, xb) - reach)))
            right = min(out.shape[1] - 1, int(np.floor(max(xa, xb) + reach)))
            for column in range(left, right + 1):
                x = column + 0.5 - x0
                t = min(1.0, max(0.0, (x * dx + y * dy) / squared)) if squared > 0 else 0.0
                u, v = x - t * dx, y - t * dy
                away = u * u + v * v
                if away < reach * reach:
                    level = np.uint8(255 * (1 - min(1.0, reach - np.sqrt(away))) + 0.5)
                    out[row, column] = min(out[row, column], level)


NEAR = 2
"""Pixels around that of an end which is no vertex, in which what is there is joined to it: a line closes the gap
between two others though it ends beside the pixels that they darken."""


@inlined
def _join(parent, p, q):  # type: ignore[no-untyped-def]
    p, q = root(parent, p), root(parent, q)
    if p != q:
        parent[max(p, q)] = min(p, q)


@compiled
def lengths_together(places, vertices, count, height, width):  # type: ignore[no-untyped-def]
    """(P,) float64, for each piece the length in pixels of all that it is joined to: by a vertex, or by a pixel that
    both touch; the pixels around an end that is no vertex, `NEAR` on each side, count too."""
    parent = np.arange(len(places))
    at_vertex = np.full(count, -1, np.int32)
    at_pixel = np.full((height, width), -1, np.int32)
    length = np.zeros(len(places))
    for p in range(len(places)):
        for i in range(2):
            v = vertices[p, i]
            if v >= 0:
                if at_vertex[v] >= 0:
                    _join(parent, at_vertex[v], p)
                at_vertex[v] = p
        x, y = places[p, 0, 0], places[p, 0, 1]
        dx, dy = places[p, 1, 0] - x, places[p, 1, 1] - y
        length[p] = np.hypot(dx, dy)
        steps = 1 + int(2 * length[p])
        for k in range(steps + 1):
            row, column = int(y + dy * k / steps), int(x + dx * k / steps)
            if 0 <= row < height and 0 <= column < width:
                if at_pixel[row, column] >= 0:
                    _join(parent, at_pixel[row, column], p)
                at_pixel[row, column] = p
    for p in range(len(places)):
        for i in range(2):
            if vertices[p, i] >= 0:
                continue
            row, column = int(places[p, i, 1]), int(places[p, i, 0])
            for r in range(max(0, row - NEAR), min(height, row + NEAR + 1)):
                for c in range(max(0, column - NEAR), min(width, column + NEAR + 1)):
                    if at_pixel[r, c] >= 0:
                        _join(parent, at_pixel[r, c], p)
    total = np.zeros(len(places))
    for p in range(len(places)):
        total[root(parent, p)] += length[p]
    out = np.empty(len(places))
    for p in range(len(places)):
        out[p] = total[root(parent, p)]
    return out


@uncounted
def _crossing(f, g, x, y, right, view):  # type: ignore[no-untyped-def]
    """How far on the way from a pixel's centre to the next, right or down, the planes of their faces cross; half where
    they do not."""
    if f < 0 or g < 0:
        return 0.5
    x1, y1 = (x + 1, y) if right else (x, y + 1)
    here = plane_at(f, x, y, view) - plane_at(g, x, y, view)
    there = plane_at(f, x1, y1, view) - plane_at(g, x1, y1, view)
    t = here / (here - there)
    return t if 0.0 <= t <= 1.0 else 0.5


@inlined
def _put(row, column, right, label, drawn, binary, view, spots, m):  # type: ignore[no-untyped-def]
    """Put where a border without a line runs between a pixel and the next, right or down, behind `m` of the spots."""
    r, c = (row, column + 1) if right else (row + 1, column)
    if label[row, column] == label[r, c] or drawn[row, column] < binary or drawn[r, c] < binary:
        return m
    x, y = column + 0.5, row + 0.5
    t = np.float32(_crossing(view.face[row, column], view.face[r, c], x, y, right, view))
    spots[m, 0], spots[m, 1] = (x + t, y) if right else (x, y + t)
    return m + 1


@inlined
def _is_even(label, row, column):  # type: ignore[no-untyped-def]
    """Whether the four pixels at a corner, of which that one is the first, are of one region."""
    one = label[row, column]
    return one == label[row, column + 1] and one == label[row + 1, column] and one == label[row + 1, column + 1]


@compiled
def seams(label, box, drawn, binary, view):  # type: ignore[no-untyped-def]
    """Pieces (P, 2, 2) float32, in pixels, of the borders between the regions of `label` (H, W) where no line is.

    A border runs between two neighbouring pixels of which `drawn` (H, W) uint8 is not darker than `binary` in either.
    Nothing is seen outside of the first and end row, first and end column of `box`.
    """
    height, width = label.shape
    top, left = max(0, box[0] - 1), max(0, box[2] - 1)
    bottom, right = min(height - 1, box[1] + 1), min(width - 1, box[3] + 1)
    room = 0
    for row in range(top, bottom):
        for column in range(left, right):
            room += 0 if _is_even(label, row, column) else 4
    places, n = np.empty((room, 2, 2), np.float32), 0
    spots = np.empty((4, 2), np.float32)
    for row in range(top, bottom):
        for column in range(left, right):
            if _is_even(label, row, column):
                continue
            # The four borders that meet at the pixels' common corner.
            m = _put(row, column, True, label, drawn, binary, view, spots, 0)
            m = _put(row + 1, column, True, label, drawn, binary, view, spots, m)
            m = _put(row, column, False, label, drawn, binary, view, spots, m)
            m = _put(row, column + 1, False, label, drawn, binary, view, spots, m)
            if m == 2:
                for i in range(2):
                    places[n, i] = spots[i]
                n += 1
            elif m > 0:
                for i in range(m):
                    places[n, 0] = spots[i]
                    places[n, 1, 0], places[n, 1, 1] = column + 1, row + 1
                    n += 1
    return places[:n]


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
