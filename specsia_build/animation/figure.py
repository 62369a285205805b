"""A skeleton as a standing figure: its soles, legs and upright pose."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.animation.humanoid import NEEDED, Humanoid, humanoid
from specsia_build.animation.motion import Motion
from specsia_build.animation.rig import Rig
from specsia_build.animation.skeleton import Skeleton
from specsia_build.arrays import Doubles

_AHEAD = 0.2  # Distance from ankle to ball of the foot along the ground, in lengths of the leg
CONTACT = 0.01  # Height above the ground in lengths of the leg below which a sole touches it
_GROUND = 10.0  # Percentile of the heights of each frame's lowest sole that is taken for the ground


@dataclass(frozen=True)
class Soles:
    """Heels and balls of both feet, which are on the ground when a figure stands."""

    nodes: NDArray[np.int64]  # (4,), joint of each
    points: NDArray[np.float64]  # (4, 3), in the joints' coordinates
    turn: NDArray[np.float64]  # (3, 3), from the file's coordinates to Z up
    ground: float  # Height of the ground, Z up
    leg: float  # Length of a leg

    def at(self, worlds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions (T, 4, 3) in lengths of the leg, Z up from the ground, in poses (T, J, 4, 4)."""
        of = worlds[:, self.nodes]
        places = np.einsum("tnij,nj->tni", of[..., :3, :3], self.points) + of[..., :3, 3]
        return np.asarray((places @ self.turn.T - (0.0, 0.0, self.ground)) / self.leg)


def leg_length(human: Humanoid, worlds: NDArray[np.float64]) -> float:
    """Mean length of both legs, from hip to knee to ankle, in a pose (J, 4, 4)."""
    lengths = []
    for side in ("left", "right"):
        places = worlds[[human.bones[side + part] for part in ("UpperLeg", "LowerLeg", "Foot")], :3, 3]
        lengths.append(np.linalg.norm(np.diff(places, axis=0), axis=1).sum())
    return float(np.mean(lengths))


def soles(
    skeleton: Skeleton, human: Humanoid, worlds: NDArray[np.float64], turn: NDArray[np.float64], leg: float
) -> Soles:
    """Soles of a figure in a pose (J, 4, 4), its feet's lowest joint on the ground; `turn` makes it Z up."""
    feet = human.bones["leftFoot"], human.bones["rightFoot"]
    ground = float((worlds[skeleton.below(feet), :3, 3] @ turn.T)[:, 2].min())
    nodes, points = [], []
    for foot in feet:
        x, y, _ = worlds[foot, :3, 3] @ turn.T
        for ahead in (0.0, _AHEAD * leg):
            place = turn.T @ (x, y - ahead, ground)
            nodes.append(foot)
            points.append((np.linalg.pinv(worlds[foot]) @ np.append(place, 1.0))[:3])
    return Soles(np.array(nodes), np.array(points), turn, ground, leg)


def ground_of(places: NDArray[np.float64]) -> float:
    """Height of the ground under soles (T, N, 3)."""
    return float(np.percentile(places[..., 2].min(axis=1), _GROUND))


def slide(places: NDArray[np.float64], touching: NDArray[np.bool_]) -> float:
    """Largest distance that a sole (T, N, 3) slides along the ground while it touches it (T, N)."""
    farthest = 0.0
    for sole, touches in zip(places[..., :2].swapaxes(0, 1), touching.T, strict=True):
        edges = np.flatnonzero(np.diff(touches, prepend=False, append=False))
        for begin, end in edges.reshape(-1, 2):
            farthest = max(farthest, float(np.linalg.norm(sole[begin:end] - sole[begin], axis=1).max()))
    return farthest


POSED = np.radians(5.0)
"""Least rotation in radians between rest and bind pose from which a rig rests in the pose of a motion."""

_TURNED = 1e-4  # Difference in radians from which a joint's rotation is set to that of the bind pose
_MOVED = 1e-3  # Distance in lengths of a leg from which a joint's translation is set to that of the bind pose


def in_bind_pose(skeleton: Skeleton, human: Humanoid, turn: Doubles) -> Skeleton:
    """Return a humanoid's skeleton at rest in the bind pose of its skin, or itself if it rests there already.

    Bind poses are given in coordinates of the mesh, which may differ from the file's by an up axis, size and
    place. Joints without a bind pose keep their place relative to their parents. `human` has all bones of
    `humanoid.NEEDED`; `turn` (3, 3) is from the file's coordinates to Z up.
    """
    core = [human.bones[bone] for bone in NEEDED]
    nodes = sorted({node for node in human.bones.values() if node in skeleton.bound})
    if not all(node in skeleton.bound for node in core):
        return skeleton
    rest = skeleton.rest_worlds
    bound = np.tile(np.eye(4), (len(rest), 1, 1))
    bound[list(skeleton.bound)] = list(skeleton.bound.values())
    rest_turns, bind_turns = rotations_of(rest), rotations_of(bound)
    difference = rest_turns[nodes] @ np.swapaxes(bind_turns[nodes], 1, 2)
    mean = rotations_of(difference.sum(axis=0))
    if np.linalg.det(difference).min() < 0 or _largest_angle(difference, mean) < POSED:
        return skeleton
    cubes = scipy.spatial.transform.Rotation.create_group("O").as_matrix()
    onto = cubes[np.einsum("cij,nij->c", cubes, difference).argmax()]
    size = _scale(skeleton, bound)
    if not 0 < size < np.inf:
        return skeleton
    places = size * bound[:, :3, 3] @ onto.T
    places += _offset(skeleton, human, places, turn)
    return _with_rest(skeleton, onto @ bind_turns, places, _MOVED * leg_length(human, rest))


def rotations_of(matrices: Doubles) -> Doubles:
    """Rotations (..., 3, 3) nearest to the linear parts of matrices."""
    left, _, right = np.linalg.svd(matrices[..., :3, :3])
    return np.asarray(left @ right)


def _largest_angle(turns: Doubles, turn: Doubles) -> float:
    """Largest angle between rotations (N, 3, 3) and another."""
    cosine = (np.einsum("nij,ij->n", turns, turn) - 1) / 2
    return float(np.arccos(np.clip(cosine, -1.0, 1.0)).max())


def _scale(skeleton: Skeleton, bound: Doubles) -> float:
    """Median ratio of bone lengths at rest to those of a bind pose (J, 4, 4); NaN if there is no bone."""
    ends = [node for node in skeleton.bound if int(skeleton.parents[node]) in skeleton.bound]
    bones = (of[ends, :3, 3] - of[skeleton.parents[ends], :3, 3] for of in (skeleton.rest_worlds, bound))
    rest, bind = (np.linalg.norm(bone, axis=1) for bone in bones)
    return float(np.median(rest[bind > 0] / bind[bind > 0])) if (bind > 0).any() else float("nan")


def _offset(skeleton: Skeleton, human: Humanoid, places: Doubles, turn: Doubles) -> Doubles:
    """Shift (3,) of joints (J, 3) that puts the hips over those at rest, the lowest foot at equal height."""
    hips = [human.bones[side + "UpperLeg"] for side in ("left", "right")]
    below = skeleton.below([human.bones[side + "Foot"] for side in ("left", "right")])
    feet = [node for node in skeleton.bound if below[node]]
    upright = [joints @ turn.T for joints in (skeleton.rest_worlds[:, :3, 3], places)]
    x, y, _ = np.subtract(*(joints[hips].mean(axis=0) for joints in upright))
    z = np.subtract(*(joints[feet, 2].min() for joints in upright))
    return np.asarray(turn.T @ (x, y, z))


def _with_rest(skeleton: Skeleton, turns: Doubles, places: Doubles, near: float) -> Skeleton:
    """Set the rest of bound nodes to rotations (J, 3, 3), and to positions (J, 3) that are not `near`."""
    rotations, translations = skeleton.rotations.copy(), skeleton.translations.copy()
    matrices = dict(skeleton.matrices)
    before, local = rotations_of(skeleton.rest_worlds), skeleton.rest.copy()
    after, worlds = np.empty_like(before), np.empty_like(local)
    for node, parent in enumerate(skeleton.parents.tolist()):
        above = worlds[parent] if parent >= 0 else np.eye(4)
        upper, upper_before = (after[parent], before[parent]) if parent >= 0 else (np.eye(3), np.eye(3))
        relative = upper_before.T @ before[node]
        after[node] = upper @ relative
        if node in skeleton.bound:
            after[node] = turns[node]
            place = np.linalg.pinv(above[:3, :3]) @ (places[node] - above[:3, 3])
            if np.linalg.norm(above[:3, :3] @ (place - local[node, :3, 3])) > near:
                translations[node] = local[node, :3, 3] = place
            bind = upper.T @ turns[node]
            if _largest_angle(bind[None], relative) > _TURNED:
                rotations[node] = scipy.spatial.transform.Rotation.from_matrix(bind).as_quat()
                local[node, :3, :3] = bind * skeleton.scales[node]
                matrices.pop(node, None)
        worlds[node] = above @ local[node]
    return replace(skeleton, rotations=rotations, translations=translations, matrices=matrices)


_UPRIGHT = 0.7  # Least cosine between the vertical and the legs, or the back, of an upright figure
_ACROSS = 0.7  # Least cosine between the way from one joint to that of the other side and the X axis
_LEVEL = 0.1  # Largest difference of the ankles' heights, in lengths of a leg, with both feet on the ground


@dataclass(frozen=True)
class Figure:
    """A skeleton at rest and its orientation."""

    skeleton: Skeleton  # At rest
    turn: Doubles  # (3, 3), from the file's coordinates to Z up, facing -Y
    stated: Mapping[str, int]  # Nodes of the humanoid bones that the file names
    swapped: bool = False  # Whether its joints have the names of the other side

    @cached_property
    def human(self) -> Humanoid:
        """The humanoid bones that it has."""
        return humanoid(self.skeleton, self.stated, swapped=self.swapped)

    @cached_property
    def neutral(self) -> Skeleton:
        """The skeleton in its bind pose if it is a humanoid resting in a motion's frame; else unchanged."""
        if self.human.missing:
            return self.skeleton
        bound = in_bind_pose(self.skeleton, self.human, self.turn)
        stands = self.upright(bound.rest_worlds) and self.level(bound.rest_worlds)
        return bound if stands else self.skeleton

    def unique(self) -> dict[str, int]:
        """Nodes by name, if unique among nodes, or else among joints, as meshes may be named like joints."""
        names, joints = self.skeleton.names, self.skeleton.joints
        uses, of_joints = Counter(names), Counter(names[node] for node in joints)
        return {
            name: node
            for node, name in enumerate(names)
            if name and (uses[name] == 1 or (node in joints and of_joints[name] == 1))
        }

    def pelvis(self, worlds: Doubles) -> Doubles:
        """Middle between both hip joints (..., 3) in poses (..., J, 4, 4)."""
        hips = [self.human.bones[side + "UpperLeg"] for side in ("left", "right")]
        return np.asarray(worlds[..., :3, 3][..., hips, :].mean(axis=-2))

    def top(self, worlds: Doubles) -> Doubles:
        """Position (3,) of the head, else the neck, the middle of the arms or the spine's end in a pose."""
        bones = self.human.bones
        above = [bones[bone] for bone in ("head", "neck") if bone in bones][:1]
        arms = [bones[bone] for bone in ("leftUpperArm", "rightUpperArm") if bone in bones]
        return np.asarray(worlds[above or arms or [self.human.spine[-1]], :3, 3].mean(axis=0))

    def yaw(self, worlds: Doubles) -> float:
        """Angle about Z, from -pi to pi, by which the hips of a pose (J, 4, 4) are turned from -Y."""
        left, right = (worlds[self.human.bones[side + "UpperLeg"], :3, 3] for side in ("left", "right"))
        x, y, _ = self.turn @ (left - right)
        return float(np.arctan2(y, x))

    def upright(self, worlds: Doubles) -> bool:
        """Whether legs and back are upright in a pose (J, 4, 4)."""
        places, bones = worlds[:, :3, 3] @ self.turn.T, self.human.bones
        legs = [places[bones[side + "UpperLeg"]] - places[bones[side + "Foot"]] for side in ("left", "right")]
        ways = np.mean(legs, axis=0), (self.top(worlds) - self.pelvis(worlds)) @ self.turn.T
        return all(bool(way[2] > _UPRIGHT * np.linalg.norm(way)) for way in ways)

    def level(self, worlds: Doubles) -> bool:
        """Whether both feet are on level ground in a pose (J, 4, 4)."""
        places, bones = worlds[:, :3, 3] @ self.turn.T, self.human.bones
        ankles = abs(float(places[bones["leftFoot"], 2] - places[bones["rightFoot"], 2]))
        return ankles <= _LEVEL * leg_length(self.human, worlds)

    def has_swapped_names(self) -> bool:
        """Whether it has two legs and two arms, each on the other side at rest than its name says."""
        places, bones = self.neutral.rest_worlds[:, :3, 3] @ self.turn.T, self.human.bones
        limbs = [("left" + part, "right" + part) for part in ("UpperLeg", "Foot", "UpperArm", "LowerArm")]
        if not all(bone in bones for pair in limbs for bone in pair):
            return False
        ways = [places[bones[left]] - places[bones[right]] for left, right in limbs]
        return all(bool(way[0] < -_ACROSS * np.linalg.norm(way)) for way in ways)


def figure_of(rig: Rig, stated: Mapping[str, int]) -> Figure:
    """Figure of a character's rig, Z up and facing -Y; `stated` are humanoid bones that its file names.

    Without these, joints whose names are all of the other side are told left from right by their places.
    """
    skeleton = rig.skeleton
    # Controls are exported as joints of the skin, too, with nothing attached to them.
    holding = skeleton.holding(rig.holding)
    joints = frozenset(node for node in skeleton.joints if holding[node])
    figure = Figure(replace(skeleton, joints=joints), rotations_of(rig.placement), stated)
    swapped = not stated and figure.has_swapped_names()
    return replace(figure, swapped=True) if swapped else figure


def figure_moved(skeleton: Skeleton, turn: Doubles, stated: Mapping[str, int], motion: Motion) -> Figure:
    """Figure that a motion moves, if a file holds several whose joints have the same names."""
    names, parents = skeleton.names, skeleton.parents.tolist()
    uses = Counter(skeleton.names)
    tops = {track.node for track in motion.tracks if track.varies and uses[names[track.node]] > 1}
    while climbing := {node for node in tops if parents[node] >= 0 and uses[names[parents[node]]] > 1}:
        tops = (tops - climbing) | {parents[node] for node in climbing}
    if tops:
        below = skeleton.below(sorted(tops))
        joints = skeleton.joints or range(len(names))
        skeleton = replace(skeleton, joints=frozenset(node for node in joints if below[node]))
    return Figure(skeleton, turn, stated)
