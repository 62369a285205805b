"""The lines of a frame as a graph whose points are vertices of the mesh, as in AnimeInbet's data.

A vertex has the same number in all frames. Points where an edge becomes hidden, or on borders without an
edge, get numbers that no other frame has, so that they are not matched.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.annotation.lines import Lines
from specsia_build.arrays import Floats, Mask
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.topology import linked_groups, weld

MOST_STROKE_POINTS = 3050  # Points of a frame, at most: the size of AnimeInbet's loader
_JOINED = 1.5  # Pixels within which a loose end that is not a vertex is joined to the nearest point
_STRAIGHT = 0.5  # Tolerance in pixels of simplifying lines without vertices
LEVELS = 20  # Halvings of the unit cube that order vertices


@dataclass(frozen=True)
class Strokes:
    """A graph of N points."""

    places: Floats  # (N, 2), x and y in pixels
    points: NDArray[np.int64]  # (N,), numbers of the points of the surface, the same in all frames
    joined: NDArray[np.int32]  # (M, 2), pairs of joined points, each once, the lower index first

    def neighbours(self) -> list[list[int]]:
        """Neighbours of each point, sorted."""
        neighbours: list[list[int]] = [[] for _ in self.points]
        for start, end in self.joined.tolist():
            neighbours[start].append(end)
            neighbours[end].append(start)
        return [sorted(points) for points in neighbours]


def vertex_ranks(mesh: Mesh) -> NDArray[np.int32]:
    """Rank the vertices (V,) such that the first N, for any N, are spread evenly over the surface at rest.

    The unit cube is halved repeatedly; in each cell without a vertex so far, the lowest vertex comes next.
    """
    low, _ = mesh.bounds()
    welded = weld(mesh.vertices)
    level = np.full(len(welded), LEVELS, np.int32)
    left = np.unique(welded[mesh.faces])
    cells = np.clip((mesh.vertices[left] - low) * (1 << LEVELS), 0, (1 << LEVELS + 1) - 1).astype(np.int64)
    for k in range(LEVELS):
        cell = cells >> LEVELS - k
        key = (cell[:, 0] << 42) | (cell[:, 1] << 21) | cell[:, 2]
        first, of = np.unique(key, return_index=True, return_inverse=True)[1:]
        held = np.zeros(len(first), np.bool_)
        held[of[level[left] < LEVELS]] = True
        level[left[first[~held]]] = k
    ranks = np.empty(len(welded), np.int32)
    ranks[np.lexsort((np.arange(len(welded)), level))] = np.arange(len(welded))
    return ranks


def strokes(
    lines: Lines, ranks: NDArray[np.int32], frame: int = 0, most: int = MOST_STROKE_POINTS
) -> Strokes:
    """Convert the lines of a frame, by the ranks of the mesh's vertices, to a graph of at most `most` points.

    If there are too many points, those between two others are removed first, then any, the last by rank
    first, so that neighbouring frames keep the same ones. The number of the frame decides the numbers of
    points that are not vertices.
    """
    count = len(ranks)
    places, points, joined = _straightened(*_closed(*_graph(lines, count), count), count)
    order = np.full(len(points), count, np.int64)
    order[points < count] = ranks[points[points < count]]
    between = np.bincount(joined.reshape(-1), minlength=len(points)) == 2
    spare = np.flatnonzero(between)
    kept = np.ones(len(points), np.bool_)
    kept[spare[np.argsort(-order[spare], kind="stable")][: max(0, len(points) - most)]] = False
    joined = _bridged(joined, kept)
    if np.count_nonzero(kept) > most:
        remaining = np.flatnonzero(kept)
        kept[remaining[np.argsort(order[remaining], kind="stable")[most:]]] = False
        joined = joined[kept[joined].all(axis=1)]
    kept &= np.bincount(joined.reshape(-1), minlength=len(points)) > 0
    number = np.cumsum(kept, dtype=np.int32) - np.int32(1)
    points = points[kept]
    own = points >= count
    points[own] = count + frame * most + np.arange(np.count_nonzero(own))
    return Strokes(places[kept], points, number[joined].astype(np.int32))


_Graph = tuple[Floats, NDArray[np.int64], NDArray[np.int32]]  # places, points and pairs, see `Strokes`


def _graph(lines: Lines, count: int) -> _Graph:
    """Join ends at one vertex, or at one place; the latter are numbered from `count`."""
    ends, places = lines.vertices.reshape(-1).astype(np.int64), lines.places.reshape(-1, 2)
    cut = ends < 0
    ends[cut] = count + np.unique(places[cut], axis=0, return_inverse=True)[1].reshape(-1)
    points, first, of = np.unique(ends, return_index=True, return_inverse=True)
    return places[first], points, _once(of.reshape(-1, 2))


def _once(pairs: NDArray[np.integer]) -> NDArray[np.int32]:
    """Sort pairs of different points and drop duplicates."""
    pairs = np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1)
    return np.asarray(np.unique(pairs, axis=0), np.int32)


def _closed(places: Floats, points: NDArray[np.int64], joined: NDArray[np.int32], count: int) -> _Graph:
    """Join loose ends that are not vertices with the nearest point, if it is near."""
    loose = np.flatnonzero((points >= count) & (np.bincount(joined.reshape(-1), minlength=len(points)) == 1))
    if len(loose) == 0:
        return places, points, joined
    away, nearest = (np.asarray(array) for array in scipy.spatial.cKDTree(places).query(places[loose], 2))
    # Two points may be at one place, so that either comes first.
    other = np.where(nearest[:, 0] == loose, nearest[:, 1], nearest[:, 0])
    near = away[:, 1] <= _JOINED
    # Points are sorted by number, so that a vertex comes first among those that are joined.
    groups = linked_groups(loose[near], other[near], len(points))
    _, first, of = np.unique(groups, return_index=True, return_inverse=True)
    return places[first], points[first], _once(of[joined])


def _straightened(places: Floats, points: NDArray[np.int64], joined: NDArray[np.int32], count: int) -> _Graph:
    """Simplify lines without vertices of the mesh."""
    free = (points >= count) & (np.bincount(joined.reshape(-1), minlength=len(points)) == 2)
    kept, pairs = ~free, list[tuple[int, int]]()
    for path in _paths(joined, free):
        left = [path[k] for k in _corners(places[path].tolist())]
        kept[left] = True
        pairs += pairwise(left)
    joined = np.concatenate([joined[~free[joined].any(axis=1)], np.array(pairs, np.int32).reshape(-1, 2)])
    number = np.cumsum(kept, dtype=np.int32) - np.int32(1)
    return places[kept], points[kept], number[_once(joined)]


def _corners(line: list[list[float]]) -> list[int]:
    """Indices of the points that the Douglas-Peucker algorithm keeps."""
    # On lists: lines are short, and `skimage.measure.approximate_polygon` takes longer.
    left, open_parts = {0, len(line) - 1}, [(0, len(line) - 1)]
    while open_parts:
        first, last = open_parts.pop()
        (x, y), (to_x, to_y) = line[first], line[last]
        dx, dy = to_x - x, to_y - y
        squared = dx * dx + dy * dy or 1.0
        worst, at = _STRAIGHT, -1
        for k in range(first + 1, last):
            u, v = line[k][0] - x, line[k][1] - y
            t = min(1.0, max(0.0, (u * dx + v * dy) / squared))
            away = math.hypot(u - t * dx, v - t * dy)
            if away > worst:
                worst, at = away, k
        if at >= 0:
            left.add(at)
            open_parts += [(first, at), (at, last)]
    return sorted(left)


def _paths(joined: NDArray[np.int32], free: Mask) -> list[list[int]]:
    """Lines of free points with the points at both ends; closed lines end in their first point."""
    beside: dict[int, list[int]] = {}
    for a, b in joined[free[joined].any(axis=1)].tolist():
        beside.setdefault(a, []).append(b)
        beside.setdefault(b, []).append(a)
    paths, done = [], np.zeros(len(free), np.bool_)
    # Points beside one that is not free come first, so that only closed lines are left.
    starts: list[int] = np.flatnonzero(free).tolist()
    for start in sorted(starts, key=lambda point: all(free[other] for other in beside[point])):
        if done[start]:
            continue
        before = next((other for other in beside[start] if not free[other]), beside[start][0])
        done[before] = True
        path, at = [before], start
        while free[at] and not done[at]:
            done[at] = True
            path.append(at)
            at = next((other for other in beside[at] if other != path[-2]), path[-2])
        paths.append([*path, at])
    return paths


def _bridged(joined: NDArray[np.int32], kept: Mask) -> NDArray[np.int32]:
    """Pairs of kept points after removing the others, each of which is between two."""
    ends = [(path[0], path[-1]) for path in _paths(joined, ~kept) if kept[path[0]] and kept[path[-1]]]
    bridges = np.array(ends, np.int32).reshape(-1, 2)
    return _once(np.concatenate([joined[kept[joined].all(axis=1)], bridges]))
