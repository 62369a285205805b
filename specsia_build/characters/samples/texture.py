"""The texture of a character: a box for each piece, with the print of its cloth and the marks on it."""

import numpy as np

from specsia_build.arrays import Doubles, Pixels
from specsia_build.characters.samples.body import Body
from specsia_build.characters.samples.shapes import Piece
from specsia_build.characters.samples.traits import Colour, Mark, shade

TEXTURE_SIZE = 512  # Texels along a side of a character's texture
_RIM = 2  # Texels around each piece that repeat its own
_EDGE = 0.006  # Width of the edge of a mark or a print
_Box = tuple[int, int, int, int]  # Row, column, height and width of a piece in the texture
Prints = dict[str, tuple[str, Colour, float]]  # By look: kind, second colour, and length of a repeat

_PRINTED = {"torso": 0.4, "skirt": 0.5, "bottom": 0.25, "hat": 0.2, "sock": 0.4, "scarf": 0.4, "cape": 0.3}
"""Probability of a print by look."""


def choose_prints(body: Body) -> Prints:
    """Prints of clothes, hair and fur."""
    chance, tint = body.chance, body.tint
    prints: Prints = {look: ("strands", shade(tint[look], 0.5), 0.1) for look in ("hair", "mane")}
    second = {"torso": "top2", "skirt": "bottom2", "bottom": "bottom2"}
    for look, share in _PRINTED.items():
        if chance.true(share):
            kind = chance.pick({"stripes": 2, "checks": 1, "dots": 1})
            prints[look] = (kind, tint[second.get(look, "light")], chance.between(0.07, 0.15))
    if "torso" in prints:
        prints["sleeve"] = prints["torso"]
    if body.traits.features["markings"] == "stripes":
        prints |= dict.fromkeys(("tail", "arm", "leg"), ("stripes", tint["mark"], 0.14))
    return prints


def _printed(kind: str, x: Doubles, y: Doubles, repeat: float) -> Doubles:
    """Share 0-1 of a surface that a print covers, (R, C): x (C,) around it, y (R, C) along it in lengths."""

    def cut(distance: Doubles) -> Doubles:
        return np.clip(0.5 - distance / _EDGE, 0.0, 1.0)

    def half(way: Doubles) -> Doubles:
        return cut(np.abs((way / repeat) % 1.0 - 0.5) * repeat - 0.25 * repeat)

    if kind == "stripes":
        return half(y)
    if kind == "checks":
        return np.abs(half(x) - 0.5 * half(y))
    if kind == "dots":
        across = (x + 0.5 * repeat * (np.floor(y / repeat) % 2)) % repeat - repeat / 2
        return cut(np.hypot(across, y % repeat - repeat / 2) - 0.28 * repeat)
    return np.asarray(0.35 * (0.5 + 0.5 * np.sin(60 * x + 9 * np.sin(7 * y))))


def _paint_mark(colour: Doubles, mark: Mark, tone: Colour, places: tuple[Doubles, Doubles, Doubles]) -> None:
    """Paint a mark on a piece (3, H, W), of which `places` are x, y and the z of the normal, (H, W) each."""
    (a, b) = mark.size
    c = np.cos(np.deg2rad(mark.turn))
    s = np.sin(np.deg2rad(mark.turn))
    reach = np.hypot(a, b) + abs(mark.bend) + _EDGE
    x, y, facing = (values.ravel() for values in places)
    near = np.flatnonzero((np.abs(x - mark.at[0]) < reach) & (np.abs(y - mark.at[1]) < reach))
    x, y = x[near] - mark.at[0], y[near] - mark.at[1]
    x, y = c * x + s * y, c * y - s * x
    if mark.kind == "ellipse":
        distance = (np.hypot(x / a, y / b) - 1) * min(a, b)
    elif mark.kind == "box":
        distance = np.maximum(np.abs(x) - a, np.abs(y) - b)
    elif mark.kind == "arc":
        distance = np.maximum(np.abs(y - mark.bend * (x / a) ** 2) - b * (1.1 - (x / a) ** 2), np.abs(x) - a)
    else:
        wave = np.sin(5 * np.arctan2(y, x))
        distance = np.hypot(x, y) - (0.7 + 0.3 * wave * (1 + 0.3 * wave)) * a
    share = np.clip(0.5 - distance / _EDGE, 0.0, 1.0)
    if mark.side:
        share *= np.clip(0.5 + 4 * mark.side * facing[near], 0.0, 1.0)
    flat = colour.reshape(3, -1)
    flat[:, near] += (np.array(tone)[:, None] - flat[:, near]) * share


def place_pieces(pieces: list[Piece]) -> list[_Box]:
    """Boxes of pieces in the texture, as large as all fit, the highest first on shelves."""
    weights = [[2.0 if piece.look in ("head", "eye") else 1.0] for piece in pieces]
    lengths = np.array([piece.extent for piece in pieces]) * weights
    density = TEXTURE_SIZE / float(np.sqrt(lengths.prod(axis=1).sum()))
    while True:
        sizes = np.clip(np.ceil(lengths * density).astype(int), 3, TEXTURE_SIZE - 2 * _RIM)
        boxes: dict[int, _Box] = {}
        row = column = shelf = 0
        for k in np.lexsort((-sizes[:, 1], -sizes[:, 0])).tolist():
            height, width = (int(size) + 2 * _RIM for size in sizes[k])
            if column + width > TEXTURE_SIZE:
                row += shelf
                column = shelf = 0
            boxes[k] = (row + _RIM, column + _RIM, height - 2 * _RIM, width - 2 * _RIM)
            column, shelf = column + width, max(shelf, height)
        if row + shelf <= TEXTURE_SIZE:
            return [boxes[k] for k in range(len(pieces))]
        density *= 0.97


def _sampled(grid: Doubles, height: int, width: int) -> Doubles:
    """A grid (K, R, C) at height x width points from its first to its last, bilinearly."""
    for axis, count in ((1, height), (2, width)):
        at = np.linspace(0, grid.shape[axis] - 1, count)
        low = np.minimum(at.astype(int), grid.shape[axis] - 2)
        share = (at - low)[:, None] if axis == 1 else at - low
        grid = np.take(grid, low, axis) * (1 - share) + np.take(grid, low + 1, axis) * share
    return grid


def paint(body: Body, boxes: list[_Box]) -> Pixels:
    """Paint the texture of a character, (TEXTURE_SIZE, TEXTURE_SIZE, 3)."""
    prints, shadow = choose_prints(body), body.chance.between(0.08, 0.2)
    image = np.full((TEXTURE_SIZE, TEXTURE_SIZE, 3), 128, np.uint8)
    for piece, (row, column, height, width) in zip(body.pieces, boxes, strict=True):
        channels = np.concatenate([piece.grid[..., :2], piece.normals[..., 1:]], axis=2).transpose(2, 0, 1)
        x, y, up, facing = _sampled(channels, height, width)
        colour = np.full((3, height, width), np.array(body.tint[piece.look])[:, None, None])
        if piece.look in prints:
            kind, second, repeat = prints[piece.look]
            # A whole number of repeats goes around, so that no seam shows.
            girth = max(round(piece.extent[1] / repeat), 1) * repeat / 2
            sideways, upwards = np.abs(piece.grid[-1, 0] - piece.grid[0, 0])[:2]
            along = np.abs(x) if sideways > upwards else y
            share = _printed(kind, np.linspace(-girth, girth, width), along, repeat)
            colour += (np.array(second)[:, None, None] - colour) * share
        for mark, tone in body.marks:
            if piece.look in mark.looks:
                _paint_mark(colour, mark, tone, (x, y, facing))
        light = 1 - shadow * np.clip(0.3 - up, 0, 1)
        filled = np.clip(np.rint(colour * (255 * light)), 0, 255).astype(np.uint8).transpose(1, 2, 0)
        rimmed = np.pad(filled, ((_RIM, _RIM), (_RIM, _RIM), (0, 0)), mode="edge")
        image[row - _RIM : row + height + _RIM, column - _RIM : column + width + _RIM] = rimmed
    return image
