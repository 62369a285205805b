"""Compiled: which pieces of lines hang together, so that specks can be left out."""

from __future__ import annotations

import numpy as np

from specsia_build.jit import compiled, inlined
from specsia_build.rendering.topology import root

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
