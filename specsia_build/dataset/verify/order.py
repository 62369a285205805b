"""Whether a character's pictures stand at their own views where silhouettes cannot tell.

The silhouettes of a mirror-symmetric character at two views, such as front and back, are the same. Two things tell its
pictures apart: a pair shows the same colours in `gt` and `color`, and neighbouring views show a point of the surface in
the same colour. Two pictures count as swapped only if exchanging them improves both clearly; a poor reconstruction, or
one that faces backwards, changes one of them at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from specsia_build.dataset.verify.glimpse import Colours, Glimpse
from specsia_build.registration import iou

ALIKE = 0.9
"""IoU of two silhouettes from which they could be taken for each other."""

IMPROVED = 0.92
"""Share of the difference in colour that must be left after an exchange for it to count as an improvement."""

FEW_SAMPLES = 100
LEAST_DIFFERENCE = 2.0
"""Mean difference of levels below which pictures are the same for this purpose."""

SAME_POINT = 0.03
"""Distance in units up to which two samples are taken for the same point of the surface."""


@dataclass(frozen=True)
class _Meeting:
    """Samples of one view, as flat indices, and those of another that show the same points."""

    here: NDArray[np.intp]
    there: NDArray[np.intp]


def _meet(one: Glimpse, two: Glimpse) -> _Meeting:
    here = np.flatnonzero(one.both)
    side = one.both.shape[0]
    points = one.points.reshape(-1, 3)[here]
    place = np.floor(two.camera.project(points)[:, :2] / two.stride).astype(np.intp)
    inside = ((place >= 0) & (place < side)).all(axis=1)
    here, points, place = here[inside], points[inside], place[inside]
    there = place[:, 1] * side + place[:, 0]
    apart = np.linalg.norm(two.points.reshape(-1, 3)[there] - points, axis=1)
    same = two.both.reshape(-1)[there] & (apart < SAME_POINT)
    return _Meeting(here[same], there[same])


def _difference(one: Colours, two: Colours) -> float:
    return float((np.maximum(one, two) - np.minimum(one, two)).sum(dtype=np.int64)) / 3


def swapped_views(seen: Mapping[int, Glimpse], views: int) -> list[tuple[str, int, int]]:
    """Pairs of views whose `gt` or `color` pictures fit better the other way round.

    Args:
        seen: by view; not all need be there.
        views: of the character, evenly spaced.

    Returns:
        Column and the two views of each such pair.
    """
    found = []
    meetings: dict[tuple[int, int], _Meeting] = {}

    def meeting(i: int, j: int) -> _Meeting:
        if (i, j) not in meetings:
            meetings[i, j] = _meet(seen[i], seen[j])
        return meetings[i, j]

    for i, j in combinations(sorted(seen), 2):
        a, b = seen[i], seen[j]
        for column, silhouette in (("gt", 0), ("color", 1)):
            if a.gt.shape != b.gt.shape or iou(a.silhouettes[silhouette], b.silhouettes[silhouette]) < ALIKE:
                continue
            if not _fits_better_swapped(a, b):
                continue
            pictures = {view: getattr(g, column).reshape(-1, 3) for view, g in seen.items()}
            swapped = {**pictures, i: pictures[j], j: pictures[i]}
            around = {((view + turn) % views, (view + turn + 1) % views) for view in (i, j) for turn in (-1, 0)}
            samples, before, after = 0, 0.0, 0.0
            for one, two in sorted(edge for edge in around if edge[0] in seen and edge[1] in seen):
                met = meeting(one, two)
                samples += len(met.here)
                before += _difference(pictures[one][met.here], pictures[two][met.there])
                after += _difference(swapped[one][met.here], swapped[two][met.there])
            if samples >= FEW_SAMPLES and before > LEAST_DIFFERENCE * samples and after < IMPROVED * before:
                found.append((column, i, j))
    return found


def _fits_better_swapped(a: Glimpse, b: Glimpse) -> bool:
    both = a.both & b.both
    samples = 2 * int(np.count_nonzero(both))
    same = _difference(a.gt[both], a.color[both]) + _difference(b.gt[both], b.color[both])
    other = _difference(a.gt[both], b.color[both]) + _difference(b.gt[both], a.color[both])
    return samples >= FEW_SAMPLES and same > LEAST_DIFFERENCE * samples and other < IMPROVED * same
