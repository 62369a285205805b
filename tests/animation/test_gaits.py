"""The built-in motions: what each of the six moves, and that all can be looped."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from specsia_build.animation.motion import TRANSLATION, Motion, poses
from specsia_build.characters.motions import BUILT_IN, built_in
from specsia_build.frame import up_rotation

FEET, HANDS = ["leftFoot", "rightFoot"], ["leftHand", "rightHand"]


def motion(name: str) -> Motion:
    return next(gait for gait in built_in().motions if gait.name == name)


def places(name: str, *bones: str, at: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """(T, bones, 3) over a motion, Z up and facing -Y."""
    gait, file = motion(name), built_in()
    times = np.linspace(gait.start, gait.end, 61) if at is None else at
    nodes = [file.skeleton.names.index(bone) for bone in bones]
    return np.asarray(poses(file.skeleton, gait, times).worlds[..., :3, 3][:, nodes] @ up_rotation(file.up).T)


@pytest.mark.parametrize("name", BUILT_IN)
def test_loops_close_and_nothing_jumps(name: str) -> None:
    file, gait = built_in(), motion(name)
    worlds = poses(file.skeleton, gait, np.linspace(gait.start, gait.end, 200)).worlds
    hips = file.skeleton.names.index("hips")
    travelled = worlds[-1, hips, :3, 3] - worlds[0, hips, :3, 3]
    assert (np.linalg.norm(travelled) > 0.3) == (name in ("walk", "run"))
    assert_allclose(worlds[-1, :, :3, 3] - travelled, worlds[0, :, :3, 3], atol=1e-3)
    assert np.abs(np.diff(worlds[..., :3, 3], axis=0)).max() < 0.2
    assert {track.node for track in gait.tracks if track.path == TRANSLATION} == {hips}


def test_feet_stand_on_the_ground() -> None:
    for name in BUILT_IN:
        assert places(name, *FEET)[..., 2].min() > 0.08 - 0.003
    ankle = places("walk", "leftFoot", at=np.linspace(0.0, 0.59, 20))[:, 0]
    assert_allclose(ankle, np.broadcast_to(ankle[0], ankle.shape), atol=0.004)
    assert places("walk", *FEET)[..., 2].min(axis=1).max() < 0.085
    assert places("run", *FEET)[..., 2].min(axis=1).max() > 0.1
    assert places("jump", *FEET)[..., 2].min(axis=1).max() > 0.3


def test_a_wave_lifts_one_hand_above_the_shoulder_and_to_and_fro() -> None:
    left, right = np.moveaxis(places("wave", *HANDS), 1, 0)
    assert right[:, 2].max() > 1.5
    assert left[:, 2].max() < 1.4
    assert (np.diff(np.sign(np.diff(right[20:45, 2]))) != 0).sum() >= 3


def test_a_turn_goes_all_the_way_round() -> None:
    left, right = np.moveaxis(places("turn", "leftUpperLeg", "rightUpperLeg"), 1, 0)
    heading = np.unwrap(np.arctan2(*(left - right)[:, [1, 0]].T))
    assert_allclose(heading[-1] - heading[0], 2 * np.pi, atol=1e-3)
