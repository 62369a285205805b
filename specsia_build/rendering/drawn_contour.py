"""Find the line that is drawn around a figure, by a renderer or by hand."""

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.rendering.layers import HALF_COVERED

WIDEST = 0.04  # Share of the picture's longer side; a wider band is part of the figure, not a contour
DIFFERENT, LINED = 32, 0.7  # Least difference of a line's colour from the figure's in levels, and share of pixels in it
INK = 48  # Levels within which ink has one colour
LIMB = 0.01  # Least share of a figure that counts as a part of it


@dataclass(frozen=True, eq=False)
class Contour:
    """A line around a figure.

    Attributes:
        start, end: distances from the silhouette in pixels between which the line lies; it starts at 0, or farther
            inside if the figure was cut out with paper around it.
        grey: mean level of its colour, 0-255.
        distance: (H, W) float64, distance of each pixel of the figure from the silhouette; 0 outside of it.
        pixels: (H, W) bool, the line, the pixels that it mixes with, and all outside of the figure.
    """

    start: float
    end: float
    grey: int
    distance: NDArray[np.float64]
    pixels: NDArray[np.bool_]

    @property
    def width(self) -> float:
        """Thickness in pixels."""
        return self.end - self.start

    @property
    def is_separable(self) -> bool:
        """Whether the figure stays whole without it. Limbs that are lines themselves would be lost."""
        covered = self.distance > 0
        away = scipy.ndimage.distance_transform_edt(self.pixels)
        if np.count_nonzero(covered & (away > 2 * self.end + 3)) >= LIMB * np.count_nonzero(covered):
            return False
        # A new contour closes gaps as wide as the old one.
        return _parts(away <= self.end) <= _parts(covered)


def find_contour(picture: NDArray[np.uint8]) -> Contour | None:
    """Find the contour of a figure (H, W, 4) uint8 with straight alpha; None if it has none.

    In most places a line has another colour than the figure just inside of it. It may be uneven.
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
    # The innermost pixels are mixed with the figure, and the outermost may be paper of another colour.
    colour = np.median(colours[rim & differs & (depth == max(line, beyond - 2))], axis=0)
    like = np.abs(colours - colour).max(axis=-1) <= INK
    inked = np.bincount(depth[rim], like[rim], widest + 2) / total
    first = int(np.argmax(inked >= inked.max() / 2))
    start = 0.0 if first <= 2 else first - 1.0
    edge = covered & (distance <= max(start, 1.5))
    ink = scipy.ndimage.binary_propagation(edge, mask=edge | (covered & like & (distance <= 1.5 * end + 1)))
    pixels = scipy.ndimage.binary_dilation(ink) | ~covered
    return Contour(start, end, round(float(colour.mean())), distance, pixels)


def _parts(mask: NDArray[np.bool_]) -> int:
    """Number of parts of a mask, without specks."""
    labels, _ = scipy.ndimage.label(mask, np.ones((3, 3)))
    areas = np.bincount(labels.ravel())[1:]
    return int(np.count_nonzero(areas >= LIMB * areas.sum()))
