"""Rigs, motions and poses of glTF files, and warnings about motions that cannot be played."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from specsia_build.characters.character import Entry
from specsia_build.characters.motions import motion_for, read_motions
from specsia_build.characters.read import AnimatedCharacter, read_animated, read_character
from specsia_build.errors import CharacterError
from tests.animation.people import posed
from tests.characters.gltf.writer import TRIANGLE, GltfWriter, read_gltf

HALF = 0.5**0.5
TIMES = [1.0, 2.0, 3.0]
SHIFTS = [[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [4.0, 8.0, 0.0]]


def animate(writer: GltfWriter, name: str, path: str = "translation", node: int = 0, **given: Any) -> None:
    """Add an animation of one channel; `times` and `values` are keys or accessors' indices."""
    times, values = given.pop("times", TIMES), given.pop("values", SHIFTS)
    number = given.pop("sampler", 0)
    curve = {
        "input": times if isinstance(times, int) else writer.accessor(times),
        "output": values if isinstance(values, int) else writer.accessor(values),
        **given,
    }
    channel = {"sampler": number, "target": {"node": node, "path": path}}
    writer.add("animations", name=name, channels=[channel], samplers=[curve])


def read(writer: GltfWriter, tmp_path: Path, **entry: Any) -> AnimatedCharacter:
    return read_animated(Entry("a", "gltf", writer.write_glb(tmp_path / "a.glb"), **entry))


def corners(moving: AnimatedCharacter, seconds: float, motion: int = 0) -> NDArray[np.float32]:
    """The first triangle as a motion has it, in the file's axes."""
    mesh = posed(moving.character.mesh, moving.rig, moving.motions[motion], seconds)
    x, y, z = mesh.vertices[mesh.faces[0]].T
    return np.stack([x, z, -y], axis=1)


def two_skins() -> GltfWriter:
    """A mesh at two nodes of different skins, one without a skin at a moved node, one of two targets."""
    writer = GltfWriter()
    joints = writer.accessor([[0, 1, 0, 0]] * 3, "u1")
    weights = writer.accessor([[191, 64, 0, 0]] * 3, "u1", normalized=True)
    skinned = writer.primitive(JOINTS_0=joints, WEIGHTS_0=weights)
    lift, widen = writer.accessor([[0, 0, 1.0]] * 3), writer.accessor([[0, 0, 0], [1.0, 0, 0], [0, 0, 0]])
    morphed = writer.primitive(targets=[{"POSITION": lift}, {"POSITION": widen}])
    writer.add("meshes", primitives=[skinned])
    writer.add("meshes", primitives=[morphed], weights=[0.25, 0.0])
    writer.add("nodes", name="hip", translation=[0, 1, 0], children=[1])
    writer.add("nodes", name="knee", rotation=[0, 0, HALF, HALF], translation=[1, 0, 0])
    writer.add("nodes", mesh=0, skin=0)
    writer.add("nodes", mesh=0, skin=1, scale=[9, 9, 9])
    writer.add("nodes", mesh=1, translation=[0, 0, 3], scale=[-1, 1, 1])
    writer.add("nodes", mesh=1, weights=[0.0, 1.0], matrix=[2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 5, 0, 0, 1])
    move = np.eye(4, dtype=np.float32)
    move[3, :3] = (0, -1, 2)
    binds = writer.accessor(np.stack([move, np.eye(4)]).reshape(2, 16))
    writer.add("skins", joints=[0, 1])
    writer.add("skins", joints=[1, 0], inverseBindMatrices=binds)
    return writer


def test_primitives_without_joints_follow_the_node_of_a_skin(tmp_path: Path) -> None:
    writer = two_skins()
    writer.data["meshes"][0]["primitives"] = [writer.primitive()]
    animate(writer, "rise", node=0)
    moving = read(writer, tmp_path)
    assert_allclose(corners(moving, 3.0), corners(moving, 1.0), atol=1e-6)


def test_landmarks_are_of_nodes_above_joints_too(tmp_path: Path) -> None:
    writer = two_skins()
    writer.data["skins"] = [{"joints": [1, 1]}] * 2
    writer.add("nodes", name="armature", children=[0])
    writer.add("nodes", name="camera", translation=[0, 0, 9])
    names = [name for name, _ in read_gltf(writer.write_glb(tmp_path / "a.glb")).landmarks]
    assert names == ["hip", "knee", "armature"]


def test_skins_morphs_and_nodes_at_rest(tmp_path: Path) -> None:
    writer = two_skins()
    animate(writer, "turn", "rotation", node=1, values=[[0, 0, 0, 1], [HALF, 0, 0, HALF], [1.0, 0, 0, 0]])
    animate(writer, "smile", "weights", node=5, values=[0.0, 1, 0.5, 0.5, 1, 0])
    animate(writer, "rise", node=5)
    moving = read(writer, tmp_path)
    mesh = moving.character.mesh
    still = read_character(moving.character.entry)
    assert np.array_equal(mesh.vertices, still.mesh.vertices)
    assert_allclose(posed(mesh, moving.rig, None, 0).vertices, mesh.vertices, atol=2e-6)
    assert moving.rig.skeleton.names[:2] == ("hip", "knee")
    # Where a joint is bound by the identity, its file says nothing of it.
    assert set(moving.rig.skeleton.bound) == {1} and moving.rig.skeleton.joints == {0, 1}
    for number, name in enumerate(["turn", "smile", "rise"]):
        # The same motion as a still picture's pose is what the one reader and the other must agree on.
        pose = read_character(Entry("a", "gltf", tmp_path / "a.glb", pose=f"{name}@36"))
        frame = posed(mesh, moving.rig, moving.motions[number], 1.5)
        assert_allclose(frame.vertices, pose.mesh.vertices, atol=2e-6)
        assert np.array_equal(frame.faces, pose.mesh.faces)


def test_unstated_morph_weights(tmp_path: Path) -> None:
    writer = GltfWriter()
    primitive = writer.primitive(targets=[{"POSITION": writer.accessor([[0, 0, 1.0]] * 3)}])
    writer.mesh_node(primitive, name="face")
    animate(writer, "smile", "weights", values=[0.0, 0.5, 1.0])
    moving, file = read(writer, tmp_path), read_motions(tmp_path / "a.glb")
    motion, notes = motion_for(moving.rig, moving.humanoid, file, file.motions[0])
    assert notes == ()
    for path in (motion, moving.motions[0]):
        mesh = posed(moving.character.mesh, moving.rig, path, 3.0)
        assert_allclose(mesh.vertices[:, 1], -1.0, atol=1e-6)
    assert (moving.character.mesh.vertices[:, 1] == 0).all()


def test_motions_without_a_mesh_are_no_character(tmp_path: Path) -> None:
    writer = GltfWriter()
    writer.add("nodes", name="hips")
    animate(writer, "Walk")
    with pytest.raises(CharacterError, match="--motion"):
        read(writer, tmp_path)
    assert [motion.name for motion in read_motions(tmp_path / "a.glb").motions] == ["Walk"]


@pytest.mark.parametrize(
    ("given", "seconds", "expected"),
    [
        ({}, 1.5, [2, 0, 0]),
        ({"interpolation": "STEP"}, 1.9, [0, 0, 0]),
        ({"interpolation": "STEP"}, 2.0, [4, 0, 0]),
        ({"times": [5.0], "values": [[1.0, 2, 3]]}, 0.0, [1, 2, 3]),
        ({"times": [0.0, 1, 1], "values": SHIFTS}, 1.0, [4, 8, 0]),
    ],
)
def test_keys(tmp_path: Path, given: dict[str, Any], seconds: float, expected: list[float]) -> None:
    writer = GltfWriter()
    writer.mesh_node()
    animate(writer, "go", **given)
    assert_allclose(corners(read(writer, tmp_path), seconds), np.add(TRIANGLE, expected), atol=1e-5)


@pytest.mark.parametrize(
    "damage",
    [
        {"values": [[0.0, 0, 0], [np.inf, 0, 0], [0, 0, 0]]},
        {"times": [0.0, np.nan, 1]},
        {"times": [0.0, 2, 1]},
        {"times": np.zeros(0), "values": np.zeros((0, 3))},
        {"values": SHIFTS[:2]},
        {"interpolation": "CUBICSPLINE"},
        {"interpolation": "SLERP"},
        {"path": "rotation"},
        {"path": "weights", "values": []},
        {"path": "weights", "values": [0.0, 1, 2, 3]},
        {"path": "weights", "values": np.zeros(12), "interpolation": "CUBICSPLINE"},
        {"times": [[0.0, 0], [1, 1], [2, 2]]},
        {"node": 1},
        {"sampler": 1},
        {"times": 99},
    ],
)
def test_damaged_animation_costs_itself(tmp_path: Path, damage: dict[str, Any]) -> None:
    writer = GltfWriter()
    writer.mesh_node()
    for name, given in (("before", {}), ("bad", damage), ("after", {})):
        animate(writer, name, **given)
    moving = read(writer, tmp_path)
    assert [motion.name for motion in moving.motions] == ["before", "after"]
    assert [name for name, _ in moving.spoilt] == ["bad"]


BONES = {"hips": {"node": 1}, "head": {"node": 0}}
OLD_BONES = [{"bone": "hips", "node": 1}, {"bone": "head", "node": 0}]


@pytest.mark.parametrize(
    ("extensions", "front"),
    [
        ({"VRM": {"humanoid": {"humanBones": OLD_BONES}}}, "+y"),
        ({"VRMC_vrm": {"humanoid": {"humanBones": BONES}}}, "-y"),
        ({"VRM": {}, "VRMC_vrm": {"humanoid": {"humanBones": BONES}}}, "-y"),
        ({"VRMC_vrm_animation": {"humanoid": {"humanBones": BONES}}}, "-y"),
    ],
)
def test_vrm_bones(tmp_path: Path, extensions: dict[str, Any], front: str) -> None:
    writer = GltfWriter()
    writer.add("nodes", name="head")
    writer.add("nodes", name="hips", children=[0, 2])
    writer.mesh_node()
    animate(writer, "nod")
    writer.data["extensions"] = extensions
    moving = read(writer, tmp_path)
    names = {bone: moving.rig.skeleton.names[node] for bone, node in moving.humanoid.items()}
    assert names == {"hips": "hips", "head": "head"}
    alone = read_motions(tmp_path / "a.glb")
    assert (alone.humanoid, alone.front, len(alone.motions)) == (moving.humanoid, front, 1)
    assert read_gltf(tmp_path / "a.glb").front == front


def test_bones_of_nodes_that_do_not_exist_are_left_out(tmp_path: Path) -> None:
    writer = GltfWriter()
    writer.mesh_node(name="hips")
    animate(writer, "nod")
    bones = {"hips": {"node": 0}, "head": {"node": 1}, "neck": {"node": -1}}
    writer.data["extensions"] = {"VRMC_vrm": {"humanoid": {"humanBones": bones}}}
    moving = read(writer, tmp_path)
    assert moving.humanoid == {"hips": 0} and [warning.code for warning in moving.warnings] == ["unusable"]


@pytest.mark.parametrize(
    ("pose", "shift"),
    [
        ("rest", [9, 9, 9]),
        ("Rig|Hero_Go", [0, 0, 0]),
        ("Hero_Go@36", [2, 0, 0]),
        ("Hero_Go@60", [4, 4, 0]),
        ("Hero_Go@0", [0, 0, 0]),
        ("Hero_Go@1000", [4, 8, 0]),
        ("Hero_Rest", [9, 9, 9]),
    ],
)
def test_frames_are_24ths_of_a_second(tmp_path: Path, pose: str, shift: list[float]) -> None:
    writer = GltfWriter()
    writer.mesh_node(translation=[9, 9, 9])
    animate(writer, "Rig|Hero_Go")
    writer.add("animations", name="Rig|Hero_Rest", channels=[], samplers=[])
    raw = read_gltf(writer.write_glb(tmp_path / "a.glb"), pose=pose)
    assert_allclose(raw.mesh.vertices[raw.mesh.faces][0], np.add(TRIANGLE, shift), atol=1e-5)
    assert raw.warnings == ()
