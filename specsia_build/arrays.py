"""Names for arrays of one type, whatever their shape."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""A picture: (H, W) grey, or (H, W, C) with C = 2 grey and alpha, 3 RGB, 4 RGBA, alpha straight."""

Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
