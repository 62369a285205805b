"""How a humanoid's rig was made: as its skin binds it, where its file has it rest in a frame of a motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.animation.feet import foot_joints, leg_length
from specsia_build.animation.humanoid import NEEDED, Humanoid
from specsia_build.animation.skeleton import Skeleton

POSED = np.radians(5.0)
"""How far a bone is turned at rest from where its skin binds it, if that is a pose."""

_TURNED = 1e-4
"""Radians by which a joint is turned otherwise in its parent."""

_MOVED = 1e-3
"""Lengths of a leg by which a joint is elsewhere in its parent."""

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
