"""Where a reconstruction and its character show the same parts."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.dataset.pairs import Pair
from specsia_build.dravie.data.patches import PATCH
from specsia_build.dravie.metrics import WIDEST_LINE_PX
from specsia_build.dravie.near import near
from specsia_build.rendering.layers import HALF_COVERED

SLACK = 2
"""Pixels that two silhouettes which agree may still be apart."""

LEAST_AGREED = 0.1
"""Share of the foreground from which patches are drawn where silhouettes agree; with less, from all of it."""


def agreed(pair: Pair) -> NDArray[np.bool_]:
    """Pixels (H, W) whose patch meets no place where Z or Y* lacks a part that the other shows.

    What a reconstruction lost, such as a cape, cannot be painted back from what is left of it; a model that was made to
    try on the one view smears the part's colours around the character in all others.
    """
    shown, wanted = pair.z[..., 3] >= HALF_COVERED, pair.gt[..., 3] >= HALF_COVERED
    lost = wanted & (scipy.ndimage.distance_transform_edt(~shown) > WIDEST_LINE_PX + SLACK)
    added = shown & (scipy.ndimage.distance_transform_edt(~wanted) > SLACK)
    found = ~near(lost | added, PATCH // 2)
    foreground = shown | wanted
    if (found & foreground).sum() < LEAST_AGREED * foreground.sum():
        return np.ones_like(found)
    return found
