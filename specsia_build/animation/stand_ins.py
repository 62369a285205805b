"""Knees, ankles and a back for a character whose rig does without them, so that it can follow who has them.

What stands in hangs stiffly on the joints that are there: it tells how long legs are and where soles are, and moves
nothing itself.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.figure import Figure
from specsia_build.animation.humanoid import Humanoid
from specsia_build.animation.motion import poses
from specsia_build.animation.rig import Rig
from specsia_build.animation.skeleton import Skeleton

SPARED = ("spine", *(side + part for side in ("left", "right") for part in ("LowerLeg", "Foot")))
"""Bones that a rig may do without: blocks for legs have neither knees nor ankles, and round bodies no back."""

_HELD = 0.5
"""Weight from which a vertex belongs to a limb."""

_SOLE = 0.1
"""Share of a limb's height, from its lowest point on, that is taken for its sole."""

Array = NDArray[np.float64]


def with_stand_ins(figure: Figure, rig: Rig) -> Figure:
    """A character's figure with all that `humanoid.NEEDED` asks for, where nothing lacks but what may be spared.

    Args:
        figure: of the rig.
        rig: the character's, placed Z up and facing -Y.

    Returns:
        The figure as it is where more lacks, or a leg holds no vertices that say where it ends.
    """
    missing = figure.human.missing
    if not missing or not set(missing) <= set(SPARED):
        return figure
    bones, spine = dict(figure.human.bones), figure.human.spine
    skeleton, points = figure.skeleton, _standing(rig)
    for side in ("left", "right"):
        upper = bones[side + "UpperLeg"]
        ankle, shin = side + "Foot", side + "LowerLeg"
        if ankle in bones:
            end = skeleton.rest_worlds[bones[ankle], :3, 3]
        else:
            found = _end(rig, points, figure.turn, bones.get(shin, upper))
            if found is None:
                return figure
            end = found
        if shin not in bones:
            skeleton, bones[shin] = _with(skeleton, upper, (skeleton.rest_worlds[upper, :3, 3] + end) / 2)
        if ankle not in bones:
            skeleton, bones[ankle] = _with(skeleton, bones[shin], end)
    if "spine" not in bones:
        worlds = figure.skeleton.rest_worlds
        back = (figure.pelvis(worlds) + figure.top(worlds)) / 2
        skeleton, bones["spine"] = _with(skeleton, bones["hips"], back)
        spine = (bones["spine"],)
    return replace(figure, skeleton=skeleton, known=Humanoid(bones, spine), stand_ins=missing)


def _with(skeleton: Skeleton, parent: int, place: Array) -> tuple[Skeleton, int]:
    """A skeleton with one more node, at a place (3,) in the file's coordinates, and that node."""
    local = (np.linalg.pinv(skeleton.rest_worlds[parent]) @ np.append(place, 1.0))[:3]
    return (
        replace(
            skeleton,
            names=(*skeleton.names, ""),
            parents=np.append(skeleton.parents, np.int32(parent)),
            translations=np.vstack([skeleton.translations, local]),
            rotations=np.vstack([skeleton.rotations, (0.0, 0.0, 0.0, 1.0)]),
            scales=np.vstack([skeleton.scales, np.ones(3)]),
        ),
        len(skeleton.names),
    )


def _standing(rig: Rig) -> Array:
    """Where all vertices are at rest, (V, 3), in the file's coordinates."""
    posed = rig.vertices(poses(rig.skeleton, None, np.zeros(1)), 0).astype(np.float64)
    return np.asarray((posed - rig.placement[:3, 3]) @ np.linalg.pinv(rig.placement[:3, :3]).T)


def _end(rig: Rig, points: Array, turn: Array, node: int) -> Array | None:
    """The middle of the sole (3,) of the limb that hangs on a node; None where none does.

    Args:
        rig: the character's.
        points: (V, 3) its vertices, in the file's coordinates.
        turn: (3, 3), from these to Z up.
        node: the limb's uppermost.
    """
    below = rig.skeleton.below([node])[rig.nodes]
    held = (rig.weights * below[rig.slots]).sum(axis=1) > _HELD
    if not held.any():
        return None
    limb = points[held] @ turn.T
    low, high = limb[:, 2].min(), limb[:, 2].max()
    x, y, _ = limb[limb[:, 2] <= low + _SOLE * (high - low)].mean(axis=0)
    return np.asarray(turn.T @ (x, y, low))
