"""Unwrap a quad mesh into one square texture and say what each texel shows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.samples.nets import QuadMesh
from specsia_build.jit import compiled
from specsia_build.rendering import joining

PADDING = 8
"""Texels kept free around each chart, on every side, to be filled with its bled colours."""

_SMALL_CHART = 8
_DIRECTIONS = np.array([(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)], dtype=np.float64)
# Chart axes (right, up) of each direction: seen from outside, so that no chart is mirrored.
_RIGHT = np.array([(0, 0, -1), (0, 0, 1), (1, 0, 0), (1, 0, 0), (1, 0, 0), (-1, 0, 0)], dtype=np.float64)
_UP = np.array([(0, 1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1), (0, 1, 0), (0, 1, 0)], dtype=np.float64)


@dataclass(frozen=True)
class Atlas:
    """Where each quad lies in the texture and what each texel shows.

    Attributes:
        uv: (Q, 4, 2) float64, column and row in texels of each quad's corners, row 0 at the top.
        size: texels along a side.
        texels: (N,) int64, flat indices of the texels that a quad covers.
        owner: (N,) int64, the quad of each.
        weights: (N, 4) float32, barycentric weights of the quad's corners; they sum to 1.
    """

    uv: NDArray[np.float64]
    size: int
    texels: NDArray[np.int64]
    owner: NDArray[np.int64]
    weights: NDArray[np.float32]

    def spread(self, quads: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of vertices (V, C) interpolated at the texels, (N, C)."""
        return np.asarray(_spread(quads, values, self.owner, self.weights))


@compiled
def _spread(
    quads: NDArray[np.int64], values: NDArray[np.float64], owner: NDArray[np.int64], weights: NDArray[np.float32]
) -> NDArray[np.float64]:
    out = np.zeros((len(owner), values.shape[1]))
    for n in range(len(owner)):
        for corner in range(4):
            w = weights[n, corner]
            if w != 0.0:
                vertex = quads[owner[n], corner]
                for c in range(values.shape[1]):
                    out[n, c] += w * values[vertex, c]
    return out


@compiled
def _cover(uv: NDArray[np.float64], size: int) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.bool_]]:
    """Owner of each texel (or -1), its corner weights, and the quads that found their texels taken.

    A texel on the common edge of two quads goes to the first and crowds nobody.
    """
    owner = np.full((size, size), -1, np.int32)
    weights = np.zeros((size, size, 4), np.float32)
    crowded = np.zeros(len(uv), np.bool_)
    for q in range(len(uv)):
        for half in range(2):
            a, b, c = 0, 1 + half, 2 + half
            ax, ay, bx, by, cx, cy = uv[q, a, 0], uv[q, a, 1], uv[q, b, 0], uv[q, b, 1], uv[q, c, 0], uv[q, c, 1]
            area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
            if abs(area) < 1e-9:
                continue
            for row in range(max(0, math.ceil(min(ay, by, cy) - 0.5)), min(size, math.floor(max(ay, by, cy) + 0.5))):
                y = row + 0.5
                for col in range(
                    max(0, math.ceil(min(ax, bx, cx) - 0.5)), min(size, math.floor(max(ax, bx, cx) + 0.5))
                ):
                    x = col + 0.5
                    wb = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
                    wc = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
                    if wb < -1e-9 or wc < -1e-9 or wb + wc > 1.0 + 1e-9:
                        continue
                    if owner[row, col] >= 0:
                        if owner[row, col] != q and min(wb, wc, 1.0 - wb - wc) > 0.02:
                            crowded[q] = True
                        continue
                    owner[row, col] = q
                    weights[row, col, a] = 1.0 - wb - wc
                    weights[row, col, b] = wb
                    weights[row, col, c] = wc
    # A quad seen edge-on may hold no texel's centre: it gets the texel it lies in, or bleeding would not reach it.
    met = np.zeros(len(uv), np.bool_)
    for place in owner.ravel():
        if place >= 0:
            met[place] = True
    for q in range(len(uv)):
        if not met[q]:
            col, row = int(uv[q, :, 0].mean()), int(uv[q, :, 1].mean())
            if owner[row, col] < 0:
                owner[row, col] = q
                weights[row, col, :] = 0.25
    return owner, weights, crowded


def _neighbours(quads: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs of quads that share an edge, (E, 2); each edge of a closed surface belongs to two."""
    start, end = quads.ravel(), np.roll(quads, -1, axis=1).ravel()
    key = np.minimum(start, end) * (quads.max() + 1) + np.maximum(start, end)
    order = np.argsort(key, kind="stable")
    return np.asarray(order.reshape(-1, 2) // 4)


def _charts(direction: NDArray[np.int64], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Chart of each quad: connected quads that face the same direction."""
    same = pairs[direction[pairs[:, 0]] == direction[pairs[:, 1]]]
    return joining.joined(same[:, 0], same[:, 1], len(direction)).astype(np.int64)


def _without_specks(
    direction: NDArray[np.int64], facing: NDArray[np.float64], pairs: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Give the quads of tiny charts the direction of a neighbour, where they are not seen too obliquely from there."""
    direction = direction.copy()
    both = np.concatenate([pairs, pairs[:, ::-1]])
    for _ in range(3):
        chart = _charts(direction, pairs)
        tiny = np.bincount(chart)[chart] < _SMALL_CHART
        edge = both[tiny[both[:, 0]] & ~tiny[both[:, 1]]]
        other = direction[edge[:, 1]]
        edge, other = edge[facing[edge[:, 0], other] > 0.2], other[facing[edge[:, 0], other] > 0.2]
        direction[edge[:, 0]] = other
    return direction


def _pack(sizes: NDArray[np.float64], density: float, size: int) -> NDArray[np.float64] | None:
    """Lower left corners (texels) of charts in shelves, tallest first; None where they do not fit."""
    boxes = np.ceil(sizes * density) + 2 * PADDING
    corners = np.zeros((len(boxes), 2))
    x = y = shelf = 0.0
    for k in np.lexsort((np.arange(len(boxes)), -boxes[:, 0], -boxes[:, 1])):
        width, height = boxes[k]
        if x + width > size:
            x, y, shelf = 0.0, y + shelf, 0.0
        if width > size or y + height > size:
            return None
        corners[k] = x + PADDING, y + PADDING
        x, shelf = x + width, max(shelf, height)
    return corners


def unwrap(mesh: QuadMesh, group: NDArray[np.int64], size: int) -> Atlas:
    """Lay the quads of a closed surface out in a texture.

    Args:
        mesh: the surface.
        group: (Q,) quads of different groups never share a chart.
        size: texels along a side of the texture.
    """
    pairs = _neighbours(mesh.quads)
    normal = mesh.normals[mesh.quads].mean(axis=1)
    facing = normal @ _DIRECTIONS.T
    direction = _without_specks(np.argmax(facing, axis=1), facing, pairs)
    corners = mesh.vertices[mesh.quads]
    split = group * 6 + direction
    for attempt in range(4):
        chart = _charts(split, pairs)
        flat = np.stack([(corners * axes[direction][:, None, :]).sum(axis=2) for axes in (_RIGHT, _UP)], axis=2)
        low = np.full((chart.max() + 1, 2), np.inf)
        high = np.full((chart.max() + 1, 2), -np.inf)
        np.minimum.at(low, chart, flat.min(axis=1))
        np.maximum.at(high, chart, flat.max(axis=1))
        density = size / math.sqrt(float((high - low).prod(axis=1).sum())) * 1.05
        while (place := _pack(high - low, density, size)) is None:
            density *= 0.98
        uv = (flat - low[chart][:, None]) * density + place[chart][:, None]
        uv[..., 1] = size - uv[..., 1]
        owner, weights, crowded = _cover(uv, size)
        if attempt == 3 or not crowded.any():
            break
        split = split + crowded * (1000 * (attempt + 1))
    texels = np.flatnonzero(owner.ravel() >= 0)
    return Atlas(uv, size, texels, owner.ravel()[texels].astype(np.int64), weights.reshape(-1, 4)[texels])


@compiled
def bleed(image: NDArray[np.uint8], texels: NDArray[np.int64], rounds: int) -> NDArray[np.uint8]:
    """Grow painted texels into their surroundings.

    Args:
        image: (S, S, 3); the other texels keep their colour beyond the grown rim.
        texels: flat indices of the painted ones.
        rounds: width of the rim in texels.
    """
    out = image.copy()
    size = image.shape[0]
    known = np.zeros(size * size, np.bool_)
    queue = np.empty(size * size, np.int64)
    for n in range(len(texels)):
        known[texels[n]] = True
        queue[n] = texels[n]
    start, end = 0, len(texels)
    for _ in range(rounds):
        stop = end
        for n in range(start, stop):
            row, col = queue[n] // size, queue[n] % size
            for step in range(4):
                r, c = row + (step == 0) - (step == 1), col + (step == 2) - (step == 3)
                if 0 <= r < size and 0 <= c < size and not known[r * size + c]:
                    known[r * size + c] = True
                    out[r, c] = out[row, col]
                    queue[end] = r * size + c
                    end += 1
        start = stop
    return out
