"""Colours of a character's parts and what is painted on its clothes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from specsia_build.characters.samples.body import Frame
from specsia_build.characters.samples.colours import HAIR, INK, WHITE, Colour, Scheme, luma, mix, oklch, shade
from specsia_build.characters.samples.parts import Part
from specsia_build.characters.samples.species import Species
from specsia_build.characters.samples.stamps import Stamp
from specsia_build.characters.samples.traits import Build, Traits


@dataclass(frozen=True)
class Palette:
    """Colours of one character, sRGB 0-1.

    Attributes:
        skin: skin or fur.
        belly: its lighter areas.
        dark: its darker areas.
        hair: hair, mane and brows.
        top, top_second: upper garment and its print.
        bottom, bottom_second: lower garment and its print.
        shirt: what shows under a jacket or overalls.
        iris: of the eyes.
        scheme: the clothes' scheme.
    """

    skin: Colour
    belly: Colour
    dark: Colour
    hair: Colour
    top: Colour
    top_second: Colour
    bottom: Colour
    bottom_second: Colour
    shirt: Colour
    iris: Colour
    scheme: Scheme


def draw_palette(rng: np.random.Generator, species: Species, scheme: Scheme, top: str) -> Palette:
    """Colours of skin, hair and clothes."""
    skin = species.tones[int(rng.integers(len(species.tones)))]
    if rng.random() < species.fantasy:
        skin = oklch(float(rng.uniform(0.66, 0.86)), float(rng.uniform(0.06, 0.13)), float(rng.uniform(0, 360)))
    hair = HAIR[int(rng.integers(len(HAIR)))]
    if rng.random() < 0.3:
        hair = oklch(float(rng.uniform(0.4, 0.8)), float(rng.uniform(0.08, 0.18)), float(rng.uniform(0, 360)))
    if species.hair < 1.0:
        hair = shade(skin, 0.4) if rng.random() < 0.7 else hair
    light = luma(skin) > 0.78
    belly = mix(skin, WHITE, 0.75) if not light else mix(skin, (0.98, 0.86, 0.72), 0.45)
    dark = shade(skin, 0.55) if not light else (0.27, 0.25, 0.28)
    second = scheme.light if rng.random() < 0.5 else scheme.third
    iris = oklch(float(rng.uniform(0.45, 0.68)), 0.13, float(rng.uniform(0, 360)))
    shirt = scheme.light if top == "suit" or rng.random() < 0.5 else scheme.third
    return Palette(
        skin, belly, dark, hair, scheme.main, second, scheme.second,
        scheme.light if luma(scheme.second) < 0.6 else scheme.dark, shirt, iris, scheme,
    )  # fmt: skip


def part_colours(traits: Traits, species: Species, palette: Palette) -> dict[Part, Colour]:
    """The base colour of every part."""
    outfit, scheme, skin = traits.outfit, palette.scheme, palette.skin
    bare_feet = outfit.shoes in ("paws", "claws")
    dressed = outfit.top != "bare"
    skirted = palette.bottom if outfit.bottom == "skirt" else palette.top
    glove = scheme.accent if outfit.hands == "glove" else skin
    limb = palette.dark if traits.markings == "panda" else skin
    paw = palette.dark if traits.markings in ("panda", "fox") else skin
    ear = palette.dark if traits.markings == "panda" else shade(skin, 0.28) if species.ears == "floppy" else skin
    return {
        Part.HEAD: skin, Part.EAR: ear, Part.MUZZLE: skin if species.muzzle in ("trunk", "snout") else palette.belly,
        Part.NOSE: INK if luma(skin) > 0.3 else shade(INK, 0.3), Part.BEAK: (0.97, 0.66, 0.22), Part.HAIR: palette.hair,
        Part.TIE: scheme.accent, Part.HAT: scheme.second if luma(scheme.second) < 0.85 else scheme.main,
        Part.BRIM: shade(scheme.second, 0.22), Part.BADGE: scheme.accent,
        Part.HORN: mix((0.93, 0.86, 0.72), skin, 0.15),
        Part.MANE: palette.hair if species.crown != "mane" else shade(skin, 0.42),
        Part.TORSO: palette.top if dressed else skin, Part.COLLAR: shade(palette.top, 0.14), Part.HIPS: palette.bottom,
        Part.SKIRT: skirted, Part.SLEEVE: palette.top, Part.ARM: limb,
        Part.CUFF: palette.top_second if dressed else skin,
        Part.HAND: glove if glove != skin else paw, Part.TROUSER: palette.bottom, Part.LEG: limb,
        Part.SOCK: scheme.light,
        Part.SHOE: paw if bare_feet else scheme.leather, Part.SOLE: scheme.light, Part.TAIL: skin,
        Part.TAIL_TIP: palette.belly if traits.markings in ("fox", "bib") or species.tail == "puff" else palette.dark,
        Part.WING: mix(skin, palette.belly, 0.2) if species.back == "wings" else scheme.accent,
        Part.BAG: scheme.leather, Part.FLAP: mix(scheme.leather, scheme.accent, 0.5), Part.CAPE: scheme.accent,
        Part.SCARF: scheme.accent, Part.BELT: shade(scheme.leather, 0.25), Part.SPINE: scheme.accent,
        Part.PAD: scheme.second,
        Part.GLASSES: scheme.dark, Part.BUTTON: (0.93, 0.79, 0.4), Part.BOW: scheme.accent,
    }  # fmt: skip


_TORSO = (Part.TORSO,)
_TRUNK = (Part.TORSO, Part.SKIRT)
_LOWER = (Part.TORSO, Part.TROUSER)


def _front(build: Build, frame: Frame, traits: Traits, palette: Palette) -> list[Stamp]:
    """Openings, lapels, ties, bibs: what makes the front of a garment."""
    outfit, scheme, chest = traits.outfit, palette.scheme, build.chest
    span, top = build.neck - build.crotch, frame.shoulder[1] + build.arm
    stamps: list[Stamp] = []
    low = frame.skirt if outfit.skirt > 0 else frame.waist
    middle, half = (top + low) / 2, (top - low) / 2
    if outfit.top in ("jacket", "coat") and outfit.print != "halves":
        stamps += [
            Stamp("box", (0, middle), (0.3 * chest, half), palette.shirt, _TRUNK),
            *Stamp("box", (0.3 * chest, middle), (0.012, half), shade(palette.top, 0.3), _TRUNK).mirrored(),
        ]
    elif outfit.top == "suit":
        lapels, slit = (0.42 * chest, 0.34 * span), (0.005, 0.13 * span)
        stamps += [
            Stamp("triangle", (0, top - 0.3 * span), lapels, palette.shirt, _TORSO, turn_deg=180),
            Stamp("box", (0, frame.waist + 0.13 * span), slit, shade(palette.top, 0.4), _TORSO),
        ]
    elif outfit.top == "overalls":
        bib, half_strap = frame.waist + 0.24 * span, (0.11 * chest, 0.42 * span)
        pocket = (0.26 * chest, 0.06 * span)
        strap = Stamp("box", (0.46 * chest, bib + 0.3 * span), half_strap, palette.bottom, _TORSO, turn_deg=5)
        stud = Stamp("ellipse", (0.46 * chest, bib + 0.05 * span), (0.024, 0.024), scheme.accent, _TORSO)
        stamps.append(Stamp("box", (0, bib - 0.1), (0.6 * chest, 0.12 + 0.1 * span), palette.bottom, _TORSO, bend=0.2))
        for left_strap, left_stud in zip(strap.mirrored(), stud.mirrored(), strict=True):
            stamps += [*left_strap.through(), left_stud]
        stamps.append(Stamp("box", (0, bib - 0.02), pocket, shade(palette.bottom, 0.2), _TORSO, bend=0.4))
    elif outfit.top == "hoodie":
        pouch, tone = (0.5 * chest, 0.11 * span), shade(palette.top, 0.16)
        stamps.append(Stamp("box", (0, frame.waist + 0.13 * span), pouch, tone, _TORSO, bend=0.5))
        stamps += Stamp("box", (0.05, top - 0.16 * span), (0.009, 0.12 * span), scheme.light, _TORSO).mirrored()
    elif outfit.top in ("dress", "tee", "sweater") and outfit.print == "plain" and not outfit.logo:
        for k in range(outfit.buttons):
            at = (0.0, top - (0.22 + 0.17 * k) * span)
            stamps.append(Stamp("ellipse", at, (0.022, 0.022), palette.top_second, _TRUNK))
    elif outfit.top == "robe":
        stamps += [
            Stamp("box", (0, middle), (0.035, half), palette.top_second, _TRUNK),
            Stamp("box", (0, frame.waist), (1.0, 0.045), scheme.leather, _TRUNK, 0),
        ]
    if outfit.tie:
        stamps += [
            Stamp("triangle", (0, top - 0.4 * span), (0.05, 0.26 * span), scheme.accent, _TORSO),
            Stamp("ellipse", (0, top - 0.12 * span), (0.034, 0.03), shade(scheme.accent, 0.15), _TORSO),
        ]
    return stamps


def _logo(kind: str, at: tuple[float, float], radius: float, colour: Colour, side: int, ring: float) -> Stamp:
    return Stamp(kind, at, (radius, radius), colour, _TORSO, side, bend=ring if kind == "ring" else 0.0)


def _details(build: Build, frame: Frame, traits: Traits, palette: Palette) -> list[Stamp]:
    """Logos, sashes, straps and pockets, most of them on one side."""
    outfit, scheme, lean, chest = traits.outfit, palette.scheme, traits.asymmetry, build.chest
    span = build.neck - build.crotch
    high = frame.waist + 0.42 * (frame.shoulder[1] - frame.waist) + 0.04
    stamps: list[Stamp] = []
    if outfit.logo and outfit.top not in ("overalls", "suit", "jacket", "coat", "robe"):
        radius = (0.34 if outfit.logo_x == 0 else 0.18) * chest
        stamps.append(_logo(outfit.logo, (lean * outfit.logo_x * chest, high), radius, scheme.accent, 1, 0.018))
    if outfit.back_logo:
        stamps.append(_logo(outfit.back_logo, (0, high), 0.42 * chest, palette.top_second, -1, 0.02))
    if outfit.sash:
        at = (0.0, frame.waist + 0.35 * span)
        stamps += Stamp("box", at, (0.06, 1.0), scheme.accent, _TORSO, turn_deg=lean * 42).through()
    if outfit.bag in ("satchel", "quiver") and not outfit.cape:
        at, tone = (0.0, frame.waist + 0.3 * span), shade(scheme.leather, 0.2)
        stamps += Stamp("box", at, (0.028, 1.0), tone, _TORSO, turn_deg=-lean * 38).through()
    if outfit.bag == "backpack" and not outfit.cape:
        at, tone = (0.55 * chest, frame.shoulder[1] - 0.1 * span), shade(scheme.leather, 0.15)
        stamps += Stamp("box", at, (0.03, 0.4 * span), tone, _TORSO).mirrored()
    if outfit.bottom in ("trousers", "shorts") and traits.outfit.top != "bare":
        at, tone = (build.gap + 0.3 * build.leg, build.crotch + 0.02), shade(palette.bottom, 0.35)
        stamps += Stamp("arc", at, (0.06, 0.008), tone, _LOWER, turn_deg=20, bend=0.4).mirrored()
        at, tone = (lean * 0.5 * build.hips, build.crotch + 0.1 * span), shade(palette.bottom, 0.22)
        stamps.append(Stamp("box", at, (0.055, 0.05), tone, _LOWER, -1, bend=0.4))
    return stamps


def _fur(build: Build, frame: Frame, traits: Traits, palette: Palette) -> list[Stamp]:
    """Markings of a bare body."""
    span, hips, kind = build.neck - build.crotch, build.hips, traits.markings
    middle = build.crotch + 0.42 * span
    stamps: list[Stamp] = []
    if kind in ("bib", "fox", "penguin", "plain", "tabby", "tiger", "owl", "panda", "dapple"):
        stamps.append(Stamp("ellipse", (0, middle), (0.66 * hips, 0.44 * span), palette.belly, _TORSO))
    if kind in ("tabby", "tiger"):
        for k in range(4):
            at = (0.0, middle + (k - 1.5) * 0.22 * span)
            stamps.append(Stamp("ellipse", at, (0.55 * hips, 0.035), palette.dark, _TORSO, -1))
    if kind in ("spots", "dapple", "patch"):
        tone, size = (palette.belly, 0.1) if kind == "dapple" else (palette.dark, 0.26)
        for u, v in ((0.5, 0.3), (-0.55, -0.2), (-0.2, 0.5), (0.3, -0.5)):
            at = (traits.asymmetry * u * hips, middle + v * 0.6 * span)
            spot, other = Stamp("ellipse", at, (size * hips, size * hips * 0.8), tone, _TORSO).mirrored()
            stamps += [spot, replace(other, side=-1)]
    if kind == "panda":
        stamps.append(Stamp("box", (0, frame.shoulder[1]), (1.0, 0.09), palette.dark, _TORSO, 0))
    if kind == "robot":
        light, dark, scheme = middle + 0.16 * span, shade(palette.skin, 0.3), palette.scheme
        stamps += [
            Stamp("box", (0, middle + 0.1 * span), (0.6 * hips, 0.22 * span), palette.dark, _TORSO, bend=0.3),
            Stamp("ellipse", (-0.25 * hips, light), (0.035, 0.035), scheme.accent, _TORSO),
            Stamp("ellipse", (0.08 * hips, light), (0.035, 0.035), scheme.main, _TORSO),
            Stamp("box", (0, middle), (0.4 * hips, 0.018), scheme.light, _TORSO),
            Stamp("box", (0, middle), (0.5 * hips, 0.3 * span), dark, _TORSO, -1, bend=0.2),
        ]
    return stamps


def clothing_stamps(build: Build, frame: Frame, traits: Traits, palette: Palette) -> list[Stamp]:
    """Everything that is painted on the torso and the clothes, bottom layer first."""
    if traits.outfit.top == "bare":
        return _fur(build, frame, traits, palette)
    return _front(build, frame, traits, palette) + _details(build, frame, traits, palette)
