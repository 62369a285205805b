"""Compute silhouettes from outlines, as all other edges cancel out.

Every face is one layer over the pixel centres in it. Only borders, and edges between a front and a back,
change the number of layers; their crossings, summed along rows, say what is covered.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import compiled, inlined, ready
from specsia_build.rendering.mesh import Mesh, unit_normals
from specsia_build.rendering.topology import weld


class Shape(NamedTuple):
    """F faces over V vertices by E edges."""

    vertices: NDArray[np.float32]  # (3, V), x, y and z
    normals: NDArray[np.float32]  # (3, F), those of the faces' unit normals; zero for a face without area
    ends: NDArray[np.int32]  # (E, 2), an edge's vertices in the order of its first face
    sides: NDArray[np.int32]  # (E, 2), the two faces that it joins; F in place of the second for none


@compiled
def _edges(faces, welded):  # type: ignore[no-untyped-def]
    total, buckets = 3 * len(faces), len(welded)
    ends, sides = np.empty((total, 2), np.int32), np.empty((total, 2), np.int32)
    # Edges that still lack a second face, in lists by the sum of their ends, which is the same both ways.
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
                ends[n, 0] = a
                ends[n, 1] = b
                sides[n, 0] = f
                sides[n, 1] = len(faces)
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
    """A mesh's vertices, normals and edges, vertices at the same place taken as one."""
    vertices, faces = ready(mesh.vertices, np.float32), ready(mesh.faces, np.int32)
    normals = ready(unit_normals(mesh).T, np.float32)
    return Shape(ready(vertices.T), normals, *_edges(faces, weld(vertices)))


@compiled
def to_screen(vertices, view, points):  # type: ignore[no-untyped-def]
    """Fill `points` (2, V) float32 with vertices (3, V) in pixels under an affine `view` (2, 4)."""
    for k in range(2):
        for i in range(vertices.shape[1]):
            x, y = vertices[0, i], vertices[1, i]
            z = vertices[2, i]
            points[k, i] = view[k, 0] * x + view[k, 1] * y + view[k, 2] * z + view[k, 3]


@compiled
def find_outline(shape, view, facing, outline, change):  # type: ignore[no-untyped-def]
    """Find the edges at which the number of layers changes; returns their number.

    Fills `outline` (E,) with the edges, `change` (E,) with the change, and `facing` (F + 1,) int8 with the
    side that each face shows: 1, -1, or 0 for a face seen edge on.
    """
    normals, sides = shape.normals, shape.sides
    faces = normals.shape[1]
    # The signed area of a projected face is its normal along the cross product of the image's axes.
    x = np.float32(view[0, 1] * view[1, 2] - view[0, 2] * view[1, 1])
    y = np.float32(view[0, 2] * view[1, 0] - view[0, 0] * view[1, 2])
    z = np.float32(view[0, 0] * view[1, 1] - view[0, 1] * view[1, 0])
    for f in range(faces):
        area = normals[0, f] * x + normals[1, f] * y + normals[2, f] * z
        facing[f] = np.int8(area > 0) - np.int8(area < 0)
    facing[faces] = 0
    n = 0
    for e in range(len(sides)):
        layers = facing[sides[e, 0]] - facing[sides[e, 1]]
        outline[n], change[n] = e, layers
        n += layers != 0
    return n


@inlined
def first_centre(at, size):  # type: ignore[no-untyped-def]
    """The first of `size` pixels whose centre lies at or beyond a coordinate; `size` where none does."""
    return int(np.ceil(min(max(at - np.float32(0.5), np.float32(0)), np.float32(size))))


@compiled
def fill(points, ends, outline, change, mask, layers):  # type: ignore[no-untyped-def]
    """Fill `mask` (H, H) with whether the layers bounded by the edges of `outline` cover each pixel's centre.

    `layers` (H, H + 1) int32 is zero before and after.
    """
    size = len(mask)
    first, end = np.full(size, size, np.int32), np.zeros(size, np.int32)
    for i in range(len(outline)):
        a, b = ends[outline[i], 0], ends[outline[i], 1]
        step = -change[i]
        if points[1, a] > points[1, b]:
            a, b = b, a
            step = -step
        top, left = points[1, a], points[0, a]
        slope = (points[0, b] - left) / (points[1, b] - top)
        for row in range(first_centre(top, size), first_centre(points[1, b], size)):
            column = first_centre(left + slope * (row + np.float32(0.5) - top), size)
            layers[row, column] += step
            first[row], end[row] = min(first[row], column), max(end[row], column)
    mask[:] = False
    for row in range(size):
        covering = 0
        for column in range(first[row], min(end[row] + 1, size)):
            covering += layers[row, column]
            layers[row, column] = 0
            mask[row, column] = covering > 0
        layers[row, size] = 0


@compiled
def trace(points, ends, outline, axis, mask, out):  # type: ignore[no-untyped-def]
    """Count where the outline of `mask` crosses the lines of pixel centres, rows for `axis` 1, else columns.

    Only edges that run across rather than along the lines count. `out` holds `slots` (H, H + 1) int32, which
    is zero before and after, and three arrays to fill for each place: `edges` with its edge, `lines` with the
    number of the line and `crossings`, float64, with the coordinate on it.
    """
    slots, edges, lines, crossings = out
    size, n = len(mask), 0
    for i in range(len(outline)):
        a, b = ends[outline[i], 0], ends[outline[i], 1]
        if points[axis, a] > points[axis, b]:
            a, b = b, a
        start, across = points[axis, a], points[1 - axis, a]
        slope = (points[1 - axis, b] - across) / (points[axis, b] - start)
        for line in range(first_centre(start, size), first_centre(points[axis, b], size)):
            at = across + slope * (line + np.float32(0.5) - start)
            k = first_centre(at, size)
            before = k > 0 and (mask[line, k - 1] if axis == 1 else mask[k - 1, line])
            after = k < size and (mask[line, k] if axis == 1 else mask[k, line])
            if before == after:
                continue
            # Of several edges between two pixel centres, the outermost is visible.
            slot = slots[line, k] - 1
            if slot < 0:
                slot = n
                n += 1
                slots[line, k] = n
                lines[slot] = line
            elif (at >= crossings[slot]) == after:
                continue
            edges[slot], crossings[slot] = outline[i], at
    kept = 0
    for slot in range(n):
        slots[lines[slot], first_centre(crossings[slot], size)] = 0
        a, b = ends[edges[slot], 0], ends[edges[slot], 1]
        if abs(points[axis, b] - points[axis, a]) >= abs(points[1 - axis, b] - points[1 - axis, a]):
            edges[kept] = edges[slot]
            lines[kept] = lines[slot]
            crossings[kept] = crossings[slot]
            kept += 1
    return kept


@compiled
def draw(shape, views, size):  # type: ignore[no-untyped-def]
    """(V, size, size) bool, the pixels whose centre a shape covers under each affine view (V, 2, 4)."""
    masks = np.empty((len(views), size, size), np.bool_)
    layers = np.zeros((size, size + 1), np.int32)
    points = np.empty((2, shape.vertices.shape[1]), np.float32)
    facing = np.empty(shape.normals.shape[1] + 1, np.int8)
    outline, change = np.empty(len(shape.ends) + 1, np.int32), np.empty(len(shape.ends) + 1, np.int8)
    for k in range(len(views)):
        to_screen(shape.vertices, views[k], points)
        n = find_outline(shape, views[k], facing, outline, change)
        fill(points, shape.ends, outline[:n], change[:n], masks[k], layers)
    return masks
