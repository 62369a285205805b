"""Vertices left out where a surface is so nearly flat that nobody sees them, by the error quadrics of Garland and
Heckbert ("Surface simplification using quadric error metrics", SIGGRAPH 1997)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from specsia_build.backends.inflate.surface import Shell
from specsia_build.jit import compiled, inlined

TOLERANCE = 0.07
"""Cells that a vertex that stays may lie off the faces which it stands for, in the root of the mean square."""

ROUNDS = 8
"""In each of them a vertex that goes keeps its neighbours where they are; half the tolerance holds in the first."""

TURNED = 0.3
"""Cosine of the angle by which a face may turn, at most."""

SLENDER = 0.08
"""Height over the longest side of a face that changes, at least."""

LONGEST = 5.0
"""Cells of a side of such a face, at most: a figure that moves bends at its vertices."""

MOST_FACES = 24
"""That meet at a vertex which may go."""


def merged(surface: Shell) -> Shell:
    """A surface with fewer vertices of those that are not on its rim, and with as many parts and holes."""
    faces = surface.faces.astype(np.int32)
    kept = _merge(surface.points, faces, surface.points[:, 2] == 0.0, TOLERANCE**2)
    used, numbers = np.unique(faces[kept], return_inverse=True)
    return replace(
        surface,
        points=surface.points[used],
        faces=numbers.reshape(-1, 3).astype(np.int64),
        front=surface.front[kept],
    )


@inlined
def _normal(points, a, b, c):  # type: ignore[no-untyped-def]
    """Normal of a face, as long as twice its area."""
    ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
    vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
    return uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx


@inlined
def _apart(points, a, b):  # type: ignore[no-untyped-def]
    """Square of the distance of two vertices."""
    x, y, z = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
    return x * x + y * y + z * z


@inlined
def _error(one, two, x, y, z):  # type: ignore[no-untyped-def]
    """Mean square distance of a place from the planes of two quadrics."""
    total = 0.0
    for q in (one, two):
        total += x * (q[0] * x + 2 * (q[1] * y + q[2] * z + q[3])) + y * (q[4] * y + 2 * (q[5] * z + q[6]))
        total += z * (q[7] * z + 2 * q[8]) + q[9]
    return total / (one[10] + two[10])


@compiled
def _quadrics(points, faces):  # type: ignore[no-untyped-def]
    """For each vertex the quadric of its faces' planes, each as heavy as its face, and their weight: (V, 11)."""
    out = np.zeros((len(points), 11))
    for f in range(len(faces)):
        a, b, c = faces[f]
        nx, ny, nz = _normal(points, a, b, c)
        weight = np.sqrt(nx * nx + ny * ny + nz * nz)
        if weight == 0.0:
            continue
        nx, ny, nz = nx / weight, ny / weight, nz / weight
        d = -(nx * points[a, 0] + ny * points[a, 1] + nz * points[a, 2])
        plane = (nx, ny, nz, d)
        for v in (a, b, c):
            n = 0
            for i in range(4):
                for j in range(i, 4):
                    out[v, n] += weight * plane[i] * plane[j]
                    n += 1
            out[v, 10] += weight
    return out


@compiled
def _faces_of(faces, kept, count):  # type: ignore[no-untyped-def]
    """Where the list of each vertex's faces starts (V + 1,), and the lists."""
    starts = np.zeros(count + 2, np.int32)
    for f in range(len(faces)):
        if kept[f]:
            for k in range(3):
                starts[faces[f, k] + 2] += 1
    starts = np.cumsum(starts).astype(np.int32)
    lists = np.empty(starts[-1], np.int32)
    for f in range(len(faces)):
        if kept[f]:
            for k in range(3):
                v = faces[f, k] + 1
                lists[starts[v]] = f
                starts[v] += 1
    return starts, lists


@compiled
def _merge(points, faces, fixed, tolerance):  # type: ignore[no-untyped-def]
    """Move corners of `faces` (F, 3) int32 onto neighbours of theirs; (F,) bool, the faces that stay."""
    count = len(points)
    kept, quadrics = np.ones(len(faces), np.bool_), _quadrics(points, faces)
    ring, opposite = np.empty(MOST_FACES, np.int32), np.empty(MOST_FACES, np.int32)
    mark = np.full(count, -1, np.int32)
    for turn in range(ROUNDS):
        starts, lists = _faces_of(faces, kept, count)
        touched = np.zeros(count, np.bool_)
        for v in range(count):
            mine = lists[starts[v] : starts[v + 1]]
            if fixed[v] or touched[v] or len(mine) == 0 or len(mine) > MOST_FACES:
                continue
            for i in range(len(mine)):
                a, b, c = faces[mine[i]]
                ring[i], opposite[i] = (b, c) if a == v else ((c, a) if b == v else (a, b))
            best, least = -1, 0.5 * tolerance * (1.0 + turn / (ROUNDS - 1))
            for i in range(len(mine)):
                w = ring[i]
                if not touched[w]:
                    error = _error(quadrics[v], quadrics[w], points[w, 0], points[w, 1], points[w, 2])
                    if error < least and _may_go(points, faces, v, w, ring, opposite, starts, lists, mark):
                        best, least = w, error
            if best < 0:
                continue
            for i in range(len(mine)):
                touched[ring[i]] = True
                for k in range(3):
                    if faces[mine[i], k] == best:
                        kept[mine[i]] = False
                    elif faces[mine[i], k] == v:
                        faces[mine[i], k] = best
            touched[best] = True
            quadrics[best] += quadrics[v]
    return kept


@compiled
def _may_go(points, faces, v, w, ring, opposite, starts, lists, mark):  # type: ignore[no-untyped-def]
    """Whether vertex v may move onto its neighbour w: two faces go, and none that stays turns over."""
    for i in range(starts[v + 1] - starts[v]):
        mark[ring[i]] = v
    shared = 0
    for f in lists[starts[w] : starts[w + 1]]:
        for k in range(3):
            u = faces[f, k]
            if u != w and mark[u] == v:
                mark[u] = -1
                shared += 1
    if shared != 2:
        return False
    for i in range(starts[v + 1] - starts[v]):
        a, b = ring[i], opposite[i]
        if w in (a, b):
            continue
        ox, oy, oz = _normal(points, v, a, b)
        nx, ny, nz = _normal(points, w, a, b)
        was, now = ox * ox + oy * oy + oz * oz, nx * nx + ny * ny + nz * nz
        longest = max(_apart(points, w, a), _apart(points, w, b), _apart(points, a, b))
        if longest > LONGEST**2 or now < (SLENDER * longest) ** 2:
            return False
        if ox * nx + oy * ny + oz * nz <= TURNED * np.sqrt(was * now):
            return False
    return True
