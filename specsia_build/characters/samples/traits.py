"""Everything that is drawn by chance about one character."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from specsia_build.characters.samples.species import SPECIES, Species

Rng = np.random.Generator


@dataclass(frozen=True)
class Build:
    """Proportions; lengths are in units of a character whose head's top is at 1.8.

    Attributes:
        head: half width, half height and half depth of the head.
        head_power: 2 round, 3 and more square.
        cheek: how much wider the lower head is, 0-1.
        neck: height at which the head meets the torso.
        crotch: height at which the legs part.
        gap: distance of each leg's axis from the middle.
        leg, ankle: radii.
        chest, hips: half widths of the torso above and below.
        depth: half depth of the torso over its half width.
        belly: how far the belly stands out, in units.
        arm_length: shoulder to wrist.
        arm, wrist: radii.
        arm_drop_deg: how far the arms hang below the horizontal, in degrees.
    """

    head: tuple[float, float, float]
    head_power: float
    cheek: float
    neck: float
    crotch: float
    gap: float
    leg: float
    ankle: float
    chest: float
    hips: float
    depth: float
    belly: float
    arm_length: float
    arm: float
    wrist: float
    arm_drop_deg: float


@dataclass(frozen=True)
class Outfit:
    """Clothes; fractions run from the joint (shoulder, hip, waist) outwards.

    Attributes:
        top: `bare`, `tee`, `sweater`, `jacket`, `coat`, `dress`, `robe`, `overalls`, `suit`, `hoodie` or `tank`.
        bottom: `trousers`, `shorts`, `skirt` or `none`.
        sleeve: covered fraction of the arm, 0 for none.
        sleeve_flare: how much wider the sleeve's end is, in units.
        hem: covered fraction of the leg.
        hem_flare: how much wider the trouser's end is, in units.
        skirt: fraction of the leg's length that a skirt, dress or coat covers.
        skirt_flare: how much wider it is below than at the hips, as a fraction.
        shoes: `shoes`, `boots`, `sneakers`, `paws` or `claws`.
        socks: covered fraction of the leg from below.
        hands: `mitten`, `thumb`, `fingers`, `paw` or `glove`.
        belt, scarf, bag, cape, bow, tie, sash, pads: worn or not.
        print: how the main garment is patterned; bottom_print the lower one.
        logo: a stamp on the chest or nothing; logo_x its place in half widths.
        back_logo: a stamp on the back or nothing.
        buttons: how many down the front.
    """

    top: str
    bottom: str
    sleeve: float
    sleeve_flare: float
    hem: float
    hem_flare: float
    skirt: float
    skirt_flare: float
    shoes: str
    socks: float
    hands: str
    belt: bool
    scarf: bool
    bag: str
    cape: bool
    bow: bool
    tie: bool
    sash: bool
    pads: bool
    print: str
    bottom_print: str
    logo: str
    logo_x: float
    back_logo: str
    buttons: int


@dataclass(frozen=True)
class Face:
    """The face; lengths are fractions of the head's half width or half height.

    Attributes:
        eyes: how the eye is painted, `style` of `eyes`.
        eye_at: x and y of the left eye's centre.
        eye_size: half width and half height.
        lid: how far the upper lid comes down, 0-1.
        lid_tilt: inner end lower (angry) above 0, higher (sad) below.
        mouth, brows, nose: names in `faces`.
        brow_tilt: as `lid_tilt`, in degrees.
        blush, freckles, beard, glasses: extras, empty or False for none.
    """

    eyes: str
    eye_at: tuple[float, float]
    eye_size: tuple[float, float]
    lid: float
    lid_tilt: float
    mouth: str
    brows: str
    brow_tilt: float
    nose: str
    blush: bool
    freckles: bool
    beard: str
    glasses: str


@dataclass(frozen=True)
class Traits:
    """One character before it has a shape."""

    name: str
    species: str
    build: Build
    outfit: Outfit
    face: Face
    hair: str
    hat: str
    markings: str
    asymmetry: float


def pick(rng: Rng, *choices: str, weights: tuple[float, ...] | None = None) -> str:
    """One of the choices, by weight."""
    p = None if weights is None else np.array(weights) / sum(weights)
    return choices[int(rng.choice(len(choices), p=p))]


def _between(rng: Rng, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 4)


def draw_build(rng: Rng, species: Species) -> Build:
    ratio = _between(rng, 0.36, 0.56)
    if species.name in ("person", "elf") and rng.random() < 0.3:
        ratio = _between(rng, 0.28, 0.36)
    half = 0.9 * ratio
    shape = pick(rng, "round", "oval", "wide", "square", "pear")
    width = {"round": 1.0, "oval": 0.86, "wide": 1.2, "square": 1.0, "pear": 1.0}[shape] * _between(rng, 0.94, 1.06)
    power = _between(rng, 3.0, 4.5) if shape == "square" else _between(rng, 2.0, 2.5)
    if species.name == "robot":
        power, width = _between(rng, 5.0, 8.0), _between(rng, 0.95, 1.25)
    neck = 1.8 - 2 * half + 0.05 * half
    crotch = neck * _between(rng, 0.3, 0.56)
    torso = neck - crotch
    frame = pick(rng, "slim", "even", "round", "pear", "barrel", "wedge")
    chest, hips, belly = {
        "slim": (0.3, 0.27, 0.0), "even": (0.36, 0.34, 0.0), "round": (0.46, 0.5, 0.1),
        "pear": (0.34, 0.5, 0.06), "barrel": (0.48, 0.44, 0.06), "wedge": (0.5, 0.32, 0.0),
    }[frame]  # fmt: skip
    girth = (0.55 * torso + 0.16) * _between(rng, 0.85, 1.1)
    chest, hips = chest * girth * 1.3, hips * girth * 1.3
    leg = min(hips * _between(rng, 0.4, 0.56), 0.16)
    apart = rng.random() < 0.65
    gap = leg * _between(rng, 1.15, 1.45) if apart else leg * _between(rng, 0.86, 0.98)
    gap = max(min(gap, hips * 0.8), 0.06)
    arm = _between(rng, 0.055, 0.1)
    return Build(
        head=(round(half * width, 4), round(half, 4), round(half * _between(rng, 0.84, 1.0), 4)),
        head_power=power, cheek=_between(rng, 0.5, 1.0) if shape == "pear" else 0.0,
        neck=round(neck, 4), crotch=round(crotch, 4), gap=round(gap, 4), leg=round(leg, 4),
        ankle=round(leg * _between(rng, 0.7, 1.05), 4), chest=round(chest, 4), hips=round(hips, 4),
        depth=_between(rng, 0.72, 0.95), belly=round(belly * girth * 2, 4),
        arm_length=_between(rng, 0.3, 0.5), arm=arm, wrist=round(arm * _between(rng, 0.7, 1.1), 4),
        arm_drop_deg=_between(rng, -8.0, 12.0),
    )  # fmt: skip


def draw_outfit(rng: Rng, species: Species) -> Outfit:
    top = pick(rng, "tee", "sweater", "jacket", "coat", "dress", "robe", "overalls", "suit", "hoodie", "tank",
               weights=(3, 2, 2, 1.6, 2.4, 1.2, 2, 1.2, 2, 1))  # fmt: skip
    if rng.random() < species.bare:
        top = "bare"
    bottom = pick(rng, "trousers", "shorts", "skirt", weights=(3, 2, 1.4))
    if top in ("dress", "robe", "bare"):
        bottom = "none"
    elif top in ("overalls", "suit", "coat") and bottom == "skirt":
        bottom = "trousers"
    long_sleeves = top in ("sweater", "jacket", "coat", "robe", "suit", "hoodie")
    sleeve = {"bare": 0.0, "tank": 0.0}.get(top, _between(rng, 0.75, 0.95) if long_sleeves else _between(rng, 0.3, 0.5))
    skirt = 0.0
    if top in ("dress", "robe"):
        skirt = _between(rng, 0.35, 0.7) if top == "dress" else _between(rng, 0.8, 0.92)
    elif top == "coat":
        skirt = _between(rng, 0.35, 0.65)
    elif bottom == "skirt":
        skirt = _between(rng, 0.3, 0.6)
    animal = species.name not in ("person", "elf", "robot")
    bare_feet = animal and rng.random() < (0.9 if top == "bare" else 0.45)
    return Outfit(
        top=top, bottom=bottom, sleeve=sleeve,
        sleeve_flare=_between(rng, 0.04, 0.1) if top == "robe" else _between(rng, 0.0, 0.025),
        hem={"trousers": _between(rng, 0.78, 0.92), "shorts": _between(rng, 0.3, 0.5)}.get(bottom, 0.0),
        hem_flare=_between(rng, 0.0, 0.03), skirt=skirt, skirt_flare=_between(rng, 0.1, 0.6),
        shoes=pick(rng, "paws", "claws", weights=(3, 1)) if bare_feet else pick(rng, "shoes", "boots", "sneakers"),
        socks=_between(rng, 0.3, 0.8) if not bare_feet and bottom != "trousers" and rng.random() < 0.6 else 0.0,
        hands="paw" if animal and rng.random() < 0.6 else pick(rng, "mitten", "thumb", "fingers", "glove"),
        belt=rng.random() < 0.35, scarf=rng.random() < 0.14,
        bag=pick(rng, "", "backpack", "satchel", "quiver", weights=(7, 1.4, 1, 0.5)),
        cape=rng.random() < 0.1, bow=rng.random() < 0.12, tie=top == "suit" or rng.random() < 0.04,
        sash=rng.random() < 0.07, pads=rng.random() < 0.08,
        print=pick(rng, "plain", "stripes", "dots", "checks", "gradient", "pinstripes", "halves", "chest",
                   weights=(5, 2, 1, 1, 1, 0.7, 0.6, 1.2)),
        bottom_print=pick(rng, "plain", "seam", "dots", "checks", "hemline", weights=(5, 1.5, 0.6, 1, 1.5)),
        logo=pick(rng, "", "star", "heart", "ring", "cross", "bolt", "moon", "flower", "triangle",
                  weights=(6, 1, 1, 1, 0.6, 1, 0.8, 1, 0.6)),
        logo_x=pick_number(rng, 0.0, 0.45),
        back_logo=pick(rng, "", "star", "heart", "ring", "bolt", "moon", "flower", weights=(5, 1, 1, 1, 1, 1, 1)),
        buttons=int(rng.integers(2, 5)),
    )  # fmt: skip


def pick_number(rng: Rng, *choices: float) -> float:
    """One of the numbers, all as likely."""
    return choices[int(rng.integers(len(choices)))]


def draw_face(rng: Rng, species: Species) -> Face:
    human = species.name in ("person", "elf")
    big = rng.random() < 0.5
    width = _between(rng, 0.17, 0.25) if big else _between(rng, 0.1, 0.16)
    angry = _between(rng, -0.5, 0.6)
    return Face(
        eyes=pick(rng, "anime", "toon", "dot", "simple", weights=(3, 2.4, 1.4, 1.4)),
        eye_at=(_between(rng, 0.36, 0.48), _between(rng, -0.08, 0.1)),
        eye_size=(width, round(width * _between(rng, 1.0, 1.5), 4)),
        lid=_between(rng, 0.2, 0.45) if rng.random() < 0.35 else 0.0, lid_tilt=angry,
        mouth=pick(rng, "smile", "grin", "line", "smirk", "open", "teeth", "frown", "cat", "tooth",
                   weights=(3, 2.5, 1, 1.2, 1.2, 1, 0.6, 1, 0.8)),
        brows=pick(rng, "thin", "thick", "short", "none", weights=(3, 2, 1, 0.5 if human else 5)),
        brow_tilt=round(-24 * angry, 2), nose=pick(rng, "dot", "bump", "line", "none", weights=(2, 4, 1, 1)),
        blush=rng.random() < 0.5, freckles=rng.random() < 0.14,
        beard=pick(rng, "", "full", "goatee", "moustache", weights=(8, 0.8, 0.5, 0.8)) if human else "",
        glasses=pick(rng, "", "round", "square", weights=(8, 1, 0.6)),
    )  # fmt: skip


HAIR = ("short", "bob", "long", "ponytail", "twintails", "spiky", "bun", "afro", "mohawk", "braids", "bowl", "quiff",
        "buns", "curly", "bald")  # fmt: skip
HATS = ("cap", "tophat", "wizard", "beanie", "helmet", "headband", "crown", "straw", "hood", "hairbow", "chef",
        "pilot", "party", "flower")  # fmt: skip

_SYLLABLES = (
    "mi",
    "lo",
    "ka",
    "ru",
    "bo",
    "ni",
    "ta",
    "po",
    "ze",
    "fi",
    "du",
    "ma",
    "li",
    "ko",
    "wi",
    "sa",
    "pe",
    "no",
)


def draw_traits(rng: Rng) -> Traits:
    """One character's traits; the same generator state gives the same character."""
    weights = np.array([s.weight for s in SPECIES])
    species = SPECIES[int(rng.choice(len(SPECIES), p=weights / weights.sum()))]
    name = "".join(_SYLLABLES[int(k)] for k in rng.integers(len(_SYLLABLES), size=int(rng.integers(2, 4)))).capitalize()
    hair = pick(rng, *HAIR) if rng.random() < species.hair else "bald"
    hat = pick(rng, *HATS) if rng.random() < 0.34 else ""
    return Traits(
        name=name, species=species.name, build=draw_build(rng, species), outfit=draw_outfit(rng, species),
        face=draw_face(rng, species), hair=hair, hat=hat,
        markings=species.markings[int(rng.integers(len(species.markings)))], asymmetry=pick_number(rng, -1.0, 1.0),
    )  # fmt: skip
