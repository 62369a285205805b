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


@dataclass
class Tears:
    """Of the triangles that a skin moves, how many there are and how many of them it tears."""

    triangles: int = 0
    torn: int = 0

    def add(self, points: NDArray[np.float64], matrices: NDArray[np.float64], faces: NDArray[np.int32]) -> None:
        """Add triangles (F, 3) of points (V, 3), which matrices (V, 3, 4) take to their places."""
        torn = np.zeros(len(faces), np.bool_)
        for first, second in ((0, 1), (1, 2), (2, 0)):
            a, b = faces[:, first], faces[:, second]
            edges, here = points[b] - points[a], matrices[b] - matrices[a]
            own = [np.einsum("nij,nj->ni", matrices[end, :, :3], edges) for end in (a, b)]
            # What the end's matrix makes of the edge, and how far the other's takes the other end away from there.
            apart = own[0] + np.einsum("nij,nj->ni", here[:, :, :3], points[b]) + here[:, :, 3]
            length = np.maximum(*(np.linalg.norm(way, axis=1) for way in own))
            torn |= (length > 0) & (np.linalg.norm(apart, axis=1) > STRETCHED * length)
        self.triangles += len(faces)
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
