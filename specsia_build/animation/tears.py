"""Meshes that their skins tear, at rest or in a pose."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.motion import Poses, poses
from specsia_build.animation.rig import Rig

STRETCHED = 3.0
"""How many times as long as each of its ends would make it an edge is that a skin tears."""

MOST_WATCHED, LEAST_WATCHED, MANY = 8_000, 1_000, 100
"""Triangles of a character by which it is told what a pose tears, at most, and of many poses, so many, at least."""

_TOGETHER = 1 << 16
"""Triangles that are looked at together, which bounds memory."""


@dataclass
class Tears:
    """Of the triangles that a skin moves, how many there are and how many of them it tears."""

    triangles: int = 0
    torn: int = 0

    def add(
        self,
        points: NDArray[np.float64],
        matrices: NDArray[np.float64],
        determinants: NDArray[np.float64],
        posed: NDArray[np.float64],
        faces: NDArray[np.int32],
    ) -> None:
        """Add triangles (F, 3) of points (V, 3), which maps (V, 3, 3) of `determinants` and shifts take to `posed`."""
        # The least that a map leaves of a length is its determinant by its other two stretches, whose product is at
        # most half the sum of all squares.
        squares = np.einsum("nij,nij->n", matrices, matrices)
        least = np.abs(determinants) / np.maximum(squares / 2, np.finfo(np.float64).tiny)
        self.triangles += len(faces)
        for start in range(0, len(faces), _TOGETHER):
            some = faces[start : start + _TOGETHER]
            torn = np.zeros(len(some), np.bool_)
            for first, second in ((0, 1), (1, 2), (2, 0)):
                a, b = some[:, first], some[:, second]
                edges, apart = points[b] - points[a], _squares(posed[b] - posed[a])
                bound = STRETCHED * np.maximum(least[a], least[b])
                likely = np.flatnonzero(apart > bound * bound * _squares(edges))
                own = [_squares(np.einsum("nij,nj->ni", matrices[end[likely]], edges[likely])) for end in (a, b)]
                length = np.maximum(*own)
                torn[likely] |= (length > 0) & (apart[likely] > STRETCHED * STRETCHED * length)
            self.torn += int(torn.sum())

    @property
    def share(self) -> float:
        """Of the triangles, those that are torn."""
        return self.torn / max(self.triangles, 1)


def torn_in(rig: Rig, faces: NDArray[np.int32], worlds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share (T,) of triangles (F, 3) of a rig's vertices that its skin tears in worlds (T, J, 4, 4), roughly."""
    watched = max(LEAST_WATCHED, min(MOST_WATCHED, MOST_WATCHED * MANY // max(len(worlds), 1)))
    faces = faces[:: len(faces) // watched + 1]
    used = np.zeros(len(rig.points), np.bool_)
    used[faces] = True
    faces = (np.cumsum(used, dtype=np.int32) - 1)[faces]
    skin = replace(rig.of_vertices(used), morphs=())
    rest = skin.vertices(poses(rig.skeleton, None, np.zeros(1)), 0).astype(np.float64)
    back = np.linalg.pinv(skin.blended(rig.skeleton.rest_worlds))
    shares = []
    for k, posed in enumerate(skin.each_vertices(Poses(worlds, {}))):
        maps, tears = skin.blended(worlds[k]) @ back, Tears()
        tears.add(rest, maps, np.linalg.det(maps), posed.astype(np.float64), faces)
        shares.append(tears.share)
    return np.array(shares)


def _squares(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared lengths, (N,), of vectors (N, 3)."""
    squares: NDArray[np.float64] = np.einsum("ni,ni->n", vectors, vectors)
    return squares
