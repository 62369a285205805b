"""Scores of a picture against Y*: errors by region, similarity, and the drawn contour.

Everything is measured on white. The region of a view is Z ∪ Y*: every pixel that Z or Y* covers at all; it is the same
for every method. Its three parts show whether texture was repaired or only lines were drawn:

- ``line``: what Y*'s contour inks (its alpha exceeds the silhouette; in the published schema, dark pixels at the rim);
- ``interior``: off the line, at least half covered by Z and by Y*'s silhouette;
- ``silhouette``: the rest, where one of them shows something and the other does not, away from the line.

Scores are computed on the bounding box of what is covered; elsewhere both pictures are white.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import skimage
from numpy.typing import NDArray

from specsia_build.dataset.pairs import Pair
from specsia_build.dravie.config import HALF_COVERED
from specsia_build.dravie.masks import WIDEST_LINE_PX, near
from specsia_build.errors import SpecsiaError

PARTS = ("silhouette", "line", "interior")
"""Parts of the region."""

DARK = 128
"""Luma below which a pixel counts as dark."""

INK = 16
"""Least difference between the alpha of Y* and its silhouette on the contour."""

RIM_PX = WIDEST_LINE_PX + 1
"""Depth inside the edge of a picture's alpha to which boundary lines are looked for: 4 px of line, 1 of softness."""

PUBLISHED_RIM_PX = 2
"""The same where the line is centred on the silhouette and at most 4 px thick."""

TOLERANCE_PX = 2
"""How far from its place a line pixel may lie, along either axis."""

LUMA = np.array([0.299, 0.587, 0.114], np.float32)

SSIM_SIGMA, SSIM_REACH = 1.5, 5
"""Of the Gaussian window, and the pixels either side that it sees."""

MOST_PSNR = 100.0
"""Decibels of a perfect picture."""


@dataclass(frozen=True)
class Regions:
    """Masks (H, W) bool of one view: the region Z ∪ Y* and its parts, which are disjoint and cover it."""

    region: NDArray[np.bool_]
    silhouette: NDArray[np.bool_]
    line: NDArray[np.bool_]
    interior: NDArray[np.bool_]


def on_white(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A picture (H, W, 4) uint8 with straight alpha, composited on white: (H, W, 3) float32 in 0…1."""
    alpha = picture[..., 3:].astype(np.float32) / 255
    return np.asarray(picture[..., :3].astype(np.float32) / 255 * alpha + (1 - alpha), np.float32)


def on_black(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A picture (H, W, 4) uint8 with straight alpha, composited on black: (H, W, 3) float32 in 0…1."""
    return np.asarray(picture[..., :3].astype(np.float32) / 255 * (picture[..., 3:].astype(np.float32) / 255))


def _rim(covered: NDArray[np.bool_], depth: int) -> NDArray[np.bool_]:
    """Covered pixels at most `depth` away, along either axis, from one that is not; the frame's border is no rim."""
    return covered & near(~covered, depth)


def _dark(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((picture[..., 3] >= HALF_COVERED) & (picture[..., :3] @ LUMA < DARK))


def boundary_lines(picture: NDArray[np.uint8], depth: int = RIM_PX) -> NDArray[np.bool_]:
    """Find dark boundary pixels (H, W) bool: half covered or more, luma below 128, within `depth` px of the edge."""
    return _dark(picture) & _rim(picture[..., 3] >= HALF_COVERED, depth)


def _inked(pair: Pair) -> NDArray[np.bool_]:
    if pair.gt_mask is None:
        return boundary_lines(pair.gt, PUBLISHED_RIM_PX)
    return np.asarray(pair.gt[..., 3].astype(np.int16) - pair.gt_mask >= INK)


def regions(pair: Pair) -> Regions:
    """Compute the region of a view and its parts."""
    line = _inked(pair)
    covered = pair.gt[..., 3] if pair.gt_mask is None else pair.gt_mask
    region = (pair.z[..., 3] > 0) | (pair.gt[..., 3] > 0)
    interior = (pair.z[..., 3] >= HALF_COVERED) & (covered >= HALF_COVERED) & ~line
    return Regions(region, region & ~line & ~interior, line, interior)


def contour_lines(pair: Pair) -> NDArray[np.bool_] | None:
    """Pixels (H, W) bool of Y*'s contour: covered, outside its silhouette, dark; None where the line is not dark.

    In the published schema, which keeps no silhouette, the dark boundary line pixels of Y*.
    """
    if pair.gt_mask is None:
        lines = boundary_lines(pair.gt, PUBLISHED_RIM_PX)
        return lines if lines.any() else None
    band = (pair.gt[..., 3] >= HALF_COVERED) & (pair.gt_mask < HALF_COVERED)
    lines = band & _dark(pair.gt)
    return lines if lines.sum() * 2 >= max(1, band.sum()) else None


def contour_scores(result: NDArray[np.uint8], pair: Pair) -> dict[str, float]:
    """Recall, precision and F1 of Y*'s dark boundary line, each 0…1; empty where Y*'s line is not dark.

    Recall is the share of Y*'s contour pixels with a dark boundary line pixel of the result within 2 px; precision is
    the share of the result's dark boundary line pixels with one of Y* within 2 px. Dark clothes at the edge count as
    line in both pictures alike, so Y* itself scores 1.
    """
    wanted = contour_lines(pair)
    if wanted is None:
        return {}
    found = boundary_lines(result)
    allowed = boundary_lines(pair.gt)
    recall = float(np.mean(near(found, TOLERANCE_PX)[wanted]))
    precision = float(np.mean(near(allowed | wanted, TOLERANCE_PX)[found])) if found.any() else 0.0
    f1 = 2 * recall * precision / (recall + precision) if recall + precision > 0 else 0.0
    return {"contour_recall": recall, "contour_precision": precision, "contour_f1": f1}


def _box(covered: NDArray[np.bool_], margin: int) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    height, width = covered.shape
    return (
        slice(max(0, int(rows[0]) - margin), min(height, int(rows[-1]) + 1 + margin)),
        slice(max(0, int(columns[0]) - margin), min(width, int(columns[-1]) + 1 + margin)),
    )


def _cropped(pair: Pair, box: tuple[slice, slice]) -> Pair:
    gt_mask = None if pair.gt_mask is None else pair.gt_mask[box]
    return replace(pair, z=pair.z[box], pos=pair.pos[box], gt=pair.gt[box], gt_mask=gt_mask)


def view_scores(result: NDArray[np.uint8], pair: Pair) -> dict[str, float]:
    """Compute the scores of one view.

    Args:
        result: (H, W, 4) uint8 with straight alpha, a method's repair of the pair's Z.
        pair: the view.

    Returns:
        ``l1`` (mean absolute difference over the region, 0…1; on white as all others), ``l1_black`` (absolute
        difference on black per pixel of the region, wherever it is: it sees white paint), ``psnr`` (dB over the
        region), ``ssim`` (mean over the region) and ``ssim_frame`` (over the whole frame, as papers give it),
        ``outside`` (absolute difference beyond the region per pixel of the region: paint where neither Z nor Y* has
        any), for each part its contribution to
        ``l1`` as ``part_{part}`` and its own mean as ``l1_{part}``, and `contour_scores`. What a view cannot give, such
        as the mean of an empty part, or similarity in a frame of less than 11 pixels on a side, is absent.

    Raises:
        SpecsiaError: if sizes differ, or neither Z nor Y* shows anything.
    """
    if result.shape != pair.gt.shape:
        raise SpecsiaError(f"the result for {pair.uid} is {result.shape}, not {pair.gt.shape}")
    shape = result.shape[:2]
    covered = (result[..., 3] > 0) | (pair.z[..., 3] > 0) | (pair.gt[..., 3] > 0)
    if not ((pair.z[..., 3] > 0) | (pair.gt[..., 3] > 0)).any():
        raise SpecsiaError(f"view {pair.uid} is all background: neither Z nor Y* shows anything there")
    # The window sees 5 px, and what it returns at the box's edge must not depend on the edge.
    box = _box(covered, 2 * SSIM_REACH)
    pair, result = _cropped(pair, box), result[box]
    seen, wanted, parts = on_white(result), on_white(pair.gt), regions(pair)
    error = np.abs(seen - wanted).mean(axis=2, dtype=np.float64)
    count = int(parts.region.sum())
    squared = float(np.square(seen - wanted)[parts.region].mean(dtype=np.float64))
    black = np.abs(on_black(result) - on_black(pair.gt)).mean(axis=2, dtype=np.float64)
    scores = {
        "l1": float(error[parts.region].mean()),
        "l1_black": float(black.sum()) / count,
        "psnr": min(MOST_PSNR, -10 * float(np.log10(squared))) if squared > 0 else MOST_PSNR,
        "outside": float(error[~parts.region].sum()) / count,
    }
    for name in PARTS:
        part = getattr(parts, name)
        scores[f"part_{name}"] = float(error[part].sum()) / count
        if part.any():
            scores[f"l1_{name}"] = float(error[part].mean())
    if min(seen.shape[:2]) > 2 * SSIM_REACH:
        _, similar = skimage.metrics.structural_similarity(
            seen,
            wanted,
            gaussian_weights=True,
            sigma=SSIM_SIGMA,
            use_sample_covariance=False,
            data_range=1.0,
            channel_axis=2,
            full=True,
        )
        similar = similar.mean(axis=2, dtype=np.float64)
        scores["ssim"] = float(similar[parts.region].mean())
        scores["ssim_frame"] = 1 - float((1 - similar).sum()) / (shape[0] * shape[1])
    return scores | contour_scores(result, pair)
