"""The texture of a character: colours, prints, and what is painted on its body and clothes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.samples.body import Body
from specsia_build.characters.samples.shapes import EMBLEMS, Array, Piece, Stamp, Stamps
from specsia_build.characters.samples.traits import INK, TABLES, WHITE, Colour, luma, mix, oklch, scheme, shade

TEXTURE = 512
"""Texels along a side of a character's texture."""

_RIM = 2
"""Texels around each piece that repeat its own."""


@dataclass(frozen=True)
class Paint:
    """How pieces are painted.

    Attributes:
        colours: by look.
        prints: by look a kind, see `printed`, its second colour and the length of a repeat.
        stamps: the lowest first.
        shadow, fade: how much darker surfaces that face down, and the lower end of each piece, are, 0-1.
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

    def dots() -> Array:
        row = np.floor(y / repeat)
        across, down = ((x + 0.5 * repeat * (row % 2)) % repeat) - repeat / 2, (y % repeat) - repeat / 2
        return cut(np.hypot(across, down) - 0.28 * repeat)

    prints: dict[str, Callable[[], Any]] = {
        "stripes": lambda: cut(wave(y, 0.5)),
        "pinstripes": lambda: cut(wave(x, 0.16)),
        "checks": lambda: np.abs(cut(wave(x, 0.5)) - 0.5 * cut(wave(y, 0.5))),
        "dots": dots,
        "gradient": lambda: np.clip((y - y.min()) / max(float(np.ptp(y)), 1e-9), 0.0, 1.0),
        "halves": lambda: cut(x),
        "hem": lambda: cut(y - y.min() - 0.035),
        "band": lambda: cut(np.abs(y - 0.5 * (y.min() + y.max())) - 0.18 * float(np.ptp(y))),
        "strands": lambda: 0.35 * (0.5 + 0.5 * np.sin(60 * x + 9 * np.sin(7 * y))),
    }
    return np.asarray(prints[kind]()) if kind in prints else np.zeros(len(x))


def placed(pieces: Sequence[Piece]) -> list[tuple[int, int, int, int]]:
    """Row, column, height and width in the texture of each piece, as large as all fit."""
    girth = [float(np.linalg.norm(np.diff(p.grid, axis=1), axis=2).sum(axis=1).max()) for p in pieces]
    length = [float(np.linalg.norm(np.diff(p.grid, axis=0), axis=2).sum(axis=0).mean()) for p in pieces]
    lengths = np.array([[h * p.detail, g * p.detail] for p, h, g in zip(pieces, length, girth, strict=True)])
    density = TEXTURE / float(np.sqrt(lengths.prod(axis=1).sum()))
    while True:
        sizes = np.clip(np.ceil(lengths * density).astype(int), 3, TEXTURE - 2 * _RIM)
        if (corners := _packed(sizes + 2 * _RIM)) is not None:
            return [(r + _RIM, c + _RIM, int(h), int(w)) for (r, c), (h, w) in zip(corners, sizes, strict=True)]
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
    """The texture (TEXTURE, TEXTURE, 3) of pieces with normals (R, C, 3), in `boxes` as `placed` gives them."""
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


_TORSO = ("torso",)


def colours(body: Body) -> dict[str, Colour]:
    """A colour for every look."""
    chance, traits, kind = body.chance, body.traits, body.traits.kind
    cloth = scheme(chance)
    skin = chance.choice(TABLES["palettes"][kind.palette])
    if chance.true(kind.fantasy):
        skin = oklch(chance.between(0.6, 0.86), chance.between(0.05, 0.14), chance.between(0, 360))
    hair = chance.choice(TABLES["palettes"]["hair"])
    if chance.true(0.25):
        hair = oklch(chance.between(0.4, 0.8), chance.between(0.08, 0.18), chance.between(0, 360))
    if kind.hair < 0.5 and chance.true(0.7):
        hair = shade(skin, 0.4)
    light = luma(skin) > 0.78
    belly = mix(skin, WHITE, 0.75) if not light else mix(skin, (0.98, 0.86, 0.72), 0.45)
    dark = shade(skin, 0.55) if not light else (0.27, 0.25, 0.28)
    limb = dark if traits.markings == "panda" else skin
    top = skin if traits.bare else cloth["top"]
    glove = cloth["accent"] if chance.true(0.5) else cloth["leather"]
    second = cloth["bottom"] if luma(cloth["bottom"]) < 0.85 else cloth["top"]
    skirt = cloth["bottom"] if traits.bottom == "skirt" else top
    return cloth | {
        "skin": skin, "head": skin, "belly": belly, "mark": dark, "hair": hair,
        "iris": oklch(chance.between(0.4, 0.68), 0.13, chance.between(0, 360)),
        "shirt": cloth["light"] if traits.top == "suit" or chance.true(0.5) else cloth["top2"],
        "torso": top, "sleeve": top, "collar": shade(top, 0.14), "cuff": cloth["top2"],
        "cuff2": shade(cloth["leather"], 0.25),
        "arm": limb, "leg": limb, "hand": limb if traits.species != "fox" else dark, "foot": limb, "glove": glove,
        "ear": dark if traits.markings == "panda" else shade(skin, 0.25) if kind.ears == "floppy" else skin,
        "muzzle": skin if kind.muzzle == "snout" or chance.true(0.3) else belly,
        "nose": mix(skin, (0.9, 0.4, 0.35), 0.35), "noseink": INK, "beak": (0.97, 0.66, 0.22),
        "horn": mix((0.93, 0.86, 0.72), skin, 0.15), "mane": shade(skin, 0.42), "tail": skin,
        "tip": belly if kind.tail in ("bushy", "puff") else dark, "joint": shade(skin, 0.4), "skirt": skirt,
        "sock": cloth["light"], "shoe": cloth["leather"], "scarf": cloth["accent"], "white": WHITE, "eye": WHITE,
        "cape": cloth["accent"] if chance.true(0.5) else cloth["bottom"], "hat": second, "brim": shade(second, 0.22),
        "gold": (0.93, 0.77, 0.36), "straw": (0.93, 0.8, 0.5), "wing": mix(skin, belly, 0.3),
        "shield": cloth["wood"] if chance.true(0.5) else cloth["top2"],
    }  # fmt: skip


def prints(body: Body, tint: dict[str, Colour]) -> dict[str, tuple[str, Colour, float]]:
    """Prints of clothes, hair and fur by look."""
    chance, traits = body.chance, body.traits
    patterns = {"hair": ("strands", shade(tint["hair"], 0.5), 0.1), "mane": ("strands", shade(tint["mane"], 0.5), 0.1)}
    if not traits.bare and traits.top != "overalls":
        kind = chance.pick("plain", "stripes", "dots", "checks", "gradient", "pinstripes", "halves", "band",
                           weights=(7, 2, 1, 1, 1, 0.7, 0.5, 0.7))  # fmt: skip
        repeat = chance.between(0.07, 0.17)
        patterns["torso"] = (kind, tint["top2"], repeat)
        if kind not in ("halves", "band", "gradient"):
            patterns["sleeve"] = patterns["torso"]
    if traits.skirt > 0:
        kind = chance.pick("plain", "hem", "checks", "dots", "stripes", "gradient", weights=(4, 2, 1, 1, 1, 1))
        patterns["skirt"] = (kind, tint["bottom2"], chance.between(0.07, 0.16))
    if traits.hem > 0:
        kind = chance.pick("plain", "pinstripes", "checks", "dots", weights=(7, 0.8, 0.9, 0.5))
        patterns["bottom"] = (kind, tint["bottom2"], chance.between(0.06, 0.12))
    for look, share in (("hat", 0.2), ("sock", 0.4), ("scarf", 0.4), ("cape", 0.25), ("shield", 0.4)):
        if chance.true(share):
            patterns[look] = (chance.pick("stripes", "hem", "dots"), tint["light"], chance.between(0.06, 0.12))
    if traits.markings == "stripes":
        patterns |= dict.fromkeys(("tail", "arm", "leg"), ("stripes", tint["mark"], 0.14))
    return patterns


def body_stamps(body: Body, tint: dict[str, Colour]) -> Stamps:
    """Stamps on the body and its clothes, the lowest first."""
    stamps = Stamps()
    _markings(body, tint, stamps)
    if not body.traits.bare:
        _clothes(body, tint, stamps)
    return stamps


def _markings(body: Body, tint: dict[str, Colour], stamps: Stamps) -> None:
    chance, traits, frame, build = body.chance, body.traits, body.frame, body.build
    kind, span, bare = traits.markings, frame.span, _TORSO if traits.bare else ()
    head, (a, b, _) = 1.8 - build.head[1], build.head
    if kind in ("bib", "stripes", "panda", "plain") and traits.kind.hair < 0.5 and bare:
        stamps.put("ellipse", (0, frame.trunk(0.4)), (0.62 * build.hips, 0.42 * span), tint["belly"], bare)
    if kind == "bib":
        stamps.put("ellipse", (0, head - 0.5 * b), (0.75 * a, 0.5 * b), tint["belly"], ("head",))
    if kind == "panda":
        patch = (0.4 * a, head - 0.02 * b)
        stamps.put("ellipse", patch, (0.28 * a, 0.36 * b), tint["mark"], ("head",), 20, pair=True)
        stamps.put("box", (0, frame.trunk(0.85)), (1, 0.09), tint["mark"], bare, side=0)
    if kind == "stripes":
        for k in (-0.4, 0.0, 0.4):
            stamps.put("ellipse", (k * a, head + 0.78 * b), (0.06 * a, 0.24 * b), tint["mark"], ("head",))
            stamps.put("ellipse", (0, head + k * b), (0.6 * a, 0.07 * b), tint["mark"], ("head",), side=-1)
            where = (0.0, frame.trunk(0.5 + 0.7 * k))
            stamps.put("ellipse", where, (0.6 * build.hips, 0.03), tint["mark"], bare, side=-1)
    if kind == "patch":
        where = (traits.side * 0.42 * a, head)
        stamps.put("ellipse", where, (0.34 * a, 0.42 * b), tint["mark"], ("head",))
    if kind in ("spots", "patch"):
        looks = ("head", "tail", *(("torso", "arm", "leg") if traits.bare else ("arm",)))
        for _ in range(int(chance.rng.integers(8, 16))):
            where = (chance.between(-0.9, 0.9) * a, chance.between(0.1, 1.75))
            size = chance.between(0.03, 0.1)
            side = 1 if chance.true(0.5) else -1
            if side < 0 or where[1] < 1.8 - 1.8 * b or where[1] > head + 0.4 * b:
                stamps.put("ellipse", where, (size, size * 0.8), tint["mark"], looks, side=side)
    if kind == "ribs":
        for k in range(4):
            rib = (0, frame.trunk(0.5 + 0.12 * k))
            stamps.put("box", rib, (0.75 * build.chest, 0.018), tint["dark"], bare, side=0)
        stamps.put("box", (0, frame.trunk(0.4)), (0.6 * build.hips, 0.06), tint["dark"], bare, side=0)
    if kind == "panel" and bare:
        screen = (0, frame.trunk(0.58))
        lamp = (0.25 * build.chest, screen[1] + 0.08 * span)
        stamps.put("box", screen, (0.62 * build.chest, 0.2 * span), tint["joint"], bare)
        stamps.put("box", (0, screen[1] - 0.06 * span), (0.42 * build.chest, 0.02), tint["light"], bare)
        stamps.put("box", (0, frame.trunk(0.5)), (0.55 * build.chest, 0.24 * span), tint["joint"], bare, side=-1)
        stamps.put("ellipse", lamp, (0.035, 0.035), tint["accent"], bare, pair=True)
        stamps.put("box", (0, frame.trunk(0.2)), (1, 0.025), tint["joint"], bare, side=0)


def _clothes(body: Body, tint: dict[str, Colour], stamps: Stamps) -> None:
    chance, traits, frame, build = body.chance, body.traits, body.frame, body.build
    chest, span, trunk = build.chest, frame.span, ("torso", "skirt")
    top, waist = frame.trunk(0.97), frame.trunk(0.34)
    shirt = tint["shirt"]
    if traits.top in ("jacket", "coat"):
        width = chance.between(0.12, 0.34) * chest
        looks = trunk if traits.top == "coat" else _TORSO
        stamps.put("box", (0, 0.9), (width, 0.9), shirt, looks)
        stamps.put("box", (width, 0.9), (0.012, 0.9), shade(tint["top"], 0.3), looks, pair=True)
    elif traits.top == "suit":
        stamps.put("triangle", (0, top - 0.22 * span), (0.45 * chest, 0.34 * span), shirt, _TORSO, 180)
        stamps.put("box", (0, waist + 0.12 * span), (0.006, 0.14 * span), shade(tint["top"], 0.4), _TORSO)
    elif traits.top == "hoodie":
        pouch = (0.5 * chest, 0.1 * span)
        stamps.put("box", (0, waist + 0.14 * span), pouch, shade(tint["top"], 0.16), _TORSO)
        stamps.put("box", (0.05, top - 0.16 * span), (0.009, 0.1 * span), tint["light"], _TORSO, pair=True)
    elif traits.top == "robe":
        stamps.put("box", (0, 0.9), (0.04, 0.9), tint["top2"], trunk)
    elif traits.top == "armour":
        stamps.put("box", (0, frame.trunk(0.66)), (0.008, 0.3 * span), shade(tint["metal"], 0.35), ("metal",))
    elif traits.top in ("tank", "dress") and chance.true(0.6):
        stamps.put("ellipse", (0, top + 0.02), (0.5 * chest, 0.16 * span), tint["skin"], _TORSO, side=0)
    low = frame.trunk(0.36)
    if traits.bottom != "none":
        stamps.put("box", (0, low - 1), (2, 1), tint["bottom"], _TORSO, side=0)
    if traits.top == "overalls":
        stamps.put("box", (0, low), (0.55 * chest, 0.26 * span), tint["bottom"], _TORSO)
        strap, stud, pouch = (0.45 * chest, top), (0.45 * chest, low + 0.22 * span), (0.28 * chest, 0.07 * span)
        stamps.put("box", strap, (0.1 * chest, 0.42 * span), tint["bottom"], _TORSO, 4, side=0, pair=True)
        stamps.put("ellipse", stud, (0.022, 0.022), tint["gold"], _TORSO, pair=True)
        stamps.put("box", (0, low + 0.1 * span), pouch, shade(tint["bottom"], 0.2), _TORSO)
    if traits.top in ("tee", "sweater", "dress", "hoodie", "tank") and chance.true(0.45):
        radius = chance.between(0.16, 0.36) * chest
        where = (0.0 if radius > 0.25 * chest else 0.42 * chest * traits.side, frame.trunk(0.68))
        stamps.put(chance.pick(*EMBLEMS), where, (radius, radius), tint["accent"], _TORSO)
    elif traits.top in ("coat", "dress", "suit", "sweater") and chance.true(0.6):
        for k in range(int(chance.rng.integers(2, 5))):
            stamps.put("ellipse", (0, top - (0.16 + 0.15 * k) * span), (0.02, 0.02), tint["gold"], trunk)
    if chance.true(0.3):
        radius = chance.between(0.25, 0.45) * chest
        emblem, where = chance.pick(*EMBLEMS), (0, frame.trunk(0.66))
        stamps.put(emblem, where, (radius, radius), tint["top2"], ("torso", "cape"), side=-1)
    if traits.sash or traits.bag == "satchel":
        where, tone = (0, frame.trunk(0.66)), tint["accent"] if traits.sash else tint["leather"]
        for side in (1, -1):
            stamps.put("box", where, (0.035, 1), tone, _TORSO, traits.side * 40, side=side)
    if traits.bag == "backpack":
        stamps.put("box", (0.55 * chest, frame.trunk(0.85)), (0.03, 0.3 * span), tint["leather"], _TORSO, pair=True)
    if traits.hem > 0:
        where, tone = (build.gap + 0.3 * build.leg, frame.trunk(0.05)), shade(tint["bottom"], 0.35)
        stamps.put("arc", where, (0.06, 0.012), tone, ("bottom",), 20, bend=0.02, pair=True)
        if chance.true(0.2):
            patch = (traits.side * build.gap, 0.55 * build.crotch)
            stamps.put("box", patch, (0.05, 0.045), tint["accent"], ("bottom",), 10)
    if traits.shoes in ("shoes", "sneakers"):
        stamps.put("box", (0, -0.5), (2, 0.522), tint["light"], ("shoe",), side=0)
