"""Head, ears, muzzles, horns, eyes and mouths; hair, beards and hats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from specsia_build.characters.samples.body import Body
from specsia_build.characters.samples.shapes import Array, Stamps, blob, by, hoop, lathe, loft, section, turned
from specsia_build.characters.samples.traits import INK, TABLES, WHITE, Build, Colour, mix, shade

Triple = tuple[float, float, float]


class Skull:
    """The head's surface: a superellipsoid whose lower half is narrower or wider by `jaw`.

    Parts of the head are measured in its mean radius, `size`.
    """

    def __init__(self, build: Build) -> None:
        self.centre, self.radii = np.array([0.0, 1.8 - build.head[1], 0.0]), np.array(build.head)
        self.power, self.jaw, self.size = build.power, build.jaw, float(self.radii.mean())

    def at(self, u: float, v: float, w: float) -> Array:
        """A place given in half widths, half heights and half depths from the centre."""
        return np.asarray(self.centre + self.radii * (u, v, w))

    def sized(self, *lengths: float) -> Array:
        """Lengths in mean radii."""
        return np.asarray(np.array(lengths) * self.size)

    def shell(self, polar: Array, columns: int, scale: float | Array = 1.0) -> Array:
        """Points (R, C, 3) on the surface, scaled about its centre; polar is radians from the top, (R, C) or (R, 1)."""
        polar = np.broadcast_to(polar, (len(polar), columns))
        height, share = np.cos(polar), np.where(np.sin(polar) < 1e-9, 0.0, np.sin(polar))
        height, share = np.sign(height) * np.abs(height) ** (2 / self.power), share ** (2 / self.power)
        share = share * (1 - self.jaw * np.maximum(-height, 0.0) ** 1.5)
        flat = section(columns, self.power)
        unit = np.stack([share * flat[:, 0], height, share * flat[:, 1]], axis=2)
        return np.asarray(self.centre + self.radii * unit * scale)

    def cap(self, front: float, side: float, back: float, scale: float, jag: Array | float = 0.0) -> Array:
        """A shell down to an edge, given in half turns from the top and lowered by `jag` (33,); closed inside."""
        ahead = np.cos(np.linspace(-np.pi, np.pi, 33))
        edge = side + np.where(ahead > 0, (front - side) * ahead**2, (back - side) * ahead**2) + jag
        edge = np.pi * np.clip(edge, 0.02, 0.95)[None, :]
        shell = self.shell(edge * np.linspace(0, 1, 9)[:, None], 33, scale)
        inner = self.shell(edge, 33, 0.93)
        return np.concatenate([shell, inner, np.broadcast_to(inner.mean(axis=1, keepdims=True), inner.shape)])

    def front(self, x: float, y: float) -> Array:
        """The place in front at x and y in half widths and heights."""
        share = max(1 - abs(y) ** self.power, 0.0) ** (1 / self.power) * (1 - self.jaw * max(-y, 0.0) ** 1.5)
        depth = share * max(1 - (abs(x) / max(share, 1e-6)) ** self.power, 0.0) ** (1 / self.power)
        return self.at(x, y, depth)


def add_parts(body: Body, skull: Skull, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add parts of the head that a table describes, see `TABLES`."""
    size, (a, b, c) = skull.size, skull.radii
    units = {"size": (size, size, size), "head": (a, b, c), "brim": (a, size, c), "depth": (c, c, c)}

    for row in rows:
        if "parts" in row:
            add_parts(body, skull, row["parts"] if body.chance.true(row["chance"]) else ())
            continue
        turn, unit = turned(**row["turn"]) if "turn" in row else None, np.array(units[row.get("unit", "size")])
        side = body.traits.side if row.get("side") else 1
        path = [skull.at(u * side, v, w) + skull.sized(*(step or (0,))) for u, v, w, *step in row.get("path", ())]
        path += [skull.front(u, v) + skull.sized(*step) for u, v, *step in row.get("front", ())]
        if "cap" in row:
            grid = skull.cap(*row["cap"])
        elif "tube" in row:
            grid = loft(path, [r * unit[0] for r in row["tube"]], row["rows"], row.get("columns", 9))
        elif "barrel" in row:
            grid = lathe(path[0], [(r * size, high * size) for r, high in row["barrel"]], (1.15, 0.9), turn)
        elif "blob" in row:
            grid = blob(path[0], unit * row["blob"], row.get("power", 2.0), turn, row.get("grid", (9, 13)))
        elif "hoop" in row:
            wide, out, up = row["hoop"]
            grid = hoop(path[0], (a * wide, c * wide), (out * size, up * size), turn)
        else:
            heights = [body.chance.between(*high) if isinstance(high, list) else high for _, high in row["rings"]]
            rings = [(r * c, high * b) for (r, _), high in zip(row["rings"], heights, strict=True)]
            grid = lathe(path[0], rings, (a / c, 1.0), turned(-6.0), 25)
        (body.both if row.get("pair") else body.add)(row["look"], grid)


def add_head(body: Body, skull: Skull) -> None:
    """Add the skull, ears, muzzle, horns, nose and glasses."""
    traits, kind = body.traits, body.traits.kind
    polar = np.linspace(0, np.pi, 17)[:, None]
    body.add("head", skull.shell(polar, 29), detail=2.0)
    if kind.ears and not (traits.hat in ("hood", "knight") and kind.ears == "human"):
        _ears(body, skull, kind.ears)
    if kind.muzzle:
        _muzzle(body, skull, kind.muzzle)
    if kind.crown and not traits.hat:
        _crown(body, skull, kind.crown)
    nose = body.chance.pick("dot", "bump", "wedge", "long", weights=(2, 4, 2, 0.7))
    if not kind.muzzle and kind.hair > 0.5 and nose != "dot":
        root, (wide, high, deep) = skull.front(0, -0.12), {
            "bump": (0.09, 0.08, 0.1), "wedge": (0.07, 0.15, 0.12), "long": (0.09, 0.13, 0.24),
        }[nose]  # fmt: skip
        look = "nose" if nose == "bump" and body.chance.true(0.3) else "skin"
        body.add(look, blob(root, skull.sized(wide, high, deep)))
    if traits.glasses:
        _glasses(body, skull)


MOVING_EARS = (*TABLES["pointed_ears"], "dish")
"""Kinds of ears that have a joint."""


def _ears(body: Body, skull: Skull, kind: str) -> None:
    size, bones = skull.size, ("Ear",) if kind in MOVING_EARS else ("head",)
    if ear := TABLES["round_ears"].get(kind):
        turn = turned(**ear["turn"]) if ear["turn"] else None
        body.both("ear", blob(skull.at(*ear["root"]), skull.sized(*ear["radii"]), turn=turn), *bones)
    elif ear := TABLES["pointed_ears"].get(kind):
        root, radii = skull.at(*ear["root"]), [(r * size, r * size * ear["flat"]) for r in ear["radii"]]
        for steps in ear["tips"]:
            path = [root, *(root + skull.sized(*step) for step in steps)]
            body.both("ear", loft(path, radii, 7, 11), *bones)
    else:
        rows = [(0.26 * size, 0), (0.2 * size, 0.14 * size)]
        body.both("joint", lathe(skull.at(1.0, -0.02, 0), rows, turn=turned(z_deg=-90), columns=13), *bones)


def _muzzle(body: Body, skull: Skull, kind: str) -> None:
    sized, root, size = skull.sized, skull.front(0, -0.36), skull.size
    add_parts(body, skull, TABLES["muzzles"].get(kind, ()))
    if kind not in ("long", "point", "beak"):
        return
    tip = 0.42 if kind == "point" else body.chance.between(*((0.36, 0.55) if kind == "long" else (0.3, 0.55)))
    ends, look, low, high, columns, detail = {
        "long": (((0.32, 0.26), (0.24, 0.2)), "muzzle", (0, 0, -0.15), -0.06, 15, 1.5),
        "point": (((0.3, 0.24), (0.09, 0.08)), "muzzle", (0, 0, -0.15), -0.06, 15, 1.5),
        "beak": (((0.2, 0.13), (0.04, 0.03)), "beak", (0, 0.12, -0.1), 0.02, 13, 1.0),
    }[kind]
    path, radii = [root + sized(*low), root + sized(0, high, tip)], [(a * size, b * size) for a, b in ends]
    body.add(look, loft(path, radii, 6, columns, front=(0, 1, 0)), detail=detail)
    if kind != "beak":
        body.add("noseink", blob(root + sized(0, 0.1, tip), sized(0.09, 0.06, 0.06)))


def _crown(body: Body, skull: Skull, kind: str) -> None:
    sized, size = skull.sized, skull.size
    if kind == "horns":
        root = skull.at(0.5, 0.8, 0)
        bend, high = body.chance.between(0.0, 0.35), body.chance.between(0.35, 0.75)
        middle, tip = root + sized(0.25, 0.6 * high, 0.05), root + sized(0.35 - bend, high, 0.12)
        body.both("horn", loft([root, middle, tip], [r * size for r in (0.14, 0.1, 0.02)], 8, 9))
    elif kind == "mane":
        bumps = 1 + 0.07 * np.cos(np.linspace(0, 24 * np.pi, 49))[None, :, None]
        ring = skull.shell(np.linspace(0, np.pi, 15)[:, None], 49, np.array([1.28, 1.22, 0.8]))
        body.add("mane", skull.centre + (ring - skull.centre) * bumps - sized(0, 0, 0.22))
    add_parts(body, skull, TABLES["crowns"].get(kind, ()))


def _glasses(body: Body, skull: Skull) -> None:
    radius, thick = 0.27 * skull.size, 0.035 * skull.size
    place = skull.front(0.42, 0.02) + by(0, 0, 0.05 * skull.size)
    inner = place - by(0.9 * radius, 0, 0)
    body.both("dark", hoop(place, (radius, radius), (thick, thick), turned(90)))
    body.both("dark", loft([place + by(0.9 * radius, 0, 0), skull.at(1.03, 0.07, -0.1)], [thick] * 2, 0, 7))
    body.add("dark", loft([inner, inner * (-1, 1, 1)], [thick] * 2, 0, 7))


_FACE = ("head", "eye", "muzzle", "skin")


def add_face(body: Body, skull: Skull, tint: dict[str, Colour]) -> Stamps:
    """Add eyeballs, and return what is painted of the face, the lowest first."""
    chance, traits, kind = body.chance, body.traits, body.traits.kind
    a, b, _ = skull.radii
    style = chance.pick("anime", "toon", "dot", "simple", "ball", "happy", weights=(3, 2, 1.6, 1.4, 2, 0.5))
    style = {"robot": "screen", "skeleton": "hollow"}.get(traits.species, style)
    big = style in ("anime", "ball") or chance.true(0.4)
    wide = a * (chance.between(0.2, 0.28) if big else chance.between(0.1, 0.17))
    high = min(wide * chance.between(0.95, 1.45), 0.34 * b)
    x, y = chance.between(0.36, 0.46) * a, chance.between(-0.06, 0.12) * b
    if kind.crown == "eyebumps" and not traits.hat:
        y, wide = 0.84 * b, min(wide, 0.2 * a)
        x = 0.5 * a
    level = skull.centre[1] + y
    stamps = Stamps()

    def both(shape: str, dx: float, dy: float, size: tuple[float, float], colour: Colour, **more: float) -> None:
        stamps.put(shape, (x + dx, level + dy), size, colour, _FACE, pair=True, **more)

    if style == "ball":
        ball = min(wide, high)
        place = skull.front(x / a, y / b) - by(0, 0, 0.45 * ball)
        body.both("eye", blob(place, (wide, high, ball)), detail=2.0)
    if style == "screen":
        stamps.put("box", (0, level - 0.12 * b), (0.78 * a, 0.5 * b), shade(INK, 0.2), _FACE)
    iris = chance.between(0.5, 0.75)
    for row in TABLES["eyes"]["box" if style == "screen" and iris <= 0.6 else style]:
        (dx, dy), (width, height), tall = row["at"], row["size"], wide if row.get("round") else high
        grow, colour = iris if row.get("iris") else 1.0, shade(tint[row["colour"]], row.get("shade", 0.0))
        size = (width * grow * wide, height * grow * tall)
        bend, soft = row.get("bend", 0.0) * high, row.get("soft", 0.006)
        both(row["kind"], dx * wide, dy * tall, size, colour, bend=bend, soft=soft)
    lid = chance.between(0.2, 0.5)
    if style in ("anime", "toon") and chance.true(0.35):
        size, tilt = (1.15 * wide, 0.5 * high), chance.between(-12, 12)
        both("box", 0, high * (1.3 - lid), size, shade(tint["head"], 0.12), turn_deg=tilt)
    if chance.true(0.9 if kind.hair > 0.5 else 0.3) and style not in ("screen", "hollow"):
        thick = chance.between(0.03, 0.08) * b
        tilt = chance.between(-14, 14)
        both("arc", 0, high + 0.12 * b, (0.24 * a, thick), shade(tint["hair"], 0.25), turn_deg=tilt, bend=-0.04 * b)
    if chance.true(0.4) and style not in ("screen", "hollow"):
        blush = mix(tint["head"], (0.98, 0.45, 0.45), 0.4)
        both("ellipse", 0.14 * a, -high - 0.1 * b, (0.15 * a, 0.09 * b), blush, soft=0.03)
    if kind.hair > 0.5 and chance.true(0.12):
        for dx, dy in ((-0.06, 0), (0.06, 0.03), (0.02, -0.06)):
            both("ellipse", dx * a, -high - (0.1 - dy) * b, (0.02 * a, 0.02 * b), shade(tint["head"], 0.3))
    if not kind.muzzle:
        nose = (0, skull.centre[1] - 0.16 * b)
        stamps.put("ellipse", nose, (0.05 * a, 0.03 * b), shade(tint["head"], 0.3), ("head",))
    _mouth(body, skull, tint, stamps, glowing=style == "screen")
    return stamps


def _mouth(body: Body, skull: Skull, tint: dict[str, Colour], stamps: Stamps, *, glowing: bool) -> None:
    chance, traits = body.chance, body.traits
    a, b, _ = skull.radii
    kind = traits.kind.muzzle
    if kind in ("beak", "snout", "long", "point"):
        return
    shape = chance.pick("smile", "grin", "line", "open", "teeth", "frown", weights=(4, 2.5, 1.3, 1.2, 1, 0.7))
    wide = chance.between(0.14, 0.34) * a * (0.6 if kind else 1.0)
    y = float(skull.centre[1]) - chance.between(0.42, 0.54) * b
    ink, thick = (tint["accent"] if glowing else shade(tint["head"], 0.7)), chance.between(0.018, 0.035) * b
    where = (0.0, y)
    if traits.species == "skeleton":
        stamps.put("box", where, (0.3 * a, 0.012 * b), INK, _FACE)
        for k in (-2, -1, 0, 1, 2):
            stamps.put("box", (k * 0.11 * a, y), (0.012 * a, 0.1 * b), INK, _FACE)
        return
    if shape in ("smile", "frown", "line"):
        bend = {"smile": 0.35, "frown": -0.3, "line": 0.0}[shape] * wide
        stamps.put("arc", where, (wide, thick), ink, _FACE, bend=bend)
        return
    tall = wide * (0.75 if shape == "open" else 0.5)
    stamps.put("ellipse", where, (wide, tall), (0.45, 0.12, 0.14), _FACE)
    if shape == "teeth":
        stamps.put("box", (0, y + 0.35 * tall), (0.75 * wide, 0.3 * tall), WHITE, _FACE)
    else:
        stamps.put("ellipse", (0, y - 0.55 * tall), (0.55 * wide, 0.4 * tall), (0.9, 0.45, 0.45), _FACE)
    if shape == "grin":
        stamps.put("box", (0, y + 0.75 * tall), (1.1 * wide, 0.6 * tall), tint["head"], _FACE)
        stamps.put("box", (0, y + 0.12 * tall), (wide, thick * 0.7), ink, _FACE)


def add_hair(body: Body, skull: Skull) -> None:
    """Add hair and beard."""
    traits, chance = body.traits, body.chance
    kind, hatted = traits.hair, traits.hat not in ("", "headband", "hairbow", "crown")
    if traits.hat in ("hood", "knight"):
        kind = "bald"
    if kind != "bald":
        _hair(body, skull, "short" if hatted and kind in ("afro", "mohawk", "spiky", "curly") else kind, hatted)
    if traits.beard in ("full", "goatee"):
        wide = 0.75 if traits.beard == "full" else 0.3
        low = chance.between(0.0, 0.5) if traits.beard == "full" else 0.1
        body.add("hair", blob(skull.at(0, -0.75, 0.52), skull.radii * (wide, 0.42 + 0.5 * low, 0.52), 2.2))
    if traits.beard in ("moustache", "full"):
        root = skull.front(0, -0.3) + skull.sized(0, 0, 0.02)
        tip = root + skull.sized(0.38, -0.1, -0.1)
        path = [root, (root + tip) / 2 + skull.sized(0, 0.03, 0.02), tip]
        body.both("hair", loft(path, [x * skull.size for x in (0.08, 0.09, 0.03)], 6, 9))


def _hair(body: Body, skull: Skull, kind: str, hatted: bool) -> None:
    chance, at, sized, size = body.chance, skull.at, skull.sized, skull.size
    thick = 1.03 if hatted else chance.between(1.06, 1.14)
    teeth = int(chance.rng.integers(3, 9))
    angle = np.linspace(-np.pi, np.pi, 33)
    jag = 0.035 * np.abs(np.sin(teeth * angle)) * (np.cos(angle) > -0.2) if chance.true(0.6) else 0.0
    fringe = chance.between(0.24, 0.36)
    edges = {
        "short": (fringe - 0.03, 0.4, 0.62), "bowl": (0.37, 0.48, 0.58), "bob": (fringe, 0.66, 0.72),
        "long": (fringe - 0.02, 0.6, 0.8), "parted": (0.2, 0.5, 0.66), "mohawk": (0.16, 0.2, 0.5),
    }  # fmt: skip
    if kind not in ("mohawk", "afro") or hatted:
        body.add("hair", skull.cap(*edges.get(kind, (fringe - 0.04, 0.42, 0.64)), thick, jag), detail=1.2)

    def lock(points: Sequence[Triple], radii: Sequence[float], flat: float = 1.0, both: bool = True) -> None:
        grid = loft([at(*p) for p in points], [(r * size, r * size * flat) for r in radii], 9, 11)
        (body.both if both else body.add)("hair", grid)

    neck = -1.2 - chance.between(0.0, 0.5)
    if kind in ("bob", "long", "parted"):
        low = {"bob": -0.85, "parted": -0.75}.get(kind, neck)
        lock([(0.9, 0.3, 0.1), (1.06, -0.3, 0.12), (0.98, low, 0.2)], (0.16, 0.22, 0.08), 1.4)
    if kind == "long":
        t, s = np.linspace(0, 1, 8), [0.75, 0.95, 0.9, 0.82, 0.8, 0.76, 0.7, 0.5]
        path = [at(0, 0.2 - (0.2 - neck - 0.3) * k, -0.66 - 0.2 * np.sin(2 * k)) for k in t]
        radii = [(w * skull.radii[0], 0.42 * skull.radii[2] * (1 - 0.5 * k)) for w, k in zip(s, t, strict=True)]
        body.add("hair", loft(path, radii, 0, 17, 2.4), "head", "chest")
    elif kind == "ponytail":
        low = chance.between(-0.9, -0.2)
        strand = [(0, 0.55, -0.85), (0, 0.45, -1.3), (0, low, -1.45), (0, low - 0.5, -1.25)]
        lock(strand, (0.14, 0.27, 0.26, 0.06), both=False)
        body.add("accent", blob(at(0, 0.55, -0.98), sized(0.18, 0.18, 0.1)))
    elif kind == "twintails":
        root, tip = (0.75, 0.4, -0.4), (1.15, chance.between(-1.2, -0.5), -0.35)
        lock([root, (1.3, 0.3, -0.4), tip], (0.12, 0.26, 0.05))
        body.both("accent", blob(at(*root) + sized(0.08, 0, 0), sized(0.15, 0.15, 0.15), size=(7, 9)))
    elif kind == "spiky":
        for x, z, high in TABLES["spikes"]:
            y = float(np.sqrt(max(1 - x * x - z * z, 0.05)))
            tip = (1.35 * x, y + 0.85 * high, 1.25 * z)
            lock([(0.8 * x, 0.7 * y, 0.8 * z), tip], (0.36, 0.03), 0.9, x > 0)
    elif kind == "afro":
        fluff = skull.shell(np.linspace(0, np.pi, 15)[:, None], 29, 1.0)
        wave = 1 + 0.035 * np.sin(7 * fluff / size).sum(axis=2, keepdims=True)
        scale = chance.between(1.2, 1.4)
        grid = skull.centre + (fluff - skull.centre) * wave * scale * (1, 0.95, 0.85)
        body.add("hair", grid + sized(0, 0.4, 0.35 - 0.85 * scale))
    elif kind == "mohawk":
        for turn in np.linspace(-0.25, 1.0, 6):
            foot = at(0, 0.85 * np.cos(turn * 1.3), 0.35 - 1.1 * turn * 0.8)
            peak = foot + sized(0, 0.55 * np.cos(turn), -0.35 * turn)
            body.add("hair", loft([foot, peak], [(0.12 * size, 0.26 * size), (0.05 * size, 0.08 * size)], 4, 9))
    elif kind == "parted":
        lock([(-0.1, 0.9, 0.55), (0.55, 0.55, 0.8), (0.95, -0.05, 0.4)], (0.16, 0.2, 0.06), 0.7)
    add_parts(body, skull, TABLES["hair_parts"].get(kind, ()))


def add_hat(body: Body, skull: Skull) -> None:
    """Add the hat."""
    add_parts(body, skull, TABLES["hats"].get(body.traits.hat, ()))
    if body.traits.hat == "crown":
        (a, b, c), place = skull.radii, skull.at(0, 0.62, 0)
        rows = [(0.82 * c, 0), (0.84 * c, 0.1 * b), (0.9 * c, 0.34 * b), (0.76 * c, 0.1 * b)]
        grid = lathe(place, rows, (a / c, 1.0), None, 25)
        grid[3, :, 1] = place[1] + np.where(np.arange(25) % 4 < 2, 0.34, 0.14) * b
        body.add("gold", grid)
