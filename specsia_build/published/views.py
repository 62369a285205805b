"""What a picture of published positions shows alone: its axes, the width of its box, where surfaces slope.

In such a picture R grows to the image's right, G away from the camera and B upwards, each from 0 to 255 over
the box of all vertices after the turn of the view. The camera is orthographic, so R follows from a pixel's
column and B from its row. Lengths are in pixels here; columns and rows count from the image's middle, columns
to the right and rows downwards.
"""

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.arrays import Pixels
from specsia_build.errors import ByShape

Levels = NDArray[np.float32]
_RIM_PX = 2  # Pixels at the silhouette to leave out, which may mix with the ground
_FEW_PIXELS = 64  # Fewest pixels inside of the rim from which lines are fitted
_MOST_OFF_LINE = 4.0
"""Largest difference in levels of R or B from the line through columns or rows; rounding gives 0.5."""

_SAMPLES = 6000  # Pixels that lines are fitted to, about
_MOST_STRAYS = 0.1  # Largest share of pixels that are farther off
STEP_PX, MOST_BEND = 2, 3.0
"""Pixels over which a slope is measured, and the levels by which a smooth surface may bend there."""


class AxesError(ValueError):
    """Positions have other axes than published ones; the message is the end of a sentence about them."""


@dataclass(frozen=True)
class Line:
    """Levels along an axis of the image: `level = offset + slope * pixels from the middle`."""

    offset: float
    slope: float

    @property
    def length(self) -> float:
        """Pixels that 255 levels span."""
        return 255 / abs(self.slope)

    @property
    def centre(self) -> float:
        """Pixels from the middle of the image at which the level is 127.5, the centre of the box."""
        return (127.5 - self.offset) / self.slope


@dataclass(frozen=True, eq=False, repr=False)
class ViewPositions(ByShape):
    """Positions of one view, with the slopes of its surface."""

    number: int  # Number of the view; its camera is turned by 36 degrees times that
    # across, upwards: R along columns and B along rows
    across: Line
    upwards: Line
    levels: Levels  # (3, H, W) float32, R, G and B in levels
    # (2, H, W) float32, levels of G per pixel to the right and downwards; 0 where not `smooth`
    slopes: Levels
    # inside, smooth: (H, W) bool, pixels inside of the rim, and those of them where slopes are known
    inside: NDArray[np.bool_]
    smooth: NDArray[np.bool_]


def middle_of(pixels: int) -> float:
    """Number of the column or row at the middle of so many."""
    return (pixels - 1) / 2


def read_view(number: int, pos: Pixels, silhouette: NDArray[np.bool_]) -> ViewPositions:
    """Fit lines to the positions (H, W, 3) of a view inside of a silhouette (H, W).

    Raises AxesError if R does not grow to the right, or B upwards, or neither is linear.
    """
    levels = np.ascontiguousarray(pos[..., :3].transpose(2, 0, 1), np.float32)
    inside = scipy.ndimage.binary_erosion(silhouette, np.ones((3, 3), np.bool_), iterations=_RIM_PX)
    if np.count_nonzero(inside) < _FEW_PIXELS:
        raise AxesError("it shows too little to tell its axes")
    height, width = inside.shape
    step = max(1, np.count_nonzero(inside) // _SAMPLES)
    rows, columns = (numbers[::step] for numbers in np.nonzero(inside))
    red, blue = levels[0][rows, columns], levels[2][rows, columns]
    across = _fit_line(columns - middle_of(width), red, "its R does not grow evenly to the right")
    upwards = _fit_line(middle_of(height) - rows, blue, "its B does not grow evenly upwards")
    upwards = Line(upwards.offset, -upwards.slope)
    along = [_slope(levels[1], inside, axis) for axis in (1, 0)]
    smooth = inside & along[0][1] & along[1][1]
    slopes = np.stack([np.where(smooth, slope, 0) for slope, _ in along]).astype(np.float32)
    return ViewPositions(number, across, upwards, levels, slopes, inside, smooth)


def _fit_line(at: NDArray[np.floating], levels: Levels, wrong: str) -> Line:
    """Fit a growing line to levels (N,) at places (N,) in pixels; raises AxesError `wrong` if none fits."""
    kept = np.ones(len(at), np.bool_)
    offset = slope = 0.0
    for _ in range(4):
        if np.ptp(at[kept]) == 0:
            raise AxesError(wrong)
        slope, offset = np.polyfit(at[kept], levels[kept], 1)
        error = np.abs(levels - (offset + slope * at))
        kept = error <= max(_MOST_OFF_LINE, float(np.median(error)))
    if slope <= 0 or np.mean(error > _MOST_OFF_LINE) > _MOST_STRAYS:
        raise AxesError(wrong)
    return Line(float(offset), float(slope))


def _slope(depth: Levels, inside: NDArray[np.bool_], axis: int) -> tuple[Levels, NDArray[np.bool_]]:
    """Slope of depth (H, W) along an axis, in levels per pixel, and where the surface is smooth there."""
    before, after = np.roll(depth, STEP_PX, axis), np.roll(depth, -STEP_PX, axis)
    both = np.roll(inside, STEP_PX, axis) & np.roll(inside, -STEP_PX, axis)
    smooth = both & (np.abs(before + after - 2 * depth) <= MOST_BEND)
    return (after - before) / np.float32(2 * STEP_PX), smooth
