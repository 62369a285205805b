"""A texture for all pieces: where each lies in it, its prints, and what is stamped on it from in front or behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.samples.chance import Colour
from specsia_build.characters.samples.shapes import Array, Piece

TEXTURE = 512
"""Texels along a side of a character's texture."""

_RIM = 2
"""Texels around each piece that repeat its own."""


@dataclass(frozen=True)
class Stamp:
    """A flat shape painted along Z.

    Attributes:
        kind: `ellipse`, `box`, `arc` or a name in `_EMBLEMS`.
        at: x and y of its middle.
        size: half width and half height; of an arc the latter is half its thickness.
        colour: of it.
        looks: pieces that it shows on.
        turn_deg: counter-clockwise.
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

    def mirrored(self) -> tuple[Stamp, Stamp]:
        """It and its mirror image."""
        fields = self.__dict__ | {"at": (-self.at[0], self.at[1]), "turn_deg": -self.turn_deg}
        return self, Stamp(**fields)

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


@dataclass(frozen=True)
class Paint:
    """How pieces are painted.

    Attributes:
        colours: by look.
        prints: by look a kind, see `printed`, its second colour and the length of a repeat.
        stamps: the lowest first.
        shadow: how much darker surfaces that face down are, 0-1.
        fade: how much darker the lower end of each piece is, 0-1.
    """

    colours: Mapping[str, Colour]
    prints: Mapping[str, tuple[str, Colour, float]] = field(default_factory=dict)
    stamps: Sequence[Stamp] = ()
    shadow: float = 0.15
    fade: float = 0.0


def printed(kind: str, x: Array, y: Array, repeat: float) -> Array:
    """How much of a surface a print covers, 0-1: x around it and y along it in lengths, (N,)."""
    edge = 0.006

    def cut(distance: Array) -> Array:
        return np.clip(0.5 - distance / edge, 0.0, 1.0)

    def wave(way: Array, share: float) -> Array:
        return np.abs((way / repeat) % 1.0 - 0.5) * repeat - share * repeat / 2

    if kind == "stripes":
        return cut(wave(y, 0.5))
    if kind == "pinstripes":
        return cut(wave(x, 0.16))
    if kind == "checks":
        return np.asarray(np.abs(cut(wave(x, 0.5)) - 0.5 * cut(wave(y, 0.5))))
    if kind == "dots":
        row = np.floor(y / repeat)
        across, down = ((x + 0.5 * repeat * (row % 2)) % repeat) - repeat / 2, (y % repeat) - repeat / 2
        return cut(np.hypot(across, down) - 0.28 * repeat)
    if kind == "gradient":
        return np.asarray(np.clip((y - y.min()) / max(float(np.ptp(y)), 1e-9), 0.0, 1.0))
    if kind == "halves":
        return cut(x)
    if kind == "hem":
        return cut(y - y.min() - 0.035)
    if kind == "band":
        return cut(np.abs(y - 0.5 * (y.min() + y.max())) - 0.18 * float(np.ptp(y)))
    if kind == "strands":
        return np.asarray(0.35 * (0.5 + 0.5 * np.sin(60 * x + 9 * np.sin(7 * y))))
    return np.zeros(len(x))


def place(pieces: Sequence[Piece]) -> list[tuple[int, int, int, int]]:
    """Row, column, height and width in the texture of each piece, as large as all fit."""
    girth = [float(np.linalg.norm(np.diff(p.grid, axis=1), axis=2).sum(axis=1).max()) for p in pieces]
    length = [float(np.linalg.norm(np.diff(p.grid, axis=0), axis=2).sum(axis=0).mean()) for p in pieces]
    lengths = np.array([[h * p.detail, g * p.detail] for p, h, g in zip(pieces, length, girth, strict=True)])
    density = TEXTURE / float(np.sqrt(lengths.prod(axis=1).sum()))
    while True:
        sizes = np.clip(np.ceil(lengths * density).astype(int), 3, TEXTURE - 2 * _RIM)
        if (found := _packed(sizes + 2 * _RIM)) is not None:
            return [(r + _RIM, c + _RIM, int(h), int(w)) for (r, c), (h, w) in zip(found, sizes, strict=True)]
        density *= 0.97


def _packed(sizes: NDArray[np.int64]) -> list[tuple[int, int]] | None:
    """Corners of boxes (height, width) on shelves, the highest first; None where they do not fit."""
    corners = [(0, 0)] * len(sizes)
    row = column = shelf = 0
    for k in np.lexsort((np.arange(len(sizes)), -sizes[:, 1], -sizes[:, 0])):
        height, width = sizes[k]
        if column + width > TEXTURE:
            row, column, shelf = row + shelf, 0, 0
        if row + height > TEXTURE:
            return None
        corners[k] = (int(row), int(column))
        column, shelf = column + width, max(shelf, height)
    return corners


def _sampled(grid: Array, height: int, width: int) -> Array:
    """A grid (R, C, K) at height x width points from its first to its last, bilinearly."""
    for axis, count in ((0, height), (1, width)):
        at = np.linspace(0, grid.shape[axis] - 1, count)
        low = np.minimum(at.astype(int), grid.shape[axis] - 2)
        share = (at - low).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        grid = np.take(grid, low, axis) * (1 - share) + np.take(grid, low + 1, axis) * share
    return grid


def paint(
    pieces: Sequence[Piece], normals: Sequence[Array], boxes: Sequence[tuple[int, int, int, int]], how: Paint
) -> NDArray[np.uint8]:
    """The texture.

    Args:
        pieces: all of a character.
        normals: of each, (R, C, 3) unit vectors.
        boxes: from `place`.
        how: they are painted.

    Returns:
        (TEXTURE, TEXTURE, 3) uint8 sRGB.
    """
    image = np.empty((TEXTURE, TEXTURE, 3), np.uint8)
    image[:] = np.rint(255 * np.array(how.colours["top"])).astype(np.uint8)
    for piece, normal, (row, column, height, width) in zip(pieces, normals, boxes, strict=True):
        texels = _sampled(np.concatenate([piece.grid, normal], axis=2), height, width).reshape(-1, 6)
        colour = _painted(piece, texels[:, :3], texels[:, 3:], how, (height, width)).reshape(height, width, 3)
        colour = np.pad(colour, ((_RIM, _RIM), (_RIM, _RIM), (0, 0)), mode="edge")
        image[row - _RIM : row + height + _RIM, column - _RIM : column + width + _RIM] = colour
    return image


def _painted(piece: Piece, points: Array, normal: Array, how: Paint, size: tuple[int, int]) -> NDArray[np.uint8]:
    colour = np.tile(np.array(how.colours[piece.look]), (len(points), 1))
    if piece.look in how.prints:
        kind, second, repeat = how.prints[piece.look]
        around = np.tile(np.linspace(-1, 1, size[1]), size[0])
        girth = float(np.linalg.norm(np.diff(piece.grid, axis=1), axis=2).sum(axis=1).max()) / 2
        # A whole number of repeats goes around, so that no seam shows.
        girth = max(round(2 * girth / repeat), 1) * repeat / 2
        along = points[:, 1] if np.ptp(points[:, 1]) >= np.ptp(points[:, 0]) else np.abs(points[:, 0])
        share = printed(kind, around * girth, along, repeat)[:, None]
        colour += (np.array(second) - colour) * share
    for stamp in how.stamps:
        if piece.look in stamp.looks and len(near := stamp.near(points)):
            share = stamp.coverage(points[near], normal[near, 2])[:, None]
            colour[near] += (np.array(stamp.colour) - colour[near]) * share
    light = 1 - how.shadow * np.clip(0.3 - normal[:, 1], 0, 1)
    if how.fade:
        low, high = points[:, 1].min(), points[:, 1].max()
        light *= 1 - how.fade * (high - points[:, 1]) / max(high - low, 0.15)
    return np.clip(np.rint(colour * light[:, None] * 255), 0, 255).astype(np.uint8)
