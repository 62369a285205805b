"""Torso, limbs, clothes, tails, wings, bags and props."""

from __future__ import annotations

import numpy as np

from specsia_build.characters.samples.shapes import Array, Piece, blob, by, hoop, lathe, loft, mirrored, sheet, turned
from specsia_build.characters.samples.traits import TABLES, Build, Chance, Frame, Traits

CLOTH = 0.012
"""How far a garment stands off the skin."""

TRUNK = ("hips", "spine", "chest")
SIDES = ("left", "right")


class Body:
    """Pieces of a character in the order in which they are made."""

    def __init__(self, chance: Chance, traits: Traits, build: Build) -> None:
        self.chance, self.traits, self.build = chance, traits, build
        self.frame = Frame(build)
        self.pieces: list[Piece] = []

    def add(self, look: str, grid: Array, *bones: str, detail: float = 1.0) -> None:
        """Add a piece that some bones move, the head without any."""
        self.pieces.append(Piece(look, grid, bones or ("head",), detail))

    def both(self, look: str, grid: Array, *bones: str, detail: float = 1.0) -> None:
        """Add a piece on the left and its mirror image; bones of limbs are named without their side."""
        for side, shape in zip(SIDES, (grid, mirrored(grid)), strict=True):
            own = tuple(bone if bone in (*TRUNK, "neck", "head") else side + bone for bone in bones)
            self.add(look, shape, *own, detail=detail)


ARM = ("chest", "UpperArm", "LowerArm", "Hand")
LEG = ("hips", "UpperLeg", "LowerLeg", "Foot")


def add_body(body: Body) -> None:
    """Torso, arms, legs and what they wear."""
    _torso(body)
    _arms(body)
    _legs(body)
    _skirt(body)
    _collars(body)


def _torso(body: Body) -> None:
    frame, build, traits = body.frame, body.build, body.traits
    power = 5.0 if traits.species == "robot" else 2.3
    off = 0.0 if traits.bare else CLOTH
    path = [(0.0, y, z) for y, _, _, z in frame.profile]
    radii = [(w + off, d + off) for _, w, d, _ in frame.profile]
    body.add("torso", loft(path, radii, 12, 23, power, (0.5, 0.35)), *TRUNK, detail=1.3)
    if traits.hem > 0:
        rows = [(y, *frame.girth(y)) for y in np.linspace(frame.trunk(0.01), frame.trunk(0.36), 5)]
        sizes = [(w + 2.2 * CLOTH, d + 2.2 * CLOTH) for _, w, d, _ in rows]
        body.add("bottom", loft([(0, y, z) for y, _, _, z in rows], sizes, 6, 21, 2.3, (0.3, 0)), "hips", "spine")
    chin = 1.8 - 1.7 * build.head[1]
    thick = min(0.42 * build.head[0], 0.5 * build.chest)
    neck = loft([(0, frame.trunk(0.85), 0), (0, chin, 0)], [thick * 1.1, thick], 3, 11)
    body.add("skin", neck, "chest", "neck", "head")
    if traits.top == "armour":
        low, high = frame.trunk(0.38), frame.trunk(0.95)
        rows = [(y, *frame.girth(y)) for y in np.linspace(low, high, 5)]
        sizes = [(w + 0.03, d + 0.035) for _, w, d, _ in rows]
        body.add("metal", loft([(0, y, z) for y, _, _, z in rows], sizes, 6, 21, 2.5, (0, 0)), *TRUNK)


def _arms(body: Body) -> None:
    frame, build, traits = body.frame, body.build, body.traits
    shoulder, wrist = frame.shoulder, frame.wrist
    start = shoulder * (0.7, 1, 1)
    middle = (shoulder + wrist) / 2
    robot = traits.species == "robot"
    ends = [build.arm, (build.arm + build.wrist) / 2 * (0.8 if robot else 1.0), build.wrist]
    arm = loft([start, middle, wrist], ends, 9, 11, ends=(1, 0.4))
    body.both("arm", arm, *ARM)
    if robot:
        for place, size in ((shoulder, build.arm), (middle, ends[1])):
            body.both("joint", blob(place, (size * 1.25,) * 3), *ARM)
    _hands(body)
    if traits.sleeve > 0:
        end = shoulder + (wrist - shoulder) * traits.sleeve
        flare = body.chance.between(0.03, 0.09) if traits.top == "robe" else body.chance.between(0.0, 0.02)
        radius = float(np.interp(traits.sleeve, (0, 0.5, 1), ends)) + CLOTH + flare
        look = "top2" if body.chance.true(0.12) else "sleeve"
        body.both(look, loft([start, end], [build.arm + CLOTH, radius], 8, 11, ends=(0.9, 0)), *ARM)
        if traits.top in ("sweater", "hoodie", "jacket", "coat", "suit") and body.chance.true(0.7):
            about, edge = turned(z_deg=float(np.rad2deg(build.drop)) + 90), radius + 0.008
            body.both("cuff", lathe(end, [(edge, -0.022), (edge, 0.022)], turn=about, columns=13), *ARM)
    if traits.pads:
        pad = blob(shoulder + by(0, 0.35 * build.arm, 0), (build.arm * 1.7, build.arm * 1.25, build.arm * 1.8), 2.5)
        body.both("metal" if traits.top == "armour" else "accent", pad, "chest", "UpperArm")


def _hands(body: Body) -> None:
    frame, kind = body.frame, body.traits.hands
    size = max(body.build.wrist * 1.2, 0.3 * body.build.arm + 0.03)
    along, palm = frame.along, frame.wrist + frame.along * max(body.build.wrist * 1.2, 0.05) * 0.8
    bones = ("LowerArm", "Hand")
    about = turned(z_deg=-float(np.rad2deg(body.build.drop)))
    look = "glove" if kind == "glove" else "hand"
    if kind in ("paw", "fist"):
        power = 2.6 if kind == "fist" else 2.0
        body.both(look, blob(palm, (size * 1.15, size * 0.95, size * 1.05), power, about), *bones)
        return
    body.both(look, blob(palm, (size * 1.15, size * 0.62, size), 2.4, about), *bones)
    thumb = palm + by(0, 0.1 * size, size * 0.7)
    tip = thumb + along * size * 0.6 + by(0, 0, size * 0.55)
    body.both(look, loft([thumb, tip], [size * 0.34, size * 0.26], 0, 9), *bones)
    if kind == "mitten":
        body.both(look, blob(palm + along * size * 0.8, (size * 0.9, size * 0.5, size * 0.85), 2.3, about), *bones)
        return
    for k in (-1.1, 0.0, 1.1):
        base = palm + along * size * 0.8 + by(0, 0, k * size * 0.55)
        tip = base + along * size * (1.1 - 0.15 * abs(k)) + by(0, 0, k * size * 0.08)
        body.both(look, loft([base, tip], [size * 0.3, size * 0.24], 0, 9), *bones)
    if kind == "glove":
        rim = body.build.wrist + 0.02
        turn = turned(z_deg=float(np.rad2deg(body.build.drop)) + 90)
        body.both(look, lathe(frame.wrist, [(rim * 1.25, -0.06), (rim, 0.03)], turn=turn, columns=13), *bones)


def _legs(body: Body) -> None:
    frame, build, traits = body.frame, body.build, body.traits
    hip, ankle = frame.hip, frame.ankle
    knee = (hip + ankle) / 2
    radii = [build.leg, 0.8 * build.leg if traits.figure == "tall" else (build.leg + build.ankle) / 2, build.ankle]
    body.both("leg", loft([hip, knee, ankle], radii, 9, 13, ends=(1, 0.3)), *LEG)
    if traits.species == "robot":
        body.both("joint", blob(knee, (radii[1] * 1.25,) * 3), "UpperLeg", "LowerLeg")

    def covered(share: float, off: float, flare: float) -> Array:
        end = hip + (ankle - hip) * share
        sizes = [np.interp(t * share, (0, 0.5, 1), radii) + off + flare * t * t for t in (0, 0.5, 1)]
        return loft([hip, (hip + end) / 2, end], [float(s) for s in sizes], 8, 13, ends=(1, 0))

    if traits.hem > 0:
        flare = body.chance.between(0, 0.045 if build.gap > 1.2 * build.ankle else 0.02)
        body.both("bottom", covered(traits.hem, CLOTH, flare), *LEG)
    if traits.socks > 0:
        low = ankle + (hip - ankle) * traits.socks
        size = float(np.interp(1 - traits.socks, (0, 0.5, 1), radii))
        body.both("sock", loft([low, ankle], [size + 0.006, build.ankle + 0.006], 6, 13, ends=(0, 0)), *LEG)
    _feet(body)


def _feet(body: Body) -> None:
    frame, build, kind = body.frame, body.build, body.traits.shoes
    width, length, x = build.foot, build.toe, build.gap
    high = min(0.075, 0.9 * width)

    def flat(grid: Array) -> Array:
        return np.asarray(np.maximum(grid, (-9.0, 0.0, -9.0)))

    heel, ball, toe = (x, high, -0.35 * length), (x, high * 0.9, 0.55 * length), (x, high * 0.62, 0.95 * length)
    bare = kind in ("paws", "claws")
    path, radii = [heel, (x, high, 0.1 * length), ball, toe], [width * k for k in (0.8, 0.9, 1.0, 0.72)]
    shape = loft(path, radii, 7, 13, 2.2, (0.5, 0.7), (0.0, 1.0, 0.0))
    squeezed = shape * (1, 0, 1) + by(0, 1, 0) * (high + (shape[..., 1:2] - high) * min(1.0, high / width))
    body.both("foot" if bare else "shoe", flat(squeezed), "LowerLeg", "Foot")
    if kind == "claws":
        for k in (-0.6, 0.0, 0.6):
            root = np.array([x + k * width, 0.04, (1.0 - 0.15 * abs(k)) * length])
            body.both("horn", flat(loft([root, root + by(0, -0.015, 0.07)], [0.03, 0.008], 0, 9)), "Foot")
    if kind == "boots":
        top = max(body.chance.between(0.3, 0.6) * build.crotch, 0.15)
        share = min(top / frame.hip[1], 1.0)
        size = max(float(np.interp(share, (0.1, 1), (build.ankle, build.leg))) + 2.2 * CLOTH, width * 0.7)
        radii = [max(width * 0.8, build.ankle + 0.015), size]
        shaft = loft([(x, 0.05, 0), (x, top, 0)], radii, 4, 13, ends=(0, 0))
        body.both("shoe", shaft, "LowerLeg", "Foot")
        rim = lathe((x, top, 0), [(size + 0.01, -0.025), (size + 0.01, 0.02)], columns=13)
        body.both("cuff2", rim, "LowerLeg", "Foot")
    elif kind == "sneakers":
        body.both("light", flat(blob((x, 0.012, 0.28 * length), (width * 1.06, 0.022, length * 0.78), 2.6)), "Foot")


def _skirt(body: Body) -> None:
    frame, build, traits = body.frame, body.build, body.traits
    if traits.skirt <= 0:
        return
    top = frame.trunk(0.4 if traits.top == "coat" else 0.46)
    low = build.crotch - (build.crotch - 0.07) * traits.skirt
    width, depth, middle = frame.girth(frame.trunk(0.3))
    flare = 1 + body.chance.between(0.1, 0.75) * (0.5 if traits.figure == "tall" else 1.0) * traits.skirt
    base = max(width * flare, build.gap + build.leg + 0.03)
    deep = max(depth * flare, build.leg * 1.25 + 0.03)
    waist, waist_depth, _ = frame.girth(top)
    curve = body.chance.between(0.3, 0.9)
    rows = np.linspace(0, 1, 7)
    reach = rows**curve
    path = [(0, top + (low - top) * t, middle * (1 - t)) for t in rows]
    radii = [(waist + 0.014 + (base - waist) * r, waist_depth + 0.014 + (deep - waist_depth) * r) for r in reach]
    grid = loft(path, radii, 0, 27, ends=(0, 0))
    if body.chance.true(0.4):
        folds = np.cos(np.linspace(0, 2 * np.pi * body.chance.rng.integers(6, 11), 27))
        weight = np.array([0, *reach, 0])[:, None] * folds * 0.05
        grid = grid + (grid - grid.mean(axis=1, keepdims=True)) * weight[..., None] * (1, 0, 1)
    body.add("skirt", grid, "skirt", detail=1.2)
    if traits.top != "coat" and body.chance.true(0.4):
        body.add("top2", hoop((0, low + 0.012, 0), (base + 0.012, deep + 0.012), (0.022, 0.022)), "skirt")


def _collars(body: Body) -> None:
    frame, build, traits, chance = body.frame, body.build, body.traits, body.chance
    top, neck = frame.trunk(0.96), min(0.42 * build.head[0], 0.5 * build.chest)
    if traits.top == "hoodie":
        body.add("top", hoop((0, top, -0.02), (neck + 0.05, neck + 0.05), (0.045, 0.05), turned(x_deg=-14)), "chest")
        width, depth, _ = frame.girth(frame.trunk(0.82))
        body.add("top", blob((0, frame.trunk(0.84), -depth - 0.01), (width * 0.6, 0.16 * frame.span, 0.07)), "chest")
    elif traits.top in ("coat", "jacket", "suit", "robe", "sweater"):
        thick = (0.022, 0.045) if traits.top != "sweater" else (0.025, 0.03)
        body.add("collar", hoop((0, top, 0.0), (neck + 0.03, neck + 0.03), thick, turned(x_deg=10)), "chest")
    if traits.belt:
        height = frame.trunk(0.38)
        width, depth, middle = frame.girth(height)
        width, depth = width + 2.2 * CLOTH + 0.006, depth + 2.2 * CLOTH + 0.006
        rings = [(1.0, -0.028), (1.02, 0.0), (1.0, 0.028)]
        body.add("leather", lathe((0, height, middle), rings, (width, depth), columns=23), "hips", "spine")
        body.add("gold", blob((0, height, middle + depth), (0.045, 0.04, 0.02), 4.0, size=(5, 9)), "hips", "spine")
        if chance.true(0.4):
            pouch = (traits.side * width * 0.7, height - 0.05, middle + depth * 0.72)
            body.add("leather", blob(pouch, (0.05, 0.05, 0.035), 3.0, size=(7, 11)), "hips")
    if traits.scarf:
        body.add("scarf", hoop((0, top + 0.01, 0), (neck + 0.06, neck + 0.06), (0.05, 0.055)), "chest")
        start = frame.chest_at(0.4 * build.chest * traits.side, frame.trunk(0.9), 0.03)
        end = frame.chest_at(0.4 * build.chest * traits.side, frame.trunk(0.42), 0.03)
        body.add("scarf", loft([start, end], [(0.055, 0.016), (0.06, 0.016)], 4, 9, 3.0, (0, 0)), *TRUNK)
    if traits.tie:
        knot = frame.chest_at(0, frame.trunk(0.9), 0.02)
        tip = frame.chest_at(0, frame.trunk(0.42), 0.016)
        radii = [(0.02, 0.012), (0.035, 0.012), (0.045, 0.008)]
        body.add("accent", loft([knot, (knot + tip) / 2, tip], radii, 5, 9, 2.5), *TRUNK)


def cloak(body: Body) -> None:
    """A cape from the shoulders down the back."""
    frame, build = body.frame, body.build
    top, low = frame.trunk(0.94), build.crotch * body.chance.between(0.15, 0.55)
    flare, deep = body.chance.between(1.15, 1.5), body.chance.between(0.3, 0.6)
    t, s = np.linspace(0, 1, 7)[:, None], np.linspace(-1, 1, 13)[None, :]
    width = build.chest * (0.95 + (flare - 0.95) * t)
    widest = max(float(frame.profile[:, 2].max()), build.leg) * 1.05
    depth = frame.girth(top)[1] * (1 - t) ** 3 + (widest + 0.06) * (1 - (1 - t) ** 3) + 0.05
    x, y = width * s, top + (low - top) * t + 0 * s
    z = -depth * (1 - deep * s**2) - 0.02 * np.cos(9 * s) * t
    body.add("cape", sheet(np.stack(np.broadcast_arrays(x, y, z), axis=2), -0.02), "cape", detail=1.1)
    around = build.chest * 0.62, frame.girth(frame.trunk(0.85))[1] * 0.95
    body.add("cape", hoop((0, top, 0), around, (0.03, 0.03)), "chest")


def tail_points(body: Body) -> list[Array]:
    """Joints of the tail that shows, root first, above the floor; none without one."""
    if not body.traits.tail:
        return []
    build, steps = body.build, TABLES["tails"][body.traits.tail]["steps"]
    root = np.array([0.0, body.frame.trunk(0.16), -0.85 * body.frame.girth(body.frame.trunk(0.16))[1]])
    scale = min(1.0, 0.9 * build.neck) if body.traits.tail != "thick" else min(1.0, 1.6 * build.hips + 0.5)
    return [np.maximum(root + scale * np.array(step), (-9, 0.14, -9)) for step in [(0.0, 0.0, 0.0), *steps]]


def add_extras(body: Body) -> None:
    """All that is added to a dressed body."""
    traits = body.traits
    if traits.tail:
        _tail(body)
    if traits.kind.back and not traits.cape and not traits.bag:
        (_wings if traits.kind.back == "wings" else _spines)(body)
    if traits.bag and not traits.cape:
        _bag(body)
    if traits.prop:
        _prop(body)


def _tail(body: Body) -> None:
    kind, points = body.traits.tail, tail_points(body)
    bones = ("tail1", "tail2", "tail3")
    radii = TABLES["tails"][kind]["radii"]
    if kind == "puff":
        body.add("tip", blob(points[-1], (0.1, 0.1, 0.1)), "tail1")
    elif kind == "fan":
        for x in (-0.07, 0.0, 0.07):
            tip = points[-1] + by(x * 1.5, 0.03 - abs(x), -0.04)
            body.add("tail", loft([points[0] + by(0.5 * x, 0, 0), tip], [(0.05, 0.025), (0.035, 0.015)], 4, 9), "tail1")
    else:
        body.add("tail", loft(points, radii, 14, 11), *bones)
    if kind in ("tuft", "bushy"):
        body.add("tip", blob(points[-1], (0.075, 0.1, 0.075)), "tail3")


def _wings(body: Body) -> None:
    frame, big = body.frame, body.traits.species == "dragon"
    root = np.array([0.3 * body.build.chest, frame.trunk(0.78), -frame.girth(frame.trunk(0.78))[1]])
    span, high = (0.6, 0.34) if big else (0.4, 0.1)
    t = np.linspace(0, 1, 9)
    scallop = 0.06 * np.abs(np.sin(3 * np.pi * t)) * (1 if big else 0.6)
    top = root + np.stack([span * t, high * np.sin(2.2 * t), -0.16 - 0.2 * t], axis=1)
    low = root + np.stack([span * t, -0.3 * (1 - t**2) - 0.06 + scallop - 0.1 * t, -0.1 - 0.22 * t], axis=1)
    s = np.linspace(0, 1, 5)[:, None, None]
    body.both("wing", sheet(top * (1 - s) + np.minimum(low, top - by(0, 0.02, 0)) * s, 0.02), "chest")


def _spines(body: Body) -> None:
    frame = body.frame
    for share in (0.25, 0.45, 0.65, 0.85):
        y = frame.trunk(share)
        root = np.array([0, y, -0.9 * frame.girth(y)[1]])
        cone = loft([root, root + by(0, 0.06, -0.14)], [(0.03, 0.08), (0.006, 0.01)], 3, 9)
        body.add("accent", cone, "hips", "spine", "chest")
    top = 1.8 - body.build.head[1]
    for angle in (0.4, 0.9, 1.4) if not body.traits.hat and body.traits.hair == "bald" else ():
        way = np.array([0, np.cos(angle), -np.sin(angle)])
        root = np.array([0, top, 0]) + way * np.array(body.build.head) * 0.95
        body.add("accent", loft([root, root + way * 0.16], [(0.03, 0.09), (0.006, 0.01)], 3, 9), "head")


def _bag(body: Body) -> None:
    frame, build, kind, side = body.frame, body.build, body.traits.bag, body.traits.side
    deep = frame.girth(frame.trunk(0.6))[1]
    if kind == "backpack":
        centre = np.array([0, frame.trunk(0.6), -deep - 0.09])
        body.add("leather", blob(centre, (0.75 * build.chest, 0.3 * frame.span, 0.11), 3.5), "chest", "spine")
        pocket = centre - by(0, 0.1 * frame.span, 0.09)
        body.add("accent", blob(pocket, (0.5 * build.chest, 0.13 * frame.span, 0.05), 3.0), "chest", "spine")
    elif kind == "satchel":
        place = np.array([side * (build.hips + 0.05), frame.trunk(0.16), 0.02])
        body.add("leather", blob(place, (0.055, 0.12, 0.14), 3.5), "hips")
        body.add("accent", blob(place + by(side * 0.05, 0.04, 0), (0.02, 0.07, 0.13), 3.5), "hips")


def _prop(body: Body) -> None:
    """Object in a hand, pointing ahead or up, so that it stays off the ground when the arm hangs."""
    side = body.traits.side
    hand = (body.frame.wrist + body.frame.along * 0.09) * (side, 1, 1)
    bone, kind = ("leftHand" if side > 0 else "rightHand"), body.traits.prop
    long = min(0.75, 0.9 * hand[1] + 0.1) * body.chance.between(0.7, 1.0)

    def rod(look: str, start: float, end: float, *radii: float | tuple[float, float]) -> None:
        path = [hand + by(0, 0, start), hand + by(0, 0, end)]
        body.add(look, loft(path, list(radii), 4, 9, ends=(0.5, 0.5), front=(0, 1, 0)), bone)

    if kind == "sword":
        rod("leather", -0.08, 0.07, 0.022, 0.022)
        body.add("gold", blob(hand + by(0, 0, 0.08), (0.03, 0.1, 0.022), 3.0, size=(7, 9)), bone)
        rod("metal", 0.08, 0.1 + long, (0.012, 0.05), (0.006, 0.025))
    elif kind == "staff":
        rod("wood", -0.7 * long, long, 0.02, 0.026)
        body.add("accent", blob(hand + by(0, 0, long + 0.04), (0.07, 0.07, 0.07)), bone)
    elif kind == "shield":
        rows = [(0.26, 0), (0.24, 0.04), (0.08, 0.07)]
        body.add("shield", lathe(hand + by(side * 0.03, 0, 0), rows, (1, 1), turned(z_deg=-90 * side)), bone)
    else:
        body.add("accent", blob(hand + by(0, 0, 0.1), (0.035, 0.16, 0.12), 8.0, size=(7, 13)), bone)
        body.add("white", blob(hand + by(0, 0, 0.107), (0.026, 0.148, 0.12), 8.0, size=(7, 13)), bone)
