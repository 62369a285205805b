"""The shape of a character: measures, body and clothes, and the features that ``tables.json`` describes."""

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from specsia_build.arrays import Doubles
from specsia_build.characters.samples.measures import (
    CLOTH,
    measured_arm,
    measured_head,
    measured_leg,
    measured_spots,
    measured_torso,
    vector,
)
from specsia_build.characters.samples.shapes import Piece, blob, hoop, superellipsoid, tube, turned
from specsia_build.characters.samples.traits import (
    TRAIT_TABLES,
    Chance,
    Colour,
    FeaturePart,
    Mark,
    Traits,
    colours,
    shade,
)

TRUNK = ("hips", "spine", "chest", "neck", "head")
BODY_SIDES = ("left", "right")
ARM = ("chest", "UpperArm", "LowerArm", "Hand")
LEG = ("hips", "UpperLeg", "LowerLeg", "Foot")

_LOOKS = {
    "head": ("head", "muzzle", "eye"), "eye": ("head", "muzzle", "eye"), "mouth": ("head", "muzzle", "skin"),
    "torso": ("torso",),
}  # fmt: skip
"""Pieces that marks show on, by what they are measured in."""


class Body:
    """A character with the floor at 0, the top of its head at 1.8; what has two sides is given for the left.

    `tint` has a colour for every look; `marks` are painted on the `pieces`, each in a colour, the lowest
    first. Parts and marks are measured in `places`.
    """

    def __init__(self, seed: int, index: int) -> None:
        self.chance = Chance(seed, index)
        self.traits = Traits(self.chance)
        self.tint = colours(self.chance, self.traits)
        self.pieces: list[Piece] = []
        self.marks: list[tuple[Mark, Colour]] = []
        self.head = measured_head(self.chance, self.traits)
        self.torso = measured_torso(self.chance, self.traits, self.head)
        self.leg = measured_leg(self.chance, self.traits, self.torso)
        self.arm = measured_arm(self.chance, self.traits, self.torso)
        self.places = measured_spots(self.chance, self.traits, self.head, self.torso, self.arm)
        _add_trunk(self)
        _add_arms(self)
        _add_legs(self)
        groups, features = TRAIT_TABLES.features, self.traits.features
        order = sorted(features, key=lambda group: group != "markings")
        rows = [groups[group][features[group]] for group in order]
        for row in (*rows, *(groups["extras"][name] for name in self.traits.extras)):
            for part in row.parts:
                if self.chance.true(part.chance):
                    self._add_part(part)
            for mark in row.marks:
                if self.chance.true(mark.chance):
                    self._add_mark(mark)
        if self.traits.bottom != "none":
            self._add_mark(Mark("box", (0, -0.66), (3, 1), "bottom", "torso", side=0))

    def add(self, look: str, grid: Doubles, *bones: str) -> None:
        """Add a piece that some bones move."""
        self.pieces.append(Piece(look, grid, bones))

    def both(self, look: str, grid: Doubles, *bones: str) -> None:
        """Add a piece on the left and its mirror image; bones of limbs are named without their side."""
        left, right = BODY_SIDES
        self.add(look, grid, *(bone if bone in TRUNK else left + bone for bone in bones))
        mirrored = tuple(bone if bone in TRUNK else right + bone for bone in bones)
        self.pieces.append(self.pieces[-1].mirrored(mirrored))

    def _add_mark(self, mark: Mark) -> None:
        middle, unit = self.places[mark.on]
        x, y = (float(middle[k] + unit[k] * mark.at[k]) for k in (0, 1))
        size = (float(unit[0] * mark.size[0]), float(unit[1] * mark.size[1]))
        bend = float(mark.bend * unit[1])
        mark = replace(mark, at=(x, y), size=size, bend=bend, looks=mark.looks or _LOOKS[mark.on])
        colour = shade(self.tint[mark.colour], mark.shade)
        self.marks.append((mark, colour))
        if mark.pair or mark.on == "eye":
            self.marks.append((replace(mark, at=(-x, y), turn=-mark.turn), colour))

    def _add_part(self, part: FeaturePart) -> None:
        (middle, radii), points = self.places[part.on], []
        size = float(radii.mean())
        for row in part.path:
            count = 2 if part.on == "face" else 3
            start = self.head.front(*row[:2]) if part.on == "face" else middle + radii * row[:3]
            points.append(start + size * (np.array(row[count:]) if len(row) > count else 0.0))
        path = np.maximum(points, (-9, 0.14, -9))
        unit = radii if part.fit else np.full(3, size)
        turn = turned(*part.turn)
        first = part.size[0]
        if part.shape == "blob":
            grid = blob(path[0], unit * first, part.power, turn)
        elif part.shape == "ring":
            grid = hoop(path[0], unit * first[0], first[1] / first[0], first[2] / first[0], turn)
        elif part.shape == "cap":
            below = part.look == "hair" and self.traits.hatted
            grid = self.head.cap(first[:3], 1.03 if below else first[3])
        else:
            sizes = np.array([(*radius, *radius)[:2] for radius in part.size]) * unit[[0, 2]]
            columns, ends = 17 if first[0] > 0.5 else 11, (0.0, 0.0) if part.flat else (1.0, 1.0)
            grid = tube(path, sizes, 9 if len(path) > 2 else 0, columns, part.power, ends)
        if part.pair:
            self.both(part.look, grid, *part.bones)
            return
        bones = tuple(b if b in TRUNK else BODY_SIDES[self.traits.side < 0] + b for b in part.bones)
        piece = Piece(part.look, grid, bones)
        self.pieces.append(piece.mirrored(bones) if part.side and self.traits.side < 0 else piece)


def _add_trunk(body: Body) -> None:
    traits, throat = body.traits, body.places["neck"][1][0]
    path = [(0.0, y, z) for y, _, _, z in body.torso.profile]
    power = 5.0 if traits.species == "robot" else 2.3
    torso = tube(
        path, body.torso.profile[:, 1:3] + (0.0 if traits.bare else CLOTH), 12, 23, power, (0.5, 0.35)
    )
    body.add("bare" if traits.bare else "torso", torso, "hips", "spine", "chest")
    ends = [(0, body.torso.at(0.85), 0), (0, body.head.middle[1] - 0.7 * body.head.radii[1], 0)]
    body.add("skin", tube(ends, [throat * 1.1, throat], 3), "chest", "neck", "head")
    head = superellipsoid(np.linspace(0, np.pi, 17)[:, None], 29, body.head.power, body.head.jaw)
    body.add("head", body.head.middle + body.head.radii * head, "head")
    if traits.skirt:
        _add_skirt(body)


def _add_skirt(body: Body) -> None:
    traits, thigh = body.traits, body.leg.radii[0]
    top, low = body.torso.at(0.44), body.torso.crotch - (body.torso.crotch - 0.07) * traits.skirt
    waist, hips = body.torso.girth(top), body.torso.girth(body.torso.at(0.2))
    flare = 1 + body.chance.between(0.1, 0.7) * (0.5 if traits.figure == "tall" else 1.0) * traits.skirt
    hem = np.maximum(hips[:2] * flare, (body.leg.gap + thigh + 0.03, thigh * 1.25 + 0.03))
    share = np.linspace(0, 1, 7)
    reach = share ** body.chance.between(0.4, 0.9)
    path = np.column_stack([0 * share, top + (low - top) * share, waist[2] * (1 - share)])
    grid = tube(path, waist[:2] + 0.02 + (hem - waist[:2]) * reach[:, None], 0, 23, 2.3, (0, 0))
    body.add("skirt", grid, "skirt")


def _covering(
    path: Sequence[Doubles], radii: Doubles, share: float, off: float, flare: float, start: float = 0.9
) -> Doubles:
    """A garment on a limb, from its start, rounded by `start`, to a share of it."""
    t = np.linspace(0, 1, 3)
    axis = path[0] + (path[-1] - path[0]) * (t * share)[:, None]
    return tube(axis, np.interp(t * share, (0, 0.5, 1), radii) + off + flare * t * t, 8, 13, ends=(start, 0))


def _add_arms(body: Body) -> None:
    traits = body.traits
    along = body.arm.along
    size = body.arm.hand
    path = [body.arm.shoulder * (0.75, 1, 1), (body.arm.shoulder + body.arm.wrist) / 2, body.arm.wrist]
    body.both("arm", tube(path, body.arm.radii, 9, ends=(1, 0.4)), *ARM)
    if traits.sleeve:
        looseness = (0.03, 0.08) if traits.features["top"] == "robe" else (0, 0.02)
        flare = body.chance.between(*looseness)
        body.both("sleeve", _covering(path, body.arm.radii, traits.sleeve, CLOTH, flare), *ARM)
    look, bones = ("glove" if traits.hands == "glove" else "hand"), ("LowerArm", "Hand")
    turn, palm = (
        turned(0, 0, -float(np.rad2deg(body.arm.drop))),
        body.arm.wrist + along * max(size, 0.05) * 0.7,
    )
    if traits.hands == "paw":
        body.both(look, blob(palm, size * vector(1.2, 1, 1.05), 2.2, turn), *bones)
        return
    body.both(look, blob(palm, size * vector(1.15, 0.62, 1), 2.4, turn), *bones)
    fingers = [(0.0, 0.7, 0.6, 1.25), (0.8, -0.6, 1.0, -0.7), (0.8, 0.0, 1.1, 0.0), (0.8, 0.6, 1.0, 0.7)]
    for start, aside, length, end in fingers:
        tip = palm + size * (along * (start + length) + vector(0, 0, end))
        finger = [palm + size * (along * start + vector(0, 0, aside)), tip]
        body.both(look, tube(finger, [size * 0.32, size * 0.26], columns=9), *bones)


def _add_legs(body: Body) -> None:
    traits = body.traits
    ankle = body.leg.radii[2]
    shin = ("LowerLeg", "Foot")
    path = [body.leg.hip, (body.leg.hip + body.leg.ankle) / 2, body.leg.ankle]
    body.both("leg", tube(path, body.leg.radii, 9, 13, ends=(1, 0.3)), *LEG)
    if traits.hem:
        flare = body.chance.between(0, 0.045 if body.leg.gap > 1.2 * ankle else 0.02)
        body.both("bottom", _covering(path, body.leg.radii, traits.hem, CLOTH, flare), *LEG)
    if traits.socks:
        body.both("sock", _covering(path[::-1], body.leg.radii[::-1], traits.socks, 0.006, 0, 0), *LEG)
    width = body.leg.foot
    length = body.leg.toe
    x = body.leg.gap
    high = min(0.075, 0.9 * width)
    sole = [(x, high * up, ahead * length) for up, ahead in ((1, -0.35), (1, 0.1), (0.9, 0.55), (0.62, 0.95))]
    foot = tube(sole, width * np.array([0.8, 0.9, 1.0, 0.72]), 7, 13, 2.2, (0.5, 0.7))
    foot[..., 1] = np.maximum(high + (foot[..., 1] - high) * min(1.0, high / width), 0.0)
    body.both("foot" if traits.shoes == "paws" else "shoe", foot, *shin)
    if traits.shoes == "boots":
        share = body.chance.between(0.35, 0.6)
        body.both("shoe", _covering(path[::-1], body.leg.radii[::-1], share, 2.5 * CLOTH, 0, 0), *shin)
