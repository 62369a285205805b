"""Part the legs of a drawn person, which are one surface where they touch, along a line between them.

Trousers and bare legs have such a line nearly down to the ground, and dresses have none.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.arrays import Doubles, Pixels
from specsia_build.frame import Camera
from specsia_build.pictures.films import over
from specsia_build.rendering.ink import DARKER, LUMA
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rendering.mesh import Mesh
from specsia_build.rigging.joints import JOINTS

LEG_PARTS = ("UpperLeg", "LowerLeg", "Foot", "Toes")
_LEFT = [JOINTS.index("left" + part) for part in LEG_PARTS]
_RIGHT = [JOINTS.index("right" + part) for part in LEG_PARTS]

_REACH = 0.3  # Distance from the middle between the legs in which a line lies, in distances of the legs
_LEAST_REACH = 3  # The same in pixels, at least
_TOUCHING = 0.25  # Share of the rows of the lower legs with a line, below which they hardly touch
_DRAWN = 0.7
"""Least share of the rows of a part of the legs with a line, or nothing, between them. Of 34 drawings by
strangers in which legs touch, seven pairs of legs have 0.74 or more, and dresses 0.68 or less."""


class _Line(NamedTuple):
    """A line between legs, with gaps between them, in pixels of the drawing."""

    rows: NDArray[np.int64]  # (N,) from above
    columns: Doubles  # (N,)
    left_is_right: bool  # Whether the figure's left leg is on the picture's right
    first: int  # Number of the first of `LEG_PARTS` that it lies between


def part_legs(mesh: Mesh, weights: Doubles, places: Doubles, drawing: Pixels) -> Doubles:
    """Move what lies on either side of a line between the legs with the leg of that side alone.

    Without a line, and where legs cross, the weights stay.

    Args:
        mesh: reconstruction in the frame of the drawing.
        weights: (V, 22) of `JOINTS` for its vertices.
        places: (22, 3) of the joints.
        drawing: (S, S, 4) uint8 with straight alpha.

    Returns:
        The weights (V, 22).
    """
    line = _line_between(places, drawing)
    if line is None:
        return weights
    column, row = Camera(0.0, len(drawing)).project(mesh.vertices.astype(np.float64)).T[:2]
    is_left = (column > np.interp(row, line.rows, line.columns)) == line.left_is_right
    in_legs = np.isin(weights.argmax(axis=1), _LEFT[line.first :] + _RIGHT[line.first :])
    out = weights.copy()
    for own, other, is_own in ((_LEFT, _RIGHT, is_left), (_RIGHT, _LEFT, ~is_left)):
        moved = np.flatnonzero(in_legs & is_own)[:, None]
        out[moved, own] += out[moved, other]
        out[moved, other] = 0
    return out


def _line_between(places: Doubles, drawing: Pixels) -> _Line | None:
    """Find a line between the lower legs, or between the legs up to the middle of the upper ones."""
    size = len(drawing)
    at = Camera(0.0, size).project(places)[:, :2]
    legs = at[_LEFT[:3]], at[_RIGHT[:3]]
    hips = max(leg[0, 1] for leg in legs)
    knees, feet = ((legs[0][joint, 1] + legs[1][joint, 1]) / 2 for joint in (1, 2))
    rows = np.arange(int(max(hips, 0)), int(min(feet + 1, size)))
    is_low = rows >= knees
    if not is_low.any() or any((np.diff(leg[:, 1]) <= 0).any() for leg in legs):
        return None
    left, right = (np.interp(rows, leg[:, 1], leg[:, 0]) for leg in legs)
    apart = (left - right)[is_low]
    if apart.min() <= 0 <= apart.max():
        return None
    reach = max(_LEAST_REACH, round(_REACH * float(np.median(np.abs(apart)))))
    columns = np.rint((left + right) / 2).astype(np.int64)[:, None] + np.arange(-reach, reach + 1)
    columns = columns.clip(0, size - 1)
    outside = drawing[rows[:, None], columns, 3] < HALF_COVERED
    luma = over(drawing, 255)[rows[:, None], columns] @ LUMA
    beside = np.minimum(luma[:, :2].mean(axis=1), luma[:, -2:].mean(axis=1))
    is_gap = outside.any(axis=1)
    is_line = ~is_gap & (beside - luma.min(axis=1) >= DARKER)
    gaps = np.where(outside, columns, 0).sum(axis=1) / np.maximum(outside.sum(axis=1), 1)
    middle = np.where(is_gap, gaps, columns[np.arange(len(rows)), luma.argmin(axis=1)])
    known = is_gap | is_line
    if is_line[is_low].mean() < _TOUCHING or known[is_low].mean() < _DRAWN:
        return None
    above = (rows < knees) & (rows >= (hips + knees) / 2)
    is_high = above.any() and known[above].mean() >= _DRAWN
    return _Line(rows[known], middle[known], bool(apart[0] > 0), 0 if is_high else 1)
