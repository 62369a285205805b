"""Silhouettes from their outlines: all other edges cancel out.

Every face lies as one layer over the pixel centres in it, whichever side it shows. Where two neighbours show the same
side, the layer of one begins where that of the other ends, so that only edges between a front and a back, and borders,
change the number of layers. Their crossings, summed along each row, say which pixels are covered.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import compiled, inlined, ready
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.topology import weld


class Shape(NamedTuple):
    """F faces over V vertices by E edges.

    `ends` (E, 2) are an edge's vertices in the order of its first face, `sides` (E, 2) the two faces that it joins,
    the second one F where there is none.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    ends: NDArray[np.int32]
    sides: NDArray[np.int32]


@compiled
def _edges(faces, welded):  # type: ignore[no-untyped-def]
    total, buckets = 3 * len(faces), len(welded)
    ends, sides = np.empty((total, 2), np.int32), np.empty((total, 2), np.int32)
    # Edges that still lack a second face, in lists by the sum of their ends, which is the same either way round.
    first, following = np.full(buckets, -1, np.int32), np.empty(total, np.int32)
    n = 0
    for f in range(len(faces)):
        for corner in range(3):
            a, b = welded[faces[f, corner]], welded[faces[f, (corner + 1) % 3]]
            bucket = (np.int64(a) + b) % buckets
            before, e = -1, first[bucket]
            while e >= 0 and (ends[e, 0] != b or ends[e, 1] != a):
                before, e = e, following[e]
            if e < 0:
                ends[n, 0], ends[n, 1], sides[n, 0], sides[n, 1] = a, b, f, len(faces)
                following[n] = first[bucket]
                first[bucket] = n
                n += 1
                continue
            sides[e, 1] = f
            if before < 0:
                first[bucket] = following[e]
            else:
                following[before] = following[e]
    return ends[:n].copy(), sides[:n].copy()


def shape_of(mesh: Mesh) -> Shape:
    """A mesh's vertices, faces and edges, vertices at the same place taken as one."""
    vertices, faces = ready(mesh.vertices, np.float32), ready(mesh.faces, np.int32)
    return Shape(vertices, faces, *_edges(faces, weld(vertices)))


@compiled
def to_screen(vertices, view, points):  # type: ignore[no-untyped-def]
    """Fill `points` (V, 2) float32 with the pixel coordinates of vertices under an affine `view` (2, 4)."""
    for i in range(len(vertices)):
        x, y, z = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        points[i, 0] = view[0, 0] * x + view[0, 1] * y + view[0, 2] * z + view[0, 3]
        points[i, 1] = view[1, 0] * x + view[1, 1] * y + view[1, 2] * z + view[1, 3]


@compiled
def find_outline(shape, points, shown, found, change):  # type: ignore[no-untyped-def]
    """Number of edges at which the layers change, which fill `found` (E,), and by how many, which fills `change`.

    `shown` (F + 1,) int8 is filled with the side that each face shows: 1, -1, or 0 where it is seen edge on.
    """
    faces, sides = shape.faces, shape.sides
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay = points[a, 0], points[a, 1]
        area = (points[b, 0] - ax) * (points[c, 1] - ay) - (points[b, 1] - ay) * (points[c, 0] - ax)
        shown[f] = np.int8(area > 0) - np.int8(area < 0)
    shown[len(faces)] = 0
    n = 0
    for e in range(len(sides)):
        layers = shown[sides[e, 0]] - shown[sides[e, 1]]
        found[n], change[n] = e, layers
        n += layers != 0
    return n


@inlined
def _cell(at, size):  # type: ignore[no-untyped-def]
    """The first of `size` pixels whose centre lies at or beyond a coordinate; `size` where none does."""
    return int(np.ceil(min(max(at - np.float32(0.5), np.float32(0)), np.float32(size))))


@compiled
def fill(points, ends, found, change, axis, mask, layers):  # type: ignore[no-untyped-def]
    """Fill `mask` (H, H) with whether layers bounded by edges `found` cover each pixel's centre.

    The mask's first index is the row for `axis` 1, and the column for 0. `layers` (H, H + 1) int32 is zero before and
    after.
    """
    size = len(mask)
    for i in range(len(found)):
        a, b = ends[found[i], 0], ends[found[i], 1]
        # Down the rows, a layer that shows its front lies to the left; down the columns, to the right.
        step = -change[i] if axis == 1 else change[i]
        if points[a, axis] > points[b, axis]:
            a, b, step = b, a, -step
        start, across = points[a, axis], points[a, 1 - axis]
        slope = (points[b, 1 - axis] - across) / (points[b, axis] - start)
        for line in range(_cell(start, size), _cell(points[b, axis], size)):
            layers[line, _cell(across + slope * (line + np.float32(0.5) - start), size)] += step
    for line in range(size):
        covering = 0
        for k in range(size):
            covering += layers[line, k]
            layers[line, k] = 0
            mask[line, k] = covering > 0
        layers[line, size] = 0


@compiled
def trace(points, ends, found, axis, mask, slots, edges, lines, crossings):  # type: ignore[no-untyped-def]
    """Number of places where an outline crosses the lines of pixel centres along the rows or columns of `fill`.

    Only edges that run across rather than along the lines count. Each place fills `edges` with its edge, `lines` with
    the number of the line and `crossings` with the coordinate on it. `slots` (H, H + 1) int32 is zero before and after.
    """
    size, n = len(mask), 0
    for i in range(len(found)):
        a, b = ends[found[i], 0], ends[found[i], 1]
        if points[a, axis] > points[b, axis]:
            a, b = b, a
        start, across = points[a, axis], points[a, 1 - axis]
        slope = (points[b, 1 - axis] - across) / (points[b, axis] - start)
        for line in range(_cell(start, size), _cell(points[b, axis], size)):
            x = across + slope * (line + np.float32(0.5) - start)
            k = _cell(x, size)
            before, after = k > 0 and mask[line, k - 1], k < size and mask[line, k]
            if before == after:
                continue
            # Of several edges between two pixel centres the outermost is seen.
            slot = slots[line, k] - 1
            if slot < 0:
                slot = n
                n += 1
                slots[line, k] = n
                lines[slot] = line
            elif (x >= crossings[slot]) == after:
                continue
            edges[slot], crossings[slot] = found[i], x
    kept = 0
    for slot in range(n):
        slots[lines[slot], _cell(crossings[slot], size)] = 0
        a, b = ends[edges[slot], 0], ends[edges[slot], 1]
        if abs(points[b, axis] - points[a, axis]) >= abs(points[b, 1 - axis] - points[a, 1 - axis]):
            edges[kept], lines[kept], crossings[kept] = edges[slot], lines[slot], crossings[slot]
            kept += 1
    return kept


@compiled
def draw(shape, views, size):  # type: ignore[no-untyped-def]
    """(V, size, size) bool, the pixels whose centre a shape covers under each affine view (V, 2, 4)."""
    masks = np.empty((len(views), size, size), np.bool_)
    layers = np.zeros((size, size + 1), np.int32)
    points = np.empty((len(shape.vertices), 2), np.float32)
    shown = np.empty(len(shape.faces) + 1, np.int8)
    found, change = np.empty(len(shape.ends) + 1, np.int32), np.empty(len(shape.ends) + 1, np.int8)
    for k in range(len(views)):
        to_screen(shape.vertices, views[k], points)
        n = find_outline(shape, points, shown, found, change)
        fill(points, shape.ends, found[:n], change[:n], 1, masks[k], layers)
    return masks
