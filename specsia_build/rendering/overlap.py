"""How far two silhouettes are the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import compiled, ready

Silhouette = NDArray[np.uint8] | NDArray[np.bool_]
"""(S, S): coverage, of which half counts, or whether each pixel is covered."""


@compiled
def _overlap(one, two):  # type: ignore[no-untyped-def]
    """How many entries of two byte arrays (N,) are at least half of 255: of both, of the first, of the second."""
    both, ours, theirs = 0, 0, 0
    for k in range(len(one)):
        a, b = one[k] >> 7, two[k] >> 7
        both += a & b
        ours += a
        theirs += b
    return both, ours, theirs


def overlap(one: Silhouette, two: Silhouette) -> tuple[int, int, int]:
    """Pixels that two silhouettes, both, the first and the second, cover at least half."""
    both, ours, theirs = _overlap(_levels(one), _levels(two))
    return both, ours, theirs


def iou(one: Silhouette, two: Silhouette, *, empty: float = 1.0) -> float:
    """Intersection over union of two silhouettes, at half coverage; `empty` where nothing is in either."""
    both, ours, theirs = overlap(one, two)
    union = ours + theirs - both
    return both / union if union else empty


def _levels(silhouette: Silhouette) -> NDArray[np.uint8]:
    levels = silhouette * np.uint8(255) if silhouette.dtype == np.bool_ else silhouette
    flat: NDArray[np.uint8] = ready(levels).reshape(-1)
    return flat
