"""Draw a character's traits by chance."""

from __future__ import annotations

import numpy as np

from specsia_build.characters.samples.species import SPECIES, Species
from specsia_build.characters.samples.traits import Build, Face, Outfit, Traits

Rng = np.random.Generator


def pick(rng: Rng, *choices: str, weights: tuple[float, ...] | None = None) -> str:
    """One of the choices, by weight."""
    p = None if weights is None else np.array(weights) / sum(weights)
    return choices[int(rng.choice(len(choices), p=p))]


def _between(rng: Rng, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 4)


_HEAD_WIDTH = {"round": 1.0, "oval": 0.84, "wide": 1.24, "square": 1.0, "pear": 1.0}
# Half widths of chest and hips and how far the belly stands out, as fractions of the torso's girth.
_FRAMES = {
    "slim": (0.36, 0.33, 0.0), "even": (0.48, 0.45, 0.0), "round": (0.62, 0.7, 0.24), "pear": (0.42, 0.72, 0.14),
    "barrel": (0.7, 0.6, 0.14), "wedge": (0.74, 0.4, 0.0),
}  # fmt: skip


def _draw_head(rng: Rng, species: Species, ratio: float) -> tuple[tuple[float, float, float], float, float]:
    """Radii, power and cheeks."""
    shape = pick(rng, "round", "oval", "wide", "square", "pear", weights=(3, 2, 2, 1.2, 1.6))
    half = 0.9 * ratio
    width = _HEAD_WIDTH[shape] * _between(rng, 0.93, 1.07)
    power = _between(rng, 2.8, 4.0) if shape == "square" else _between(rng, 2.0, 2.4)
    if species.name == "robot":
        power, width = _between(rng, 4.5, 8.0), _between(rng, 0.95, 1.3)
    elif species.crown == "mane":
        power = 2.1
    radii = (round(half * width, 4), round(half, 4), round(half * _between(rng, 0.84, 1.0), 4))
    return radii, power, _between(rng, 0.5, 1.0) if shape == "pear" else 0.0


def draw_build(rng: Rng, species: Species) -> Build:
    """Proportions, from a head that is half of it all to a tall figure with a small head."""
    figure = pick(rng, "chibi", "toon", "tall", weights=(4, 4, 2 if species.hair == 1.0 else 1))
    ratios = {"chibi": _between(rng, 0.47, 0.6), "toon": _between(rng, 0.37, 0.47), "tall": _between(rng, 0.25, 0.36)}
    ratio = ratios[figure]
    radii, power, cheek = _draw_head(rng, species, ratio)
    neck = 1.8 - 2 * radii[1] + 0.05 * radii[1]
    crotch = max(neck * (_between(rng, 0.26, 0.5) if figure != "tall" else _between(rng, 0.44, 0.6)), 0.2)
    torso = neck - crotch
    chest, hips, belly = _FRAMES[pick(rng, *_FRAMES)]
    girth = (0.5 * torso + 0.18) * _between(rng, 0.82, 1.12)
    if figure == "tall":
        girth *= 0.85
    chest, hips = max(chest * girth, 0.1), max(hips * girth, 0.1)
    leg = max(min(hips * _between(rng, 0.38, 0.58), 0.2), 0.062)
    apart = rng.random() < (0.6 if figure != "tall" else 0.9)
    gap = leg * (_between(rng, 1.18, 1.5) if apart else _between(rng, 0.84, 0.96))
    arm = _between(rng, 0.05, 0.11) * (1.25 if hips > 0.3 else 1.0)
    return Build(
        head=radii, head_power=power, cheek=cheek, neck=round(neck, 4), crotch=round(crotch, 4),
        gap=round(max(min(gap, hips * 0.85), 0.06), 4), leg=round(leg, 4),
        ankle=round(leg * _between(rng, 0.66, 1.15), 4),
        chest=round(chest, 4), hips=round(hips, 4), depth=_between(rng, 0.72, 0.95), belly=round(belly * girth, 4),
        arm_length=_between(rng, 0.24, 0.44) if figure != "tall" else _between(rng, 0.42, 0.6),
        arm=round(arm, 4), wrist=round(arm * _between(rng, 0.7, 1.35), 4), arm_drop_deg=_between(rng, -8.0, 13.0),
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
    width = _between(rng, 0.2, 0.29) if big else _between(rng, 0.13, 0.18)
    height, level = round(width * _between(rng, 1.0, 1.5), 4), _between(rng, -0.1, 0.1)
    angry = _between(rng, -0.5, 0.6)
    return Face(
        eyes=pick(rng, "anime", "toon", "dot", "simple", weights=(3, 2.4, 1.4, 1.4)),
        eye_at=(_between(rng, 0.36, 0.48), round(min(level, 0.36 - height), 4)),
        eye_size=(width, height),
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
_SYLLABLES = ("mi", "lo", "ka", "ru", "bo", "ni", "ta", "po", "ze", "fi", "du", "ma", "li", "ko", "wi", "sa", "pe",
              "no")  # fmt: skip


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
