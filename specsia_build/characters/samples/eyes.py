"""The eyes: two flattened balls of quads of their own, with their own painted texture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.samples import field
from specsia_build.characters.samples.colours import INK, Colour, mix, shade
from specsia_build.characters.samples.faces import eye_place
from specsia_build.characters.samples.head import Skull
from specsia_build.characters.samples.parts import Part
from specsia_build.characters.samples.traits import Face

Array = NDArray[np.float64]

TEXTURE = 256
"""Texels along a side of the eyes' texture: left and right eye from the front above, from behind below."""

_CUTS = 10
_TILE = 0.47


@dataclass(frozen=True)
class Eyes:
    """Both eyes as one mesh.

    Attributes:
        vertices: (V, 3), OBJ axes, units.
        normals: (V, 3).
        quads: (Q, 4), counter-clockwise seen from outside.
        uv: (Q, 4, 2), 0-1, v up as in OBJ.
        image: (TEXTURE, TEXTURE, 3) uint8, row 0 at the top.
    """

    vertices: Array
    normals: Array
    quads: NDArray[np.int64]
    uv: Array
    image: NDArray[np.uint8]


def _ball() -> tuple[Array, NDArray[np.int64]]:
    """A unit ball: a cube's grid of quads pushed out onto it."""
    line = np.tan(np.linspace(-np.pi / 4, np.pi / 4, _CUTS + 1))
    points: list[Array] = []
    quads: list[NDArray[np.int64]] = []
    for axis in range(3):
        for sign in (1, -1):
            u, v = np.meshgrid(line, line, indexing="ij")
            face = np.empty((*u.shape, 3))
            face[..., axis], face[..., (axis + 1) % 3], face[..., (axis + 2) % 3] = sign, u, v
            number = np.arange(u.size).reshape(u.shape) + u.size * len(points)
            ring = [number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]]
            quads.append(np.stack(ring if sign > 0 else ring[::-1], axis=-1).reshape(-1, 4))
            points.append(face.reshape(-1, 3))
    cube = np.concatenate(points)
    _, first, back = np.unique(np.rint(cube * 1e6), axis=0, return_index=True, return_inverse=True)
    ball = cube[first]
    return ball / np.linalg.norm(ball, axis=1, keepdims=True), back.reshape(-1)[np.concatenate(quads)].astype(np.int64)


def _surface(table: Array, x: float, y: float) -> tuple[Array, Array]:
    """Foremost point of the head at x, y and its outward normal."""
    skin = table[np.isin(table[:, field.PART], (int(Part.HEAD), int(Part.MUZZLE)))]
    depth = np.linspace(1.2, -0.2, 400)
    line = np.stack([np.full_like(depth, x), np.full_like(depth, y), depth], axis=1)
    inside = np.flatnonzero(field.distance(skin, line) < 0)
    point = line[inside[0]] if len(inside) else np.array([x, y, 0.0])
    normal = field.slope(skin, point[None], 0.01, 0.05)[1][0]
    return point, normal / max(float(np.linalg.norm(normal)), 1e-9)


def _paint(face: Face, iris: Colour, lid: Colour, side: int, u: Array, v: Array) -> Array:
    """Colours on the eye's disc, u to the character's left and v up, both -1 to 1."""

    def over(base: Array, colour: Colour, distance: Array, soft: float = 0.04) -> Array:
        alpha = np.clip(0.5 - distance / soft, 0.0, 1.0)[..., None]
        return np.asarray(base + (np.array(colour) - base) * alpha)

    radius = np.hypot(u, v)
    white = (0.98, 0.98, 0.97)
    base = np.tile(np.array(white), (*u.shape, 1))
    if face.eyes == "dot":
        base = over(base, INK, radius - 2.0)
        base = over(base, mix(INK, iris, 0.5), np.hypot(u, (v + 0.55) / 0.5) - 0.62, 0.5)
    elif face.eyes == "simple":
        base = over(base, INK, np.hypot(u + 0.12 * side, v + 0.05) - 0.5)
    elif face.eyes == "toon":
        at = u + 0.14 * side
        base = over(base, shade(iris, 0.35), np.hypot(at, v) - 0.6)
        base = over(base, iris, np.hypot(at, v) - 0.52)
        base = over(base, INK, np.hypot(at, v) - 0.27)
    else:
        at = u + 0.08 * side
        base = over(base, shade(iris, 0.6), np.hypot(at / 0.78, v / 0.9) - 1.0)
        base = over(base, iris, np.hypot(at / 0.7, v / 0.82) - 1.0)
        base = over(base, mix(iris, (1.0, 1.0, 0.95), 0.45), np.hypot(at / 0.5, (v + 0.42) / 0.34) - 1.0, 0.3)
        base = over(base, shade(iris, 0.75), np.hypot(at / 0.36, v / 0.44) - 1.0)
    if face.eyes != "simple":
        base = over(base, (1.0, 1.0, 1.0), np.hypot(u - 0.28, v - 0.36) - (0.24 if face.eyes == "anime" else 0.17))
    if face.eyes == "anime":
        base = over(base, (1.0, 1.0, 1.0), np.hypot(u + 0.24, v + 0.4) - 0.1)
    if face.lid > 0 and face.eyes != "dot":
        edge = 1.0 - 2.0 * face.lid * 0.8 + 0.5 * face.lid_tilt * u * side
        base = over(base, shade(lid, 0.12), edge - v)
        base = over(base, INK, np.abs(v - edge) - 0.06)
    rim = INK if face.eyes in ("anime", "toon", "simple") else shade(INK, -0.05)
    width = np.where(v > 0.1, 0.84 if face.eyes == "anime" else 0.9, 0.93)
    return over(base, rim, width - radius)


def make_eyes(table: Array, skull: Skull, face: Face, iris: Colour, lid: Colour) -> Eyes:
    """Eyes that sit on the head and stand out of it a little, looking forwards.

    Args:
        table: the character's solid; its head and muzzle carry the eyes.
        skull: the head's frame.
        face: where and how large they are, and how they look.
        iris, lid: colours.
    """
    ball, quads = _ball()
    x, y, rx, ry = eye_place(skull, face)
    vertices, normals, uvs = [], [], []
    for side in (1, -1):
        point, normal = _surface(table, side * x, y)
        forward = normal * 0.75 + np.array([0.0, 0.0, 0.45])
        forward /= np.linalg.norm(forward)
        right = np.cross([0.0, 1.0, 0.0], forward)
        right /= np.linalg.norm(right)
        axes = np.stack([right, np.cross(forward, right), forward])
        radii = np.array([rx, ry, 0.42 * rx])
        vertices.append(point - forward * radii[2] * 0.3 + (ball * radii) @ axes)
        bent = (ball / radii) @ axes
        normals.append(bent / np.linalg.norm(bent, axis=1, keepdims=True))
        corner = ball[quads]
        behind = corner[..., 2].mean(axis=1) < 0
        centre = np.where(behind[:, None], 0.25, 0.75)
        column = 0.25 if side > 0 else 0.75
        uvs.append(np.stack([column + 0.5 * _TILE * corner[..., 0], centre + 0.5 * _TILE * corner[..., 1]], axis=-1))
    image = np.empty((TEXTURE, TEXTURE, 3))
    half = TEXTURE // 2
    grid = (np.arange(half) + 0.5) / half * 2 - 1
    u, v = np.meshgrid(grid / (2 * _TILE), -grid / (2 * _TILE))
    for column, side in ((0, 1), (half, -1)):
        image[:half, column : column + half] = _paint(face, iris, lid, side, u, v)
    image[half:] = INK
    return Eyes(
        np.concatenate(vertices), np.concatenate(normals), np.concatenate([quads, quads + len(ball)]),
        np.concatenate(uvs), np.clip(np.rint(image * 255), 0, 255).astype(np.uint8),
    )  # fmt: skip
