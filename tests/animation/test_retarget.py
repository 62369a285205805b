"""Retargeting: angles, places and feet follow the source on any rig."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from specsia_build.animation.figure import Figure
from specsia_build.animation.motion import TRANSLATION, WEIGHTS, Motion, Track
from specsia_build.animation.retarget import retargeted
from specsia_build.animation.transfer import sample_times
from specsia_build.errors import CharacterError
from specsia_build.frame import front_rotation
from tests.animation import people
from tests.animation.people import KAYKIT, MIXAMO, degrees, person, places, skeleton_of, turning, way

PARTS = [*pairwise(("UpperArm", "LowerArm", "Hand")), *pairwise(("UpperLeg", "LowerLeg", "Foot"))]
LIMBS = [(side + upper, side + lower) for side in ("left", "right") for upper, lower in PARTS]


def worst(source: Any, target: Any, motion: Motion, result: Motion, times: list[float]) -> float:
    """The largest angle between the two figures' limbs."""
    apart = [0.0]
    for time in times:
        there, here = places(source[0], motion, time), places(target[0], result, time)
        apart += [degrees(way(there, source[1], *limb), way(here, target[1], *limb)) for limb in LIMBS]
    return max(apart)


@pytest.mark.parametrize("names", [None, MIXAMO, KAYKIT, people.QUATERNIUS])
@pytest.mark.parametrize("lowered", [0.0, 45.0])
def test_elbow_angle_on_any_rig(names: dict[str, str] | None, lowered: float) -> None:
    source = person(MIXAMO, seed=1, size=100.0, up="+y")
    target = person(names, seed=2, lowered=lowered)
    motion = turning(source[0], source[1]["leftLowerArm"], [(0, 0, 0), (0, 0, -90)])
    result = retargeted(motion, source[0], target[0]).motion
    at = places(target[0], result, 1.0)
    upper = way(at, target[1], "leftUpperArm", "leftLowerArm")
    lower = way(at, target[1], "leftLowerArm", "leftHand")
    assert degrees(upper, lower) == pytest.approx(90.0, abs=0.1)
    assert degrees(lower, np.array([0.0, -1.0, 0.0])) < 0.1
    assert worst(source, target, motion, result, [0.0, 0.5, 1.0]) < 0.1


def test_spine_of_another_length() -> None:
    source = person(MIXAMO)
    motion = turning(source[0], source[1]["chest"], [(0, 0, 0), (40, 0, 0)])
    for goal in (person(KAYKIT, seed=3), person()):
        result = retargeted(motion, source[0], goal[0]).motion
        assert worst(source, goal, motion, result, [1.0]) < 0.1


@pytest.mark.parametrize("front", ["-y", "+y"])
def test_same_build_keeps_tracks(front: str) -> None:
    source, bones = person(KAYKIT, seed=4)
    motion = turning(source, bones["head"], [(0, 0, 0), (0, 0, 30)])
    other = Figure(replace(source.skeleton), front_rotation(front) @ source.turn, {})
    result = retargeted(motion, source, other)
    assert [track.node for track in result.motion.tracks] == [bones["head"]]
    np.testing.assert_array_equal(result.motion.tracks[0].values, motion.tracks[0].values)


def test_hip_travel_scales_with_legs() -> None:
    source, bones = person(MIXAMO, up="+y", size=100.0)
    rest = source.skeleton.translations[bones["hips"]]
    ends = np.stack([rest, rest + np.array([0, 50, 200])])
    walk = Track(bones["hips"], TRANSLATION, np.array([0.0, 1.0]), ends)
    target = person(KAYKIT, seed=5, size=0.5)
    result = retargeted(Motion("leap", (walk,), 0.0, 1.0), source, target[0]).motion
    moved = places(target[0], result, 1.0) - places(target[0], None, 0.0)
    np.testing.assert_allclose(moved[target[1]["hips"]], (0, -1.0, 0.25), atol=1e-6)


def squat(source: Figure, bones: dict[str, int]) -> Motion:
    """Knees bend by 80 degrees and feet stay flat; the hips sink as they must."""
    tracks: list[Track] = []
    for side in ("left", "right"):
        for part, angle in (("UpperLeg", -40.0), ("LowerLeg", 80.0), ("Foot", -40.0)):
            tracks += turning(source, bones[side + part], [(0, 0, 0), (angle, 0, 0)]).tracks
    motion = Motion("squat", tuple(tracks), 0.0, 1.0)
    drop = places(source, motion, 1.0)[bones["leftFoot"]] - places(source, None, 0.0)[bones["leftFoot"]]
    rest = source.skeleton.translations[bones["hips"]]
    way_down = np.stack([rest, rest - source.turn.T @ drop])
    sinking = Track(bones["hips"], TRANSLATION, np.array([0.0, 1.0]), way_down)
    return replace(motion, tracks=(*tracks, sinking))


@pytest.mark.parametrize("shin", [0.8, 1.0, 1.3])
def test_foot_sink_and_slide(shin: float) -> None:
    source, target = person(MIXAMO), person(KAYKIT, seed=6, shin=shin, size=0.4)
    result = retargeted(squat(*source), source[0], target[0])
    assert result.changes == ()
    feet = places(target[0], result.motion, 1.0)[[target[1]["leftFoot"], target[1]["rightFoot"]], 2]
    np.testing.assert_allclose(feet, 0.08 * 0.4, atol=1e-3)


def test_feet_without_shins() -> None:
    source = person(MIXAMO)
    target = person(people.QUATERNIUS, seed=7, hung={"leftFoot": None, "rightFoot": "hips"})
    motion = turning(source[0], source[1]["leftUpperLeg"], [(0, 0, 0), (-60, 0, 0)])
    result = retargeted(motion, source[0], target[0]).motion
    assert worst(source, target, motion, result, [0.5, 1.0]) < 0.1


def fallen_of(source: Figure) -> Figure:
    """A figure that lies at rest."""
    lying = source.skeleton.rotations.copy()
    lying[0] = turning(source, 0, [(90, 0, 0)]).tracks[0].values[0]
    return Figure(replace(source.skeleton, rotations=lying), source.turn, {})


def test_bent_back_stays_bent() -> None:
    source, target = person(MIXAMO, seed=8), person(people.QUATERNIUS)
    upright = turning(source[0], source[1]["hips"], [(0, 0, 0), (0, 0, 0)])
    bent = turning(source[0], source[1]["spine"], [(35, 0, 0), (60, 0, 0)])
    motion = replace(bent, tracks=(*upright.tracks, *bent.tracks))
    result = retargeted(motion, fallen_of(source[0]), target[0]).motion
    for time in (0.0, 1.0):
        there, here = places(source[0], motion, time), places(target[0], result, time)
        back = [way(at, bones, "hips", "neck") for at, bones in ((there, source[1]), (here, target[1]))]
        assert degrees(*back) < 5


@pytest.mark.parametrize("heading", [0, 90])
def test_source_resting_in_a_run_frame(heading: int) -> None:
    """As files of motion alone do: one foot is in the air at rest, and flat on the ground later."""
    source, target = person(MIXAMO, seed=8), person(KAYKIT, seed=3)
    swings: list[tuple[float, float, float]] = [(-60, 0, 0), (0, 0, 0), (60, 0, 0)]
    ways = (("left", swings), ("right", swings[::-1]))
    legs = [turning(source[0], source[1][side + "UpperLeg"], vectors) for side, vectors in ways]
    shin = turning(source[0], source[1]["leftLowerLeg"], [(80, 0, 0), (0, 0, 0), (0, 0, 0)])
    hips = turning(source[0], source[1]["hips"], [(0, 0, heading)] * 3)
    run = (*legs[0].tracks, *legs[1].tracks, *shin.tracks)
    motion = replace(legs[0], tracks=(*hips.tracks, *run))
    rotations = source[0].skeleton.rotations.copy()
    for track in run:
        rotations[track.node] = track.values[0]
    running = Figure(replace(source[0].skeleton, rotations=rotations), source[0].turn, {})
    result = retargeted(motion, running, target[0])
    assert len(result.changes) == 1 and "at rest" in result.changes[0]
    assert worst(source, target, motion, result.motion, [0.0, 1.0, 2.0]) < 0.1
    heights = [
        [places(figure, moved, time)[bones[bone], 2] for bone in ("hips", "leftFoot", "rightFoot")]
        for time in (0.0, 1.0, 2.0)
        for (figure, bones), moved in ((source, motion), (target, result.motion))
    ]
    for there, here in zip(heights[::2], heights[1::2], strict=True):
        assert np.subtract(here, there) == pytest.approx(np.subtract(heights[3], heights[2]), abs=0.02)


def test_animals_with_human_joint_names() -> None:
    (source, bones), (target, _) = person(MIXAMO, seed=8), person(MIXAMO, seed=8, size=3.0)
    motion = turning(source, bones["spine"], [(0, 0, 0), (30, 0, 0)])
    result = retargeted(motion, fallen_of(source), fallen_of(target))
    assert result.changes == ()
    assert {track.node for track in result.motion.tracks if track.varies} == {bones["spine"]}


def test_source_lying_at_rest() -> None:
    source, target = person(MIXAMO, seed=8), person(KAYKIT)
    upright = turning(source[0], source[1]["hips"], [(0, 0, 0), (0, 0, 0)])
    skeleton, fallen = source[0].skeleton, fallen_of(source[0])
    result = retargeted(upright, fallen, target[0])
    assert len(result.changes) == 1 and "at rest" in result.changes[0]
    assert worst((fallen, source[1]), target, upright, result.motion, [1.0]) < 0.1
    still = Motion("lies", (Track(5, TRANSLATION, np.zeros(1), skeleton.translations[5:6]),), 0.0, 0.0)
    with pytest.raises(CharacterError, match="first frame"):
        retargeted(still, fallen, target[0])


def test_missing_joints_named() -> None:
    source, bones = person(MIXAMO)
    motion = turning(source, bones["head"], [(0, 0, 0), (0, 0, 30)])
    legless = {b: name for b, name in KAYKIT.items() if b not in ("leftFoot", "leftLowerLeg", "leftToes")}
    with pytest.raises(CharacterError, match="left foot"):
        retargeted(motion, source, person(legless)[0])
    armless = {b: name for b, name in KAYKIT.items() if b not in ("rightLowerArm", "rightHand")}
    result = retargeted(motion, source, person(armless)[0])
    (note,) = result.changes
    assert "right lower arm" in note


def test_creatures_match_by_joint_names() -> None:
    def snake(step: float) -> Figure:
        places = [[0, 0, 0]] + [[0, step, 0]] * 3
        return Figure(skeleton_of(("Root", "Tail1", "Tail2", "Tail3"), range(-1, 3), places), np.eye(3), {})

    source, target = snake(1.0), snake(0.25)
    motion = turning(source, 2, [(0, 0, 0), (0, 0, 90)])
    shift = Track(0, TRANSLATION, np.array([0.0, 1.0]), np.array([[0.0, 0, 0], [4, 0, 0]]))
    result = retargeted(replace(motion, tracks=(*motion.tracks, shift)), source, target).motion
    np.testing.assert_allclose(places(target, result, 1.0)[3], [1 - 0.25, 0.5, 0], atol=1e-9)
    for tracks in (motion.tracks, (shift,)):
        with pytest.raises(CharacterError):
            retargeted(replace(motion, tracks=tracks), source, person(KAYKIT)[0])
    both = replace(motion, tracks=(*motion.tracks, *turning(source, 3, [(0, 0, 0), (0, 0, 30)]).tracks))
    assert retargeted(both, source, target).changes == ()
    shorter = Figure(replace(target.skeleton, names=("Root", "Tail1", "Tail2", "Rattle")), np.eye(3), {})
    (note,) = retargeted(both, source, shorter).changes
    assert "Tail3" in note


def test_face_motion_is_refused() -> None:
    source, bones = person(MIXAMO)
    smile = Track(bones["head"], WEIGHTS, np.array([0.0, 1.0]), np.array([[0.0], [1]]))
    with pytest.raises(CharacterError, match="morph targets"):
        retargeted(Motion("smile", (smile,), 0.0, 1.0), source, person(KAYKIT)[0])


def test_sampled_at_keys_and_between() -> None:
    track = Track(0, TRANSLATION, np.array([0.0, 0.25, 1.0]), np.zeros((3, 3)))
    times = sample_times(Motion("", (track,), 0.0, 1.0))
    assert {0.0, 0.25, 1.0} <= set(times.tolist())
    assert np.diff(times).max() <= 1 / 30 + 1e-9
    with pytest.raises(CharacterError, match="too long"):
        sample_times(Motion("", (replace(track, times=np.array([0.0, 1.0, 1e9])),), 0.0, 1e9))


def spoilt(seed: int, names: dict[str, str] | None) -> tuple[Figure, dict[str, int]]:
    """A person of any size, a joint of which is flattened, mirrored, far away, hung elsewhere, skewed."""
    random = np.random.default_rng(seed)
    figure, bones = person(names, seed=seed, size=float(10 ** random.uniform(-3, 3)))
    skeleton = figure.skeleton
    node, parents, matrices = int(random.integers(1, len(skeleton.names))), skeleton.parents.copy(), {}
    fault = seed % 7
    if fault == 1:
        skeleton.scales[node] = random.choice([0.0, -1.0, 1e-30, 1e30], 3)
    elif fault == 2:
        skeleton.translations[node] = random.choice([0.0, 1e150, 1e308])
    elif fault == 3:
        skeleton.rotations[node] = 0.0
    elif fault == 4:
        parents[node] = random.integers(-1, node)
    elif fault == 5:
        skeleton.translations[:] = 0.0
    elif fault == 6:
        matrices = {node: np.pad(random.normal(size=(3, 3)), (0, 1)) + np.diag([0.0, 0, 0, 1])}
    stated = {bone: int(random.integers(len(parents))) for bone in bones} if seed % 5 == 0 else {}
    return Figure(replace(skeleton, parents=parents, matrices=matrices), figure.turn, stated), bones


@pytest.mark.parametrize("seed", range(21))
def test_any_two_rigs_work_or_raise(seed: int) -> None:
    with np.errstate(all="ignore"):
        source, bones = spoilt(seed, MIXAMO)
        target, _ = spoilt(seed // 3 + 1, [KAYKIT, people.QUATERNIUS, MIXAMO][seed % 3])
        motion = turning(person(MIXAMO)[0], bones["leftLowerArm"], [(0, 0, 0), (0, 0, -90)])
        try:
            result = retargeted(motion, source, target).motion
        except CharacterError as error:
            assert str(error)
        else:
            assert all(np.isfinite(track.values).all() for track in result.tracks)


@pytest.mark.parametrize("begins, faces", [(60.0, 60.0), (-160.0, 0.0)])
def test_motion_that_begins_with_its_back_to_the_viewer(begins: float, faces: float) -> None:
    source, target = person(MIXAMO, seed=1, size=100.0, up="+y"), person(KAYKIT, seed=2)
    motion = turning(source[0], source[1]["hips"], [(0, 0, begins), (0, 0, begins + 30)])
    result = retargeted(motion, source[0], target[0])
    assert len(result.changes) == (begins != faces)
    for time, turn in ((0.0, faces), (1.0, faces + 30)):
        at = places(target[0], result.motion, time)
        hips = way(at, target[1], "rightUpperLeg", "leftUpperLeg")
        radians = np.deg2rad(turn)
        assert degrees(hips, np.array([np.cos(radians), np.sin(radians), 0.0])) < 0.1
