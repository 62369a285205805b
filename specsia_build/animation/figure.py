"""A skeleton and how it stands: what two of them are compared by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.feet import leg_length
from specsia_build.animation.humanoid import Humanoid, humanoid
from specsia_build.animation.made import as_bound
from specsia_build.animation.motion import Motion
from specsia_build.animation.rig import Rig
from specsia_build.animation.skeleton import Skeleton

Array = NDArray[np.float64]

_UPRIGHT = 0.7

_LEVEL = 0.1
"""How much higher than the other an ankle is, in lengths of a leg, where one foot is off the ground."""


@dataclass(frozen=True)
class Figure:
    """A skeleton and how it stands.

    Attributes:
        skeleton: at rest.
        turn: (3, 3), the rotation from the file's coordinates to Z up, facing -Y.
        stated: nodes of humanoid bones as the file says; empty where it says none.
    """

    skeleton: Skeleton
    turn: Array
    stated: Mapping[str, int]

    @cached_property
    def human(self) -> Humanoid:
        """The humanoid that it is, as far as it is one."""
        return humanoid(self.skeleton, self.stated)

    @cached_property
    def made(self) -> Skeleton:
        """A humanoid's skeleton as its skin binds it, where it rests in a frame of a motion; else itself."""
        if self.human.missing:
            return self.skeleton
        found = as_bound(self.skeleton, self.human, self.turn)
        sound = self.upright(found.rest_worlds) and self.level(found.rest_worlds)
        return found if sound else self.skeleton

    def unique(self) -> dict[str, int]:
        """Nodes by name, those whose name no other has, or no other joint of a skin: meshes are called as joints."""
        names, joints = self.skeleton.names, self.skeleton.joints
        uses, of_joints = Counter(names), Counter(names[node] for node in joints)
        return {
            name: node
            for node, name in enumerate(names)
            if name and (uses[name] == 1 or (node in joints and of_joints[name] == 1))
        }

    def pelvis(self, worlds: Array) -> Array:
        """The middle between both hip joints of a humanoid, (..., 3), of worlds (..., J, 4, 4)."""
        bones = self.human.bones
        return np.asarray(worlds[..., :3, 3][..., [bones["leftUpperLeg"], bones["rightUpperLeg"]], :].mean(axis=-2))

    def top(self, worlds: Array) -> Array:
        """The head of a humanoid, else its neck, the middle of its arms or the end of its spine, (3,), in (J, 4, 4)."""
        bones = self.human.bones
        arms = [bones[bone] for bone in ("leftUpperArm", "rightUpperArm") if bone in bones]
        top = [bones[bone] for bone in ("head", "neck") if bone in bones][:1] or arms or [self.human.spine[-1]]
        return np.asarray(worlds[top, :3, 3].mean(axis=0))

    def upright(self, worlds: Array) -> bool:
        """Whether a humanoid's legs and back stand straight up in a pose (J, 4, 4)."""
        places, bones = worlds[:, :3, 3] @ self.turn.T, self.human.bones
        legs = [places[bones[side + "UpperLeg"]] - places[bones[side + "Foot"]] for side in ("left", "right")]
        ways = np.mean(legs, axis=0), (self.top(worlds) - self.pelvis(worlds)) @ self.turn.T
        return all(bool(way[2] > _UPRIGHT * np.linalg.norm(way)) for way in ways)

    def level(self, worlds: Array) -> bool:
        """Whether a humanoid has both feet on the ground in a pose (J, 4, 4), were it flat."""
        places, bones = worlds[:, :3, 3] @ self.turn.T, self.human.bones
        ankles = abs(float(places[bones["leftFoot"], 2] - places[bones["rightFoot"], 2]))
        return ankles <= _LEVEL * leg_length(self.skeleton, self.human, worlds)


def figure_of(rig: Rig, stated: Mapping[str, int]) -> Figure:
    """The figure of a character.

    Args:
        rig: the character's, placed Z up and facing -Y.
        stated: node of each humanoid bone as the character's file says; else empty.
    """
    u, _, vt = np.linalg.svd(rig.placement[:3, :3])
    skeleton = rig.skeleton
    # Of joints of one name those count that something hangs on: controls are exported as joints of the skin, too.
    holding = skeleton.holding(rig.holding)
    joints = frozenset(node for node in skeleton.joints if holding[node])
    return Figure(replace(skeleton, joints=joints), u @ vt, stated)


def figure_moved(skeleton: Skeleton, turn: Array, stated: Mapping[str, int], motion: Motion) -> Figure:
    """The figure that a motion moves: of several in a file whose joints are called alike, that one.

    Args:
        skeleton: of the file.
        turn, stated: as in `Figure`.
        motion: of the skeleton.
    """
    names, parents, uses = skeleton.names, skeleton.parents.tolist(), Counter(skeleton.names)
    tops = {track.node for track in motion.tracks if track.varies and uses[names[track.node]] > 1}
    while climbing := {node for node in tops if parents[node] >= 0 and uses[names[parents[node]]] > 1}:
        tops = (tops - climbing) | {parents[node] for node in climbing}
    if tops:
        below = skeleton.below(sorted(tops))
        joints = skeleton.joints or range(len(names))
        skeleton = replace(skeleton, joints=frozenset(node for node in joints if below[node]))
    return Figure(skeleton, turn, stated)
