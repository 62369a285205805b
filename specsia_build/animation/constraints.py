"""Joints that follow others of their skeleton, whatever moves those: what twists an arm, or points at a hand."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.animation.skeleton import Constraint, Skeleton, composed, rotation_matrices

Array = NDArray[np.float64]


def in_order(constraints: Sequence[Constraint], skeleton: Skeleton) -> tuple[Constraint, ...]:
    """Constraints, each after those that it rests on.

    Args:
        constraints: at most one of each node.
        skeleton: of the nodes.

    Raises:
        ValueError: if some rest on each other.
    """
    of = {one.node: one for one in constraints}
    graph = {
        one.node: {
            node
            for start in ((one.source, int(skeleton.parents[one.node])) if one.kind == "aim" else (one.source,))
            for node in (skeleton.above(start) if one.kind == "aim" else (start,))
            if node in of
        }
        for one in constraints
    }
    try:
        return tuple(of[node] for node in TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise ValueError("follow each other in a circle") from error


def followed(skeleton: Skeleton, translations: Array, rotations: Array, scales: Array) -> Array:
    """Rotations (T, J, 4) with those of nodes that follow others, of (T, J, 3), (T, J, 4) and (T, J, 3).

    As VRMC_node_constraint 1.0 has it.
    """
    found = rotations.copy()
    for one in skeleton.constraints:
        here, there = (_turn(skeleton.rotations[node]) for node in (one.node, one.source))
        now = _turn(found[:, one.source])
        if one.kind == "rotation":
            turned = there.inv() * now
        elif one.kind == "roll":
            own = here.inv() * now * there.inv() * here
            turned = _onto(one.axis, own.apply(one.axis)).inv() * own
        else:
            worlds = skeleton.worlds(composed(translations, found, scales))
            parent = int(skeleton.parents[one.node])
            rest = composed(np.zeros(3), skeleton.rotations[one.node], np.ones(3))
            above = (worlds[:, parent] if parent >= 0 else np.eye(4)) @ rest
            ways = (worlds[:, one.source, :3, 3] - worlds[:, one.node, :3, 3])[..., None]
            turned = _onto(one.axis, (np.linalg.pinv(above[..., :3, :3]) @ ways)[..., 0])
        found[:, one.node] = (here * turned**one.weight).as_quat()
    return found


def _turn(quaternions: Array) -> scipy.spatial.transform.Rotation:
    return scipy.spatial.transform.Rotation.from_matrix(rotation_matrices(quaternions))


def _onto(axis: Array, ways: Array) -> scipy.spatial.transform.Rotation:
    """The smallest turns that take an axis (3,) onto ways (T, 3); none where a way has no length."""
    lengths = np.linalg.norm(ways, axis=1, keepdims=True)
    ways = np.where(lengths > 0, ways / np.where(lengths > 0, lengths, 1.0), axis)
    cosine = ways @ axis
    halves = np.concatenate([np.cross(axis, ways), 1.0 + cosine[:, None]], axis=1)
    # Half a turn has no axis of its own.
    halves[cosine < -1.0 + 1e-12] = (*np.roll(axis, 1), 0.0)
    return scipy.spatial.transform.Rotation.from_quat(halves)
