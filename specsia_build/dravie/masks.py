"""Masks of a frame: dilation, and where a reconstruction and its character agree.

Apart from the scores, so that repairing a frame imports neither scikit-image nor the code of datasets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.dravie.config import HALF_COVERED, PATCH
from specsia_build.dravie.drawing import MOST_WIDTH

if TYPE_CHECKING:
    from specsia_build.dataset.pairs import Pair

SLACK = 2  # Largest distance in pixels between silhouettes that agree
LEAST_AGREED = 0.1  # Least share of the foreground where silhouettes agree; below it, patches are drawn from all of it


def near(pixels: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Dilate a mask (H, W) by a square of 2 · `reach` + 1 pixels; outside the frame it is False."""
    return np.asarray(scipy.ndimage.maximum_filter(pixels, 2 * reach + 1, mode="constant"))


def agreed(pair: Pair) -> NDArray[np.bool_]:
    """Return the mask (H, W) of pixels whose patch contains no part that only one of Z and Y* shows.

    A part that the reconstruction lacks, such as a cape, cannot be painted from the rest. A model that is trained to do
    so on one view smears the part's colours around the character in all others.
    """
    z, gt = pair.z[..., 3] >= HALF_COVERED, pair.gt[..., 3] >= HALF_COVERED
    lost = gt & (scipy.ndimage.distance_transform_edt(~z) > MOST_WIDTH + SLACK)
    added = z & (scipy.ndimage.distance_transform_edt(~gt) > SLACK)
    mask = ~near(lost | added, PATCH // 2)
    foreground = z | gt
    if (mask & foreground).sum() < LEAST_AGREED * foreground.sum():
        return np.ones_like(mask)
    return mask
