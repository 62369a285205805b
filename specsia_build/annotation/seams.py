"""Compiled: lines where the picture has a border and the mesh has no edge, as where parts run through each other."""

from __future__ import annotations

import numpy as np

from specsia_build.annotation.tracing import plane_at
from specsia_build.jit import compiled, inlined, uncounted


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
