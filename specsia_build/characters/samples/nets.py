"""Surface nets: the zero level of a sampled distance as a closed mesh of quads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.samples import field
from specsia_build.rendering import joining

_CORNERS = np.array([(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)])
_EDGES = np.array([(a, b) for a in range(8) for b in range(a + 1, 8) if np.abs(_CORNERS[a] - _CORNERS[b]).sum() == 1])


@dataclass(frozen=True)
class QuadMesh:
    """A closed surface of quads.

    Attributes:
        vertices: (V, 3) float64, in units, OBJ axes.
        quads: (Q, 4) int64, counter-clockwise seen from outside.
        normals: (V, 3) float64 unit vectors pointing outwards.
    """

    vertices: NDArray[np.float64]
    quads: NDArray[np.int64]
    normals: NDArray[np.float64]


def _pick(volume: NDArray[np.bool_], axis: int, offset: int) -> NDArray[np.bool_]:
    index: list[slice] = [slice(None)] * 3
    index[axis] = slice(offset, volume.shape[axis] - 1 + offset)
    return volume[tuple(index)]


def _without_checkerboards(volume: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Fill grid faces whose corners alternate in sign, which would give edges shared by four quads."""
    volume = volume.copy()
    while True:
        inside = volume < 0
        filled = False
        for a, b in ((0, 1), (0, 2), (1, 2)):
            c00, c10 = (_pick(_pick(inside, a, i), b, 0) for i in (0, 1))
            c01, c11 = (_pick(_pick(inside, a, i), b, 1) for i in (0, 1))
            bad = (c00 == c11) & (c10 == c01) & (c00 != c10)
            for node in np.argwhere(bad):
                for i in (0, 1):
                    for j in (0, 1):
                        corner = node.copy()
                        corner[a] += i
                        corner[b] += j
                        at = tuple(corner)
                        if volume[at] >= 0:
                            volume[at] = -0.25 * step
                            filled = True
        if not filled:
            return volume


def _largest_piece(
    vertices: NDArray[np.float64], quads: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The piece with the most quads; inner walls of closed hollows and specks of the grid go."""
    start, end = quads.ravel(), np.roll(quads, -1, axis=1).ravel()
    label = joining.joined(start, end, len(vertices))
    piece = label[quads[:, 0]]
    keep = quads[piece == np.argmax(np.bincount(piece))]
    used, compact = np.unique(keep, return_inverse=True)
    return vertices[used], compact.reshape(-1, 4).astype(np.int64)


def _net(
    volume: NDArray[np.float64], origin: NDArray[np.float64], step: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """One vertex per cell that the surface crosses, one quad per grid edge that it crosses."""
    inside = volume < 0
    shape = np.array(volume.shape) - 1
    count = np.zeros(shape, np.int8)
    for i, j, k in _CORNERS:
        count += inside[i : i + shape[0], j : j + shape[1], k : k + shape[2]]
    cells = np.argwhere((count > 0) & (count < 8))
    values = volume[tuple(np.moveaxis(cells[:, None, :] + _CORNERS[None], -1, 0))]
    a, b = values[:, _EDGES[:, 0]], values[:, _EDGES[:, 1]]
    crossed = (a < 0) != (b < 0)
    t = np.where(crossed, a / np.where(crossed, a - b, 1.0), 0.0)[..., None]
    points = _CORNERS[_EDGES[:, 0]] * (1 - t) + _CORNERS[_EDGES[:, 1]] * t
    local = (points * crossed[..., None]).sum(axis=1) / crossed.sum(axis=1, keepdims=True)
    number = np.full(shape, -1, np.int64)
    number[tuple(cells.T)] = np.arange(len(cells))
    quads = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        low, high = _pick(inside, axis, 0), _pick(inside, axis, 1)
        edges = np.argwhere(low != high)
        back_u, back_v = np.eye(3, dtype=np.int64)[u], np.eye(3, dtype=np.int64)[v]
        ring = [edges - back_u - back_v, edges - back_v, edges, edges - back_u]
        quad = np.stack([number[tuple(corner.T)] for corner in ring], axis=1)
        outward = low[tuple(edges.T)]
        quads.append(np.where(outward[:, None], quad, quad[:, ::-1]))
    return origin + step * (cells + local), np.concatenate(quads)


def skin(table: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64], step: float) -> QuadMesh:
    """The surface of a solid.

    Args:
        table: the solid's primitives.
        low, high: (3,) box that holds the solid, in units.
        step: side of a grid cell, about the side of a quad, in units.
    """
    nodes_x = int(np.ceil(max(-low[0], high[0]) / step)) + 3
    first = np.floor(low / step).astype(np.int64) - 2
    shape = np.ceil(high / step).astype(np.int64) + 3 - first
    first[0], shape[0] = -nodes_x, 2 * nodes_x + 1
    origin = np.asarray(first * step, dtype=np.float64)
    # Half a step off the floor plane, or whole layers of nodes would lie on it and decide by rounding.
    origin[1] += 0.5 * step
    volume = field.sample_grid(table, origin, step, (int(shape[0]), int(shape[1]), int(shape[2])))
    vertices, quads = _largest_piece(*_net(_without_checkerboards(volume, step), origin, step))
    start = vertices
    for _ in range(2):
        distance, slope = field.slope(table, vertices, 0.25 * step, 2.0 * step)
        size = np.maximum((slope * slope).sum(axis=1, keepdims=True), 0.25)
        moved = vertices - distance[:, None] * slope / size
        vertices = np.asarray(start + np.clip(moved - start, -0.4 * step, 0.4 * step), dtype=np.float64)
    _, slope = field.slope(table, vertices, 0.5 * step, 2.0 * step)
    normals = slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-9)
    return QuadMesh(vertices, quads, normals)
