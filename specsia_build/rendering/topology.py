"""Connectivity of faces: welded vertices, shared edges, connected and closed parts."""

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.jit import compiled, inlined, ready, uncounted
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.vectors import cross, minus, triple

CROWDED = -2  # In place of an edge's second face, where more than two meet


class Topology(NamedTuple):
    """Connections of F faces by E edges; half-edge 3 f + c is the side of face f after its corner c."""

    halves: NDArray[np.int32]  # (E, 2), half-edges of each edge, the second -1 where there is not just one
    opposed: NDArray[np.bool_]  # (E,), whether the two run against each other, as on an orientable surface
    ends: NDArray[np.int32]  # (E, 2), the first half-edge's vertices
    sides: NDArray[np.int32]  # (E, 2), the faces; the second -1 for none, `CROWDED` for more than one
    part: NDArray[np.int32]  # (F,), number of the connected part, of P
    areas: NDArray[np.float64]  # (P,)
    volumes: NDArray[np.float64]  # (P,), NaN for a part with a border, negative if its faces look inwards

    @property
    def closed(self) -> NDArray[np.bool_]:
        """(F,) whether the face's part has no border and a positive volume."""
        return np.asarray((self.volumes > 0)[self.part])


@inlined
def _scatter(key):  # type: ignore[no-untyped-def]
    # The finaliser of MurmurHash3.
    key ^= key >> np.uint64(33)
    key *= np.uint64(0xFF51AFD7ED558CCD)
    key ^= key >> np.uint64(33)
    key *= np.uint64(0xC4CEB9FE1A85EC53)
    return key ^ (key >> np.uint64(33))


@compiled
def _weld(bits):  # type: ignore[no-untyped-def]
    count, size = len(bits), np.int64(16)
    while size < 2 * count:
        size *= 2
    table = np.full(size, -1, np.int32)
    first = np.empty(count, np.int32)
    for v in range(count):
        key = _scatter(np.uint64(bits[v, 0]) | (np.uint64(bits[v, 1]) << np.uint64(32)))
        slot = np.int64(_scatter(key ^ np.uint64(bits[v, 2])) & np.uint64(size - 1))
        while True:
            w = table[slot]
            if w < 0:
                table[slot] = v
                first[v] = v
                break
            if bits[w, 0] == bits[v, 0] and bits[w, 1] == bits[v, 1] and bits[w, 2] == bits[v, 2]:
                first[v] = w
                break
            slot = (slot + 1) & (size - 1)
    return first


def weld(vertices: NDArray[np.float32], bound: NDArray[np.int32] | None = None) -> NDArray[np.int32]:
    """Lowest index (V,) of the vertices at exactly the same place and, with `bound` (V,), of one number."""
    # Adding zero makes -0 and 0 the same bits.
    bits = np.ascontiguousarray(vertices + np.float32(0), np.float32).view(np.uint32)
    first: NDArray[np.int32] = _weld(bits)
    if bound is not None:
        first = _weld(np.stack([first, bound, np.zeros_like(bound)], axis=1).astype(np.uint32))
    return first


@inlined
def root(parent, v):  # type: ignore[no-untyped-def]
    """Find the root of `v` in a union-find forest `parent`, with path compression."""
    while parent[v] != v:
        parent[v] = parent[parent[v]]
        v = parent[v]
    return v


@uncounted
def _list_edges(faces, welded, lists, edges, parent):  # type: ignore[no-untyped-def]
    """Fill `edges`, and join vertices in the union-find forest `parent` (V,); returns the number of edges.

    Edges are in the order of their first half-edge: `halves` has the half-edges of each, `users` how many use
    it, `edge_of` the edge of each half-edge. `lists` has the valence (V,), initially 0, and of edges listed
    at a vertex the first (V,), initially -1, the following and the other end of each.
    """
    valence, first, following, far = lists
    halves, users, edge_of = edges
    count = 0
    for f in range(len(faces)):
        for k in range(3):
            valence[welded[faces[f, k]]] += 1
    for f in range(len(faces)):
        for k in range(3):
            h = 3 * f + k
            a, b = welded[faces[f, k]], welded[faces[f, 0 if k == 2 else k + 1]]
            # An edge is listed at the end where fewer faces meet, so that the tip of a fan has no long list.
            here, there = a, b
            if valence[b] < valence[a] or (valence[b] == valence[a] and b < a):
                here, there = b, a
            e = first[here]
            while e >= 0 and far[e] != there:
                e = following[e]
            if e < 0:
                e = count
                count += 1
                far[e], following[e] = there, first[here]
                first[here] = e
                halves[e, 0], halves[e, 1] = h, -1
                users[e] = 0
                ra, rb = root(parent, a), root(parent, b)
                if ra != rb:
                    parent[max(ra, rb)] = min(ra, rb)
            edge_of[h] = e
            users[e] += 1
            if users[e] == 2:
                halves[e, 1] = h
    return count


@uncounted
def _check_edges(faces, welded, edges, checked, shut):  # type: ignore[no-untyped-def]
    """Fill `opposed`, `ends`, `sides` of `Topology`, and `shut` (F,): if each face is bordered on all sides.

    `edges` is of `_list_edges`; `checked` has the first three. An edge of over two faces loses the second.
    """
    halves, users, edge_of = edges
    opposed, ends, sides = checked
    for e in range(len(halves)):
        h, g = halves[e, 0], halves[e, 1]
        f, k = h // 3, h % 3
        ends[e, 0], ends[e, 1] = faces[f, k], faces[f, 0 if k == 2 else k + 1]
        sides[e, 0], sides[e, 1] = f, -1
        opposed[e] = False
        if users[e] == 2:
            sides[e, 1] = g // 3
            opposed[e] = welded[faces[f, k]] == welded[faces[g // 3, (g % 3 + 1) % 3]]
        else:
            halves[e, 1] = -1
            if users[e] > 2:
                sides[e, 1] = CROWDED
    for f in range(len(faces)):
        shut[f] = opposed[edge_of[3 * f]] and opposed[edge_of[3 * f + 1]] and opposed[edge_of[3 * f + 2]]


@uncounted
def _number_parts(faces, welded, parent, number, part):  # type: ignore[no-untyped-def]
    """Number connected parts in `part` (F,) by first faces; returns how many. `number` (V,) is -1 before."""
    parts = 0
    for f in range(len(faces)):
        r = root(parent, welded[faces[f, 0]])
        if number[r] < 0:
            number[r] = parts
            parts += 1
        part[f] = number[r]
    return parts


@compiled
def _measured(vertices, faces, shut, part, parts):  # type: ignore[no-untyped-def]
    """Area and volume of every part, (P,) float64 each; the volume is NaN if a face of it is not `shut`."""
    area, volume = np.zeros(parts), np.zeros(parts)
    origin = np.zeros((parts, 3))
    seen = np.zeros(parts, np.bool_)
    for f in range(len(faces)):
        p = part[f]
        if not shut[f]:
            volume[p] = np.nan
        a, b, c = triple(faces, f)
        if not seen[p]:
            seen[p] = True
            for k in range(3):
                origin[p, k] = vertices[a, k]
        first = minus(triple(vertices, a), triple(origin, p))
        second = minus(triple(vertices, b), triple(origin, p))
        third = minus(triple(vertices, c), triple(origin, p))
        x, y, z = cross(second, third)
        volume[p] += (first[0] * x + first[1] * y + first[2] * z) / 6.0
        nx, ny, nz = cross(minus(second, first), minus(third, first))
        area[p] += 0.5 * np.sqrt(nx * nx + ny * ny + nz * nz)
    return area, volume


def topology(mesh: Mesh, bound: NDArray[np.int32] | None = None) -> Topology:
    """Connections of a mesh at rest; vertices at one place, and of one number in `bound` (V,), are one."""
    welded = weld(mesh.vertices, bound)
    faces = ready(mesh.faces, np.int32)
    vertices, total = len(welded), 3 * len(faces)
    edge_of, users = np.empty(total, np.int32), np.empty(total, np.int32)
    halves = np.empty((total, 2), np.int32)
    parent = np.arange(vertices, dtype=np.int32)
    valence, first = np.zeros(vertices, np.int32), np.full(vertices, -1, np.int32)
    following, far = np.empty(total, np.int32), np.empty(total, np.int32)
    lists = valence, first, following, far
    count = _list_edges(faces, welded, lists, (halves, users, edge_of), parent)
    halves = halves[:count].copy()
    opposed, shut = np.empty(count, np.bool_), np.empty(len(faces), np.bool_)
    ends, sides = np.empty((count, 2), np.int32), np.empty((count, 2), np.int32)
    _check_edges(faces, welded, (halves, users, edge_of), (opposed, ends, sides), shut)
    part = np.empty(len(faces), np.int32)
    parts = _number_parts(faces, welded, parent, np.full(vertices, -1, np.int32), part)
    measured = _measured(mesh.vertices.astype(np.float64), faces, shut, part, parts)
    return Topology(halves, opposed, ends, sides, part, *measured)


def linked_groups(first: NDArray[np.integer], second: NDArray[np.integer], count: int) -> NDArray[np.int32]:
    """Connected components (count,) of `count` nodes, by links (L,) and (L,), in order of first nodes."""
    links = scipy.sparse.coo_array((np.ones(len(first), np.bool_), (first, second)), shape=(count, count))
    groups: NDArray[np.int32] = scipy.sparse.csgraph.connected_components(links, directed=False)[1]
    return groups
