"""A skeleton and how it stands: what two of them are compared by."""

from __future__ import annotations

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

AHEAD = 0.2
"""How far before the ankle the ball of a foot is, in lengths of the leg."""

CONTACT = 0.01
"""Height over the ground that a motion treads, in lengths of the leg, below which a sole stands on it."""

_GROUND = 10.0
"""Percentile of the frames' lowest soles that is taken for that ground."""


@dataclass(frozen=True)
class Soles:
    """Four points, heel and ball of both feet, that lie on the ground where a figure stands.

    Attributes:
        nodes: (4,) int64, what each hangs on.
        points: (4, 3) float64 in the coordinates of those.
        turn: (3, 3), from the file's coordinates to Z up.
        ground: height of the ground in those.
        leg: length of a leg.
    """

    nodes: NDArray[np.int64]
    points: NDArray[np.float64]
    turn: NDArray[np.float64]
    ground: float
    leg: float

    def at(self, worlds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where they are, (T, 4, 3) in lengths of the leg, Z up from the ground, of worlds (T, J, 4, 4)."""
        of = worlds[:, self.nodes]
        places = np.einsum("tnij,nj->tni", of[..., :3, :3], self.points) + of[..., :3, 3]
        return np.asarray((places @ self.turn.T - (0.0, 0.0, self.ground)) / self.leg)


def leg_length(skeleton: Skeleton, human: Humanoid, worlds: NDArray[np.float64]) -> float:
    """From the hip over the knee to the ankle, the mean of both legs, in a pose (J, 4, 4)."""
    lengths = []
    for side in ("left", "right"):
        places = worlds[[human.bones[side + part] for part in ("UpperLeg", "LowerLeg", "Foot")], :3, 3]
        lengths.append(np.linalg.norm(np.diff(places, axis=0), axis=1).sum())
    return float(np.mean(lengths))


def foot_joints(skeleton: Skeleton, human: Humanoid, side: str) -> list[int]:
    """A foot's joint and all that hang on it."""
    below = {human.bones[side + "Foot"]}
    for node, parent in enumerate(skeleton.parents.tolist()):
        if parent in below:
            below.add(node)
    return sorted(below)


def soles(
    skeleton: Skeleton, human: Humanoid, worlds: NDArray[np.float64], turn: NDArray[np.float64], leg: float
) -> Soles:
    """The soles of a figure whose feet stand as in (J, 4, 4); the ground is at the lowest joint of both.

    Args:
        turn: (3, 3), from the file's coordinates to Z up, facing -Y.
        leg: length of a leg.
    """
    both = [node for side in ("left", "right") for node in foot_joints(skeleton, human, side)]
    ground = float((worlds[both, :3, 3] @ turn.T)[:, 2].min())
    nodes, points = [], []
    for foot in (human.bones["leftFoot"], human.bones["rightFoot"]):
        x, y, _ = worlds[foot, :3, 3] @ turn.T
        for ahead in (0.0, AHEAD * leg):
            place = turn.T @ (x, y - ahead, ground)
            nodes.append(foot)
            points.append((np.linalg.pinv(worlds[foot]) @ np.append(place, 1.0))[:3])
    return Soles(np.array(nodes), np.array(points), turn, ground, leg)


def ground_of(places: NDArray[np.float64]) -> float:
    """Height of the ground that some soles (T, N, 3) tread."""
    return float(np.percentile(places[..., 2].min(axis=1), _GROUND))


def standing(places: NDArray[np.float64]) -> list[list[tuple[int, int]]]:
    """From which frame to before which each of some soles, (T, N, 3) as `Soles.at` gives them, is on the ground."""
    low = places[..., 2] < ground_of(places) + CONTACT
    found = []
    for sole in low.T:
        edges = np.flatnonzero(np.diff(np.concatenate([[False], sole, [False]]).astype(np.int8)))
        found.append(list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)))
    return found


def slide(places: NDArray[np.float64], stands: list[list[tuple[int, int]]]) -> float:
    """Farthest that a sole (T, N, 3) goes along the ground from where it came to stand, as `standing` gives it."""
    slides = [
        np.linalg.norm(places[begin:end, sole, :2] - places[begin, sole, :2], axis=1).max()
        for sole, spans in enumerate(stands)
        for begin, end in spans
    ]
    return float(max(slides, default=0.0))


POSED = np.radians(5.0)
"""How far a bone is turned at rest from where its skin binds it, if that is a pose."""

_TURNED = 1e-4
"""Difference in radians from which a joint is turned otherwise in its parent."""

_MOVED = 1e-3
"""Distance in lengths of a leg from which a joint is elsewhere in its parent."""

Array = NDArray[np.float64]


def as_bound(skeleton: Skeleton, human: Humanoid, turn: Array) -> Skeleton:
    """A humanoid's skeleton that rests as its skin binds it, standing where it stands; itself where that is alike.

    A skin tells its bones in coordinates of its mesh, which are the file's but for an axis that points up there and for
    size and place. Joints that it does not bind stay as they are in their parents.

    Args:
        skeleton: of it.
        human: its bones, none of `humanoid.NEEDED` missing.
        turn: (3, 3), from the file's coordinates to Z up.
    """
    core = [human.bones[bone] for bone in NEEDED]
    nodes = sorted({node for node in human.bones.values() if node in skeleton.bound})
    if not all(node in skeleton.bound for node in core):
        return skeleton
    rest = skeleton.rest_worlds
    bound = np.tile(np.eye(4), (len(rest), 1, 1))
    bound[list(skeleton.bound)] = list(skeleton.bound.values())
    own, told = _turns(rest), _turns(bound)
    since = own[nodes] @ np.swapaxes(told[nodes], 1, 2)
    if np.linalg.det(since).min() < 0 or _apart(since, _turns(since.sum(axis=0))) < POSED:
        return skeleton
    cubes = scipy.spatial.transform.Rotation.create_group("O").as_matrix()
    onto = cubes[np.einsum("cij,nij->c", cubes, since).argmax()]
    size = _size(skeleton, bound)
    if not 0 < size < np.inf:
        return skeleton
    places = size * bound[:, :3, 3] @ onto.T
    places += _shift(skeleton, human, places, turn)
    return _resting(skeleton, onto @ told, places, _MOVED * leg_length(skeleton, human, rest))


def _turns(matrices: Array) -> Array:
    """The rotations (..., 3, 3) nearest to the linear parts of matrices."""
    left, _, right = np.linalg.svd(matrices[..., :3, :3])
    return np.asarray(left @ right)


def _apart(turns: Array, turn: Array) -> float:
    """The largest angle between some rotations (N, 3, 3) and another."""
    cosine = (np.einsum("nij,ij->n", turns, turn) - 1) / 2
    return float(np.arccos(np.clip(cosine, -1.0, 1.0)).max())


def _size(skeleton: Skeleton, bound: Array) -> float:
    """How long bones of a skeleton are at rest where those of (J, 4, 4) have a length of 1; NaN where none says."""
    ends = [node for node in skeleton.bound if int(skeleton.parents[node]) in skeleton.bound]
    starts = skeleton.parents[ends]
    here, there = (np.linalg.norm(of[ends, :3, 3] - of[starts, :3, 3], axis=1) for of in (skeleton.rest_worlds, bound))
    return float(np.median(here[there > 0] / there[there > 0])) if (there > 0).any() else float("nan")


def _shift(skeleton: Skeleton, human: Humanoid, places: Array, turn: Array) -> Array:
    """(3,) that brings joints at (J, 3) over where the hips are at rest, and the lowest of the feet as high."""
    hips = [human.bones[side + "UpperLeg"] for side in ("left", "right")]
    feet = [node for side in ("left", "right") for node in foot_joints(skeleton, human, side)]
    feet = [node for node in feet if node in skeleton.bound]
    upright = [found @ turn.T for found in (skeleton.rest_worlds[:, :3, 3], places)]
    x, y, _ = np.subtract(*(found[hips].mean(axis=0) for found in upright))
    z = np.subtract(*(found[feet, 2].min() for found in upright))
    return np.asarray(turn.T @ (x, y, z))


def _resting(skeleton: Skeleton, turns: Array, places: Array, near: float) -> Skeleton:
    """The skeleton with its bound nodes turned (J, 3, 3) and placed (J, 3) so in the file's coordinates.

    What is within `near` of its place in its parent keeps that.
    """
    rotations, translations, matrices = skeleton.rotations.copy(), skeleton.translations.copy(), dict(skeleton.matrices)
    own, local = _turns(skeleton.rest_worlds), skeleton.rest.copy()
    found, worlds = np.empty_like(own), np.empty_like(local)
    for node, parent in enumerate(skeleton.parents.tolist()):
        above = worlds[parent] if parent >= 0 else np.eye(4)
        upper, there = (found[parent], own[parent]) if parent >= 0 else (np.eye(3), np.eye(3))
        before = there.T @ own[node]
        found[node] = upper @ before
        if node in skeleton.bound:
            found[node] = turns[node]
            place = np.linalg.pinv(above[:3, :3]) @ (places[node] - above[:3, 3])
            if np.linalg.norm(above[:3, :3] @ (place - local[node, :3, 3])) > near:
                translations[node] = local[node, :3, 3] = place
            after = upper.T @ turns[node]
            if _apart(after[None], before) > _TURNED:
                rotations[node] = scipy.spatial.transform.Rotation.from_matrix(after).as_quat()
                local[node, :3, :3] = after * skeleton.scales[node]
                matrices.pop(node, None)
        worlds[node] = above @ local[node]
    return replace(skeleton, rotations=rotations, translations=translations, matrices=matrices)


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
