"""What a character is like before it has a shape."""

from __future__ import annotations

from dataclasses import dataclass


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
