"""Names for arrays of one type, whatever their shape."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
