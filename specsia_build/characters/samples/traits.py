"""Traits of a character, drawn by chance from ``tables.json``, and its colours."""

import colorsys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
import numpy as np

_T = TypeVar("_T")
Range = tuple[float, float]
Colour = tuple[float, float, float]  # sRGB-encoded, each 0-1


class Chance:
    """Random draws of a character, determined by its seed and index."""

    def __init__(self, seed: int, index: int) -> None:
        self.rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, index])))

    def pick(self, weights: Mapping[str, float]) -> str:
        """Choose a name by weight."""
        shares = np.array(list(weights.values()))
        return list(weights)[int(self.rng.choice(len(shares), p=shares / shares.sum()))]

    def choice(self, rows: Sequence[_T]) -> _T:
        """Choose one of a list, all with equal chances."""
        return rows[int(self.rng.integers(len(rows)))]

    def between(self, low: float, high: float) -> float:
        """A uniform number, rounded to four digits."""
        return round(float(self.rng.uniform(low, high)), 4)

    def true(self, share: float) -> bool:
        """True with some probability."""
        return bool(self.rng.random() < share)


class FeaturePart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A shape that a feature adds.

    `size` is radii of a ``blob``; at each point of a ``tube`` its radius, or radii sideways and forwards;
    radius, half thickness and half height of a ``ring``; of a ``cap`` its edge in front, at the sides and
    behind in half turns from the top of the head, and its scale.
    """

    look: str  # Name of its colour
    shape: Literal["blob", "tube", "ring", "cap"]
    size: tuple[tuple[float, ...], ...]
    on: str = "head"  # Name of the place that it is measured in, of `Body.places`
    # In the place's radii; further numbers in its mean radius
    path: tuple[tuple[float, ...], ...] = ((0.0, 0.0, 0.0),)
    fit: bool = False  # Whether `size` is in the place's radii, not in its mean radius
    power: float = 2.0  # Of its cross-section, see `shapes.section`
    flat: bool = False  # Whether the ends of a tube are flat
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)  # In degrees about x, y and z
    pair: bool = False  # Whether it is on both sides
    side: bool = False  # Whether it is on one side
    bones: tuple[str, ...] = ("head",)  # Joints that move it, those of limbs without their side
    chance: float = 1.0


class Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A flat shape that a feature paints along Z."""

    kind: Literal["ellipse", "box", "arc", "star"]
    at: Range  # x and y of its middle
    size: Range  # Half width and half height, or half the thickness of an arc
    colour: str
    on: Literal["head", "torso", "eye", "mouth"] = "head"  # Name of the place that it is measured in
    shade: float = 0.0  # How much darker than `colour` it is, 0-1
    looks: tuple[str, ...] = ()  # Pieces that it shows on, by default those of its place
    turn: float = 0.0  # In degrees
    side: int = 1  # 1 for what faces forward, -1 for what faces back, 0 for both
    pair: bool = False  # Whether its mirror image is painted, too; that of an eye always is
    chance: float = 1.0
    bend: float = 0.0  # How much higher the ends of an arc are than its middle


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A hat, a pair of ears, a garment and so on."""

    weight: float = 1.0  # Frequency in its group; of an extra its probability
    parts: tuple[FeaturePart, ...] = ()
    marks: tuple[Mark, ...] = ()
    sleeve: Range = (0.0, 0.0)  # Share of an arm that a garment covers
    skirt: Range = (0.0, 0.0)  # Share of a leg that its skirt covers


class Species(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of character."""

    weight: float  # Its frequency
    parts: dict[str, str]  # Its own features by group
    palette: str = "fur"
    markings: tuple[str, ...] = ("plain",)
    fantasy: float = 0.2  # Probability of any other colour than those of its palette
    hair: float = 0.0  # Probability of hair
    bare: float = 0.3  # Probability of no clothes
    human: bool = False
    eye_level: float = 0.0  # How much higher its eyes are than others', in half heights of the head


class Tables(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of ``tables.json``.

    `figures` has ranges of proportions: half height of the head; length of the neck; height of the crotch
    over that of the neck; radius of an upper arm, of a wrist over that, of an ankle over the thigh's; length
    of an arm; girth.
    """

    figures: dict[str, dict[str, Range]]
    # Half widths of chest, waist, hips, and depth of the belly, over the girth
    frames: dict[str, tuple[float, ...]]
    species: dict[str, Species]
    palettes: dict[str, tuple[Colour, ...]]  # Colours to choose from
    colours: dict[str, Colour]  # Those that all characters share
    looks: dict[str, str]  # Names of colours by further names
    hues: tuple[tuple[float, ...], ...]  # Steps that go together, in degrees: neighbours, opposites, triads
    syllables: tuple[str, ...]
    features: dict[str, dict[str, Feature]]


TRAIT_TABLES = msgspec.json.decode(Path(__file__).with_name("tables.json").read_bytes(), type=Tables)


class Traits:
    """Traits and clothes of a character.

    Attributes:
        figure: ``chibi``, ``toon`` or ``tall``: a head of half, a third or a sixth of the height.
        features: its features by group; `extras` are names of further ones.
        sleeve: covered share of an arm; `hem`, `skirt` and `socks` are covered shares of a leg.
        side: 1 or -1, for left or right, of things on one side only.
        bare: whether it wears nothing on its body.
        hatted: whether a hat covers its hair.
    """

    def __init__(self, chance: Chance) -> None:
        groups = TRAIT_TABLES.features
        count = 2 + chance.true(0.5)
        self.name = "".join(chance.choice(TRAIT_TABLES.syllables) for _ in range(count)).capitalize()
        self.species = chance.pick({name: species.weight for name, species in TRAIT_TABLES.species.items()})
        kind = TRAIT_TABLES.species[self.species]
        self.side = 1 if chance.true(0.5) else -1
        self.figure = chance.pick({"chibi": 3.5, "toon": 4, "tall": 4 if kind.human else 1.5})
        self.frame = chance.pick({"slim": 2, "even": 3, "round": 1, "pear": 1, "barrel": 1, "wedge": 2})
        drawn = ("top", "hat", "eyes", "brows", "cheeks", "mouth", "nose", "beard", "hair")
        features = {}
        for group in drawn:
            features[group] = chance.pick({name: row.weight for name, row in groups[group].items()})
        features |= kind.parts | {"markings": chance.choice(kind.markings)}
        self.bare, bald = chance.true(kind.bare), not chance.true(kind.hair)
        if self.bare:
            features["top"] = "bare"
        if "muzzle" in features:
            features.pop("nose")
            if features["muzzle"] not in ("small", "wide"):
                features.pop("mouth")
        if not kind.human:
            features |= {"beard": "none"} | ({} if chance.true(0.4) else {"brows": "none"})
        if self.species == "robot":
            features |= {"nose": "dot", "brows": "none", "cheeks": "none"}
        self.hatted = features["hat"] != "none"
        if self.hatted:
            features.pop("crown", None)
        features["hair"] = "bald" if bald else "short" if self.hatted else features["hair"]
        if chance.true(0.14):
            features["back"] = "cape"
        if features.get("back") == "cape" or features["top"] in ("robe", "coat"):
            features.pop("tail", None)
        self.features = features
        top, hidden = groups["top"][features["top"]], set[str]()
        hidden |= {"belt"} if self.bare or any(top.skirt) else set()
        hidden |= {"backpack", "scarf"} if "back" in features else set()
        hidden |= {"headband", "bow"} if self.hatted else set()
        extras = groups["extras"].items()
        self.extras = [name for name, row in extras if chance.true(row.weight) and name not in hidden]

        self.bottom = chance.pick({"trousers": 4, "shorts": 1.6, "skirt": 1})
        if features["top"] in ("bare", "dress", "robe"):
            self.bottom = "none"
        paws = not kind.human and self.species != "robot" and chance.true(0.9 if self.bare else 0.45)
        self.shoes = "paws" if paws else chance.pick({"shoes": 2, "boots": 1})
        self.hands = chance.pick({"paw": 1 if kind.human else 4, "fingers": 3, "glove": 1})
        hems = {"trousers": (0.8, 0.95), "shorts": (0.3, 0.5)}
        self.sleeve, self.hem = chance.between(*top.sleeve), chance.between(*hems.get(self.bottom, (0, 0)))
        self.skirt = chance.between(0.25, 0.6) if self.bottom == "skirt" else chance.between(*top.skirt)
        self.socks = chance.between(0.3, 0.7) if not paws and self.hem < 0.6 and chance.true(0.6) else 0.0


def tone(lightness: float, saturation: float, hue_deg: float) -> Colour:
    """A colour by hue, saturation, lightness; yellow and green look lighter, so they are made darker."""
    hue = (hue_deg / 360) % 1.0
    bright = 0.12 * np.cos(2 * np.pi * (hue - 0.22))
    lighter = float(np.clip(lightness - bright * saturation, 0.0, 1.0))
    return colorsys.hls_to_rgb(hue, lighter, min(saturation, 1.0))


def mix(a: Colour, b: Colour, t: float) -> Colour:
    """From `a` at t = 0 to `b` at t = 1."""
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t


def shade(colour: Colour, amount: float) -> Colour:
    """Darker and a little warmer than it was, by 0-1."""
    return mix(colour, (0.12, 0.06, 0.1), amount)


def colours(chance: Chance, traits: Traits) -> dict[str, Colour]:
    """A colour for every look and every mark."""
    hue, steps = chance.between(0, 360), chance.choice(TRAIT_TABLES.hues)
    mood = chance.choice((0.08, 0.7, 0.9, 1.1, 1.3))
    lights = chance.rng.permutation(np.array([0.33, 0.52, 0.76]))
    top, bottom, third = (tone(lights[k], mood * chance.between(0.3, 0.6), hue + steps[k]) for k in range(3))
    if chance.true(0.35):
        bottom = tone(chance.choice((0.2, 0.3, 0.4, 0.92)), 0.12, hue + 180)
    leather_hue = chance.between(15, 45) if chance.true(0.6) else hue + steps[3]
    leather = tone(chance.between(0.2, 0.55), chance.between(0.1, 0.55), leather_hue)
    light = tone(0.93, 0.3, hue)
    dark = tone(0.2, 0.2, hue)
    bright = chance.between(0.5, 0.75)
    accent = tone(bright, 0.75, hue + steps[3])

    kind, fixed = TRAIT_TABLES.species[traits.species], TRAIT_TABLES.colours
    skin, hair = (chance.choice(TRAIT_TABLES.palettes[palette]) for palette in (kind.palette, "hair"))
    if chance.true(kind.fantasy):
        skin = tone(chance.between(0.5, 0.8), chance.between(0.25, 0.6), chance.between(0, 360))
    is_light = sum(skin) > 2.2
    belly = mix(skin, (0.98, 0.86, 0.72), 0.45) if is_light else mix(skin, fixed["white"], 0.75)
    mark = (0.27, 0.25, 0.28) if is_light else shade(skin, 0.55)
    cloth, hat = skin if traits.bare else top, chance.choice((bottom, accent, third))
    tint = fixed | {
        "cloth": cloth, "collar": shade(cloth, 0.16), "bottom": bottom,
        "top2": light if chance.true(0.5) else third,
        "bottom2": light if sum(bottom) < 1.8 else dark,
        "skirt": bottom if traits.bottom == "skirt" else cloth,
        "shirt": light if chance.true(0.6) else third, "accent": accent, "light": light, "dark": dark,
        "cape": accent if chance.true(0.5) else bottom, "hat": hat, "brim": shade(hat, 0.22),
        "leather": leather,
        "metal": tone(chance.between(0.5, 0.75), 0.08, hue), "glove": accent if chance.true(0.5) else leather,
        "skin": skin, "limb": mark if traits.features["markings"] == "panda" else skin,
        "belly": belly, "mark": mark,
        "hair": hair if kind.human else shade(skin, 0.5), "mane": shade(skin, 0.42),
        "tip": belly if sum(skin) < 1.8 else mix(skin, fixed["white"], 0.5),
        "muzzle": skin if chance.true(0.3) else belly, "nose": mix(skin, (0.92, 0.45, 0.42), 0.45),
        "horn": mix((0.93, 0.86, 0.72), skin, 0.15), "joint": shade(skin, 0.4),
        "wing": shade(skin, 0.15), "wing2": mix(skin, belly, 0.4),
        "blush": mix(skin, (0.98, 0.45, 0.45), 0.4),
        "iris": tone(chance.between(0.3, 0.55), 0.6, chance.between(0, 360)),
        "lips": accent if traits.species == "robot" else shade(skin, 0.7),
    }  # fmt: skip
    return tint | {look: tint[colour] for look, colour in TRAIT_TABLES.looks.items()}
