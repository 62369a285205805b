"""Gaits: what each of the six moves, on skeletons whose nodes rest however they like."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from specsia_build.animation.gaits import GAITS, gaits
from specsia_build.animation.motion import TRANSLATION, Motion, poses
from specsia_build.animation.skeleton import Skeleton

PLACES: dict[str, tuple[str, tuple[float, float, float]]] = {
    "hips": ("", (0, 1.0, 0)),
    "spine": ("hips", (0, 1.1, 0)),
    "chest": ("spine", (0, 1.3, 0)),
    "head": ("chest", (0, 1.6, 0)),
    **{
        name: (parent, (side * x, y, z))
        for side, way in ((1, "left"), (-1, "right"))
        for name, parent, (x, y, z) in (
            (f"{way}UpperArm", "chest", (0.2, 1.5, 0.0)),
            (f"{way}LowerArm", f"{way}UpperArm", (0.45, 1.45, 0.0)),
            (f"{way}Hand", f"{way}LowerArm", (0.7, 1.45, 0.02)),
            (f"{way}UpperLeg", "hips", (0.1, 0.95, 0.0)),
            (f"{way}LowerLeg", f"{way}UpperLeg", (0.1, 0.5, 0.02)),
            (f"{way}Foot", f"{way}LowerLeg", (0.1, 0.08, 0.0)),
        )
    },
}
BONES = {name: node for node, name in enumerate(PLACES)}
FEET, HANDS = ["leftFoot", "rightFoot"], ["leftHand", "rightHand"]


def figure(turned: bool = False) -> Skeleton:
    """A person of 1.7 with Y up; `turned` has nodes that rest turned and scaled, below a root that makes Z up."""
    names, places = list(PLACES), np.array([place for _, place in PLACES.values()])
    parents = [BONES.get(parent, -1) for parent, _ in PLACES.values()]
    worlds = np.tile(np.eye(4), (len(names), 1, 1))
    worlds[:, :3, 3] = places
    if turned:
        worlds[:, :3, :3] = Rotation.random(len(names), rng=np.random.default_rng(3)).as_matrix()
        root = np.eye(4)
        root[:3, :3] = Rotation.from_euler("x", 90, degrees=True).as_matrix() * 0.01
        worlds[:, :3, 3] *= 100
        worlds = np.concatenate([root[None], root @ worlds])
        names, parents = ["Armature", *names], [-1, *(parent + 1 for parent in parents)]
    local = np.stack([worlds[k] if p < 0 else np.linalg.inv(worlds[p]) @ worlds[k] for k, p in enumerate(parents)])
    scales = np.linalg.norm(local[:, :3, :3], axis=1)
    turns = Rotation.from_matrix(local[:, :3, :3] / scales[:, None]).as_quat()
    return Skeleton(tuple(names), np.array(parents, np.int32), local[:, :3, 3], turns, scales)


@cache
def motion(name: str) -> Motion:
    return next(one for one in gaits(figure(), BONES) if one.name == name)


def places(name: str, *bones: str, at: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """(T, bones, 3) over a motion."""
    found = motion(name)
    times = np.linspace(found.start, found.end, 61) if at is None else at
    return poses(figure(), found, times).worlds[..., :3, 3][:, [BONES[bone] for bone in bones]]


def test_there_are_six() -> None:
    found = gaits(figure(), BONES)
    assert [one.name for one in found] == list(GAITS) == ["idle", "walk", "run", "jump", "wave", "turn"]


@pytest.mark.parametrize("name", GAITS)
def test_loops_close(name: str) -> None:
    found = motion(name)
    first, last = poses(figure(), found, np.array([found.start, found.end])).worlds
    last = last.copy()
    travelled = last[BONES["hips"], :3, 3] - first[BONES["hips"], :3, 3]
    assert_allclose(travelled[:2], 0, atol=1e-9)
    assert (travelled[2] > 0.3) == (name in ("walk", "run"))
    last[:, :3, 3] -= travelled
    assert_allclose(last, first, atol=1e-9)


@pytest.mark.parametrize("name", GAITS)
def test_nothing_jumps_between_keys(name: str) -> None:
    found = motion(name)
    worlds = poses(figure(), found, np.arange(found.start, found.end, 1 / 60)).worlds
    assert np.abs(np.diff(worlds[..., :3, 3], axis=0)).max() < 0.2


def test_nodes_that_rest_turned_go_the_same_ways() -> None:
    other = figure(turned=True)
    bones = {name: node + 1 for name, node in BONES.items()}
    for mine, theirs in zip(gaits(figure(), BONES), gaits(other, bones), strict=True):
        times = np.linspace(0, mine.end, 13)
        expected = poses(figure(), mine, times).worlds[:, :, :3, 3]
        found = poses(other, theirs, times).worlds[:, 1:, :3, 3]
        assert_allclose(found[..., [0, 2]] * (1, 1), expected[..., [0, 1]], atol=1e-6)
        assert_allclose(found[..., 1], -expected[..., 2], atol=1e-6)


@pytest.mark.parametrize("name", GAITS)
def test_no_ankle_goes_below_where_it_stands(name: str) -> None:
    assert places(name, *FEET)[..., 1].min() > 0.08 - 0.003


def test_a_foot_that_stands_stays_where_it_is() -> None:
    ankle = places("walk", "leftFoot", at=np.linspace(0.0, 0.59, 20))[:, 0]
    assert_allclose(ankle, np.broadcast_to(ankle[0], ankle.shape), atol=0.003)


def test_somebody_who_walks_has_a_foot_on_the_ground_and_who_runs_has_not_always() -> None:
    assert places("walk", *FEET)[..., 1].min(axis=1).max() < 0.085
    assert places("run", *FEET)[..., 1].min(axis=1).max() > 0.1


def test_a_jump_lifts_both_feet() -> None:
    assert places("jump", *FEET)[..., 1].min(axis=1).max() > 0.3


def test_a_wave_lifts_one_hand_above_the_shoulder_and_to_and_fro() -> None:
    left, right = np.moveaxis(places("wave", *HANDS), 1, 0)
    assert right[:, 1].max() > 1.6
    assert left[:, 1].max() < 1.5
    middle = right[20:45, 1]
    assert (np.diff(np.sign(np.diff(middle))) != 0).sum() >= 3


def test_a_turn_goes_all_the_way_round() -> None:
    found = motion("turn")
    worlds = poses(figure(), found, np.linspace(0, found.end, 61)).worlds[:, BONES["hips"]]
    heading = np.unwrap(np.arctan2(worlds[:, 0, 2], worlds[:, 2, 2]))
    assert_allclose(heading[-1] - heading[0], 2 * np.pi, atol=1e-6)
    assert (np.diff(heading) > -1e-9).all()


def test_arms_hang_as_far_as_they_may() -> None:
    narrow, wide = (
        next(m for m in gaits(figure(), BONES, hang_deg=deg, lift_deg=30) if m.name == "idle") for deg in (20, 70)
    )
    low = [poses(figure(), m, np.zeros(1)).worlds[0, BONES["leftHand"], 1, 3] for m in (narrow, wide)]
    assert low[0] > low[1] + 0.2


def test_the_hips_alone_travel() -> None:
    for found in gaits(figure(), BONES):
        assert {track.node for track in found.tracks if track.path == TRANSLATION} == {BONES["hips"]}


def test_a_humanoid_without_legs_has_no_gait() -> None:
    with pytest.raises(ValueError, match="leftLowerLeg"):
        gaits(figure(), {name: node for name, node in BONES.items() if "LowerLeg" not in name})


def test_bones_without_length_are_named() -> None:
    flat = figure()
    flat.translations[BONES["leftHand"]] = 0
    with pytest.raises(ValueError, match="leftLowerArm"):
        gaits(flat, BONES)


@pytest.mark.parametrize(("bone", "way"), [("leftLowerArm", (0, 0, 0.3)), ("rightUpperLeg", (-0.4, 0, 0))])
def test_bones_that_do_not_say_which_way_they_bend_are_named(bone: str, way: tuple[float, float, float]) -> None:
    stiff = figure()
    end = {"leftLowerArm": "leftHand", "rightUpperLeg": "rightLowerLeg"}[bone]
    stiff.translations[BONES[end]] = way
    with pytest.raises(ValueError, match=f"straight ahead .*: {bone}$"):
        gaits(stiff, BONES)
