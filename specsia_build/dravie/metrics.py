"""Scores of pictures against Y*: errors over Z ∪ Y*, similarity, the drawn contour, and flicker.

The region of a view is Z ∪ Y*: every pixel that Z or Y* covers at all, the same for every method. Its
interior is at least half covered by Z and by the silhouette of Y*, and off the contour. Pictures are (H, W,
4) uint8 with straight alpha; all scores but `l1_black` are measured on white.

Flicker follows points of the surface by Zpos, in which a point has the same colour in every frame of a clip.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy
import skimage
from numpy.typing import NDArray

from specsia_build.arrays import Floats, Mask, Pixels
from specsia_build.dataset.pairs import Pair
from specsia_build.dravie.drawing import MOST_WIDTH, near
from specsia_build.errors import SpecsiaError
from specsia_build.pictures.masks import box_around
from specsia_build.rendering.ink import LUMA
from specsia_build.rendering.layers import HALF_COVERED

_DARK = 128  # Luma below which a pixel is dark
_INK = 16  # Minimum difference between the alpha of Y* and its silhouette on the contour
# Depth inside a picture's edge in which lines are counted: 4 px of line, 1 of softness
RIM_PX = MOST_WIDTH + 1
PUBLISHED_RIM_PX = 2  # The same in the published schema: at most 4 px of line, centred on the silhouette
TOLERANCE_PX = 2  # Distance along either axis within which two line pixels match
SSIM_SIGMA, SSIM_REACH = 1.5, 5  # Gaussian window of SSIM, and its radius in pixels (Wang et al. 2004)
MOST_PSNR = 100.0  # Decibels of a perfect picture
_ROUNDING = 1.0  # Largest difference of a point's Zpos in two frames, in levels, besides half a pixel's span


def levels_on_black(picture: Pixels) -> Floats:
    """Composite a picture on black: (H, W, 3) float32 in 0…1."""
    return np.asarray(picture[..., :3].astype(np.float32) / 255 * (picture[..., 3:].astype(np.float32) / 255))


def levels_on_white(picture: Pixels) -> Floats:
    """Composite a picture on white: (H, W, 3) float32 in 0…1."""
    alpha = picture[..., 3:].astype(np.float32) / 255
    return np.asarray(levels_on_black(picture) + (1 - alpha), np.float32)


def region(pair: Pair) -> Mask:
    """Pixels (H, W) that Z or Y* covers at all."""
    return np.asarray((pair.z[..., 3] > 0) | (pair.gt[..., 3] > 0))


def interior(pair: Pair) -> Mask:
    """Pixels (H, W) that Z and the silhouette of Y* cover at least half, without those of the contour."""
    if pair.gt_mask is None:
        covered, line = pair.gt[..., 3], boundary_lines(pair.gt, PUBLISHED_RIM_PX)
    else:
        covered, line = pair.gt_mask, pair.gt[..., 3].astype(np.int16) - pair.gt_mask >= _INK
    return np.asarray((pair.z[..., 3] >= HALF_COVERED) & (covered >= HALF_COVERED) & ~line)


def _dark(picture: Pixels) -> Mask:
    return np.asarray((picture[..., 3] >= HALF_COVERED) & (picture[..., :3] @ LUMA < _DARK))


def boundary_lines(picture: Pixels, depth: int = RIM_PX) -> Mask:
    """Dark pixels (H, W) within `depth` px of the picture's edge; the border of the frame is not an edge."""
    return _dark(picture) & near(picture[..., 3] < HALF_COVERED, depth)


def contour_lines(pair: Pair) -> Mask | None:
    """Pixels (H, W) of Y*'s contour, outside its silhouette; None where the contour is not dark."""
    if pair.gt_mask is None:
        lines = boundary_lines(pair.gt, PUBLISHED_RIM_PX)
        return lines if lines.any() else None
    band = (pair.gt[..., 3] >= HALF_COVERED) & (pair.gt_mask < HALF_COVERED)
    lines = band & _dark(pair.gt)
    return lines if lines.sum() * 2 >= max(1, band.sum()) else None


def contour_f1(result: Pixels, pair: Pair) -> float | None:
    """F1 of Y*'s dark contour in a result, 0…1; None where Y*'s contour is not dark.

    Recall is the share of Y*'s contour within 2 px of a dark boundary pixel of the result; precision is the
    share of the result's dark boundary within 2 px of one of Y*. Dark clothes at the edge count as line in
    both pictures, so Y* itself scores 1.
    """
    true_lines = contour_lines(pair)
    if true_lines is None:
        return None
    lines, allowed = boundary_lines(result), boundary_lines(pair.gt)
    recall = float(np.mean(near(lines, TOLERANCE_PX)[true_lines]))
    precision = float(np.mean(near(allowed | true_lines, TOLERANCE_PX)[lines])) if lines.any() else 0.0
    return 2 * recall * precision / (recall + precision) if recall + precision > 0 else 0.0


def view_scores(result: Pixels, pair: Pair) -> dict[str, float]:
    """Score a repair of the pair's Z; `SpecsiaError` if sizes differ, or neither Z nor Y* shows anything.

    Returns ``contour_f1``, see there, and

    - ``l1``, ``psnr``, ``ssim``: absolute error (0…1), decibels and structural similarity over the region;
    - ``ssim_frame``: structural similarity of the whole frame, most of which is ground that all paint alike;
    - ``l1_interior``: absolute error over the interior, where texture and not the contour was repaired;
    - ``l1_black``: absolute error on black anywhere, per pixel of the region, which sees white paint.

    Scores that a view cannot give are absent: an empty interior, a light contour, SSIM below 11 px a side.
    """
    if result.shape != pair.gt.shape:
        raise SpecsiaError(f"the result for {pair.uid} is {result.shape}, not {pair.gt.shape}")
    if not region(pair).any():
        raise SpecsiaError(f"view {pair.uid} is all background: neither Z nor Y* shows anything there")
    pixels = result.shape[0] * result.shape[1]
    # The window sees 5 px, and what it returns at the box's edge must not depend on the edge.
    box = box_around(region(pair) | (result[..., 3] > 0), 2 * SSIM_REACH)
    gt_mask = None if pair.gt_mask is None else pair.gt_mask[box]
    result = result[box]
    pair = replace(pair, z=pair.z[box], pos=pair.pos[box], gt=pair.gt[box], gt_mask=gt_mask)
    ours = levels_on_white(result)
    truth = levels_on_white(pair.gt)
    where = region(pair)
    inside = interior(pair)
    error = np.abs(ours - truth).mean(axis=2, dtype=np.float64)
    squared = float(np.square(ours - truth)[where].mean(dtype=np.float64))
    black = np.abs(levels_on_black(result) - levels_on_black(pair.gt)).mean(axis=2, dtype=np.float64)
    scores = {
        "l1": float(error[where].mean()),
        "l1_black": float(black.sum()) / int(where.sum()),
        "psnr": min(MOST_PSNR, -10 * float(np.log10(squared))) if squared > 0 else MOST_PSNR,
    }
    if inside.any():
        scores["l1_interior"] = float(error[inside].mean())
    if min(ours.shape[:2]) > 2 * SSIM_REACH:
        window = {"gaussian_weights": True, "sigma": SSIM_SIGMA, "use_sample_covariance": False}
        settings = window | {"data_range": 1.0, "channel_axis": 2, "full": True}
        _, similar = skimage.metrics.structural_similarity(ours, truth, **settings)
        similar = similar.mean(axis=2, dtype=np.float64)
        scores["ssim"] = float(similar[where].mean())
        # Outside the box both are white.
        scores["ssim_frame"] = 1 - float((1 - similar).sum()) / pixels
    f1 = contour_f1(result, pair)
    return scores if f1 is None else scores | {"contour_f1": f1}


class PixelMatch(NamedTuple):
    """Pixels of a frame and of the next that show the same points: (N,) int32 each, counted row by row."""

    here: NDArray[np.int32]
    there: NDArray[np.int32]


def follow(here: Pixels, there: Pixels) -> PixelMatch:
    """Match the wholly covered pixels of a Zpos (H, W, 4) uint8 with another's that show the same points.

    Each matches the pixel nearest by position; pixels whose points the other does not show are left out.
    """
    pixels, others = (np.flatnonzero(pos[..., 3] == 255).astype(np.int32) for pos in (here, there))
    if not len(pixels) or not len(others):
        return PixelMatch(pixels[:0], others[:0])
    levels = there[..., :3].astype(np.float32)
    reach = _span(levels, np.asarray(there[..., 3] == 255)).ravel()[others] / 2 + _ROUNDING
    tree = scipy.spatial.cKDTree(levels.reshape(-1, 3)[others])
    distance, nearest = tree.query(here.reshape(-1, 4)[pixels, :3])
    nearest = np.asarray(nearest)
    is_same = np.asarray(distance <= reach[nearest])
    return PixelMatch(pixels[is_same], others[nearest[is_same]])


def _span(positions: Floats, covered: Mask) -> Floats:
    """Distance (H, W) of positions (H, W, 3) from the nearer covered neighbour's, summed over both axes.

    The nearer, because positions jump across a fold, which is on one side only.
    """
    padded = np.where(covered[..., None], positions, np.float32(np.nan))
    padded = np.pad(padded, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    down = np.linalg.norm(np.diff(padded[:, 1:-1], axis=0), axis=-1)
    across = np.linalg.norm(np.diff(padded[1:-1], axis=1), axis=-1)
    nearer = np.fmin(down[1:], down[:-1]), np.fmin(across[:, 1:], across[:, :-1])
    return np.asarray(np.nan_to_num(nearer[0]) + np.nan_to_num(nearer[1]))


def steps_between(pairs: Sequence[Pair]) -> list[PixelMatch]:
    """Match each frame of a clip with the next; empty for views."""
    if not pairs or pairs[0].frame is None:
        return []
    nothing = PixelMatch(*np.zeros((2, 0), np.int32))
    return [follow(a.pos, b.pos) if b.number == a.number + 1 else nothing for a, b in pairwise(pairs)]


def clip_flicker(
    results: Sequence[Pixels], truths: Sequence[Pixels], steps: Sequence[PixelMatch]
) -> float | None:
    """Mean absolute difference, 0…1, between a result's and Y*'s changes from frame to frame at a point.

    A step leads from each frame to the next. None where no point is seen in two frames.
    """
    total, count = 0.0, 0
    for k, step in enumerate(steps):
        ours, truth = (_changes(frames[k], frames[k + 1], step) for frames in (results, truths))
        total += float(np.abs(ours - truth).sum(dtype=np.float64))
        count += 3 * len(step.here)
    return total / count if count else None


def _changes(before: Pixels, after: Pixels, step: PixelMatch) -> Floats:
    """Changes (N, 3) of the colours of the same points from one frame to the next."""
    old, new = (levels_on_white(frame).reshape(-1, 3) for frame in (before, after))
    return new[step.there] - old[step.here]
