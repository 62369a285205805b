"""Poses by name, files of motions with known joint angles, BVH files."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from specsia_build import memory
from specsia_build.animation.figure import Figure
from specsia_build.animation.motion import ROTATION, Motion, Track, poses
from specsia_build.characters.actions import chosen, matching, unknown_action
from specsia_build.characters.bvh import read_bvh
from specsia_build.characters.character import Entry, MotionFile
from specsia_build.characters.motions import motion_for, read_motions
from specsia_build.characters.read import AnimatedCharacter, read_animated
from specsia_build.errors import CharacterError
from tests.animation.people import BODY, KAYKIT, MIXAMO, degrees, into_bvh, person, turning
from tests.characters.gltf.writer import GltfWriter

JOINTS = ("UpperArm.L", "LowerArm.L", "Hand.L", "UpperLeg.R", "LowerLeg.R", "Foot.R")
REAL = {"kaykit/Knight.glb": ("upperarm.l", "lowerarm.l", "wrist.l", "upperleg.r", "lowerleg.r", "foot.r")}
REAL |= {f"animated/{name}.glb": JOINTS for name in ("man_casual", "woman_witch", "cyber_character")}


def into_gltf(figure: Figure, motion: Motion | None = None, **extensions: Any) -> GltfWriter:
    """A skeleton as glTF nodes, a triangle in front of its hips, and a motion."""
    writer, skeleton = GltfWriter(), figure.skeleton
    for node, name in enumerate(skeleton.names):
        children = np.flatnonzero(skeleton.parents == node).tolist()
        writer.add(
            "nodes",
            name=name,
            translation=skeleton.translations[node].tolist(),
            rotation=skeleton.rotations[node].tolist(),
            **({"children": children} if children else {}),
        )
    writer.data["nodes"][0]["mesh"] = writer.add("meshes", primitives=[writer.primitive()])
    if motion is not None:
        samplers, channels = [], []
        for k, track in enumerate(motion.tracks):
            samplers.append({"input": writer.accessor(track.times), "output": writer.accessor(track.values)})
            channels.append({"sampler": k, "target": {"node": track.node, "path": track.path}})
        writer.add("animations", name=motion.name, channels=channels, samplers=samplers)
    if extensions:
        writer.data["extensions"] = extensions
    return writer


def exercise(figure: Figure, bones: Mapping[str, int]) -> Motion:
    """The left elbow bends ahead and the right knee back, by 90 degrees each."""
    elbow = turning(figure, bones["leftLowerArm"], [(0, 0, 0), (0, 0, -90)])
    knee = turning(figure, bones["rightLowerLeg"], [(0, 0, 0), (90, 0, 0)])
    return Motion("exercise", (*elbow.tracks, *knee.tracks), 0.0, 1.0)


def source(folder: Path, suffix: str) -> Path:
    """The exercise as a file."""
    path = folder / f"exercise{suffix}"
    if suffix == ".bvh":
        figure, bones = person(MIXAMO, size=100.0, up="+y")
        path.write_text(into_bvh(figure, exercise(figure, bones)))
    elif suffix == ".vrma":
        figure, bones = person({bone: f"joint {bone}" for bone in BODY}, seed=11, up="+y")
        human = {bone: {"node": node} for bone, node in bones.items()}
        said = {"humanoid": {"humanBones": human}, "expressions": {"preset": {"happy": {"node": 0}}}}
        into_gltf(figure, exercise(figure, bones), VRMC_vrm_animation=said).write_glb(path)
    else:
        figure, bones = person(KAYKIT, seed=12, up="+y")
        into_gltf(figure, exercise(figure, bones)).write_glb(path)
    return path


def read(path: Path, kind: str = "gltf") -> AnimatedCharacter:
    return read_animated(Entry("someone", kind, path))


def angles(moving: AnimatedCharacter, motion: Motion, nodes: list[int]) -> tuple[float, float, float]:
    """By how much elbow and knee bend at the end, and how far from ahead the forearm points."""
    skeleton, placement = moving.rig.skeleton, moving.rig.placement
    world = placement @ poses(skeleton, motion, np.array([1.0])).worlds[0]
    shoulder, elbow, hand, hip, knee, foot = world[nodes, :3, 3]
    limbs = ((shoulder, elbow), (elbow, hand), (hip, knee), (knee, foot))
    ways = [(b - a) / np.linalg.norm(b - a) for a, b in limbs]
    return degrees(ways[0], ways[1]), degrees(ways[2], ways[3]), degrees(ways[1], np.array([0.0, -1.0, 0.0]))


LIMBS = ("leftUpperArm", "leftLowerArm", "leftHand", "rightUpperLeg", "rightLowerLeg", "rightFoot")


@pytest.mark.parametrize("suffix", [".bvh", ".vrma", ".glb"])
@pytest.mark.parametrize("kind", ["VRM 0.x", "VRM 1.0", "Mixamo"])
def test_joints_bend_by_file_angles(tmp_path: Path, suffix: str, kind: str) -> None:
    names = MIXAMO if kind == "Mixamo" else {bone: f"J_{k}" for k, bone in enumerate(BODY)}
    figure, bones = person(names, seed=13, up="+y", lowered=40.0)
    said: dict[str, Any] = {}
    if kind == "VRM 1.0":
        human: Any = {bone: {"node": node} for bone, node in bones.items()}
        said["VRMC_vrm"] = {"humanoid": {"humanBones": human}}
    if kind == "VRM 0.x":
        # These face the other way.
        about = figure.skeleton.translations[0] * (-1, 1, -1)
        figure.skeleton.translations[0] = about
        x, y, z, w = figure.skeleton.rotations[0]
        figure.skeleton.rotations[0] = (z, w, -x, -y)
        human = [{"bone": bone, "node": node} for bone, node in bones.items()]
        said["VRM"] = {"humanoid": {"humanBones": human}}
    path = tmp_path / "person.glb"
    into_gltf(figure, **said).write_glb(path)
    moving, file = read(path, "vrm" if said else "gltf"), read_motions(source(tmp_path, suffix))
    motion, notes = motion_for(moving.rig, moving.humanoid, file, file.motions[0])
    elbow, knee, off = angles(moving, motion, [bones[bone] for bone in LIMBS])
    assert (elbow, knee) == pytest.approx((90.0, 90.0), abs=0.1)
    assert off < 0.1 and notes == ()


def guarding(figure: Figure, bones: Mapping[str, int]) -> Figure:
    """A figure that rests on guard: its hips turned to one side, its chest to the other, a knee bent."""
    rotations = figure.skeleton.rotations.copy()
    turns = {"hips": (0, 0, 35), "spine": (0, 0, -60), "head": (30, 0, 0), "leftUpperLeg": (-30, 0, 0)}
    turns |= {"leftLowerLeg": (30, 0, 0), "rightUpperArm": (0, 0, 40)}
    for bone, vector in turns.items():
        rotations[bones[bone]] = turning(figure, bones[bone], [vector]).tracks[0].values[0]
    return replace(figure, skeleton=replace(figure.skeleton, rotations=rotations))


def with_skin(writer: GltfWriter, figure: Figure) -> GltfWriter:
    """A file whose skin binds its nodes as in a figure, in a mesh of centimetres that lies on its back."""
    mesh = np.diag([100.0, 100.0, 100.0, 1.0])
    mesh[:3, :3] = mesh[:3, :3] @ [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    binds = np.linalg.inv(mesh @ figure.skeleton.rest_worlds).transpose(0, 2, 1).reshape(-1, 16)
    writer.add("skins", joints=list(range(len(binds))), inverseBindMatrices=writer.accessor(binds))
    return writer


@pytest.mark.parametrize("hung", [None, {"leftFoot": None, "rightFoot": None}])
def test_guard_pose_is_corrected(tmp_path: Path, hung: dict[str, str | None] | None) -> None:
    figure, bones = person(MIXAMO, seed=11, up="+y")
    moved, turns = exercise(figure, bones), figure.skeleton.rotations
    others = set(bones.values()) - {track.node for track in moved.tracks}
    still = [Track(node, ROTATION, np.zeros(1), turns[None, node]) for node in others]
    moves = replace(moved, tracks=(*moved.tracks, *still))
    whose, theirs = person(KAYKIT, seed=13, up="+y", hung=hung)
    with_skin(into_gltf(figure, moves), figure).write_glb(tmp_path / "plain.glb")
    with_skin(into_gltf(guarding(figure, bones), moves), figure).write_glb(tmp_path / "guard.glb")
    with_skin(into_gltf(whose), whose).write_glb(tmp_path / "one.glb")
    with_skin(into_gltf(guarding(whose, theirs)), whose).write_glb(tmp_path / "other.glb")
    worlds = []
    for character, motions in (("one", "plain"), ("one", "guard"), ("other", "plain"), ("other", "guard")):
        moving, file = read(tmp_path / f"{character}.glb"), read_motions(tmp_path / f"{motions}.glb")
        motion, notes = motion_for(moving.rig, moving.humanoid, file, file.motions[0])
        assert notes == ()
        worlds.append(poses(moving.rig.skeleton, motion, np.array([0.0, 0.5, 1.0])).worlds)
    for other in worlds[1:]:
        assert other == pytest.approx(worlds[0], abs=1e-4)


@pytest.mark.parametrize("suffix", [".bvh", ".vrma"])
@pytest.mark.parametrize("name", REAL)
def test_real_joints_bend_by_file_angles(
    tmp_path: Path, characters_dir: Path, name: str, suffix: str
) -> None:
    moving, file = read(characters_dir / name), read_motions(source(tmp_path, suffix))
    motion, _ = motion_for(moving.rig, moving.humanoid, file, file.motions[0])
    nodes = [moving.rig.skeleton.names.index(joint) for joint in REAL[name]]
    assert angles(moving, motion, nodes)[:2] == pytest.approx((90.0, 90.0), abs=1.0)


@pytest.mark.parametrize("person", ["man_casual", "woman_casual"])
def test_borrowed_walk_on_the_spot(characters_dir: Path, person: str) -> None:
    file = read_motions(characters_dir / "animated/cyber_character.glb")
    walk = next(motion for motion in file.motions if motion.name.endswith("|Walk"))
    moving = read(characters_dir / f"animated/{person}.glb")
    motion, notes = motion_for(moving.rig, moving.humanoid, file, walk)
    assert notes == () and motion.duration == walk.duration
    names = moving.rig.skeleton.names
    times = np.linspace(motion.start, motion.end, 9)
    worlds = moving.rig.placement @ poses(moving.rig.skeleton, motion, times).worlds
    left, right, hip = (worlds[:, names.index(name), :3, 3] for name in ("Foot.L", "Foot.R", "UpperLeg.L"))
    leg = np.linalg.norm(hip - left, axis=1).max()
    stride = (left - right)[:, 1] / leg
    assert stride.min() < -0.5 and stride.max() > 0.5
    assert np.abs(hip[-1] - hip[0]).max() < 0.02 * leg


@pytest.mark.parametrize("name", REAL)
def test_sides_by_place_where_names_are_swapped(characters_dir: Path, tmp_path: Path, name: str) -> None:
    moving, file = read(characters_dir / name), read_motions(source(tmp_path, ".bvh"))
    skeleton, motion = moving.rig.skeleton, file.motions[0]
    other = {".l": ".r", ".r": ".l", ".L": ".R", ".R": ".L"}
    names = tuple(joint[:-2] + other.get(joint[-2:], joint[-2:]) for joint in skeleton.names)
    swapped = replace(moving.rig, skeleton=replace(skeleton, names=names))
    right, notes = motion_for(moving.rig, moving.humanoid, file, motion)
    played, warnings = motion_for(swapped, moving.humanoid, file, motion)
    at = np.linspace(motion.start, motion.end, 5)
    truth, found = (poses(skeleton, each, at).worlds for each in (right, played))
    np.testing.assert_allclose(found, truth, atol=1e-5)
    assert {warning.code for warning in warnings} - {warning.code for warning in notes} == {"motion-changed"}


RIG = "HumanArmature"
MAN = (f"{RIG}|{RIG}|Man_Idle", f"{RIG}|{RIG}|Man_Walk", f"{RIG}|Man_Walk@run")
PLAIN = ("Idle", "Idle_Gun", "Take@2")


@pytest.mark.parametrize(
    ("names", "pose", "indices", "frame"),
    [
        (MAN, f"{RIG}|{RIG}|Man_Idle", [0], None),
        (MAN, "Man_Idle", [0], None),
        (MAN, "Man_Walk@12", [1], 12.0),
        (MAN, "Man_Walk@run@3", [2], 3.0),
        (MAN, "Idle", [], None),
        (MAN, "Man_Walk@nan", [], None),
        (MAN, "man_walk@12", [1], 12.0),
        (MAN, "", [], None),
        (PLAIN, "Idle", [0], None),
        (PLAIN, "Gun", [], None),
        (PLAIN, "Take@2@5", [2], 5.0),
        (("A|Walk", "B|Walk"), "Walk", [0, 1], None),
        ((), "Walk", [], None),
    ],
)
def test_action_names_and_endings(names: Any, pose: str, indices: list[int], frame: float | None) -> None:
    assert chosen(names, pose) == (indices, frame)


def test_names_of_actions_are_listed() -> None:
    assert unknown_action("a.glb", "Run", ("Walk", "")).endswith(": its actions are (without a name), Walk")


@pytest.mark.parametrize(
    ("names", "pattern", "indices"),
    [
        (MAN, "Man_Walk*", [1, 2]),
        (MAN, "*Walk", [1]),
        (MAN, "man_walk", [1]),
        (("Walk", "walk"), "walk", [1]),
        (MAN, "Man_[IW]*", [0, 1, 2]),
        (("AnimalArmature|Walk",), "Walk", [0]),
        (("Walk", "Other|Walk"), "Walk*", [0]),
        (PLAIN, "Gun", []),
        ((), "*", []),
    ],
)
def test_action_patterns(names: tuple[str, ...], pattern: str, indices: list[int]) -> None:
    assert matching(names, pattern) == indices


CHAIN = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Left Arm
  {
    OFFSET 2.0 0 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 1.0 0 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.5
1 2 3 0 0 0 0 0 0
1 2 3 90 0 0 0 0 9e1
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "clip.bvh"
    path.write_bytes(text.encode())
    return path


def at(file: MotionFile, time: float) -> np.ndarray:
    return poses(file.skeleton, file.motions[0], np.array([time])).worlds[0, :, :3, 3]


@pytest.mark.parametrize(
    "text",
    [
        CHAIN,
        CHAIN.replace("\n", "\r\n"),
        CHAIN.replace("\n", "\r"),
        re.sub(" +(?!Arm|Time)", "\t", CHAIN),
        CHAIN.replace("Frames:", "Frames :").replace("Frame Time:", "Frame\tTime\t:\t"),
        "\ufeff" + CHAIN.replace("ROOT Hips\n{", "ROOT Hips {").replace("HIERARCHY", "hierarchy"),
        CHAIN.replace("0.5", "5E-1").rstrip("\n"),
        CHAIN.replace("OFFSET 0 0 0", "OFFSET 0 -1.19209e-007 0"),
    ],
)
def test_channels_in_any_layout(tmp_path: Path, text: str) -> None:
    file = read_bvh(written(tmp_path, text))
    assert file.skeleton.names == ("Hips", "Left Arm", "")
    assert file.skeleton.parents.tolist() == [-1, 0, 1]
    (motion,) = file.motions
    assert (motion.name, motion.start, motion.end) == ("clip", 0.0, 0.5)
    np.testing.assert_allclose(at(file, 0.0), [[1, 2, 3], [3, 2, 3], [4, 2, 3]], atol=1e-9)
    np.testing.assert_allclose(at(file, 0.5), [[1, 2, 3], [1, 4, 3], [1, 4, 2]], atol=1e-9)


def test_channel_order_and_offsets(tmp_path: Path) -> None:
    text = CHAIN.replace("3 Zrotation Xrotation Yrotation", "3 Yrotation Zrotation Xposition")
    file = read_bvh(written(tmp_path, text.replace("90 0 0 0 0 9e1", "0 0 0 90 90 5")))
    np.testing.assert_allclose(at(file, 0.5), [[1, 2, 3], [6, 2, 3], [6, 3, 3]], atol=1e-9)


@pytest.mark.parametrize(("first", "second"), [("0 0 0", "0 .1 0"), ("2 0 0", "2 .1 0")])
def test_positions_from_the_offset_or_the_parent(tmp_path: Path, first: str, second: str) -> None:
    turns = "Zrotation Xrotation Yrotation"
    text = CHAIN.replace(f"3 {turns}", f"6 Xposition Yposition Zposition {turns}")
    start, rows = text.split("Frame Time: 0.5\n")
    rows = f"1 2 3 0 0 0 {first} 0 0 0\n1 2 3 90 0 0 {second} 0 0 90\n"
    file = read_bvh(written(tmp_path, f"{start}Frame Time: 0.5\n{rows}"))
    np.testing.assert_allclose(at(file, 0.0), [[1, 2, 3], [3, 2, 3], [4, 2, 3]], atol=1e-9)
    np.testing.assert_allclose(at(file, 0.5), [[1.0, 2.0, 3.0], [0.9, 4.0, 3.0], [0.9, 4.0, 2.0]], atol=1e-9)


def test_root_starts_in_place(tmp_path: Path) -> None:
    with patch.object(memory, "ask", wraps=memory.ask) as ask:
        file = read_motions(written(tmp_path, CHAIN))
    # Its bytes, 18 numbers, and 3 joints in 2 frames.
    assert sum(call.args[0] for call in ask.call_args_list) == len(CHAIN) + 18 * 64 + 3 * 2 * 500
    np.testing.assert_allclose(file.skeleton.rest_worlds[0, :3, 3], [1, 2, 3])
    assert (file.up, file.front) == ("+y", "-y")


def test_ground_is_where_a_tenth_of_the_frames_begins(tmp_path: Path) -> None:
    """Of a hundred frames, evenly spread."""
    head = CHAIN[: CHAIN.index("Frames")] + "Frames: 101\nFrame Time: 0.1\n"
    rows = "\n".join(f"{1 + k} {k} {3 - k}" + 6 * " 0" for k in range(101))
    file = read_motions(written(tmp_path, head + rows))
    # It stands there where the first frame does.
    expected = [[1, 9.9, 3], [3, 9.9, 3], [4, 9.9, 3]]
    np.testing.assert_allclose(file.skeleton.rest_worlds[:, :3, 3], expected, atol=1e-9)
    assert [file.motions[0].start, file.motions[0].end] == pytest.approx([0.0, 10.0])


@pytest.mark.parametrize(("spare", "is_read"), [(0, True), (1, False)])
def test_ten_thousand_joints(tmp_path: Path, spare: int, is_read: bool) -> None:
    more = "End Site\n{\n}\n" * (9_997 + spare)
    text = CHAIN.replace("    End Site", f"{more}    End Site")
    if is_read:
        skeleton = read_bvh(written(tmp_path, text)).skeleton
        assert len(skeleton.names) == 10_000 and not skeleton.translations[2].any()
    else:
        with pytest.raises(CharacterError, match="10,000 joints"):
            read_bvh(written(tmp_path, text))


def of_limbs(folder: Path, rows: list[str], moves: bool = True) -> MotionFile:
    """A root with four limbs, as a motion turns it; at rest z is up and the left at -x."""
    places = {"LeftFoot": "-.5 0 -1", "RightFoot": ".5 0 -1", "LeftHand": "-1 0 1", "RightHand": "1 0 1"}
    joint = "JOINT {}\n{{\nOFFSET {}\nCHANNELS 3 Zrotation Xrotation Yrotation\n}}\n"
    limbs = "".join(joint.format(*limb) for limb in places.items())
    head = CHAIN[: CHAIN.index("  JOINT")] + limbs + f"}}\nMOTION\nFrames: {len(rows)}\nFrame Time: 0.1\n"
    head = head if moves else head.replace("6 Xposition Yposition Zposition", "3")
    return read_motions(written(folder, head + "\n".join(row + 12 * " 0" for row in rows)))


@pytest.mark.parametrize("moves", [True, False])
def test_root_is_turned_and_put_on_the_ground_of_the_motion(tmp_path: Path, moves: bool) -> None:
    # The motion turns z to y, and jumps in its first frame.
    rows = [f"1 {8 if k == 0 else 5} 2 "[: 6 * moves] + "0 -90 0" for k in range(21)]
    file = of_limbs(tmp_path, rows, moves)
    assert (file.up, file.front) == ("+y", "+y")
    standing = np.array([[1, 5, 2], [0.5, 4, 2], [1.5, 4, 2], [0, 6, 2], [2, 6, 2]])
    standing = standing if moves else standing - (1, 5, 2)
    np.testing.assert_allclose(file.skeleton.rest_worlds[:, :3, 3], standing, atol=1e-9)
    np.testing.assert_allclose(file.skeleton.rotations[1:], np.eye(4)[[3] * 4], atol=1e-9)


@pytest.mark.parametrize(("turn", "up"), [(-90, "+y"), (-75, "+y"), (-65, "+z"), (90, "+z"), (170, "+z")])
def test_who_leans_or_lies_keeps_the_up_of_the_rest(tmp_path: Path, turn: int, up: str) -> None:
    assert of_limbs(tmp_path, [f"0 0 0 0 {turn} 0"]).up == up


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("MOTION\n", ""),
        ("Frames: 2", "Frames: -2"),
        ("Frame Time: 0.5", "Frame Time: nan"),
        ("Frame Time: 0.5", "Frame Time: 0"),
        ("Frame Time: 0.5", f"Frame Time: {'9' * 400}"),
        ("Frames: 2", "Frames: 3"),
        ("1 2 3 90 0 0 0 0 9e1", "1 2 3 90 0 0 0 0"),
        ("9e1", "NaN"),
        ("9e1", "ten"),
        ("OFFSET 1.0 0 0", "OFFSET 1.0 0"),
        ("OFFSET 1.0 0 0", "OFFSET inf 0 0"),
        ("Frame Time: 0.5", "Frame Time: -1"),
        ("HIERARCHY", "}"),
        ("HIERARCHY", "OFFSET 0 0 0"),
        ("HIERARCHY", "CHANNELS 0"),
        ("CHANNELS 3", "CHANNELS 4"),
        ("3 Zrotation Xrotation", "3 Zrotation Zrotation"),
        ("}\nMOTION", "MOTION"),
        ("ROOT Hips", "JOINT Hips"),
        ("HIERARCHY", "glTF"),
    ],
)
def test_damage_is_one_sentence(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(CharacterError, match=r"^clip\.bvh") as caught:
        read_motions(written(tmp_path, CHAIN.replace(old, new)))
    lines = {"OFFSET": 12, "CHANNELS": 9, "3 Zrotation": 9, "ROOT": 2, "HIERARCHY": 1}
    stated = [line for start, line in lines.items() if old.startswith(start)]
    assert not stated or f"line {stated[0]} " in str(caught.value)
