"""Closed surfaces as grids of points: superellipsoids, tubes and rings.

OBJ axes: Y up, facing +Z, the character's own left at +X. Columns of a grid go once around, rows from one end
to the other; the last column repeats the first, and the first and the last row are one point each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from specsia_build.arrays import Doubles

Vector = Sequence[float] | Doubles


@dataclass(frozen=True)
class Piece:
    """One closed surface, and how it is painted and moved."""

    look: str  # Name of its colour
    grid: Doubles  # (R, C, 3) points
    bones: tuple[str, ...]  # Names of joints that its vertices may follow, or ``skirt``

    @property
    def vertices(self) -> Doubles:
        """Its vertices, (V, 3)."""
        return np.concatenate([self.grid[0, :1], self.grid[1:-1, :-1].reshape(-1, 3), self.grid[-1, :1]])

    @property
    def normals(self) -> Doubles:
        """Unit normals at each place of the grid, (R, C, 3)."""
        wide = np.concatenate([self.grid[:, -2:-1], self.grid], axis=1)
        normals = np.cross(np.gradient(self.grid[:, :-1], axis=0), wide[:, 2:] - wide[:, :-2])
        normals[[0, -1]] = normals[[1, -2]].mean(axis=1, keepdims=True)
        normals /= np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-12)
        return np.concatenate([normals, normals[:, :1]], axis=1)

    @property
    def extent(self) -> tuple[float, float]:
        """Its mean length along the columns, and its largest circumference along the rows."""
        length, girth = (np.linalg.norm(np.diff(self.grid, axis=k), axis=2).sum(axis=k) for k in (0, 1))
        return float(length.mean()), float(girth.max())

    def mirrored(self, bones: tuple[str, ...]) -> Piece:
        """The same on the other side."""
        return Piece(self.look, self.grid[:, ::-1] * (-1, 1, 1), bones)


@cache
def grid_faces(rows: int, columns: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Triangles (F, 3) of a grid, by its vertices and by its places; cached, so do not change the arrays."""
    ids = np.empty((rows, columns), np.int64)
    ids[1:-1, :-1] = 1 + np.arange((rows - 2) * (columns - 1)).reshape(rows - 2, -1)
    ids[1:-1, -1] = ids[1:-1, 0]
    ids[0], ids[-1] = 0, 1 + (rows - 2) * (columns - 1)
    at = np.arange(ids.size).reshape(ids.shape)
    a, b, c, d = (part.ravel() for part in (at[:-1, :-1], at[1:, :-1], at[1:, 1:], at[:-1, 1:]))
    # A quad at an end has one triangle.
    ends = columns - 1
    triangles = np.concatenate([np.stack([a, b, c], axis=1)[:-ends], np.stack([a, c, d], axis=1)[ends:]])
    return ids.ravel()[triangles], triangles


@cache
def section(columns: int, power: float = 2.0) -> Doubles:
    """A closed superellipse (C, 2) of x, z, counter-clockwise from the back; power 2 is round, 4 squarer."""
    angle = np.linspace(-np.pi, np.pi, columns)
    flat = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    flat[-1] = flat[0]
    return np.asarray(np.sign(flat) * np.abs(flat) ** (2.0 / power))


def turned(x_deg: float, y_deg: float, z_deg: float) -> Doubles:
    """A rotation (3, 3) about z, then x, then y, in degrees."""
    return np.asarray(Rotation.from_euler("zxy", [z_deg, x_deg, y_deg], degrees=True).as_matrix())


def superellipsoid(polar: Doubles, columns: int, power: float = 2.0, jaw: float = 0.0) -> Doubles:
    """Points (R, C, 3) of a superellipsoid of unit radii: `polar` is radians from the top, (R, C) or (R, 1).

    Power 2 is round, 4 and more a rounded block. The lower half is narrower by `jaw`, 0-1; wider if negative.
    """
    polar = np.broadcast_to(polar, (len(polar), columns))
    height, share = np.cos(polar), np.where(np.sin(polar) < 1e-9, 0.0, np.sin(polar))
    height, share = np.sign(height) * np.abs(height) ** (2 / power), share ** (2 / power)
    share = share * (1 - jaw * np.maximum(-height, 0.0) ** 1.5)
    flat = section(columns, power)
    return np.stack([share * flat[:, 0], height, share * flat[:, 1]], axis=2)


def blob(centre: Vector, radii: Vector, power: float, turn: Doubles) -> Doubles:
    """A superellipsoid of some radii, turned about its centre."""
    return np.asarray(centre + superellipsoid(np.linspace(0, np.pi, 9)[:, None], 13, power) * radii @ turn.T)


def hoop(centre: Vector, radii: Vector, thick: float, high: float, turn: Doubles) -> Doubles:
    """A ring about Y, turned about its centre: middle radii; half thickness and half height over these."""
    middle, round_ = section(21), section(9)[::-1]
    outwards = middle[:, None, :] * (1 + thick * round_[:, :1])
    height = np.broadcast_to(high * round_[:, 1], (21, 9))
    grid = np.stack([outwards[..., 0], height, outwards[..., 1]], axis=2)
    end = np.broadcast_to([middle[0, 0], 0.0, middle[0, 1]], (1, 9, 3))
    return np.asarray(centre + np.concatenate([end, grid, end]) * radii @ turn.T)


def _smooth(path: Doubles, rows: int) -> Doubles:
    """Points (rows, K) on a smooth curve through some (N, K): a cubic Hermite spline over their index."""
    at, slopes = np.linspace(0, len(path) - 1, rows), np.gradient(path, axis=0)
    k = np.minimum(at.astype(int), len(path) - 2)
    t = (at - k)[:, None]
    bent = slopes[k] * (t**3 - 2 * t**2 + t) + slopes[k + 1] * (t**3 - t**2)
    return np.asarray(path[k] * (2 * t**3 - 3 * t**2 + 1) + path[k + 1] * (3 * t**2 - 2 * t**3) + bent)


def tube(
    path: Sequence[Vector] | Doubles,
    radii: Vector | Sequence[Vector],
    rows: int = 0,
    columns: int = 11,
    power: float = 2.0,
    ends: tuple[float, float] = (1.0, 1.0),
) -> Doubles:
    """A tube along a path.

    At each point of the path it has one radius, or one sideways and one forwards (upwards where the path
    leads forwards). `rows` of them lie on a smooth curve, or 0 for the points alone; `power` is as in
    `section`. Its ends are rounded up to these heights over the radius there, 0 for flat ones.
    """
    axis, size = np.array(path, np.float64), np.array(radii, np.float64)
    size = np.broadcast_to(size.reshape(len(axis), -1), (len(axis), 2))
    if rows:
        axis, size = _smooth(axis, rows), np.maximum(_smooth(size, rows), 1e-3)
    along = np.gradient(axis, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    whole = np.abs(axis[-1] - axis[0])
    front = np.array([0.0, 1.0, 0.0] if whole[2] > whole[:2].max() else [0.0, 0.0, 1.0])
    depth = front - along * (along @ front)[:, None]
    depth /= np.maximum(np.linalg.norm(depth, axis=1, keepdims=True), 1e-9)
    flat = section(columns, power)[:, None] * size
    across, steps = flat[..., :1] * np.cross(depth, along) + flat[..., 1:] * depth, []
    for k, height, way in ((0, ends[0], -1.0), (len(axis) - 1, ends[1], 1.0)):
        angles = np.deg2rad([35, 65, 90] if height else [90])[:: int(way)]
        lift = way * height * float(size[k].min()) * np.sin(angles)
        shares = np.where(np.cos(angles) < 1e-9, 0.0, np.cos(angles))
        steps.append(axis[k] + lift[:, None, None] * along[k] + shares[:, None, None] * across[:, k])
    return np.concatenate([steps[0], axis[:, None] + across.transpose(1, 0, 2), steps[1]])
