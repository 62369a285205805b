"""Build the table of primitives of a character, in OBJ axes: Y up, facing +Z, its own left at +X, floor at y = 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.samples import field as distance_field
from specsia_build.characters.samples.parts import Part

Vector = Sequence[float] | NDArray[np.float64]
"""Three numbers, however they are held."""


def axes_along(direction: Vector, front: Vector = (0.0, 0.0, 1.0)) -> NDArray[np.float64]:
    """Local axes (3, 3) as rows: y along `direction`, z as near to `front` as it goes, x to the left of both."""
    y = np.asarray(direction, dtype=np.float64)
    y = y / np.linalg.norm(y)
    z = np.asarray(front, dtype=np.float64)
    z = z - y * float(z @ y)
    if np.linalg.norm(z) < 1e-6:
        z = np.array([1.0, 0.0, 0.0]) - y * y[0]
    z = z / np.linalg.norm(z)
    return np.stack([np.cross(y, z), y, z])


def turned(x_deg: float = 0.0, y_deg: float = 0.0, z_deg: float = 0.0) -> NDArray[np.float64]:
    """Local axes (3, 3) as rows after turns about z, then x, then y, in degrees."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.deg2rad([x_deg, y_deg, z_deg])), np.sin(np.deg2rad([x_deg, y_deg, z_deg]))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray((about_y @ about_x @ about_z).T, dtype=np.float64)


def by(x: float, y: float, z: float) -> NDArray[np.float64]:
    """A step from a point, in units, (3,)."""
    return np.array([x, y, z], dtype=np.float64)


UPRIGHT = np.eye(3)


@dataclass
class Solid:
    """Primitives in the order in which they join; `blend` is the width of the fillet to what came before, in units."""

    rows: list[NDArray[np.float64]] = field(default_factory=list)

    def table(self) -> NDArray[np.float64]:
        """(primitives, `field.COLUMNS`) float64."""
        return np.stack(self.rows)

    def _add(
        self,
        kind: int,
        part: Part,
        centre: Vector,
        axes: NDArray[np.float64],
        params: Sequence[float],
        reach: float,
        blend: float,
    ) -> None:
        row = np.zeros(distance_field.COLUMNS)
        row[distance_field.KIND] = kind
        row[distance_field.CENTRE : distance_field.AXES] = centre
        row[distance_field.AXES : distance_field.PARAMS] = axes.ravel()
        row[distance_field.PARAMS : distance_field.PARAMS + len(params)] = params
        row[distance_field.BLEND], row[distance_field.PART], row[distance_field.REACH] = blend, part, reach
        self.rows.append(row)

    def limb(
        self,
        part: Part,
        start: Vector,
        end: Vector,
        radii: Vector,
        blend: float = 0.03,
        flat: tuple[float, float] = (1.0, 1.0),
        front: Vector = (0.0, 0.0, 1.0),
    ) -> None:
        """A round cone from `start` to `end`; `flat` stretches it sideways and towards `front`."""
        along = np.asarray(end, dtype=np.float64) - np.asarray(start, dtype=np.float64)
        height = float(np.linalg.norm(along))
        reach = (height + max(radii)) * max(*flat, 1.0)
        params = (height, radii[0], radii[1], *flat)
        self._add(distance_field.ROUND_CONE, part, start, axes_along(along, front), params, reach, blend)

    def chain(
        self,
        part: Part,
        points: Sequence[Vector],
        radii: Vector,
        blend: float = 0.03,
        flat: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        """Round cones from point to point, one radius per point."""
        for k in range(len(points) - 1):
            join = blend if k == 0 else 0.6 * min(radii[k], radii[k + 1])
            self.limb(part, points[k], points[k + 1], (radii[k], radii[k + 1]), join, flat)

    def blob(
        self,
        part: Part,
        centre: Vector,
        radii: Vector,
        blend: float = 0.03,
        power: float = 2.0,
        axes: NDArray[np.float64] = UPRIGHT,
    ) -> None:
        """A superellipsoid; power 2 is an ellipsoid, 4 and more a rounded block."""
        params = (*radii, power)
        reach = max(radii) if power <= 2.0 else float(np.linalg.norm(radii))
        self._add(distance_field.ELLIPSOID, part, centre, axes, params, reach, blend)

    def frustum(
        self,
        part: Part,
        centre: Vector,
        half: float,
        radii: Vector,
        rounding: float = 0.02,
        blend: float = 0.01,
        flat: tuple[float, float] = (1.0, 1.0),
        axes: NDArray[np.float64] = UPRIGHT,
    ) -> None:
        """A cone stump of height 2 `half`, lower and upper radius before `rounding` is added."""
        reach = float(np.hypot(half, max(radii)) + rounding) * max(*flat, 1.0)
        params = (half, *radii, rounding, *flat)
        self._add(distance_field.FRUSTUM, part, centre, axes, params, reach, blend)

    def box(
        self,
        part: Part,
        centre: Vector,
        half: Vector,
        rounding: float = 0.03,
        blend: float = 0.01,
    ) -> None:
        """A block whose sides are 2 `half`, rounded edges included."""
        inner = [max(h - rounding, 0.002) for h in half]
        reach = float(np.linalg.norm(inner)) + rounding
        self._add(distance_field.BOX, part, centre, UPRIGHT, (*inner, rounding), reach, blend)

    def ring(
        self,
        part: Part,
        centre: Vector,
        radius: float,
        thickness: float,
        blend: float = 0.01,
        stretch: Vector = (1.0, 1.0, 1.0),
        axes: NDArray[np.float64] = UPRIGHT,
    ) -> None:
        """A torus about the local y axis; `stretch` is along local x, z, y."""
        reach = (radius + thickness) * max(*stretch, 1.0)
        self._add(distance_field.TORUS, part, centre, axes, (radius, thickness, *stretch), reach, blend)
