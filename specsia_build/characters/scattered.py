"""A character that comes apart: no view shows most of it in one piece."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.rendering.layers import HALF_COVERED

TOGETHER = 0.6
"""Share of a silhouette that its largest piece has in some view of what holds together: of 350 characters with floating
hands, heads, eyes or satellites the least was 0.62; two whose skins were bound wrongly had 0.46 and 0.53."""

SIZE = 128
"""Pixels on a side that a silhouette is looked at with, so that a seam of a few pixels takes nothing apart."""


@dataclass(frozen=True)
class Pieces:
    """What a silhouette consists of.

    Attributes:
        count: pieces that touch nowhere.
        largest: share of the silhouette that the largest has, 0-1; 1 where there is nothing.
    """

    count: int
    largest: float

    @property
    def together(self) -> bool:
        """Whether the largest is most of it."""
        return self.largest >= TOGETHER


def pieces_of(coverage: NDArray[np.uint8]) -> Pieces:
    """The pieces of a silhouette, (S, S) uint8, that lie more than about 1 % of the image apart."""
    starts = np.linspace(0, len(coverage), min(SIZE, len(coverage)), endpoint=False).astype(np.intp)
    small = np.maximum.reduceat(np.maximum.reduceat(coverage, starts, axis=0), starts, axis=1) >= HALF_COVERED
    labels, count = scipy.ndimage.label(small, structure=np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())[1:]
    return Pieces(count, float(sizes.max() / sizes.sum()) if count else 1.0)


def scattered(views: list[Pieces]) -> str:
    """What is to be said of a character that no view shows in one piece: the end of a sentence.

    Args:
        views: of each that was looked at; one at least.
    """
    most = max(views, key=lambda one: one.largest)
    return (
        f"comes apart: no view shows more than {most.largest:.0%} of it in one piece, and the one that does has "
        f"{most.count}; if they belong together, its skin or its nodes take them apart: look at it in the program "
        'that made it, export it again, or try an action of its own as "pose"'
    )
