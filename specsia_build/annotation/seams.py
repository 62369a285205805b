"""Compiled: lines where the picture has a border and the mesh has no edge, as where parts run through each other."""

from __future__ import annotations

import numpy as np

from specsia_build.annotation.tracing import plane_at
from specsia_build.jit import compiled, inlined


@inlined
def _region(face, region, row, column):  # type: ignore[no-untyped-def]
    f = face[row, column]
    return region[f] if f >= 0 else -1


@inlined
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


@compiled
def seams(region, box, drawn, binary, view):  # type: ignore[no-untyped-def]
    """Pieces (P, 2, 2) float32, in pixels, of the borders between regions where no line is.

    A border runs between two neighbouring pixels of which `drawn` (H, W) uint8 is not darker than `binary` in either.
    Nothing is seen outside of the first and end row, first and end column of `box`.
    """
    face = view.face
    height, width = face.shape
    # For each pixel how far to the next, right (0) and down (1), a border without a line is; -1 where none is.
    gaps, count = np.full((height, width, 2), np.float32(-1)), 0
    top, bottom, left, right = max(0, box[0] - 1), min(height, box[1] + 1), max(0, box[2] - 1), min(width, box[3] + 1)
    for row in range(top, bottom):
        for column in range(left, right):
            if drawn[row, column] < binary:
                continue
            here = _region(face, region, row, column)
            for k in range(2):
                r, c = row + k, column + 1 - k
                if r == height or c == width or drawn[r, c] < binary or _region(face, region, r, c) == here:
                    continue
                f, g = face[row, column], face[r, c]
                gaps[row, column, k] = _crossing(f, g, column + 0.5, row + 0.5, k == 0, view)
                count += 1
    places, n = np.empty((4 * count, 2, 2), np.float32), 0
    if count == 0:
        return places
    spots = np.empty((4, 2), np.float32)
    for row in range(top, min(bottom, height - 1)):
        for column in range(left, min(right, width - 1)):
            # The four borders that meet at the pixels' common corner.
            m = 0
            if gaps[row, column, 0] >= 0:
                spots[m, 0], spots[m, 1] = column + 0.5 + gaps[row, column, 0], row + 0.5
                m += 1
            if gaps[row + 1, column, 0] >= 0:
                spots[m, 0], spots[m, 1] = column + 0.5 + gaps[row + 1, column, 0], row + 1.5
                m += 1
            if gaps[row, column, 1] >= 0:
                spots[m, 0], spots[m, 1] = column + 0.5, row + 0.5 + gaps[row, column, 1]
                m += 1
            if gaps[row, column + 1, 1] >= 0:
                spots[m, 0], spots[m, 1] = column + 1.5, row + 0.5 + gaps[row, column + 1, 1]
                m += 1
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
