"""Whether a character's views show one and the same solid.

The cameras are orthographic and level, so two facts hold of any shape. Seen from opposite sides its silhouettes are
mirror images of each other. And no point that one view shows may stand in front of what another view sees there.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.dataset.verify.glimpse import Glimpse
from specsia_build.rendering.overlap import iou

MOST_UNLIKE = 0.25
"""Pixels of a silhouette that may differ from the mirrored opposite one, as a share of its height plus width.

A shift by one pixel changes twice the height or the width. Clean pairs differ in a handful of pixels, those of noisy
renderers in more.
"""

CLEARLY = 0.01
"""Difference in IoU from which one of two silhouettes is taken for the wrong one."""

EXCHANGED = 0.02
"""Mean gain in IoU from which two opposite silhouettes are taken to be exchanged."""

FAITHFUL = 0.98
"""IoU of the other views from which a mask may be the ground truth's to the byte."""

DEPTH_SLACK = 0.03
"""Units by which a point may stand in front of another view's surface, as positions are coarse and sampled sparsely."""

MOST_IN_FRONT = 0.02
"""Share of a view's points that may do so; clean views have less than a thousandth of them."""

FEW_POINTS = 50


def unlike_opposites(seen: Mapping[int, Glimpse], views: int) -> list[tuple[str, int, int, int]]:
    """Silhouettes that are not the mirror image of that of the view from the opposite side.

    Args:
        seen: by view; not all need be there.
        views: of the character, evenly spaced; nothing can be said of an odd number.

    Returns:
        Column, view, opposite view, and pixels that differ. Of two opposite views the one whose silhouette fits its
        counterpart (`mask`, or `gt_mask`) less comes alone, or both come where that does not tell.
    """
    found = []
    for view in range(views // 2 if views % 2 == 0 else 0):
        opposite = view + views // 2
        if view not in seen or opposite not in seen or seen[view].camera.size != seen[opposite].camera.size:
            continue
        for which, column in enumerate(("gt_mask", "mask")):
            here, there = seen[view].outline(which), seen[opposite].outline(which)
            other = int(np.count_nonzero(here != there[:, ::-1]))
            extent = max(_extent(here), _extent(there))
            if other <= MOST_UNLIKE * extent:
                continue
            fit = [_fit(seen[v], seen[v]) for v in (view, opposite)]
            pairs = [(view, opposite), (opposite, view)]
            if abs(fit[0] - fit[1]) > CLEARLY:
                pairs = [pairs[int(np.argmin(fit))]]
            found += [(column, a, b, other) for a, b in pairs]
    return found


def exchanged_opposites(seen: Mapping[int, Glimpse], views: int) -> list[tuple[int, int]]:
    """Opposite views whose `gt_mask` and `mask` fit better crosswise, where their neighbours and most others do not.

    Exchanged opposite silhouettes remain mirror images of each other. A reconstruction that is the wrong way round
    fits crosswise in all views, and is not meant here.
    """
    gains = {}
    for view in range(views // 2 if views % 2 == 0 else 0):
        opposite = view + views // 2
        if view in seen and opposite in seen and seen[view].camera.size == seen[opposite].camera.size:
            one, two = seen[view], seen[opposite]
            gains[view] = (_fit(one, two) + _fit(two, one) - _fit(one, one) - _fit(two, two)) / 2
    # Where views stand close to each other, a poor reconstruction comes to fit crosswise little by little.
    half = views // 2
    beside = {
        view: [gains[v % half] for v in (view - 1, view + 1) if v % half in gains.keys() - {view}] for view in gains
    }
    found = [view for view, gain in gains.items() if gain > EXCHANGED and max(beside[view], default=0) <= 0]
    return [(view, view + views // 2) for view in found] if 2 * len(found) < len(gains) else []


def copied_masks(seen: Mapping[int, Glimpse]) -> list[int]:
    """Views whose `mask` is `gt_mask` to the byte, while the reconstruction is nowhere near that good in the others."""
    copied = [view for view, glimpse in seen.items() if glimpse.copied]
    others = [_fit(glimpse, glimpse) for view, glimpse in seen.items() if not glimpse.copied]
    return sorted(copied) if others and float(np.median(others)) < FAITHFUL else []


def _extent(outline: NDArray[np.bool_]) -> int:
    return int(outline.any(axis=0).sum() + outline.any(axis=1).sum())


def _fit(one: Glimpse, two: Glimpse) -> float:
    """IoU of the one view's `gt_mask` and the other's `mask`."""
    return iou(one.outline(0), two.outline(1), empty=1.0)


def points_in_front(seen: Mapping[int, Glimpse]) -> list[tuple[int, float]]:
    """Views whose positions stand in front of what the other views see, or the other way round.

    Returns:
        View and median share of its points that do so, over the other views; the worst is taken out of the comparison
        before the next is judged, so that one wrong view does not make the others wrong.
    """
    left = sorted(view for view, glimpse in seen.items() if np.count_nonzero(glimpse.solid) >= FEW_POINTS)
    surfaces = {view: _nearest(seen[view]) for view in left}
    share = {(i, j): _share_in_front(seen[i], seen[j], surfaces[j]) for i in left for j in left if i != j}
    found = []
    while len(left) > 1:
        medians = {i: float(np.median([max(share[i, j], share[j, i]) for j in left if j != i])) for i in left}
        worst = max(left, key=lambda i: medians[i])
        if medians[worst] <= MOST_IN_FRONT:
            break
        found.append((worst, medians[worst]))
        left.remove(worst)
    return found


def _nearest(view: Glimpse) -> NDArray[np.float32]:
    """Depth of the nearest surface about each sample, infinite where there is none."""
    depth = view.points @ view.camera.basis()[2].astype(np.float32)
    covered = view.silhouettes[1] > 0
    return np.asarray(scipy.ndimage.minimum_filter(np.where(covered, depth, np.float32(np.inf)), 3))


def _share_in_front(one: Glimpse, two: Glimpse, surface: NDArray[np.float32]) -> float:
    points = one.points[one.solid]
    seen = two.camera.project(points)
    place = np.floor(seen[:, :2] / two.stride).astype(np.intp).clip(0, surface.shape[0] - 1)
    return float(np.mean(seen[:, 2] < surface[place[:, 1], place[:, 0]] - DEPTH_SLACK))
