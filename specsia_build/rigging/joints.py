"""The joints of a figure in its frontal picture, and the kind of figure that it is."""

from dataclasses import dataclass
from typing import Literal

from specsia_build.arrays import Doubles

_SIDES = ("left", "right")
_LIMBS = ("Shoulder", "UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot", "Toes")

JOINTS = (
    "hips",
    "spine",
    "chest",
    "upperChest",
    "neck",
    "head",
    *(side + limb for side in _SIDES for limb in _LIMBS),
)
"""Bones of the body in VRM 1.0; the place of each is where it begins, nearest to the hips."""

FigureKind = Literal["person", "four-legged", "other"]


@dataclass(frozen=True, eq=False)
class Joints:
    """The 22 joints of a figure, in the order of `JOINTS`; left is the figure's own, at the right of a front.

    Attributes:
        pixels: (22, 2) float64, column and row in a square frontal picture; centres of pixels are at halves.
        inside: (22,) float64, how far each lies through the body at its pixel: 0 at the front, 1 at the back.
        confidence: (22,) float64, 0 to 1.
        kind: what the figure is; joints mean something for a person only.
        certainty: share of confidence in `kind`, 0 to 1.
    """

    pixels: Doubles
    inside: Doubles
    confidence: Doubles
    kind: FigureKind = "person"
    certainty: float = 1.0


OTHER_SIDE = (*range(6), *range(14, 22), *range(6, 14))
"""Number of the same joint on the other side, for each of `JOINTS`; its own for those in the middle."""
