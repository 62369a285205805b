"""Ultra-Dense Pose: one A-pose for all people, and one value for a point of a surface, however it is seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from specsia_build.animation.rig import Rig
from specsia_build.annotation.udp import landmarks, udp
from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig, ClipSettings
from specsia_build.rendering.mesh import Mesh, concatenate
from specsia_build.stages.clips.actor import actor_of
from specsia_build.stages.stage import Job
from tests.animation.people import BODY, KAYKIT, MIXAMO, QUATERNIUS, person
from tests.annotation.scenes import SIZE, boards, drawn, moved
from tests.rendering.scenes import box


def character(lowered: float = 0.0, **how: object) -> tuple[Mesh, Rig, dict[str, int]]:
    """A person of boxes, one at each joint, whose arms are lowered where it rests; its boxes by their bones."""
    figure, bones = person(lowered=lowered, **how)  # type: ignore[arg-type]
    worlds = figure.skeleton.rest_worlds
    turn = np.eye(4)
    turn[:3, :3] = figure.turn / float(how.get("size", 1.0))  # type: ignore[arg-type]
    parts, slots = [], []
    for k, bone in enumerate(bones):
        centre = turn[:3, :3] @ worlds[k, :3, 3]
        part = box((0, 0, 0), (0.03, 0.05, 0.04))
        arm = bone.endswith(("UpperArm", "LowerArm", "Hand"))
        side = (1 if bone.startswith("left") else -1) if arm else 0
        spun = Rotation.from_euler("y", side * lowered, degrees=True).apply(part.vertices)
        parts.append(part.with_vertices((spun + centre).astype(np.float32)))
        slots += [k] * len(part.vertices)
    mesh = concatenate(parts)
    back = np.linalg.inv(turn)
    rig = Rig(
        skeleton=figure.skeleton,
        points=(mesh.vertices @ back[:3, :3].T).astype(np.float32),
        slots=np.array(slots, np.int32)[:, None],
        weights=np.ones((len(slots), 1), np.float32),
        nodes=np.arange(len(bones), dtype=np.int32),
        inverse_binds=np.asarray(np.linalg.inv(worlds), np.float64),
        placement=turn,
    )
    return mesh, rig, bones


def test_arms_are_thirty_degrees_down_and_what_rests_so_stays_as_it_is() -> None:
    mesh, rig, _ = character(lowered=30.0)
    found = landmarks(mesh, rig, {})
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    expected = (mesh.vertices - low) / (high - low)
    np.testing.assert_allclose(found.values[:, [0, 2]], expected[:, [0, 2]], atol=1e-3)
    # Knees are not stretched all the way, as no one's are.
    np.testing.assert_allclose(found.values[:, 1], expected[:, 1], atol=0.04)
    assert found.values.dtype == np.float32 and not found.doubt


@pytest.mark.parametrize(
    "how",
    [
        {"lowered": 45.0},
        {"lowered": 80.0, "seed": 4},
        {"names": MIXAMO, "up": "+y", "size": 100.0, "seed": 1},
        {"names": MIXAMO, "lowered": 30.0, "up": "-z"},
    ],
)
def test_one_person_in_a_t_pose_and_in_an_a_pose_is_the_same(how: dict[str, object]) -> None:
    """However its joints are called and oriented, whatever its units, wherever its arms rest."""
    expected = landmarks(*character()[:2], {})
    found = landmarks(*character(**how)[:2], {})  # type: ignore[arg-type]
    assert not found.doubt
    np.testing.assert_allclose(found.values, expected.values, atol=1e-4)


@pytest.mark.parametrize("names", [None, MIXAMO, KAYKIT, QUATERNIUS])
def test_left_is_left_front_is_front_and_up_is_up(names: dict[str, str] | None) -> None:
    mesh, rig, bones = character(names=names, up="+y")
    at = dict(zip(bones, landmarks(mesh, rig, {}).values.reshape(-1, 8, 3).mean(axis=1), strict=True))
    assert at["leftHand"][0] > 0.95 and at["rightHand"][0] < 0.05 and abs(at["hips"][0] - 0.5) < 1e-3
    assert at["head"][2] > 0.95 and at["leftFoot"][2] < 0.1
    if "leftToes" in at:
        assert at["leftToes"][1] < 0.3 < at["leftFoot"][1]


def test_bones_are_those_that_the_file_states() -> None:
    mesh, rig, bones = character(names=dict.fromkeys(BODY, "joint"))
    assert landmarks(mesh, rig, {}).doubt
    expected = landmarks(*character()[:2], {})
    np.testing.assert_allclose(landmarks(mesh, rig, bones).values, expected.values, atol=1e-5)


def test_what_is_no_humanoid_is_told_by_its_rest_pose() -> None:
    mesh, rig, _ = character(names={bone: bone for bone in BODY if not bone.endswith(("Leg", "Foot", "Toes"))})
    found = landmarks(mesh, rig, {})
    assert "hips" in found.doubt
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    np.testing.assert_allclose(found.values, (mesh.vertices - low) / (high - low), atol=1e-6)


def test_a_frame_has_the_landmarks_of_what_it_shows() -> None:
    mesh = boards((-10.5, 12, -9, 8, 0.0))
    values = np.array([[0, 0.2, 0], [1, 0.2, 0], [1, 0.2, 1], [0, 0.2, 1]], np.float32)
    frame, other = drawn(mesh), drawn(moved(mesh, 7, -11))
    found = udp(frame, values)
    assert found.shape == (SIZE, SIZE, 4) and found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 1
    occupied = found[..., 3] == 1
    np.testing.assert_array_equal(occupied, frame.mask >= 128)
    assert (found[~occupied] == 0).all()
    rows, columns = np.nonzero(occupied & (frame.mask == 255))
    expected = np.stack([(columns - 21) / 22.5, np.full(len(rows), 0.2), (40.5 - rows) / 17], axis=1)
    np.testing.assert_allclose(found[rows, columns, :3], expected, atol=1e-4)
    np.testing.assert_allclose(udp(other, values)[rows - 11, columns + 7], found[rows, columns], atol=1e-4)


@pytest.mark.parametrize(("name", "person"), [("man_king", True), ("mech_mike", True), ("animal_fox", False)])
def test_real_characters(characters_dir: Path, name: str, person: bool) -> None:
    entry = Entry(name, "gltf", characters_dir / "animated" / f"{name}.glb")
    actor = actor_of(Job(entry, BuildConfig(clips=ClipSettings())))
    found = landmarks(actor.mesh, actor.rig, {})
    assert bool(found.doubt) != person
    assert found.values.min() == 0 and found.values.max() == 1
