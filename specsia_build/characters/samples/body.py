"""The shape of a character: measures, body and clothes, and the features that ``tables.json`` describes."""

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from specsia_build.arrays import Doubles
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

CLOTH = 0.012  # How far a garment stands off the skin
TRUNK = ("hips", "spine", "chest", "neck", "head")
BODY_SIDES = ("left", "right")
ARM = ("chest", "UpperArm", "LowerArm", "Hand")
LEG = ("hips", "UpperLeg", "LowerLeg", "Foot")

_LOOKS = {
    "head": ("head", "muzzle", "eye"), "eye": ("head", "muzzle", "eye"), "mouth": ("head", "muzzle", "skin"),
    "torso": ("torso",),
}  # fmt: skip
"""Pieces that marks show on, by what they are measured in."""


_Ellipsoid = tuple[Doubles, Doubles]  # Its middle and radii, (3,) each


def vector(x: float, y: float, z: float) -> Doubles:
    """A vector (3,)."""
    return np.array([x, y, z], np.float64)


class Body:
    """A character with the floor at 0, the top of its head at 1.8; what has two sides is given for the left.

    `tint` has a colour for every look; `marks` are painted on the `pieces`, each in a colour, the lowest
    first. `profile` has height, half width, half depth and z of the middle of the torso, (7, 4), from below;
    it ends at `neck` and `crotch`. `arm` and `leg` are radii at three points. Parts and marks are measured in
    `places`.
    """

    def __init__(self, seed: int, index: int) -> None:
        self.chance = Chance(seed, index)
        self.traits = Traits(self.chance)
        self.tint = colours(self.chance, self.traits)
        self.pieces: list[Piece] = []
        self.marks: list[tuple[Mark, Colour]] = []
        self._measure()
        self._measure_places()
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

    def _measure(self) -> None:
        between, traits = self.chance.between, self.traits
        figure = TRAIT_TABLES.figures[traits.figure]
        human = TRAIT_TABLES.species[traits.species].human
        half, tall = between(*figure["head"]), traits.figure == "tall"
        width = half * between(0.84, 1.2) * (0.86 if tall else 1.0)
        square = (4.5, 8.0) if traits.species == "robot" else (2.6, 3.6)
        is_square = traits.species == "robot" or self.chance.true(0.12)
        self.power = between(*square) if is_square else between(2.0, 2.4)
        self.jaw = between(-0.25, 0.1) if self.chance.true(0.15) else between(0.0, 0.34 if human else 0.15)
        self.head: _Ellipsoid = (vector(0, 1.8 - half, 0), vector(width, half, width * between(0.88, 1.05)))

        self.neck = 1.8 - 2 * half - between(*figure["neck"])
        self.crotch = self.neck * between(*figure["crotch"])
        self.span = self.neck - self.crotch
        girth = (0.5 * self.span + 0.16) * between(*figure["girth"])
        self.chest, waist, hips, belly = (k * girth for k in TRAIT_TABLES.frames[traits.frame])
        widths = np.array(
            [0.78 * hips, hips, 0.97 * hips, waist, self.chest, 0.9 * self.chest, 0.5 * self.chest]
        )
        heights = [self.trunk(share) for share in (0.0, 0.12, 0.26, 0.46, 0.72, 0.88, 0.98)]
        forward = 0.5 * belly * np.array([0.1, 0.5, 1.0, 0.9, 0.35, 0.1, 0.0])
        self.profile = np.column_stack([heights, widths, widths * between(0.58, 0.76) + forward, forward])

        thigh = max(min(hips * between(0.42, 0.56), 0.2), 0.05)
        ankle = thigh * between(*figure["ankle"])
        self.leg = np.array([thigh, 0.8 * thigh if tall else (thigh + ankle) / 2, ankle])
        self.gap = max(min(thigh * between(1.02, 1.3), hips - 0.55 * thigh), 0.05)
        self.hip, self.ankle = vector(self.gap, self.crotch + 0.25 * thigh, 0), vector(self.gap, 0.075, 0)
        self.foot = min(max(1.15 * ankle, 0.06), 0.16, max(0.94 * self.gap, 0.06))
        self.toe = self.foot * between(1.9, 2.5)

        upper, self.drop = between(*figure["arm"]), between(-0.14, 0.23)
        wrist = upper * between(*figure["wrist"])
        self.arm = np.array([upper, (upper + wrist) / 2, wrist])
        self.hand = max(wrist * 1.2, 0.3 * upper + 0.03)
        self.along = vector(np.cos(self.drop), -np.sin(self.drop), 0)
        self.shoulder = vector(self.chest * 0.86, self.neck - max(upper * 1.1, 0.13 * self.span), 0)
        self.wrist = self.shoulder + self.along * between(*figure["reach"])

    def _measure_places(self) -> None:
        between, (width, half, _) = self.chance.between, self.head[1]
        wide = width * (between(0.2, 0.28) if self.chance.true(0.5) else between(0.13, 0.19))
        high = min(wide * between(1.0, 1.4), 0.34 * half)
        apart = between(0.36, 0.46)
        level = between(-0.06, 0.1) + TRAIT_TABLES.species[self.traits.species].eye_level
        chest_width, chest_depth, chest_middle = self.girth(self.trunk(0.6))
        cloth = vector(2 * CLOTH, 2 * CLOTH, 0)
        waist_width, waist_depth, waist_middle = self.girth(self.trunk(0.38)) + cloth
        throat, root = min(0.42 * width, 0.5 * self.chest), self.trunk(0.16)
        tail = min(1.0, 0.9 * self.neck, 3 * float(self.profile[1, 1]))
        smile = between(0.16, 0.32) * width * (0.6 if "muzzle" in self.traits.features else 1.0)
        mouth = vector(0, self.head[0][1] - between(0.42, 0.52) * half, 0)
        self.places: dict[str, _Ellipsoid] = {
            "head": self.head,
            "face": self.head,
            "eye": (self.on_face(apart, level), vector(wide, high, min(wide, high))),
            "mouth": (mouth, np.full(3, smile)),
            "torso": (vector(0, self.crotch, 0), vector(self.chest, self.span, chest_depth)),
            "neck": (vector(0, self.trunk(0.97), 0), np.full(3, throat)),
            "back": (
                vector(0, self.trunk(0.6), chest_middle),
                vector(chest_width, 0.4 * self.span, chest_depth),
            ),
            "waist": (
                vector(0, self.trunk(0.38), waist_middle),
                vector(waist_width, waist_depth, waist_depth),
            ),
            "tail": (vector(0, root, -0.85 * self.girth(root)[1]), np.full(3, tail)),
            "hand": (self.wrist + self.along * self.hand, np.ones(3)),
        }

    def trunk(self, share: float) -> float:
        """Height at a share of the torso, from the crotch."""
        return self.crotch + share * self.span

    def girth(self, height: float) -> Doubles:
        """Half width, half depth and middle of the torso at a height."""
        return np.array([np.interp(height, self.profile[:, 0], self.profile[:, k]) for k in (1, 2, 3)])

    def on_face(self, x: float, y: float) -> Doubles:
        """The point in front of the head at x and y in its half widths and heights."""
        share = max(1 - abs(y) ** self.power, 0.0) ** (1 / self.power) * (1 - self.jaw * max(-y, 0.0) ** 1.5)
        depth = share * max(1 - (abs(x) / max(share, 1e-6)) ** self.power, 0.0) ** (1 / self.power)
        return np.asarray(self.head[0] + self.head[1] * (x, y, depth))

    def cap(self, edges: Sequence[float], scale: float) -> Doubles:
        """The head's surface down to edges in front, at the sides and behind, in half turns from the top."""
        front, side, back = edges
        ahead = np.cos(np.linspace(-np.pi, np.pi, 33))
        edge = np.pi * (side + np.where(ahead > 0, front - side, back - side) * ahead**2)
        polar = np.concatenate([edge * np.linspace(0, 1, 9)[:, None], edge[None]])
        grid = superellipsoid(polar, 33, self.power, self.jaw) * np.array([scale] * 9 + [0.93])[:, None, None]
        inside = np.broadcast_to(grid[-1:].mean(axis=1, keepdims=True), (1, 33, 3))
        return np.asarray(self.head[0] + self.head[1] * np.concatenate([grid, inside]))

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
            start = self.on_face(*row[:2]) if part.on == "face" else middle + radii * row[:3]
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
            grid = self.cap(first[:3], 1.03 if below else first[3])
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
    path = [(0.0, y, z) for y, _, _, z in body.profile]
    power = 5.0 if traits.species == "robot" else 2.3
    torso = tube(path, body.profile[:, 1:3] + (0.0 if traits.bare else CLOTH), 12, 23, power, (0.5, 0.35))
    body.add("bare" if traits.bare else "torso", torso, "hips", "spine", "chest")
    ends = [(0, body.trunk(0.85), 0), (0, body.head[0][1] - 0.7 * body.head[1][1], 0)]
    body.add("skin", tube(ends, [throat * 1.1, throat], 3), "chest", "neck", "head")
    head = superellipsoid(np.linspace(0, np.pi, 17)[:, None], 29, body.power, body.jaw)
    body.add("head", body.head[0] + body.head[1] * head, "head")
    if traits.skirt:
        _add_skirt(body)


def _add_skirt(body: Body) -> None:
    traits, thigh = body.traits, body.leg[0]
    top, low = body.trunk(0.44), body.crotch - (body.crotch - 0.07) * traits.skirt
    waist, hips = body.girth(top), body.girth(body.trunk(0.2))
    flare = 1 + body.chance.between(0.1, 0.7) * (0.5 if traits.figure == "tall" else 1.0) * traits.skirt
    hem = np.maximum(hips[:2] * flare, (body.gap + thigh + 0.03, thigh * 1.25 + 0.03))
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
    along = body.along
    size = body.hand
    path = [body.shoulder * (0.75, 1, 1), (body.shoulder + body.wrist) / 2, body.wrist]
    body.both("arm", tube(path, body.arm, 9, ends=(1, 0.4)), *ARM)
    if traits.sleeve:
        looseness = (0.03, 0.08) if traits.features["top"] == "robe" else (0, 0.02)
        flare = body.chance.between(*looseness)
        body.both("sleeve", _covering(path, body.arm, traits.sleeve, CLOTH, flare), *ARM)
    look, bones = ("glove" if traits.hands == "glove" else "hand"), ("LowerArm", "Hand")
    turn, palm = turned(0, 0, -float(np.rad2deg(body.drop))), body.wrist + along * max(size, 0.05) * 0.7
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
    ankle = body.leg[2]
    shin = ("LowerLeg", "Foot")
    path = [body.hip, (body.hip + body.ankle) / 2, body.ankle]
    body.both("leg", tube(path, body.leg, 9, 13, ends=(1, 0.3)), *LEG)
    if traits.hem:
        flare = body.chance.between(0, 0.045 if body.gap > 1.2 * ankle else 0.02)
        body.both("bottom", _covering(path, body.leg, traits.hem, CLOTH, flare), *LEG)
    if traits.socks:
        body.both("sock", _covering(path[::-1], body.leg[::-1], traits.socks, 0.006, 0, 0), *LEG)
    width = body.foot
    length = body.toe
    x = body.gap
    high = min(0.075, 0.9 * width)
    sole = [(x, high * up, ahead * length) for up, ahead in ((1, -0.35), (1, 0.1), (0.9, 0.55), (0.62, 0.95))]
    foot = tube(sole, width * np.array([0.8, 0.9, 1.0, 0.72]), 7, 13, 2.2, (0.5, 0.7))
    foot[..., 1] = np.maximum(high + (foot[..., 1] - high) * min(1.0, high / width), 0.0)
    body.both("foot" if traits.shoes == "paws" else "shoe", foot, *shin)
    if traits.shoes == "boots":
        share = body.chance.between(0.35, 0.6)
        body.both("shoe", _covering(path[::-1], body.leg[::-1], share, 2.5 * CLOTH, 0, 0), *shin)
