"""Which way a character faces by its pictures: its face has more to show than the back of its head."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.characters.opacity import opacities
from specsia_build.characters.shape import surface_samples
from specsia_build.frame import normalise, view_cameras
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Mesh, compacted

LEAST_HEIGHT = 0.8
"""Height, in the largest extent across, from which what is uppermost is a head."""

HEAD = 0.28
"""Share of a picture's rows, from the top of the figure, that show its head."""

LEAST_DETAIL, LEAST_OF_A_BODY = 0.0003, 0.002
"""Detail of a head that has a face, in squared heights, and of a body that has one where no head does."""

IN_THE_BACK, AT_THE_SIDES, IN_THE_BACK_OF_ALL = 2.0, 1.1, 1.25
"""Times by which a face has more detail than what is behind it and at the sides, and a whole than its back."""

MOST_ASKEW = 0.3
"""Difference of the detail of both sides, which mirror each other, in the most that a view shows."""

MOST_CUT_OUT = 0.3
"""Share of the surface that may be cut out or see-through: what is all leaves takes long to draw, and has no face."""

_FACED = ("-y", "+x", "+y", "-x")
"""The axis that a figure faces which each quarter view shows the front of."""

_SIZE = 256
_LOOKED_AT = 1000
_BORDER, _STRONG = 3, 60


def front_by_looks(mesh: Mesh, taken: str | None = None, times: float = IN_THE_BACK) -> str | None:
    """The horizontal axis that a Z-up mesh that stands faces, or None where its colours do not say.

    Quarter views are compared: two sides look alike, the front has most detail in the head, or in all where no head has
    any, and far more than the back.

    Args:
        mesh: Z up.
        taken: an axis that is not asked for; None where it is found, too. It costs less to rule out the others alone.
        times: by which a face has more detail than what is behind it; fewer are enough where something else says it.
    """
    low, high = mesh.bounds()
    extent = high.astype(np.float64) - low
    if extent[2] < LEAST_HEIGHT * extent[:2].max() or extent[2] <= 0:
        return None
    looked_at = surface_samples(mesh, _LOOKED_AT)[1]
    if len(looked_at) == 0 or (opacities(mesh, looked_at) < 1.0).mean() > MOST_CUT_OUT:
        return None
    shown = compacted(mesh)
    cameras = view_cameras(len(_FACED), _SIZE)
    placed = normalise(shown.vertices, cameras, 1)
    order = _order(taken)
    views = FastRenderer().render(shown.with_vertices(placed.apply(shown.vertices)), [cameras[k] for k in order])
    details = np.full((len(_FACED), 2), np.nan)
    left = [k for k, axis in enumerate(_FACED) if axis != taken]
    for k, layers in zip(order, views, strict=True):
        details[k] = detail(layers.color, layers.coverage)
        left = [one for one in left if not _is_ruled_out(np.roll(details, -one, axis=0), times)]
        if not left:
            return None
    return _FACED[left[0]]


def _order(taken: str | None) -> tuple[int, ...]:
    """The quarter views, the sides of what is taken first: they mostly look alike, and more than the back of a head."""
    front = _FACED.index(taken) if taken in _FACED else 0
    return tuple((front + turn) % len(_FACED) for turn in (1, 3, 2, 0))


def _is_ruled_out(details: NDArray[np.float64], times: float) -> bool:
    """Whether a view is no front by details (4, 2) of heads and wholes, from that view on; NaN rules out nothing."""
    heads, wholes = details.T
    front_of_all, left_of_all, back_of_all, right_of_all = wholes
    if abs(left_of_all - right_of_all) > MOST_ASKEW * wholes.max():
        return True
    # A ghost or a slime is all head, with its face below the top.
    faced, least = (heads, LEAST_DETAIL) if (heads >= LEAST_DETAIL).any() else (wholes, LEAST_OF_A_BODY)
    front, left, back, right = faced
    return bool(
        front < least
        or front < times * back
        or front < AT_THE_SIDES * left
        or front < AT_THE_SIDES * right
        or front_of_all < IN_THE_BACK_OF_ALL * back_of_all
        or abs(left - right) > MOST_ASKEW * front
    )


def detail(color: NDArray[np.uint8], coverage: NDArray[np.uint8]) -> tuple[float, float]:
    """How much the colours (S, S, 4) of a view change within its figure, (S, S): of its head, and of all of it.

    Counted in full steps from one pixel to the next, in squared heights of the figure; 0 where there is none.
    """
    rows, columns = (np.flatnonzero(coverage.any(axis=axis)) for axis in (1, 0))
    if len(rows) == 0:
        return 0.0, 0.0
    height = int(rows[-1] - rows[0] + 1)
    box = np.s_[rows[0] : rows[-1] + 2, columns[0] : columns[-1] + 2]
    inside = scipy.ndimage.binary_erosion(coverage[box] == 255, iterations=_BORDER)
    levels = color[box].astype(np.int16)
    steps = np.zeros(inside.shape, np.int16)
    for channel in range(3):
        of_it = levels[..., channel]
        np.maximum(steps[:-1], np.abs(np.diff(of_it, axis=0)), out=steps[:-1])
        np.maximum(steps[:, :-1], np.abs(np.diff(of_it, axis=1)), out=steps[:, :-1])
    found = np.where(inside, np.minimum(steps, _STRONG), 0).sum(axis=1) / 255 / height**2
    return float(found[: round(HEAD * height)].sum()), float(found.sum())
