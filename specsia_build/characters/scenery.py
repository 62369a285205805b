"""Scenery: parts of a file that lie beneath, behind or around its character."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.shape import stands, surface_samples
from specsia_build.rendering.mesh import Mesh

Points = NDArray[np.float64]

MOST_PARTS = 400
"""Of more parts, none is judged alone."""

LEAST_SCENERY = 0.15
"""Extent of scenery in that of the rest."""

LEAST_LAND, FAR_AROUND = 3.0, 2.0
"""Widths of the rest that a hilly ground has at least, and from which a room may be closed on all sides."""

PLATE = 0.3
"""What a plate has more of width than the legs that stand on it, in theirs."""

_POINTS, _ALL_POINTS, _NEAREST, _SEEN = 400, 4000, 8, 6


@dataclass(frozen=True)
class Part:
    """A part of a character.

    Attributes:
        index: into the names.
        low, high: (3,) its box.
        points: (N, 3) on its surface.
        cut: whether most of it is cut out or see-through, as cards of hair are.
    """

    index: int
    low: Points
    high: Points
    points: Points
    cut: bool


def parts_of(mesh: Mesh, numbers: NDArray[np.int32]) -> Iterator[Part]:
    """The parts by the number (F,) of each face; none where there are more than `MOST_PARTS`."""
    found = np.unique(numbers)
    if len(found) > MOST_PARTS:
        return
    for index in found.tolist():
        one = replace(mesh, faces=mesh.faces[numbers == index], face_material=mesh.face_material[numbers == index])
        points, chosen = surface_samples(one, _POINTS)
        if len(points):
            low, high = one.bounds()
            cut = np.array([material.alpha_mode != "opaque" for material in mesh.materials])[one.face_material[chosen]]
            yield Part(index, low.astype(np.float64), high.astype(np.float64), points, bool(cut.mean() > 0.5))


def scenery_of(parts: list[Part]) -> list[Part]:
    """Parts that lie beneath, behind or around all of the others, one after another."""
    found: list[Part] = []
    while True:
        rest = [part for part in parts if part not in found]
        if len(rest) < 2:
            return found
        more = next((part for part in rest if _is_scenery(part, [p for p in rest if p is not part])), None)
        if more is None:
            return found
        found.append(more)


def has_plate(mesh: Mesh) -> bool:
    """Whether a mesh, Z up, has a plate beneath it that is no part of its own, wider than what stands on it."""
    points, chosen = surface_samples(mesh, _ALL_POINTS)
    if len(points) == 0:
        return False
    low, height = float(points[:, 2].min()), max(float(np.ptp(points[:, 2])), 1e-12)
    flat = mesh.vertices[mesh.faces[chosen], 2].max(axis=1) <= low + 0.05 * height
    plate, legs = points[flat, :2], points[~flat & (points[:, 2] < low + 0.25 * height), :2]
    if len(plate) < _POINTS // 4 or len(legs) == 0:
        return False
    beyond = PLATE / 2 * np.ptp(legs, axis=0)
    return bool(
        (plate.min(axis=0) <= legs.min(axis=0) - beyond).all()
        and (plate.max(axis=0) >= legs.max(axis=0) + beyond).all()
        and _filled(plate) >= 0.7
    )


def _is_scenery(part: Part, rest: list[Part]) -> bool:
    low, high = np.min([p.low for p in rest], axis=0), np.max([p.high for p in rest], axis=0)
    if (part.high - part.low).max() < LEAST_SCENERY * (high - low).max():
        return False
    points = np.concatenate([p.points for p in rest])
    height = max(float(high[2] - low[2]), 1e-12)
    return (
        _is_floor(part, points, low, height)
        or _is_land(part, points, low, high)
        or _is_wall(part, points, low, height)
        or _is_around(part, points, low, high)
    )


def _is_floor(part: Part, points: Points, low: Points, height: float) -> bool:
    """Whether it is a plate beneath everything that stands lowest."""
    extent = part.high - part.low
    feet = points[points[:, 2] < low[2] + 0.1 * height, :2]
    slack = 0.02 * height
    return bool(
        extent[2] <= 0.1 * min(extent[:2])
        and extent[2] <= 0.1 * height
        and part.high[2] <= low[2] + 0.1 * height
        and (part.low[:2] <= feet.min(axis=0) + slack).all()
        and (part.high[:2] >= feet.max(axis=0) - slack).all()
        and _filled(part.points[:, :2]) >= 0.7
    )


def _is_land(part: Part, points: Points, low: Points, high: Points) -> bool:
    """Whether it is a wide ground, hilly or not, that ends at the feet of what stands upon it."""
    inner = high - low
    middle = (low[:2] + high[:2]) / 2
    near = np.argsort(np.linalg.norm(part.points[:, :2] - middle, axis=1), kind="stable")[:_NEAREST]
    return bool(
        (part.high[:2] - part.low[:2] >= LEAST_LAND * inner[:2].max()).all()
        and (part.points[near, 2] <= low[2] + 0.1 * inner[2]).all()
        and _filled(part.points[:, :2]) >= 0.7
        and stands(points)
    )


def _is_wall(part: Part, points: Points, low: Points, height: float) -> bool:
    """Whether it is an upright plate from the ground on, nearly as high and wide as the rest, that lies on one side."""
    if part.cut or part.low[2] > low[2] + 0.1 * height:
        return False
    centred = part.points - part.points.mean(axis=0)
    normal = np.linalg.eigh(centred.T @ centred)[1][:, 0]
    if abs(normal[2]) > 0.3:
        return False
    across = np.cross(normal, (0.0, 0.0, 1.0))
    across /= np.linalg.norm(across)
    plane = np.column_stack([centred @ across, centred[:, 2]])
    width, tall = np.ptp(plane, axis=0)
    before = (points - part.points.mean(axis=0)) @ normal
    return bool(
        np.ptp(centred @ normal) <= 0.05 * min(width, tall)
        and tall >= 0.7 * height
        and width >= 0.7 * np.ptp(points @ across)
        and abs(np.sign(before).mean()) > 0.94
        and _filled(plane) >= 0.9
    )


def _is_around(part: Part, points: Points, low: Points, high: Points) -> bool:
    """Whether it is a room, a dome or a bent backdrop: far around the rest, and nowhere among it but at its feet.

    What lies closer hides nothing from some side: a shell does, or a helmet.
    """
    extent, inner = part.high - part.low, high - low
    far = bool((extent[:2] >= FAR_AROUND * inner[:2].max()).all())
    # A face that is a part of its own stands on no ground of the body that bears it.
    grounded = bool(low[2] - part.low[2] <= 0.1 * inner[2])
    slack = 0.02 * inner[2]
    among = ((part.points > low) & (part.points < high)).all(axis=1) & (part.points[:, 2] > low[2] + 0.1 * inner[2])
    return bool(
        (extent[:2] >= 1.3 * inner[:2]).all()
        and (part.low[:2] <= low[:2]).all()
        and (part.high[:2] >= high[:2]).all()
        and part.low[2] <= low[2] + slack
        and part.high[2] >= high[2]
        and inner[2] >= 0.2 * extent.max()
        and among.mean() < 0.01
        and (far or (grounded and any(_hidden(part, points, axis, sign) < 0.1 for axis in (0, 1) for sign in (1, -1))))
    )


def _hidden(part: Part, points: Points, axis: int, sign: int) -> float:
    """Share of points that a part lies before, but for its ground, seen along an axis from its end of a sign."""
    extent = np.maximum(part.high - part.low, 1e-12)

    def cells(of: Points) -> NDArray[np.intp]:
        grid = ((of - part.low) / extent * _SEEN).astype(np.intp).clip(0, _SEEN - 1)
        return np.asarray(grid[:, 1 - axis] * _SEEN + grid[:, 2])

    nearest, upright = np.full(_SEEN**2, -np.inf), part.points[part.points[:, 2] > part.low[2] + 0.1 * extent[2]]
    np.maximum.at(nearest, cells(upright), sign * upright[:, axis])
    return float((nearest[cells(points)] > sign * points[:, axis]).mean())


def _filled(points: Points) -> float:
    """Share of the cells of a box, eight by eight, that hold one of its points (N, 2)."""
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    cells = ((points - low) / np.maximum(extent, 1e-12) * 8).astype(int).clip(0, 7)
    return len(np.unique(cells, axis=0)) / 64
