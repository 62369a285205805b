"""A surface as a standing character's: points on it, where it is mirrored, its feet and head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.rendering.mesh import Mesh

LEAST_SYMMETRY = 1.5
"""Times by which the mirrored surface must lie closer across the one plane than across the other."""

FLAT = 0.01
"""Thinnest over longest side below which a shape has no thickness to speak of."""

LYING = 0.45
"""Height over the lesser of width and depth, below which a shape lies rather than stands."""

FOOT, SHIN, HEAD = (0.0, 0.05), (0.1, 0.2), (0.8, 1.01)
"""Shares of the height that feet, shins and a head lie between."""

LEAST_HEAD = 0.04
"""Share of the surface that a head has at least; the tip of a tail or of a fin has less."""

LEAST_SOLES = 0.03
"""How far feet stand out from the shins, in heights, to be no mere edge of a base."""

LEAST_GAP = 0.03
"""Room between two figures, in their height."""

_MIRRORED = 500
_FAR = 0.1
_CENTRAL = 0.1


def surface_points(mesh: Mesh, count: int) -> NDArray[np.float64]:
    """Points evenly spread over a surface, (count, 3), the same each time; none where it has no area."""
    return surface_samples(mesh, count)[0]


def surface_samples(mesh: Mesh, count: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """What `surface_points` gives, and the face of each point, (count,)."""
    areas = mesh.doubled_areas
    total = float(areas.sum())
    if not np.isfinite(total) or total <= 0:
        return np.zeros((0, 3)), np.zeros(0, np.intp)
    random = np.random.default_rng(0)
    chosen = np.searchsorted(np.cumsum(areas), (np.arange(count) + 0.5) / count * total).clip(max=len(areas) - 1)
    u, v = random.random((2, count))
    over = u + v > 1
    u[over], v[over] = 1 - u[over], 1 - v[over]
    first, second, third = mesh.vertices[mesh.faces[chosen]].astype(np.float64).transpose(1, 0, 2)
    return np.asarray(first + u[:, None] * (second - first) + v[:, None] * (third - first)), chosen


def groups_of(points: NDArray[np.float64], gap: float) -> list[NDArray[np.intp]]:
    """Indices of points (N, 3) in groups that have a gap between them along x or y."""
    done: list[NDArray[np.intp]] = []
    pending = [np.arange(len(points))]
    while pending:
        group = pending.pop()
        for axis in (0, 1):
            order = group[np.argsort(points[group, axis], kind="stable")]
            cuts = np.flatnonzero(np.diff(points[order, axis]) > gap) + 1
            if len(cuts):
                pending += np.split(order, cuts)
                break
        else:
            done.append(group)
    return done


@dataclass(frozen=True)
class Shape:
    """A surface as a standing character's.

    Attributes:
        points: (N, 3) on the surface, Z up.
        side: the axis, 0 or 1, that it is mirrored along; None where that is not sure.
        feet: whether its lowest part lies apart to either side, as feet do.
        head: whether its highest part lies in the middle between them, as a head does.
        evenness: times by which its mirrored surface lies closer across that plane than across the other.
    """

    points: NDArray[np.float64]
    side: int | None
    feet: bool
    head: bool
    evenness: float = 1.0

    @property
    def height(self) -> float:
        return max(float(np.ptp(self.points[:, 2])), 1e-12)

    @property
    def lies(self) -> bool:
        """Whether it is as low as what lies on its back or front, arms and legs stretched."""
        return self.height < LYING * float(np.ptp(self.points[:, :2], axis=0).min())

    def centre(self, low: float, high: float, axis: int) -> float:
        """Mean coordinate of what lies between two shares of the height, in heights; NaN where little does."""
        level = (self.points[:, 2] - self.points[:, 2].min()) / self.height
        inside = (level >= low) & (level < high)
        return float(self.points[inside, axis].mean()) / self.height if inside.sum() >= 8 else float("nan")

    def overhang(self, axis: int) -> float:
        """How far feet that touch stand out from the shins at one end of an axis alone, in heights; 0 where none do."""
        level = (self.points[:, 2] - self.points[:, 2].min()) / self.height
        foot, shin = (self.points[(level >= low) & (level < high), axis] for low, high in (FOOT, SHIN))
        if min(len(foot), len(shin)) < 20:
            return 0.0
        back, front = (np.quantile(foot, (0.02, 0.98)) - np.quantile(shin, (0.02, 0.98))) / self.height * (-1, 1)
        out = max(front, back)
        one_sided = out >= LEAST_SOLES and out - min(front, back) >= 2 * LEAST_SOLES
        return float(np.copysign(out, front - back)) if one_sided else 0.0


def shape_of(points: NDArray[np.float64]) -> Shape:
    """What points (N, 3) on a surface, Z up, look like."""
    low, high = points.min(axis=0), points.max(axis=0)
    misfit = [_misfit(points, axis, float((high - low).max())) for axis in (0, 1)]
    if max(misfit) < LEAST_SYMMETRY * min(misfit):
        return Shape(points, None, False, False)
    side = int(np.argmin(misfit))
    reach, level, across = FOOT[1] * (high[2] - low[2]), points[:, 2], points[:, side]
    middle = across - (low[side] + high[side]) / 2
    central = np.abs(middle[level > high[2] - reach]) < _CENTRAL * (high[side] - low[side])
    head = (
        central.size and central.mean() > 0.5 and (level > low[2] + HEAD[0] * (high[2] - low[2])).mean() >= LEAST_HEAD
    )
    evenness = max(misfit) / max(min(misfit), 1e-12)
    return Shape(points, side, _apart(across[level < low[2] + reach]), bool(head), evenness)


def stands(points: NDArray[np.float64]) -> bool:
    """Whether points on a surface, Z up, are mirrored left to right, with feet below and a head above."""
    shape = shape_of(points)
    return shape.feet and shape.head


def _apart(along: NDArray[np.float64]) -> bool:
    """Whether points lie in two like shares on either side of the middle, as feet do."""
    if len(along) < 16:
        return False
    from_middle = along - (along.min() + along.max()) / 2
    half = max(float(np.abs(from_middle).max()), 1e-12)
    between = float((np.abs(from_middle) < 0.2 * half).mean())
    return between < 0.05 and 0.3 < float((from_middle > 0).mean()) < 0.7


def _misfit(points: NDArray[np.float64], axis: int, size: float) -> float:
    """Mean distance of the mirrored surface from the surface, across the best plane square to an axis."""
    tree, along = scipy.spatial.cKDTree(points), points[:, axis]
    best = float("inf")
    for middle in (float(np.median(along)), float(along.mean()), float(along.min() + along.max()) / 2):
        mirrored = points[:: max(1, len(points) // _MIRRORED)].copy()
        mirrored[:, axis] = 2 * middle - mirrored[:, axis]
        distances, _ = tree.query(mirrored, distance_upper_bound=_FAR * size)
        best = min(best, float(np.minimum(distances, _FAR * size).mean()))
    return best
