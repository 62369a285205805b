"""A plain human skeleton for the built-in motions, which are retargeted to other humanoids."""

import numpy as np

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
    places: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
    parents: dict[str, str | None] = {}
    for name, (parent, place) in _JOINTS.items():
        for side, sign in (("left", 1.0), ("right", -1.0)) if name in _PAIRED else (("", 1.0),):
            places[side + name] = np.array(place) * (sign, 1.0, 1.0)
            parents[side + name] = None if parent is None else side + parent if parent in _PAIRED else parent
    names = tuple(places)
    offsets = [places[name] - (0.0 if (above := parents[name]) is None else places[above]) for name in names]
    return Skeleton(
        names=names,
        parents=np.array([-1 if (above := parents[name]) is None else names.index(above) for name in names], np.int32),
        translations=np.array(offsets),
        rotations=np.tile([0.0, 0.0, 0.0, 1.0], (len(names), 1)),
        scales=np.ones((len(names), 3)),
    )
