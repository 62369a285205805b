"""Which way a character faces by its pictures: its face has more to show than the back of its head."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.characters.shape import surface_samples
from specsia_build.frame import normalise, view_cameras
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Mesh, compacted

LEAST_HEIGHT = 0.8
"""Height, in the largest extent across, from which what is uppermost is a head."""

HEAD = 0.28
"""Share of a picture's rows, from the top of the figure, that show its head."""

LEAST_DETAIL = 0.0003
"""Detail of a head that has a face, in squared heights."""

IN_THE_BACK, AT_THE_SIDES, IN_THE_BACK_OF_ALL = 2.0, 1.1, 1.25
"""Times by which a face has more detail than the back of its head and the sides, and the whole than its back."""

MOST_ASKEW = 0.3
"""Difference of the detail of both sides, which mirror each other, in the most that a view shows."""

MOST_CUT_OUT = 0.3
"""Share of the surface that may be cut out or see-through: what is all leaves takes long to draw, and has no face."""

_VIEWS, _SIZE = 4, 256
_LOOKED_AT = 1000
_BORDER, _STRONG = 3, 60


def front_by_looks(mesh: Mesh) -> str | None:
    """The horizontal axis that a Z-up mesh that stands faces, or None where its colours do not say.

    Quarter views are compared: two sides look alike, the front has most detail in the head, and far more than the back.
    """
    low, high = mesh.bounds()
    extent = high.astype(np.float64) - low
    if extent[2] < LEAST_HEIGHT * extent[:2].max() or extent[2] <= 0:
        return None
    cut_out = np.array([material.alpha_mode != "opaque" for material in mesh.materials])
    looked_at = surface_samples(mesh, _LOOKED_AT)[1]
    if len(looked_at) == 0 or cut_out[mesh.face_material[looked_at]].mean() > MOST_CUT_OUT:
        return None
    shown = compacted(mesh)
    cameras = view_cameras(_VIEWS, _SIZE)
    placed = normalise(shown.vertices, cameras, 1)
    views = FastRenderer().render(shown.with_vertices(placed.apply(shown.vertices)), cameras)
    head, whole = np.array([detail(layers.color, layers.coverage) for layers in views]).T
    k = int(np.argmax(head))
    front, left, back, right = np.roll(head, -k)
    front_of_all, left_of_all, back_of_all, right_of_all = np.roll(whole, -k)
    sure = (
        front >= LEAST_DETAIL
        and front >= IN_THE_BACK * back
        and front >= AT_THE_SIDES * max(left, right)
        and front_of_all >= IN_THE_BACK_OF_ALL * back_of_all
        and abs(left - right) <= MOST_ASKEW * front
        and abs(left_of_all - right_of_all) <= MOST_ASKEW * whole.max()
    )
    return ("-y", "+x", "+y", "-x")[k] if sure else None


def detail(color: NDArray[np.uint8], coverage: NDArray[np.uint8]) -> tuple[float, float]:
    """How much the colours (S, S, 4) of a view change within its figure, (S, S): of its head, and of all of it.

    Counted in full steps from one pixel to the next, in squared heights of the figure; 0 where there is none.
    """
    rows = np.flatnonzero(coverage.any(axis=1))
    if len(rows) == 0:
        return 0.0, 0.0
    top, height = int(rows[0]), int(rows[-1] - rows[0] + 1)
    inside = scipy.ndimage.binary_erosion(coverage == 255, iterations=_BORDER)
    levels = color[..., :3].astype(np.int16)
    steps = np.zeros(coverage.shape, np.int16)
    steps[:-1] = np.abs(np.diff(levels, axis=0)).max(axis=2)
    steps[:, :-1] = np.maximum(steps[:, :-1], np.abs(np.diff(levels, axis=1)).max(axis=2))
    found = np.where(inside, np.minimum(steps, _STRONG) / 255, 0.0) / height**2
    return float(found[top : top + round(HEAD * height)].sum()), float(found.sum())
