"""Joints that follow others, as VRMC_node_constraint 1.0 has them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from specsia_build.animation.constraints import in_order
from specsia_build.animation.motion import ROTATION, Motion, Track, poses
from specsia_build.animation.skeleton import Constraint, Following, Skeleton

ROOT, SOURCE, FOLLOWER = range(3)
REST = Rotation.random(3, random_state=np.random.default_rng(4))
X = np.array([1.0, 0.0, 0.0])


def skeleton(*constraints: Constraint) -> Skeleton:
    """A root with two nodes on it, all turned anyhow at rest."""
    return Skeleton(
        ("root", "source", "follower"),
        np.array([-1, 0, 0], np.int32),
        np.array([[0.0, 0, 0], [1.0, 2, 3], [0.5, -1, 0]]),
        np.asarray(REST.as_quat()),
        np.ones((3, 3)),
        constraints=constraints,
    )


def turned(follower: Constraint, source: Rotation, root: Rotation | None = None) -> NDArray[np.float64]:
    """(3, 4, 4) worlds with the source, and the root, turned from rest in their parents' coordinates."""
    tracks = [
        Track(node, ROTATION, np.zeros(1), np.asarray((turn * REST[node]).as_quat())[None])
        for node, turn in ((SOURCE, source), (ROOT, root or Rotation.identity()))
    ]
    return np.asarray(poses(skeleton(follower), Motion("", tuple(tracks), 0.0, 0.0), np.zeros(1)).worlds[0])


def since(worlds: NDArray[np.float64], node: int) -> NDArray[np.float64]:
    """The turn of a node from its rest, a vector in its parent's coordinates."""
    parent = Rotation.from_matrix(worlds[ROOT, :3, :3])
    return np.asarray((parent.inv() * Rotation.from_matrix(worlds[node, :3, :3]) * REST[node].inv()).as_rotvec())


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_a_roll_is_what_of_a_turn_is_about_the_axis(weight: float) -> None:
    axis = REST[FOLLOWER].apply(X)
    aside = np.cross(axis, [0.3, 0.5, -0.8])
    bend, roll = (Rotation.from_rotvec(way / np.linalg.norm(way) * size) for way, size in ((aside, 0.9), (axis, 0.7)))
    worlds = turned(Constraint(FOLLOWER, SOURCE, "roll", X, weight), bend * roll)
    assert since(worlds, FOLLOWER) == pytest.approx(weight * 0.7 * axis, abs=1e-9)


def test_a_rotation_is_the_sources_in_its_own_coordinates() -> None:
    turn = Rotation.from_rotvec([0.4, -0.2, 0.9])
    worlds = turned(Constraint(FOLLOWER, SOURCE, "rotation", X, 1.0), turn)
    local = (REST[SOURCE].inv() * turn * REST[SOURCE]).as_rotvec()
    assert since(worlds, FOLLOWER) == pytest.approx(REST[FOLLOWER].apply(local), abs=1e-9)


def test_an_aim_points_at_the_source_wherever_the_parent_turns() -> None:
    for axis in (X, -X):
        worlds = turned(Constraint(FOLLOWER, SOURCE, "aim", axis, 1.0), Rotation.identity(), Rotation.random())
        way = worlds[SOURCE, :3, 3] - worlds[FOLLOWER, :3, 3]
        assert worlds[FOLLOWER, :3, :3] @ axis == pytest.approx(way / np.linalg.norm(way), abs=1e-9)


def test_at_rest_nothing_follows() -> None:
    still = skeleton(Constraint(FOLLOWER, SOURCE, "aim", X, 1.0))
    assert poses(still, None, np.zeros(1)).worlds[0] == pytest.approx(still.rest_worlds)


@pytest.mark.parametrize("kind", ["rotation", "roll"])
def test_what_follows_a_follower_comes_after_it(kind: Following) -> None:
    third = Constraint(2, 1, kind, X, 1.0)
    second = Constraint(1, 0, kind, X, 1.0)
    figure = skeleton()
    assert in_order([third, second], figure) == (second, third)
    with pytest.raises(ValueError, match="in a circle"):
        in_order([third, replace(second, source=2)], figure)
