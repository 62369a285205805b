"""Meshes that their skins tear at rest: bound elsewhere than their joints stand, or not at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STRETCHED = 3.0
"""How many times as long as each of its ends would make it an edge is that a skin tears."""

TORN, UNBOUND_TORN = 0.02, 0.001
"""Share of the triangles of a skin with such edges that is worth a word: of any skin, and of one that binds no joint.

The most of any of 117 sound characters is 0.007; where their joints are out of order it is 0.1 and more, but for
those that are nearly one stiff piece.
"""

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

    def doubt(self, skin: str, *, bound: bool) -> str | None:
        """A sentence on a skin that tears its mesh, or None.

        Args:
            skin: what it is called, with its file.
            bound: whether it binds its joints at more than one place.
        """
        share = self.torn / max(self.triangles, 1)
        if share < (TORN if bound else UNBOUND_TORN):
            return None
        why = "binds its joints elsewhere than they are at rest"
        if not bound:
            why = "has no inverse bind matrices, or all alike, and joints at several places"
        return (
            f"{skin} {why}, so that by the rules of glTF it tears its mesh ({share:.1%} of the triangles): export it "
            "again with its bind pose, and its joints in their order"
        )


def _squares(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared lengths, (N,), of vectors (N, 3)."""
    squares: NDArray[np.float64] = np.einsum("ni,ni->n", vectors, vectors)
    return squares
