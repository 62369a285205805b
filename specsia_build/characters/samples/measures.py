"""Measures of a procedural character: head, torso, leg and arm, and the places that parts are measured in.

The order in which numbers are drawn decides all characters: another order is another generator version.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from specsia_build.arrays import Doubles
from specsia_build.characters.samples.shapes import superellipsoid
from specsia_build.characters.samples.traits import TRAIT_TABLES, Chance, Range, Traits

HEIGHT = 1.8  # Of the top of the head
CLOTH = 0.012  # How far a garment stands off the skin

_HEAD_WIDTH, _HEAD_DEPTH = (0.84, 1.2), (0.88, 1.05)  # Half width over half height, and depth over width
_TALL = 0.86  # How much narrower a tall figure's head is
_ROUND = (2.0, 2.4)  # Exponent of a head
_SQUARE, _SQUARE_SHARE = (2.6, 3.6), 0.12  # That of square ones, and their share
_ROBOT = (4.5, 8.0)  # That of robots
_JAW, _BEAST_JAW = (0.0, 0.34), (0.0, 0.15)  # How much a jaw is narrowed, of people and of others
_WIDE_JAW, _WIDE_SHARE = (-0.25, 0.1), 0.15  # That of jaws that may be wide, and their share

_GIRTH = (0.5, 0.16)  # Share of a torso's height, and what is added
_DEPTH = (0.58, 0.76)  # Of a torso over its width
_TORSO = (
    (0.0, "hips", 0.78, 0.1),
    (0.12, "hips", 1.0, 0.5),
    (0.26, "hips", 0.97, 1.0),
    (0.46, "waist", 1.0, 0.9),
    (0.72, "chest", 1.0, 0.35),
    (0.88, "chest", 0.9, 0.1),
    (0.98, "chest", 0.5, 0.0),
)
"""Share of a torso's height, width over that of which measure, and share of the belly that lies ahead."""

_THIGH, _THIGH_BOUNDS = (0.42, 0.56), (0.05, 0.2)  # Radius over the hips, and its bounds
_GAP = (1.02, 1.3)  # Between the middle and a leg, in thighs
_HIP_UP, _ANKLE_UP = 0.25, 0.075  # Of a hip over the crotch in thighs, and height of an ankle
_FOOT, _FOOT_BOUNDS = 1.15, (0.06, 0.16)  # Half width of a foot over the ankle's radius, and its bounds
_TOE = (1.9, 2.5)  # Reach of a foot in half widths
_DROP = (-0.14, 0.23)  # Angle at which arms hang, in radians
_HAND = (1.2, 0.3, 0.03)  # Of a wrist; of an upper arm, and what is added
_SHOULDER = (0.86, 1.1, 0.13)  # Share of the chest; below the neck in upper arms, at least in torsos

_LARGE_EYE, _SMALL_EYE = (0.2, 0.28), (0.13, 0.19)  # Half width of an eye over the head's
_EYE_HEIGHT, _MOST_EYE = (1.0, 1.4), 0.34  # Half height over half width, and at most over the head's
_EYES_APART, _EYE_LEVEL = (0.36, 0.46), (-0.06, 0.1)  # In half widths and half heights of the head
_SMILE, _MUZZLE_SMILE = (0.16, 0.32), 0.6  # Half width over the head's, and how much smaller on a muzzle
_MOUTH_DOWN = (0.42, 0.52)  # Below the middle of the head, in half heights
_WAIST, _BACK = 0.38, 0.6  # Shares of a torso's height
_THROAT, _TAIL = 0.97, 0.16


def vector(x: float, y: float, z: float) -> Doubles:
    """A vector (3,)."""
    return np.array([x, y, z], np.float64)


class Head(NamedTuple):
    """A superellipsoid, narrowed below by a jaw."""

    middle: Doubles  # (3,)
    radii: Doubles  # (3,)
    power: float
    jaw: float

    def front(self, x: float, y: float) -> Doubles:
        """The point in front at x and y in half widths and half heights."""
        share = max(1 - abs(y) ** self.power, 0.0) ** (1 / self.power) * (1 - self.jaw * max(-y, 0.0) ** 1.5)
        depth = share * max(1 - (abs(x) / max(share, 1e-6)) ** self.power, 0.0) ** (1 / self.power)
        return np.asarray(self.middle + self.radii * (x, y, depth))

    def cap(self, edges: Sequence[float], scale: float) -> Doubles:
        """The surface down to edges in front, at the sides and behind, in half turns from the top."""
        front, side, back = edges
        ahead = np.cos(np.linspace(-np.pi, np.pi, 33))
        edge = np.pi * (side + np.where(ahead > 0, front - side, back - side) * ahead**2)
        polar = np.concatenate([edge * np.linspace(0, 1, 9)[:, None], edge[None]])
        grid = superellipsoid(polar, 33, self.power, self.jaw) * np.array([scale] * 9 + [0.93])[:, None, None]
        inside = np.broadcast_to(grid[-1:].mean(axis=1, keepdims=True), (1, 33, 3))
        return np.asarray(self.middle + self.radii * np.concatenate([grid, inside]))


class Torso(NamedTuple):
    """The body from `crotch` to `neck`, its heights."""

    neck: float
    crotch: float
    chest: float  # Half width
    hips: float
    profile: Doubles  # (7, 4), height, half width, half depth and z of the middle, from below

    @property
    def span(self) -> float:
        return self.neck - self.crotch

    def at(self, share: float) -> float:
        """Height at a share, from the crotch."""
        return self.crotch + share * self.span

    def girth(self, height: float) -> Doubles:
        """Half width, half depth and z of the middle at a height."""
        return np.array([np.interp(height, self.profile[:, 0], self.profile[:, k]) for k in (1, 2, 3)])


class Leg(NamedTuple):
    """The left leg."""

    radii: Doubles  # (3,), at the hip, the knee and the ankle
    gap: float  # From the middle
    hip: Doubles  # (3,)
    ankle: Doubles  # (3,)
    foot: float  # Half width
    toe: float  # How far ahead it reaches


class Arm(NamedTuple):
    """The left arm."""

    radii: Doubles  # (3,), at the shoulder, the elbow and the wrist
    drop: float  # Angle, in radians
    along: Doubles  # (3,), its direction
    hand: float  # Size
    shoulder: Doubles  # (3,)
    wrist: Doubles  # (3,)


class Spot(NamedTuple):
    """A place on a character that parts and marks are measured in."""

    middle: Doubles  # (3,)
    radii: Doubles  # (3,)


def measured_head(chance: Chance, traits: Traits) -> Head:
    """Draw a head's measures."""
    figure, between = TRAIT_TABLES.figures[traits.figure], chance.between
    is_robot, human = traits.species == "robot", TRAIT_TABLES.species[traits.species].human
    half = between(*figure["head"])
    width = half * between(*_HEAD_WIDTH) * (_TALL if traits.figure == "tall" else 1.0)
    is_square = is_robot or chance.true(_SQUARE_SHARE)
    square = _ROBOT if is_robot else _SQUARE
    power = between(*(square if is_square else _ROUND))
    usual = _JAW if human else _BEAST_JAW
    jaw = between(*(_WIDE_JAW if chance.true(_WIDE_SHARE) else usual))
    radii = vector(width, half, width * between(*_HEAD_DEPTH))
    return Head(vector(0, HEIGHT - half, 0), radii, power, jaw)


def measured_torso(chance: Chance, traits: Traits, head: Head) -> Torso:
    """Draw a torso's measures."""
    figure, between = TRAIT_TABLES.figures[traits.figure], chance.between
    neck = HEIGHT - 2 * float(head.radii[1]) - between(*figure["neck"])
    crotch = neck * between(*figure["crotch"])
    share, more = _GIRTH
    girth = (share * (neck - crotch) + more) * between(*figure["girth"])
    measures = ("chest", "waist", "hips", "belly")
    size = {name: k * girth for name, k in zip(measures, TRAIT_TABLES.frames[traits.frame], strict=True)}
    widths = np.array([factor * size[name] for _, name, factor, _ in _TORSO])
    heights = [crotch + up * (neck - crotch) for up, _, _, _ in _TORSO]
    forward = 0.5 * size["belly"] * np.array([ahead for _, _, _, ahead in _TORSO])
    profile = np.column_stack([heights, widths, widths * between(*_DEPTH) + forward, forward])
    return Torso(neck, crotch, size["chest"], size["hips"], profile)


def measured_leg(chance: Chance, traits: Traits, torso: Torso) -> Leg:
    """Draw a leg's measures."""
    figure, between = TRAIT_TABLES.figures[traits.figure], chance.between
    hips = torso.hips
    thinnest, thickest = _THIGH_BOUNDS
    thigh = max(min(hips * between(*_THIGH), thickest), thinnest)
    ankle = thigh * between(*figure["ankle"])
    knee = 0.8 * thigh if traits.figure == "tall" else (thigh + ankle) / 2
    gap = max(min(thigh * between(*_GAP), hips - 0.55 * thigh), thinnest)
    narrowest, widest = _FOOT_BOUNDS
    foot = min(max(_FOOT * ankle, narrowest), widest, max(0.94 * gap, narrowest))
    hip = vector(gap, torso.crotch + _HIP_UP * thigh, 0)
    radii = np.array([thigh, knee, ankle])
    return Leg(radii, gap, hip, vector(gap, _ANKLE_UP, 0), foot, foot * between(*_TOE))


def measured_arm(chance: Chance, traits: Traits, torso: Torso) -> Arm:
    """Draw an arm's measures."""
    figure, between = TRAIT_TABLES.figures[traits.figure], chance.between
    upper = between(*figure["arm"])
    drop = between(*_DROP)
    wrist = upper * between(*figure["wrist"])
    of_wrist, of_arm, more = _HAND
    hand = max(wrist * of_wrist, of_arm * upper + more)
    along = vector(np.cos(drop), -np.sin(drop), 0)
    aside, below, at_least = _SHOULDER
    shoulder = vector(torso.chest * aside, torso.neck - max(upper * below, at_least * torso.span), 0)
    end = shoulder + along * between(*figure["reach"])
    return Arm(np.array([upper, (upper + wrist) / 2, wrist]), drop, along, hand, shoulder, end)


def measured_spots(chance: Chance, traits: Traits, head: Head, torso: Torso, arm: Arm) -> dict[str, Spot]:
    """Draw the places by name that parts and marks are measured in."""
    between = chance.between
    width, half, _ = head.radii
    eyes: Range = _LARGE_EYE if chance.true(0.5) else _SMALL_EYE
    wide = width * between(*eyes)
    high = min(wide * between(*_EYE_HEIGHT), _MOST_EYE * half)
    apart = between(*_EYES_APART)
    level = between(*_EYE_LEVEL) + TRAIT_TABLES.species[traits.species].eye_level
    chest_width, chest_depth, chest_middle = torso.girth(torso.at(_BACK))
    cloth = vector(2 * CLOTH, 2 * CLOTH, 0)
    waist_width, waist_depth, waist_middle = torso.girth(torso.at(_WAIST)) + cloth
    throat, root = min(0.42 * width, 0.5 * torso.chest), torso.at(_TAIL)
    tail = min(1.0, 0.9 * torso.neck, 3 * float(torso.profile[1, 1]))
    smile = between(*_SMILE) * width * (_MUZZLE_SMILE if "muzzle" in traits.features else 1.0)
    mouth = vector(0, head.middle[1] - between(*_MOUTH_DOWN) * half, 0)
    whole = Spot(head.middle, head.radii)
    back = vector(0, torso.at(_BACK), chest_middle)
    waist = vector(0, torso.at(_WAIST), waist_middle)
    return {
        "head": whole,
        "face": whole,
        "eye": Spot(head.front(apart, level), vector(wide, high, min(wide, high))),
        "mouth": Spot(mouth, np.full(3, smile)),
        "torso": Spot(vector(0, torso.crotch, 0), vector(torso.chest, torso.span, chest_depth)),
        "neck": Spot(vector(0, torso.at(_THROAT), 0), np.full(3, throat)),
        "back": Spot(back, vector(chest_width, 0.4 * torso.span, chest_depth)),
        "waist": Spot(waist, vector(waist_width, waist_depth, waist_depth)),
        "tail": Spot(vector(0, root, -0.85 * torso.girth(root)[1]), np.full(3, tail)),
        "hand": Spot(arm.wrist + arm.along * arm.hand, np.ones(3)),
    }
