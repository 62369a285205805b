"""Traits, proportions and colours of a character, drawn by chance, and the places that follow from these."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from specsia_build.rendering.colour import linear_to_srgb

T = TypeVar("T")
Colour = tuple[float, float, float]
"""sRGB-encoded, each 0-1."""

WHITE: Colour = (0.97, 0.97, 0.97)
INK: Colour = (0.13, 0.11, 0.13)


class Chance:
    """Random draws of a character, determined by its seed and index."""

    def __init__(self, seed: int, index: int) -> None:
        self.rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, index])))

    def pick(self, *choices: str, weights: tuple[float, ...] | None = None) -> str:
        """Choose by weight."""
        p = None if weights is None else np.array(weights) / sum(weights)
        return choices[int(self.rng.choice(len(choices), p=p))]

    def between(self, low: float, high: float) -> float:
        """A uniform number, rounded to four digits."""
        return round(float(self.rng.uniform(low, high)), 4)

    def true(self, share: float) -> bool:
        """True with some probability."""
        return bool(self.rng.random() < share)

    def choice(self, rows: Sequence[T]) -> T:
        """Choose a row of a table, all with equal chances."""
        return rows[int(self.rng.integers(len(rows)))]


def oklch(lightness: float, chroma: float, hue_deg: float) -> Colour:
    """sRGB of an OKLCh colour, clipped to the gamut; lightness 0-1, chroma 0-0.3 (Ottosson, 2020)."""
    hue = np.deg2rad(hue_deg)
    a, b = chroma * float(np.cos(hue)), chroma * float(np.sin(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )
    red, green, blue = linear_to_srgb(np.array(linear)).tolist()
    return red, green, blue


def mix(a: Colour, b: Colour, t: float) -> Colour:
    """From `a` at t = 0 to `b` at t = 1."""
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t


def shade(colour: Colour, amount: float) -> Colour:
    """Darker and a little warmer than it was, by 0-1."""
    return mix(colour, (0.12, 0.06, 0.1), amount)


def luma(colour: Colour) -> float:
    """Perceived brightness, 0-1 (Rec. 601)."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def scheme(chance: Chance) -> dict[str, Colour]:
    """Colours of clothes: `top`, `top2`, `bottom`, `bottom2`, `accent`, `light`, `dark` and `leather`."""
    hue, steps = chance.between(0, 360), chance.choice(TABLES["hues"])
    mood, plain = chance.between(0.5, 1.15), chance.true(0.18)
    lights = chance.rng.permutation(np.array([0.46, 0.65, 0.84])) + chance.rng.uniform(-0.06, 0.06, 3)
    chroma = [mood * (0.02 if plain else chance.between(0.09, 0.18)) for _ in range(3)]
    main, second, third = (oklch(float(lights[k]), chroma[k], hue + steps[k]) for k in range(3))
    if chance.true(0.35):
        second = oklch(float(chance.rng.choice([0.3, 0.4, 0.5, 0.93])), 0.03, hue + 180)
    leather = oklch(chance.between(0.3, 0.58), chance.between(0.02, 0.09), chance.between(35, 75))
    if chance.true(0.4):
        leather = oklch(chance.between(0.3, 0.75), chance.between(0.03, 0.2), hue + steps[3])
    light, dark = oklch(0.95, 0.02, hue), oklch(0.3, 0.04, hue)
    return {
        "top": main,
        "top2": light if chance.true(0.5) else third,
        "bottom": second,
        "bottom2": light if luma(second) < 0.6 else dark,
        "accent": oklch(chance.between(0.6, 0.86), 0.16, hue + steps[3]),
        "light": light,
        "dark": dark,
        "leather": leather,
        "metal": oklch(chance.between(0.5, 0.85), 0.02, hue),
        "wood": oklch(chance.between(0.38, 0.6), 0.07, 55),
    }


class Species(msgspec.Struct, frozen=True):
    """A kind of character: relative frequency, kinds of parts (empty for none), colours of skin, fur or metal.

    `fantasy`, `hair` and `bare` are probabilities of any other colour, of hair, and of no clothes.
    """

    name: str
    weight: float
    ears: str = ""
    muzzle: str = ""
    tail: str = ""
    crown: str = ""
    back: str = ""
    palette: str = "fur"
    fantasy: float = 0.2
    markings: tuple[str, ...] = ("plain",)
    hair: float = 0.0
    bare: float = 0.3


TABLES: dict[str, Any] = json.loads(Path(__file__).with_name("tables.json").read_bytes())
"""Choices and sizes; those that their names do not explain:

- ``tops``: relative frequency of each.
- ``hues``: steps of hue that go together: neighbours, opposites, split opposites, triads.
- ``frames``: half widths of chest, waist and hips, and how far the belly stands out, over the torso's girth.
- ``tails``: steps of a path from its root, and its radii.
- ``pointed_ears``: root, steps from there to each tip, radii, and depth over width.
- ``round_ears``: middle, radii and degrees of turn of an ellipsoid.
- ``spikes``: half widths, half depths and length of each; those beside the middle are on both sides.
- ``hats``, ``crowns``, ``muzzles``, ``hair_parts``: parts of the head, each a ``cap`` (of `Skull.cap`), ``blob``
  (radii), ``tube`` (radii), ``hoop`` (radius over the head's, half thickness outwards and up), ``barrel`` (radii and
  heights) or ``rings`` (radii over the head's depth, heights over its height; two heights are the ends of a range). A
  point of a ``path`` is in half widths, heights and depths of the head, one of ``front`` in half widths and heights,
  then in mean radii from there. ``unit`` is what radii count in, mean radii unless stated; ``pair`` is on both sides,
  ``side`` on the character's; ``parts`` are there by ``chance``.
- ``eyes``: stamps in half widths and heights of an eye, or half widths alone if ``round``; ``iris`` ones grow with it.
"""

SPECIES = {row["name"]: msgspec.convert(row, Species) for row in TABLES["species"]}


class Traits:
    """Traits and clothes of a character; empty texts stand for nothing.

    The figure is ``chibi``, ``toon`` or ``tall``: a head of half, a third or a sixth of the height. Sleeve, hem, skirt
    and socks are covered shares of an arm or leg; what is on one side only is on `side`.
    """

    def __init__(self, chance: Chance) -> None:
        true, pick, between = chance.true, chance.pick, chance.between
        kind = SPECIES[pick(*SPECIES, weights=tuple(species.weight for species in SPECIES.values()))]
        human = kind.name in ("person", "elf")
        animal = not human and kind.name not in ("robot", "skeleton")
        top = "bare" if true(kind.bare) else pick(*TABLES["tops"], weights=tuple(TABLES["tops"].values()))
        bottom = pick("trousers", "shorts", "skirt", weights=(4, 1.6, 1))
        if top in ("dress", "robe", "bare"):
            bottom = "none"
        elif top in ("overalls", "suit", "coat", "armour") and bottom == "skirt":
            bottom = "trousers"
        bare_feet = animal and true(0.9 if top == "bare" else 0.45)
        skirts = {"dress": (0.35, 0.8), "robe": (0.78, 0.9), "coat": (0.3, 0.6)}
        skirted = skirts.get(top) or ((0.25, 0.6) if bottom == "skirt" else None)
        syllables = chance.rng.integers(len(TABLES["syllables"]), size=int(chance.rng.integers(2, 4)))
        self.name = "".join(TABLES["syllables"][k] for k in syllables.tolist()).capitalize()
        self.species = kind.name
        self.figure = pick("chibi", "toon", "tall", weights=(3, 4, 4) if human else (4, 4, 1.5))
        self.frame = pick("slim", "even", "round", "pear", "barrel", "wedge", weights=(2, 3, 1, 1, 1, 2))
        self.hair = pick(*TABLES["hair"]) if true(kind.hair) else "bald"
        self.hat = pick(*TABLES["hats"]) if true(0.34) else ""
        self.markings = pick(*kind.markings)
        self.top = top
        self.bottom = bottom
        self.shoes = pick("paws", "claws", weights=(3, 1)) if bare_feet else pick("shoes", "boots", "sneakers")
        mitten = animal and true(0.6)
        self.hands = "paw" if mitten else pick("mitten", "fingers", "glove", "fist", weights=(2, 2, 1, 1))
        long = (0.78, 0.98) if top in TABLES["long_sleeved"] else (0.28, 0.5)
        self.sleeve = 0.0 if top in ("bare", "tank") else between(*long)
        self.hem = {"trousers": between(0.8, 0.96), "shorts": between(0.3, 0.5)}.get(bottom, 0.0)
        self.skirt = between(*skirted) if skirted else 0.0
        self.socks = between(0.3, 0.8) if not bare_feet and bottom != "trousers" and true(0.6) else 0.0
        self.cape = true(0.14)
        self.belt = top != "bare" and true(0.4)
        self.scarf = true(0.12)
        self.bag = pick("", "backpack", "satchel", weights=(8, 1.4, 1))
        self.tie = top == "suit" or true(0.04)
        self.sash = top != "bare" and true(0.07)
        self.pads = top == "armour" or true(0.08)
        self.glasses = true(0.14)
        self.beard = pick("", "full", "goatee", "moustache", weights=(7, 1, 0.5, 0.8)) if human else ""
        self.prop = pick("", "sword", "staff", "shield", "book", weights=(12, 1, 1, 1, 0.8))
        self.side = 1 if true(0.5) else -1

    @property
    def kind(self) -> Species:
        """Its species."""
        return SPECIES[self.species]

    @property
    def bare(self) -> bool:
        """Whether it wears nothing on its body."""
        return self.top == "bare"

    @property
    def tail(self) -> str:
        """The tail that shows: none does under a robe or a cape."""
        return "" if self.top == "robe" or self.cape else self.kind.tail


class Build:
    """Proportions, in units of which the top of the head is at 1.8 and the floor at 0.

    Attributes:
        head: half width, height and depth; its `power` is 2 for round ones, 3 and more for square ones.
        jaw: how much narrower the lower head is, 0-1; negative if it is wider.
        neck, crotch: heights at which the torso ends and the legs part.
        gap: from each leg's axis to the middle.
        leg, ankle, arm, wrist: radii.
        chest, waist, hips: half widths of the torso; `depth` is half depth over half width.
        reach: from shoulder to wrist; the arms `drop` by radians below the horizontal.
        foot, toe: half width of a foot, and its length before the ankle.
    """

    def __init__(self, chance: Chance, traits: Traits) -> None:
        pick, between, figure = chance.pick, chance.between, traits.figure
        human, tall, robot = traits.kind.hair > 0.5, figure == "tall", traits.species == "robot"
        shape = pick("round", "oval", "wide", "square", "pear", weights=(3, 3, 0 if tall else 2, 1.2, 1))
        half = 0.9 * between(*{"chibi": (0.39, 0.54), "toon": (0.26, 0.39), "tall": (0.15, 0.23)}[figure])
        width = half * {"oval": 0.84, "wide": 1.2}.get(shape, 1.0) * (0.84 if tall and human else 1.0)
        width *= between(0.93, 1.07)
        self.power = between(4.5, 8.0) if robot else between(2.6, 3.6) if shape == "square" else between(2.0, 2.4)
        chin = 1.8 - 2 * half
        ends = {"chibi": between(-0.05, 0.0), "toon": between(-0.02, 0.04), "tall": between(0.03, 0.07)}
        self.neck = chin - ends[figure]
        self.crotch = self.neck * between(*{"chibi": (0.28, 0.46), "toon": (0.36, 0.52), "tall": (0.5, 0.58)}[figure])
        torso = self.neck - self.crotch
        girth = (0.5 * torso + 0.16) * between(0.85, 1.12) * (0.74 if tall else 1.0)
        self.chest, self.waist, self.hips, self.belly = (k * girth for k in TABLES["frames"][traits.frame])
        self.leg = max(min(self.hips * between(0.42, 0.56), 0.2), 0.05)
        self.arm = between(*{"chibi": (0.05, 0.1), "toon": (0.045, 0.09), "tall": (0.04, 0.065)}[figure])
        self.arm *= 1.2 if self.hips > 0.3 else 1.0
        self.ankle = self.leg * between(0.5, 0.8 if tall else 1.1)
        self.gap = max(min(self.leg * between(1.02, 1.3), self.hips - 0.55 * self.leg), 0.05)
        self.foot = min(max(1.15 * self.ankle, 0.06), 0.16, max(0.94 * self.gap, 0.06))
        self.head = (width, half, width * between(0.88, 1.08))
        pear, other = (-0.3, -0.12), (0.1, 0.36) if human else (0.0, 0.15)
        self.jaw = between(*(pear if shape == "pear" else other))
        self.wrist = self.arm * between(0.6, 0.8 if tall else 1.3)
        self.depth = between(0.56, 0.74) + (0.12 if traits.frame in ("round", "pear") else 0.0)
        self.reach = between(*{"chibi": (0.26, 0.4), "toon": (0.36, 0.5), "tall": (0.48, 0.58)}[figure])
        self.drop = float(chance.rng.uniform(-0.14, 0.23))
        self.toe = self.foot * between(1.9, 2.5)


class Frame:
    """Places on the left of a body; the right is mirrored.

    Attributes:
        span: height of the torso.
        along: direction of the arms.
        profile: height, half width, half depth and z of the middle of the torso, (7, 4), from below.
    """

    def __init__(self, b: Build) -> None:
        self.crotch, self.span = b.crotch, b.neck - b.crotch
        self.along = np.array([np.cos(b.drop), -np.sin(b.drop), 0.0])
        self.shoulder = np.array([b.chest * 0.86, b.neck - max(b.arm * 1.1, 0.13 * self.span), 0.0])
        self.wrist = self.shoulder + self.along * b.reach
        self.hip = np.array([b.gap, b.crotch + 0.25 * b.leg, 0.0])
        self.ankle = np.array([b.gap, 0.075, 0.0])
        widths = [0.78 * b.hips, b.hips, 0.97 * b.hips, b.waist, b.chest, 0.9 * b.chest, 0.5 * b.chest]
        heights = [self.trunk(t) for t in (0.0, 0.12, 0.26, 0.46, 0.72, 0.88, 0.98)]
        belly = b.belly * np.array([0.1, 0.5, 1.0, 0.9, 0.35, 0.1, 0.0])
        self.profile = np.column_stack([heights, widths, np.array(widths) * b.depth + 0.5 * belly, 0.5 * belly])

    def trunk(self, share: float) -> float:
        """Height at a share of the torso, from the crotch."""
        return self.crotch + share * self.span

    def girth(self, height: float) -> tuple[float, float, float]:
        """Half width, half depth and middle of the torso at a height."""
        width, depth, middle = (float(np.interp(height, self.profile[:, 0], self.profile[:, k])) for k in (1, 2, 3))
        return width, depth, middle

    def chest_at(self, x: float, height: float, off: float = 0.0) -> NDArray[np.float64]:
        """A place on the front of the torso, `off` before it."""
        width, depth, middle = self.girth(height)
        return np.array([x, height, middle + depth * np.sqrt(max(1 - (x / width) ** 2, 0.0)) + off])
