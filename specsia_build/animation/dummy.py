"""A plain human skeleton for the built-in motions, which are retargeted to other humanoids."""

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.skeleton import Skeleton

_JOINTS = {
    "hips": (None, (0.0, 0.0, 0.92)),
    "spine": ("hips", (0.0, 0.0, 1.02)),
    "chest": ("spine", (0.0, 0.0, 1.17)),
    "neck": ("chest", (0.0, 0.0, 1.42)),
    "head": ("neck", (0.0, 0.0, 1.5)),
    "UpperLeg": ("hips", (0.09, 0.0, 0.88)),
    "LowerLeg": ("UpperLeg", (0.09, -0.005, 0.48)),
    "Foot": ("LowerLeg", (0.09, 0.0, 0.08)),
    "Toes": ("Foot", (0.09, -0.13, 0.02)),
    "Shoulder": ("chest", (0.03, 0.0, 1.38)),
    "UpperArm": ("Shoulder", (0.17, 0.0, 1.38)),
    "LowerArm": ("UpperArm", (0.43, 0.0, 1.38)),
    "Hand": ("LowerArm", (0.67, 0.0, 1.38)),
}
"""Parent and position (left, -front, up) in metres of each joint by VRM's name, the left one of pairs; 1.7 m tall."""

_PAIRED = frozenset(name for name in _JOINTS if name[0].isupper())


def dummy() -> Skeleton:
    """The skeleton, Z up, facing -Y, without rotations at rest."""
    names, parents, places = list[str](), list[int](), list[NDArray[np.float64]]()
    for name, (parent, place) in _JOINTS.items():
        for side, sign in (("left", 1.0), ("right", -1.0)) if name in _PAIRED else (("", 1.0),):
            above = f"{side}{parent}" if parent in _PAIRED else parent
            names.append(side + name)
            parents.append(-1 if above is None else names.index(above))
            places.append(np.array(place) * (sign, 1.0, 1.0))
    offsets = [place - places[k] if k >= 0 else place for place, k in zip(places, parents, strict=True)]
    return Skeleton.unturned(names, parents, offsets)
