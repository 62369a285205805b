"""What lies near to pixels of a kind."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray


def near(pixels: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Pixels (H, W) at most `reach` away, along each axis, from one that is true; none is beyond the frame."""
    return np.asarray(scipy.ndimage.maximum_filter(pixels, 2 * reach + 1, mode="constant"))
