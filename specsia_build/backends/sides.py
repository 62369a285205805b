"""Match a drawing from the side, or from behind, to the rows of the frontal one, as on a model sheet.

Both show the same heights: the head's top, the neck, the belt, the soles. Scale and shift that match them are
searched around those that match top and bottom; what remains says whether it is the same figure.
"""

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.arrays import Doubles, Pixels
from specsia_build.pictures.masks import box_around, resampled
from specsia_build.rendering.layers import HALF_COVERED

ROW_BANDS = 64  # Bands of rows between the figure's top and its bottom
TOLERATED = 0.03  # Largest deviation of scale and of shift, in heights of the figure
_STEPS = 7  # Scales, and shifts, that are tried
_SURE = 0.2  # Gain in likeness that justifies another scale and shift than those of top and bottom
_COLOURS = 60.0  # Difference of colours, in levels, that counts as much as profiles without correlation
_LEAST_WIDTH = 0.02  # Added to widths, in heights, before their logarithm
ALIKE, UNLIKE = 0.1, 0.25
"""Differences of two drawings beyond which it is doubtful that they show one figure, and up to which it is
possible. Fronts and sides of 31 characters differ by at most -0.14, and by 0.12 where the side is 4 % off and
shaded; those of two characters by more than 0.1 four times of five, and by more than 0.25 two times of
three."""


class Matched(NamedTuple):
    """A drawing in the rows of the frontal one."""

    picture: Pixels  # (S, W, 4) uint8; of any width, with a margin beside the figure
    difference: float  # How unlike the two are, see `ALIKE`


class _Profile(NamedTuple):
    """What a figure shows in each band: its width in heights (B,), and its mean colour (B, 3) in levels."""

    width: Doubles
    colour: Doubles


def matched(picture: Pixels, front: Pixels) -> Matched:
    """Scale and shift a figure (h, w, 4) on transparency so that its rows are those of a front (S, S, 4).

    Both have straight alpha, and show something.
    """
    rows, columns = box_around(picture[..., 3] >= HALF_COVERED)
    wanted, _ = box_around(front[..., 3] >= HALF_COVERED)
    height = rows.stop - rows.start
    goal = _profile(front, wanted.start, wanted.stop)
    offsets = np.linspace(-TOLERATED, TOLERATED, _STEPS) * height
    tried = {(0.0, 0.0): _difference(goal, _profile(picture, rows.start, rows.stop))}
    for above in offsets:
        for below in offsets:
            seen = _profile(picture, rows.start + above, rows.stop + below)
            tried[float(above), float(below)] = _difference(goal, seen)
    best = min(tried, key=lambda key: (tried[key], abs(key[0]) + abs(key[1])))
    if tried[best] > tried[0.0, 0.0] - _SURE:
        best = (0.0, 0.0)
    top, bottom = rows.start + best[0], rows.stop + best[1]
    scale = (wanted.stop - wanted.start) / (bottom - top)
    margin = 4.0
    left, right = columns.start - margin / scale, columns.stop + margin / scale
    above, below = wanted.start / scale, (len(front) - wanted.start) / scale
    box = (left, top - above, right, top + below)
    size = (round((box[2] - box[0]) * scale), len(front))
    return Matched(resampled(picture, box, size), tried[best])


def matched_back(picture: Pixels, front: Pixels) -> Matched:
    """Put a figure from behind (h, w, 4) into the rows of a front (S, S, 4), and behind it, as (S, S, 4)."""
    back, difference = matched(picture, front)
    size = len(front)
    _, columns = box_around(front[..., 3] >= HALF_COVERED)
    middle = size - (columns.start + columns.stop) / 2
    left = round(middle - back.shape[1] / 2)
    wide = np.pad(back, ((0, 0), (max(0, left), max(0, size - left - back.shape[1])), (0, 0)))
    first = max(0, -left)
    return Matched(np.ascontiguousarray(wide[:, first : first + size]), difference)


def _profile(picture: Pixels, top: float, bottom: float) -> _Profile:
    """The profile of a figure (h, w, 4) between two rows, which may lie outside."""
    covered = (picture[..., 3] >= HALF_COVERED).astype(np.float64)
    sums = np.concatenate([covered[..., None], covered[..., None] * picture[..., :3]], axis=2).sum(axis=1)
    total = np.concatenate([np.zeros((1, 4)), np.cumsum(sums, axis=0)])
    edges = np.linspace(top, bottom, ROW_BANDS + 1)
    at = np.stack([np.interp(edges, np.arange(len(total)), total[:, k]) for k in range(4)], axis=-1)
    bands = np.diff(at, axis=0)
    step = (bottom - top) / ROW_BANDS
    width = bands[:, 0] / step / (bottom - top)
    return _Profile(width, bands[:, 1:] / np.maximum(bands[:, :1], 1e-9))


def _difference(first: _Profile, second: _Profile) -> float:
    """How unlike two profiles are: by colours, and correlations of their widths and of steps of these."""
    both = (first.width > 0) & (second.width > 0)
    colours = np.abs(first.colour - second.colour)[both].mean() if both.any() else 255.0
    logs = [np.log(profile.width + _LEAST_WIDTH) for profile in (first, second)]
    steps = [np.gradient(scipy.ndimage.gaussian_filter1d(log, 0.5)) for log in logs]
    return float(colours / _COLOURS - (_correlation(*logs) + _correlation(*steps)) / 2)


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Pearson's correlation of two sequences; 0 if one of them is constant."""
    first, second = first - first.mean(), second - second.mean()
    length = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / length if length > 0 else 0.0
