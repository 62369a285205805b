"""Closed surfaces as grids of points: lofts, superellipsoids, surfaces of revolution and rings; and flat shapes.

OBJ axes: Y up, facing +Z, the character's own left at +X. Columns of a grid go once around, rows from one end to the
other; the last column repeats the first, and the first and last row are one point each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.samples.traits import Colour

Array = NDArray[np.float64]
Vector = Sequence[float] | Array


@dataclass(frozen=True)
class Piece:
    """One closed surface (R, C, 3): how it is painted, and the bones that its vertices may hang on.

    `detail` is texels along a length, relative to other pieces.
    """

    look: str
    grid: Array
    bones: tuple[str, ...]
    detail: float = 1.0


def by(x: float, y: float, z: float) -> Array:
    """A step (3,)."""
    return np.array([x, y, z], np.float64)


def section(columns: int, power: float = 2.0) -> Array:
    """A closed superellipse (C, 2) of x and z, counter-clockwise from the back; power 2 is round, more is squarer."""
    angle = np.linspace(-np.pi, np.pi, columns)
    flat = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    flat[-1] = flat[0]
    return np.asarray(np.sign(flat) * np.abs(flat) ** (2.0 / power))


def turned(x_deg: float = 0.0, y_deg: float = 0.0, z_deg: float = 0.0) -> Array:
    """A rotation (3, 3) about z, then x, then y, in degrees."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.deg2rad([x_deg, y_deg, z_deg])), np.sin(np.deg2rad([x_deg, y_deg, z_deg]))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    return np.asarray(about_y @ about_x @ np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]]))


def smooth(path: Array, rows: int) -> Array:
    """Points (rows, K) on a smooth curve through some (N, K), by their index."""
    if len(path) == 2:
        return np.linspace(path[0], path[1], rows)
    at, places = np.linspace(0, len(path) - 1, rows), np.arange(len(path))
    slopes = np.gradient(path, axis=0)
    k = np.minimum(at.astype(int), len(path) - 2)
    t = (at - places[k])[:, None]
    start, end = path[k], path[k + 1]
    bent = slopes[k] * (t**3 - 2 * t**2 + t) + slopes[k + 1] * (t**3 - t**2)
    return np.asarray(start * (2 * t**3 - 3 * t**2 + 1) + end * (3 * t**2 - 2 * t**3) + bent)


def loft(
    path: Sequence[Vector],
    radii: Sequence[float | tuple[float, float]],
    rows: int = 0,
    columns: int = 13,
    power: float = 2.0,
    ends: tuple[float, float] = (1.0, 1.0),
    front: Vector = (0.0, 0.0, 1.0),
) -> Array:
    """A tube along a path.

    Args:
        path: points of its axis.
        radii: at each, one number, or one sideways and one towards `front`.
        rows: of the tube without its ends, smoothed; 0 for those of the path.
        columns, power: of the cross-section, see `section`.
        ends: height of the rounded ends over the radius there; 0 for flat ones.
        front: direction of the second radius.
    """
    axis = np.array(path, np.float64)
    size = np.array([r if isinstance(r, tuple) else (r, r) for r in radii], np.float64)
    if rows:
        axis, size = smooth(axis, rows), np.maximum(smooth(size, rows), 1e-3)
    along = np.gradient(axis, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    depth = np.asarray(front, np.float64) - along * (along @ np.asarray(front, np.float64))[:, None]
    depth /= np.maximum(np.linalg.norm(depth, axis=1, keepdims=True), 1e-9)
    side = np.cross(along, depth)
    round_ = section(columns, power)

    def ring(k: int, lift: float, share: float) -> Array:
        centre = axis[k] + along[k] * lift
        flat = round_ * size[k] * share
        return np.asarray(centre + flat[:, :1] * side[k] + flat[:, 1:] * depth[k])

    def end(k: int, height: float, way: float) -> list[Array]:
        angles = np.deg2rad([35, 65, 90]) if height > 0 else np.deg2rad([90])
        reach = way * height * float(size[k].min())
        return [ring(k, reach * np.sin(a), np.cos(a) if a < 1.57 else 0.0) for a in angles]

    last = len(axis) - 1
    rings = [*end(0, ends[0], -1.0)[::-1], *(ring(k, 0.0, 1.0) for k in range(last + 1)), *end(last, ends[1], 1.0)]
    return np.stack(rings)


def blob(
    centre: Vector, radii: Vector, power: float = 2.0, turn: Array | None = None, size: tuple[int, int] = (9, 13)
) -> Array:
    """A superellipsoid; power 2 is an ellipsoid, 4 and more a rounded block."""
    polar = np.linspace(-np.pi / 2, np.pi / 2, size[0])
    height, share = np.sin(polar), np.maximum(np.cos(polar), 0.0)
    height, share = np.sign(height) * np.abs(height) ** (2 / power), share ** (2 / power)
    share[[0, -1]] = 0.0
    flat = section(size[1], power)
    unit = np.stack(
        [share[:, None] * flat[:, 0], np.repeat(height[:, None], size[1], 1), share[:, None] * flat[:, 1]], axis=2
    )
    local = unit * np.asarray(radii)
    return np.asarray(np.asarray(centre) + (local if turn is None else local @ turn.T))


def _revolved(
    centre: Vector, rows: Sequence[tuple[float, float]], stretch: tuple[float, float], turn: Array | None, columns: int
) -> Array:
    """Rings about Y by pairs of radius and height."""
    flat = section(columns) * stretch
    grid = np.stack([np.column_stack([r * flat[:, 0], np.full(columns, y), r * flat[:, 1]]) for r, y in rows])
    return np.asarray(np.asarray(centre) + (grid if turn is None else grid @ turn.T))


def lathe(
    centre: Vector,
    profile: Sequence[tuple[float, float]],
    stretch: tuple[float, float] = (1.0, 1.0),
    turn: Array | None = None,
    columns: int = 19,
) -> Array:
    """A surface of revolution about Y: `profile` has pairs of radius and height; both ends are closed flat."""
    return _revolved(centre, [(0.0, profile[0][1]), *profile, (0.0, profile[-1][1])], stretch, turn, columns)


def hoop(centre: Vector, radii: tuple[float, float], thick: tuple[float, float], turn: Array | None = None) -> Array:
    """A ring about Y: radii of its middle line, sideways and forwards; half thickness outwards and upwards."""
    wide = thick[0] / min(radii)
    rows = [(1 - wide, 0.0), (1.0, thick[1]), (1 + wide, 0.0), (1.0, -thick[1]), (1 - wide, 0.0)]
    return _revolved(centre, rows, radii, turn, 19)


def sheet(front: Array, thickness: float) -> Array:
    """A cloth (R, C, 3) of some thickness towards -Z, closed around its rim."""
    back = front[:, ::-1] - (0.0, 0.0, thickness)
    grid = np.concatenate([front, back, front[:, :1]], axis=1)
    tops = [np.broadcast_to(grid[k].mean(axis=0), grid[k].shape) for k in (0, -1)]
    return np.concatenate([tops[0][None], grid, tops[1][None]])


def mirrored(grid: Array) -> Array:
    """The same on the other side."""
    return np.asarray(grid * (-1.0, 1.0, 1.0))


@dataclass(frozen=True)
class Stamp:
    """A flat shape painted along Z.

    Attributes:
        kind: `ellipse`, `box`, `arc` or a name in `_EMBLEMS`.
        at, size: x and y of its middle; half width and half height, or half the thickness of an arc.
        looks: pieces that it shows on.
        side: 1 for what faces forward, -1 for what faces back, 0 for both.
        bend: how much higher the ends of an arc are than its middle.
        soft: width of its edge.
    """

    kind: str
    at: tuple[float, float]
    size: tuple[float, float]
    colour: Colour
    looks: tuple[str, ...]
    turn_deg: float = 0.0
    side: int = 1
    bend: float = 0.0
    soft: float = 0.006

    def near(self, points: Array) -> NDArray[np.int64]:
        """Which of some points (N, 3) it may cover."""
        reach = float(np.hypot(*self.size)) + abs(self.bend) + self.soft
        x, y = np.abs(points[:, 0] - self.at[0]), np.abs(points[:, 1] - self.at[1])
        return np.flatnonzero((x < reach) & (y < reach))

    def coverage(self, points: Array, facing: Array) -> Array:
        """How much of each point it covers, 0-1: points (N, 3), facing (N,) the z of their normals."""
        x, y = points[:, 0] - self.at[0], points[:, 1] - self.at[1]
        c, s = np.cos(np.deg2rad(self.turn_deg)), np.sin(np.deg2rad(self.turn_deg))
        x, y = c * x + s * y, c * y - s * x
        a, b = self.size
        if self.kind == "ellipse":
            distance = (np.hypot(x / a, y / b) - 1) * min(a, b)
        elif self.kind == "box":
            distance = np.maximum(np.abs(x) - a, np.abs(y) - b)
        elif self.kind == "arc":
            distance = np.maximum(np.abs(y - self.bend * (x / a) ** 2) - b * (1.1 - (x / a) ** 2), np.abs(x) - a)
        else:
            angle = np.arctan2(y / b, x / a)
            distance = (np.hypot(x / a, y / b) - _EMBLEMS[self.kind](angle)) * min(a, b)
        alpha = np.clip(0.5 - distance / self.soft, 0.0, 1.0)
        return np.asarray(alpha if self.side == 0 else alpha * np.clip(0.5 + 4 * self.side * facing, 0.0, 1.0))


class Stamps(list[Stamp]):
    """Stamps in the order in which they are painted."""

    def put(self, *fields: Any, pair: bool = False, **named: Any) -> None:
        """Add a stamp by the fields of `Stamp`; one of a pair is mirrored."""
        stamp = Stamp(*fields, **named)
        self.append(stamp)
        if pair:
            self.append(replace(stamp, at=(-stamp.at[0], stamp.at[1]), turn_deg=-stamp.turn_deg))


def _star(points: int, depth: float):  # type: ignore[no-untyped-def]
    def radius(angle: Array) -> Array:
        wave = (points * (angle - np.pi / 2) / (2 * np.pi)) % 1.0
        return 1 - depth * (1 - np.abs(2 * wave - 1))

    return radius


_EMBLEMS = {
    "star": _star(5, 0.58),
    "flower": lambda angle: 0.72 + 0.28 * np.cos(5 * angle),
    "cross": lambda angle: np.minimum(0.36 / np.maximum(np.minimum(abs(np.sin(angle)), abs(np.cos(angle))), 0.36), 1.0),
    "heart": lambda angle: (
        0.75 - 0.35 * np.sin(angle) + 0.4 * np.abs(np.cos(angle)) * np.sqrt(np.maximum(np.sin(angle), 0))
    ),
    "triangle": lambda angle: 0.5 / np.cos((angle - np.pi / 2 + np.pi) % (2 * np.pi / 3) - np.pi / 3),
    "burst": _star(9, 0.35),
    "diamond": lambda angle: 1 / (np.abs(np.sin(angle)) + np.abs(np.cos(angle))),
}
"""Radius of each emblem's outline by angle from +x."""
EMBLEMS = tuple(_EMBLEMS)
