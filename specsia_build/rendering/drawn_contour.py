"""Find the line that is drawn around a figure, by a renderer or by hand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.rendering.layers import HALF_COVERED

WIDEST = 0.04  # Share of the picture's longer side; a wider band is part of the figure, not a contour
DIFFERENT, LINED = 32, 0.7  # Levels by which a line differs from the figure, and share of a line's depth that does
INK = 48  # Levels within which ink has one colour
LIMB = 0.01  # Least share of a figure that counts as a part of it


class Contour(NamedTuple):
    """A line around a figure.

    Attributes:
        start, end: distances from the silhouette in pixels between which the line lies; it starts at 0, or farther
            inside where the figure was cut out with paper around it.
        grey: mean level of its colour, 0-255.
        pixels: (H, W) bool, the line, the pixels that it mixes with, and all outside of it.
        whole: whether the figure keeps its limbs without it, which are lost where they are lines themselves.
    """

    start: float
    end: float
    grey: int
    pixels: NDArray[np.bool_]
    whole: bool

    @property
    def width(self) -> float:
        """Thickness in pixels."""
        return self.end - self.start


def find_contour(picture: NDArray[np.uint8]) -> Contour | None:
    """Find the contour of a figure (H, W, 4) uint8 with straight alpha; None if it has none.

    At the depths of a line most pixels differ from the figure's inside near them. It may be uneven.
    """
    covered = picture[..., 3] >= HALF_COVERED
    distance = scipy.ndimage.distance_transform_edt(np.pad(covered, 1))[1:-1, 1:-1]
    depth = np.ceil(distance).astype(int)
    widest = max(4, round(WIDEST * max(depth.shape)))
    if depth.max() <= widest:
        return None
    away, nearest = scipy.ndimage.distance_transform_edt(depth <= widest, return_indices=True)
    colours = picture[..., :3].astype(np.int16)
    differs = np.abs(colours - colours[tuple(nearest)]).max(axis=-1) >= DIFFERENT
    # Thin parts are far from any inside. The outermost pixels are mixed with the background.
    rim = (depth >= 2) & (depth <= widest) & (away <= 2 * widest)
    total = np.maximum(np.bincount(depth[rim], minlength=widest + 2), 1)
    shares = np.bincount(depth[rim], differs[rim], widest + 2) / total
    line = int(shares.argmax())
    if shares[line] < LINED:
        return None
    half = shares[line] / 2
    beyond = line + int(np.argmax(shares[line:] < half))
    end = beyond - 1.5 + float((shares[beyond - 1] - half) / (shares[beyond - 1] - shares[beyond]))
    # The last pixels are mixed with the figure, and what differs farther outside may be paper.
    colour = np.median(colours[rim & differs & (depth == max(2, beyond - 2))], axis=0)
    like = np.abs(colours - colour).max(axis=-1) <= INK
    inked = np.bincount(depth[rim], like[rim], widest + 2) / total
    first = int(np.argmax(inked >= inked.max() / 2))
    start = 0.0 if first <= 2 else first - 1.0
    edge = covered & (distance <= max(start, 1.5))
    ink = scipy.ndimage.binary_propagation(edge, mask=edge | (covered & like & (distance <= 1.5 * end + 1)))
    pixels = scipy.ndimage.binary_dilation(ink) | ~covered
    # New contours will close gaps as wide as the old ones.
    away = scipy.ndimage.distance_transform_edt(pixels)
    lost = np.count_nonzero(covered & (away > 2 * end + 3)) >= LIMB * np.count_nonzero(covered)
    whole = not lost and _parts(away <= end) <= _parts(covered)
    return Contour(start, end, round(float(colour.mean())), pixels, whole)


def _parts(mask: NDArray[np.bool_]) -> int:
    """Number of parts of a mask, without specks."""
    labels, _ = scipy.ndimage.label(mask, np.ones((3, 3)))
    areas = np.bincount(labels.ravel())[1:]
    return int(np.count_nonzero(areas >= LIMB * areas.sum()))
