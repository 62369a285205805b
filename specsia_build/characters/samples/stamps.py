"""Flat shapes painted on a surface from the front or from behind: faces, logos, pockets, spots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.samples.colours import Colour
from specsia_build.characters.samples.parts import Part

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Stamp:
    """One shape in the plane x, y, seen from the front (or from the back, where x is still the character's left).

    Attributes:
        shape: a name in `SHAPES`.
        centre: x, y in units.
        size: half width and half height in units.
        colour: sRGB 0-1.
        parts: which parts it is painted on.
        side: +1 front, -1 back, 0 both.
        turn_deg: counter-clockwise seen from the front.
        bend: what the shape makes of it: curvature of an arc, openness of a mouth.
        opacity: 0-1.
        soft: width of its edge in units.
    """

    shape: str
    centre: tuple[float, float]
    size: tuple[float, float]
    colour: Colour
    parts: tuple[Part, ...]
    side: int = 1
    turn_deg: float = 0.0
    bend: float = 0.0
    opacity: float = 1.0
    soft: float = 0.005

    def coverage(self, points: Array, normals: Array) -> Array:
        """How much of the stamp each point (N, 3) with its outward normal (N, 3) shows, (N,) 0-1."""
        c, s = np.cos(np.deg2rad(self.turn_deg)), np.sin(np.deg2rad(self.turn_deg))
        x, y = points[:, 0] - self.centre[0], points[:, 1] - self.centre[1]
        distance = SHAPES[self.shape]((x * c + y * s), (y * c - x * s), self.size[0], self.size[1], self.bend)
        alpha = np.clip(0.5 - distance / self.soft, 0.0, 1.0) * self.opacity
        return alpha if self.side == 0 else np.where(normals[:, 2] * self.side > 0.0, alpha, 0.0)

    def mirrored(self) -> tuple[Stamp, Stamp]:
        """It, and its mirror image on the character's other half."""
        x, y = self.centre
        return self, replace(self, centre=(-x, y), turn_deg=-self.turn_deg)

    def through(self) -> tuple[Stamp, Stamp]:
        """It, in front and behind."""
        return self, replace(self, side=-self.side)


def _ellipse(x: Array, y: Array, a: float, b: float, bend: float) -> Array:
    level = np.sqrt((x / a) ** 2 + (y / b) ** 2)
    return np.asarray((level - 1.0) * min(a, b))


def _box(x: Array, y: Array, a: float, b: float, bend: float) -> Array:
    round_ = bend * min(a, b)
    u, v = np.abs(x) - a + round_, np.abs(y) - b + round_
    return np.asarray(np.hypot(np.maximum(u, 0), np.maximum(v, 0)) + np.minimum(np.maximum(u, v), 0) - round_)


def _arc(x: Array, y: Array, a: float, b: float, bend: float) -> Array:
    """A stroke of half thickness b, thinner at its ends, sagging by bend * a in the middle (a smile for bend > 0)."""
    t = np.clip(x / a, -1.0, 1.0)
    middle = bend * a * (t * t - 1.0)
    thick = b * (1.0 - 0.5 * t * t)
    slope = np.sqrt(1.0 + (2.0 * bend * t) ** 2)
    return np.asarray(np.maximum(np.abs(y - middle) / slope, np.abs(x) - a) - thick)


def _grin(x: Array, y: Array, a: float, b: float, bend: float) -> Array:
    """An open mouth: flat or curved lip above, half an ellipse below."""
    top = bend * a * ((x / a) ** 2 - 1.0)
    return np.maximum(_ellipse(x, y, a, b, 0.0), y - top - 0.35 * b)


def _star(x: Array, y: Array, a: float, b: float, bend: float) -> Array:
    angle = np.arctan2(x, y)
    wedge = np.abs((angle / (2 * np.pi / 5) + 0.5) % 1.0 - 0.5) * 2
    radius = np.hypot(x / a, y / b)
    return np.asarray((radius - (1.0 - 0.58 * wedge**0.8)) * min(a, b) * 0.8)


def _heart(x: Array, y: Array, a: float, b: float, bend: float) -> Array:
    u, v = x / a * 1.15, y / b * 1.1 + 0.05
    return np.asarray((np.sqrt(u * u + (v - 0.62 * np.sqrt(np.abs(u))) ** 2) - 0.95) * min(a, b) * 0.7)


def _ring(x: Array, y: Array, a: float, b: float, bend: float) -> Array:
    return np.asarray(np.abs(_ellipse(x, y, a, b, 0.0)) - bend)


def _triangle(x: Array, y: Array, a: float, b: float, bend: float) -> Array:
    """Point up."""
    return np.asarray(np.maximum(-y - b, (np.abs(x) / a + (y - b) / (2 * b)) * a * 0.8))


def _cross(x: Array, y: Array, a: float, b: float, bend: float) -> Array:
    return np.minimum(_box(x, y, a, 0.36 * b, 0.2), _box(x, y, 0.36 * a, b, 0.2))


def _polygon(x: Array, y: Array, corners: Sequence[tuple[float, float]]) -> Array:
    """Signed distance to a closed polygon."""
    nearest, inside = np.full_like(x, np.inf), np.zeros(len(x), dtype=np.bool_)
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        t = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2), 0.0, 1.0)
        nearest = np.minimum(nearest, np.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay)))
        if ay != by:
            inside ^= ((ay > y) != (by > y)) & (x < ax + (y - ay) * (bx - ax) / (by - ay))
    return np.asarray(np.where(inside, -nearest, nearest))


_BOLT = ((0.25, 1.0), (-0.65, -0.12), (-0.05, -0.12), (-0.25, -1.0), (0.65, 0.22), (0.05, 0.22))


def _bolt(x: Array, y: Array, a: float, b: float, bend: float) -> Array:
    return _polygon(x, y, [(u * a, v * b) for u, v in _BOLT])


def _moon(x: Array, y: Array, a: float, b: float, bend: float) -> Array:
    return np.maximum(_ellipse(x, y, a, b, 0.0), -_ellipse(x - 0.5 * a, y - 0.2 * b, 0.85 * a, 0.85 * b, 0.0))


def _flower(x: Array, y: Array, a: float, b: float, bend: float) -> Array:
    radius = np.hypot(x / a, y / b)
    return np.asarray((radius - (0.72 + 0.28 * np.cos(5 * np.arctan2(x, y)))) * min(a, b) * 0.7)


def _half(x: Array, y: Array, a: float, b: float, bend: float) -> Array:
    """Everything on the left of a line through the centre."""
    return np.asarray(-x)


Shape = Callable[[Array, Array, float, float, float], Array]

SHAPES: dict[str, Shape] = {
    "ellipse": _ellipse, "box": _box, "arc": _arc, "grin": _grin, "star": _star, "heart": _heart, "ring": _ring,
    "triangle": _triangle, "cross": _cross, "bolt": _bolt, "moon": _moon, "flower": _flower, "half": _half,
}  # fmt: skip
