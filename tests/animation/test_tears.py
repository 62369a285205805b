"""What a pose tears apart: vertices beside each other that hang on joints which part."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from specsia_build.animation.motion import ROTATION, Motion, Track, poses
from specsia_build.animation.rig import Rig
from specsia_build.animation.skeleton import Skeleton
from specsia_build.animation.tears import torn_in

ROWS = 21


def strip(names_wrong: float) -> tuple[Rig, NDArray[np.int32]]:
    """A strip along x that bends at a joint in its middle, some of its vertices hanging on the wrong one of the two."""
    x, y = np.meshgrid(np.linspace(0.0, 2.0, ROWS), [0.0, 0.1], indexing="ij")
    points = np.stack([x, y, 0 * x], axis=-1).reshape(-1, 3).astype(np.float32)
    upper = np.clip((points[:, 0] - 0.8) / 0.4, 0.0, 1.0)
    wrong = np.random.default_rng(0).random(len(points)) < names_wrong
    upper = np.where(wrong, 1.0 - upper, upper)
    skeleton = Skeleton(
        ("root", "bend"),
        np.array([-1, 0], np.int32),
        np.array([[0.0, 0, 0], [1.0, 0, 0]]),
        np.tile([0.0, 0, 0, 1], (2, 1)),
        np.ones((2, 3)),
    )
    rig = Rig(
        skeleton,
        points,
        np.tile(np.array([0, 1], np.int32), (len(points), 1)),
        np.stack([1.0 - upper, upper], axis=1).astype(np.float32),
        np.array([0, 1], np.int32),
        np.linalg.inv(skeleton.rest_worlds).astype(np.float64),
        np.eye(4),
    )
    corners = np.array([[0, 2, 1], [1, 2, 3]], np.int32)
    return rig, np.concatenate([corners + 2 * k for k in range(ROWS - 1)])


@pytest.mark.parametrize(("names_wrong", "least", "most"), [(0.0, 0.0, 0.0), (0.2, 0.2, 0.8)])
def test_what_hangs_on_the_wrong_joint_is_torn_in_a_pose_alone(names_wrong: float, least: float, most: float) -> None:
    rig, faces = strip(names_wrong)
    turns = Rotation.from_rotvec([[0, 0, 0], [0, 0, 90]], degrees=True).as_quat()
    bent = Motion("bend", (Track(1, ROTATION, np.array([0.0, 1.0]), turns),), 0.0, 1.0)
    still, turned = torn_in(rig, faces, poses(rig.skeleton, bent, np.array([0.0, 1.0])).worlds)
    assert still == 0.0
    assert least <= turned <= most
