"""The ink of a drawn contour: its width, and its colour beside each colour of the figure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy

from specsia_build.arrays import Mask, Pixels
from specsia_build.pictures.masks import continued
from specsia_build.rendering.layers import HALF_COVERED

LUMA = np.array([0.299, 0.587, 0.114])  # Weights of red, green and blue in luma, by Rec. 601
DARKER = 24  # Levels by which a line is at least darker than the figure beside it
SMOOTHED = 1 / 40  # Share of a picture's longer side over which the colours of a contour are smoothed

MOST_OFF_COLOUR, COLOUR_TOLERANCE = 0.05, 16
"""Largest share of the pixels of a contour of one colour that differ from it by more than so many levels."""


def luma(colour: Sequence[float]) -> int:
    """Luma 0-255 of three levels, see `LUMA`; of a grey its level."""
    return round(float(np.dot(np.asarray(colour, np.float64), LUMA)))


@dataclass(frozen=True, eq=False)
class Ink:
    """The style of a contour, in one colour or in several that follow the figure's."""

    width: float  # Thickness in pixels
    beside: Pixels  # (N, 3) sRGB, colours of the figure beside the line, N at least 1
    colours: Pixels  # (N, 3) sRGB, colours of the line there

    @staticmethod
    def of_one(width: float, colour: tuple[int, int, int]) -> "Ink":
        """A contour of one colour."""
        return Ink(width, np.full((1, 3), 255, np.uint8), np.array([colour], np.uint8))

    def scaled(self, factor: float) -> "Ink":
        """The same contour, `factor` times as wide."""
        return replace(self, width=self.width * factor)

    def around(self, picture: Pixels) -> Pixels:
        """This contour's colours (H, W, 3) uint8 around a figure (H, W, 4) uint8, by nearest opaque pixel."""
        covered = picture[..., 3] >= HALF_COVERED
        if len(self.colours) == 1 or not covered.any():
            return np.broadcast_to(self.colours[0], (*picture.shape[:2], 3))
        colour = continued(picture[..., :3], covered).astype(np.int32)
        costs = np.stack([np.abs(colour - beside).sum(axis=2) for beside in self.beside.astype(np.int32)])
        return np.asarray(self.colours[costs.argmin(axis=0)])


def darker_beside(figure: Pixels, coverage: Pixels, reach: int, shade: float) -> Pixels:
    """Colours (H, W, 3) of a contour that is darker than a figure (H, W, 4) beside it, smooth along the line.

    They are used up to `reach` pixels around the silhouette `coverage` (H, W); only what it covers wholly
    counts. `shade` is a factor of the figure's levels, 0-1.
    """
    window = 2 * (reach + round(SMOOTHED * max(coverage.shape))) + 1
    weights = (coverage == 255).astype(np.float64)
    sums = np.dstack([weights[..., None] * figure[..., :3], weights])
    for _ in range(2):
        sums = scipy.ndimage.uniform_filter(sums, (window, window, 1), mode="constant")
    mean = sums[..., :3] / np.maximum(sums[..., 3:], 1e-6)
    return np.asarray(np.rint(np.clip(shade * mean, 0, 255)), np.uint8)


def contour_colour(gt: Pixels, gt_mask: Pixels) -> list[int]:
    """Mean colour, three levels, of the contour of Y* (H, W, 4) outside its silhouette (H, W); else black."""
    alpha = np.where(gt_mask == 0, gt[..., 3], np.uint8(0))
    weights = alpha[alpha > 0].astype(np.float64)
    sums = weights @ gt[alpha > 0][:, :3].astype(np.float64)
    return [int(level + 0.5) for level in sums / max(1.0, weights.sum())]


def off_colour(gt: Pixels, gt_mask: Pixels, colour: Sequence[int]) -> Mask:
    """Whether each of the N pixels of a contour, see `contour_colour`, differs from its colour; (N,)."""
    levels = gt[(gt_mask == 0) & (gt[..., 3] > 0), :3].astype(np.int16)
    return np.asarray((abs(levels - np.asarray(colour)) > COLOUR_TOLERANCE).any(axis=-1))
