"""What a result is compared with: Z itself, and Z with a contour drawn by program."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specsia_build.dataset.pairs import Pair
from specsia_build.rendering.contour import draw_contour

LINE_PX, LINE_GREY = 2, 0
"""Of the drawn line, for want of better knowledge."""


def raw(pair: Pair) -> NDArray[np.uint8]:
    """Z itself."""
    return pair.z


def line(pair: Pair) -> NDArray[np.uint8]:
    """Z with a black contour of 2 px about its own mask."""
    return draw_contour(pair.z, pair.z[..., 3], LINE_PX, LINE_GREY)


def line_oracle(pair: Pair) -> NDArray[np.uint8]:
    """Z with a contour of Y*'s own thickness and grey about its own mask; the plain `line` where they are unknown."""
    if pair.outline_px is None or pair.outline_grey is None:
        return line(pair)
    return draw_contour(pair.z, pair.z[..., 3], pair.outline_px, pair.outline_grey)
