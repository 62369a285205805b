"""The texture of a character: a box for each piece, with the print of its cloth and the marks on it."""

import numpy as np

from specsia_build.arrays import Doubles, Pixels
from specsia_build.characters.samples.body import Body
from specsia_build.characters.samples.shapes import Piece
from specsia_build.characters.samples.traits import Colour, Mark, shade
from specsia_build.jit import uncounted

TEXTURE_SIZE = 512  # Texels along a side of a character's texture
_RIM = 2  # Texels around each piece that repeat its own
_EDGE = 0.006  # Width of the edge of a mark or a print
_KINDS = ("ellipse", "box", "arc", "star")
_ELLIPSE, _BOX, _ARC, _ = range(len(_KINDS))
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


def _stroke(mark: Mark) -> tuple[tuple[float, float], ...]:
    """A mark for `_paint_mark`: its middle, its size, cosine and sine, its bend and how far it reaches."""
    angle = np.deg2rad(mark.turn)
    reach = np.hypot(*mark.size) + abs(mark.bend) + _EDGE
    return mark.at, mark.size, (float(np.cos(angle)), float(np.sin(angle))), (mark.bend, float(reach))


@uncounted
def _paint_mark(colour, kind, side, stroke, tone, places):  # type: ignore[no-untyped-def]
    """Paint a mark on a piece (H, W, 3); `places` (H, W, 4) are x, y, and y and z of the normal."""
    middle, (a, b) = stroke[0], stroke[1]
    c, s = stroke[2]
    bend, reach = stroke[3]
    for row in range(colour.shape[0]):
        for column in range(colour.shape[1]):
            right, up = places[row, column, 0] - middle[0], places[row, column, 1] - middle[1]
            if abs(right) >= reach or abs(up) >= reach:
                continue
            x, y = c * right + s * up, c * up - s * right
            if kind == _ELLIPSE:
                distance = (np.hypot(x / a, y / b) - 1) * min(a, b)
            elif kind == _BOX:
                distance = max(abs(x) - a, abs(y) - b)
            elif kind == _ARC:
                distance = max(abs(y - bend * (x / a) ** 2) - b * (1.1 - (x / a) ** 2), abs(x) - a)
            else:
                wave = np.sin(5 * np.arctan2(y, x))
                distance = np.hypot(x, y) - (0.7 + 0.3 * wave * (1 + 0.3 * wave)) * a
            share = min(max(0.5 - distance / _EDGE, 0.0), 1.0)
            if side != 0:
                share *= min(max(0.5 + 4 * side * places[row, column, 3], 0.0), 1.0)
            for k in range(3):
                colour[row, column, k] += (tone[k] - colour[row, column, k]) * share


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


@uncounted
def _sample(grid, down, right, line, out):  # type: ignore[no-untyped-def]
    """Fill `out` (H, W, K) bilinearly from a grid (R, C, K) at rows (H,) and columns (W,).

    `line` (C, K) is scratch memory.
    """
    for y in range(len(down)):
        low = min(int(down[y]), grid.shape[0] - 2)
        share = down[y] - low
        for x in range(grid.shape[1]):
            for k in range(grid.shape[2]):
                line[x, k] = grid[low, x, k] * (1 - share) + grid[low + 1, x, k] * share
        for x in range(len(right)):
            low = min(int(right[x]), grid.shape[1] - 2)
            share = right[x] - low
            for k in range(grid.shape[2]):
                out[y, x, k] = line[low, k] * (1 - share) + line[low + 1, k] * share


@uncounted
def _fill(colour, places, shadow, corner, image):  # type: ignore[no-untyped-def]
    """Write a piece (H, W, 3), darker where it looks down, to an image at a corner, with its rim."""
    height, width = colour.shape[0], colour.shape[1]
    for row in range(-_RIM, height + _RIM):
        y = min(max(row, 0), height - 1)
        for column in range(-_RIM, width + _RIM):
            x = min(max(column, 0), width - 1)
            light = 255 * (1 - shadow * min(max(0.3 - places[y, x, 2], 0.0), 1.0))
            for k in range(3):
                level = np.rint(colour[y, x, k] * light)
                image[corner[0] + row, corner[1] + column, k] = min(max(level, 0.0), 255.0)


def paint(body: Body, boxes: list[_Box]) -> Pixels:
    """Paint the texture of a character, (TEXTURE_SIZE, TEXTURE_SIZE, 3)."""
    prints, shadow = choose_prints(body), body.chance.between(0.08, 0.2)
    image = np.full((TEXTURE_SIZE, TEXTURE_SIZE, 3), 128, np.uint8)
    for piece, (row, column, height, width) in zip(body.pieces, boxes, strict=True):
        channels = np.concatenate([piece.grid[..., :2], piece.normals[..., 1:]], axis=2)
        places = np.empty((height, width, 4))
        rows, columns, _ = channels.shape
        down, right = np.linspace(0, rows - 1, height), np.linspace(0, columns - 1, width)
        _sample(channels, down, right, np.empty(channels.shape[1:]), places)
        colour = np.full((height, width, 3), body.tint[piece.look])
        if piece.look in prints:
            kind, second, repeat = prints[piece.look]
            # A whole number of repeats goes around, so that no seam shows.
            girth = max(round(piece.extent[1] / repeat), 1) * repeat / 2
            sideways, upwards = np.abs(piece.grid[-1, 0] - piece.grid[0, 0])[:2]
            along = np.abs(places[..., 0]) if sideways > upwards else places[..., 1]
            share = _printed(kind, np.linspace(-girth, girth, width), along, repeat)
            colour += (np.array(second) - colour) * share[..., None]
        for mark, tone in body.marks:
            if piece.look in mark.looks:
                _paint_mark(colour, _KINDS.index(mark.kind), mark.side, _stroke(mark), tone, places)
        _fill(colour, places, shadow, (row, column), image)
    return image
