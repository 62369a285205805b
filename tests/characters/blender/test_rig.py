"""How FBX and .blend characters move, against places worked out by hand; what is said where a skin cannot follow."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from specsia_build.animation.rig import posed
from specsia_build.characters.animated import read_animated
from specsia_build.characters.blender.kept import CACHE_SETTING
from specsia_build.characters.blender.read import read_with_blender
from specsia_build.characters.blender.rig import SCRIPT, read_rig
from specsia_build.characters.character import Entry
from specsia_build.characters.motions import read_motions
from specsia_build.characters.raw import RawMesh, RawMoving
from specsia_build.characters.read import read_character
from specsia_build.rendering.blender.process import find_command

STRIP = ((1.0, 0.0, 0.0), (1.0, 0.0, 3.0), (1.0, 0.0, 4.0))
"""Its lowest, middle and uppermost left corner at rest."""

SWORD, BOX, CHEEK, MIRRORED, CHIN = (
    (2.0, 0.0, 5.0),
    (1.0, 20.0, 1.0),
    (2.2, 10.0, 1.2),
    (-2.2, 10.0, 1.2),
    (2.0, 10.5, 0.0),
)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both files and what was read of them."""
    if importlib.util.find_spec("bpy") is None:
        pytest.skip("needs the bpy package to write a .blend file")
    folder = tmp_path_factory.mktemp("moving")
    script = Path(__file__).with_name("make_moving.py")
    files = [str(folder / name) for name in ("moving.blend", "twisted.blend")]
    subprocess.run([sys.executable, str(script), *files], check=True, capture_output=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def read(scenes: Path) -> RawMesh:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(CACHE_SETTING, str(scenes))
        return read_with_blender(scenes / "moving.blend", moving=True)


def moving_of(raw: RawMesh) -> RawMoving:
    assert raw.moving is not None
    return raw.moving


def places(raw: RawMesh, points: object, name: str, t: float) -> NDArray[np.float32]:
    """Where points of the mesh at rest are at a time."""
    moving = moving_of(raw)
    (motion,) = [motion for motion in moving.motions if motion.name == name]
    rows = [int(np.argmin(np.linalg.norm(raw.mesh.vertices - point, axis=1))) for point in np.array(points)]
    return posed(raw.mesh, moving.rig, motion, t).vertices[rows]


def test_at_rest_the_mesh_is_the_still_one(read: RawMesh) -> None:
    moving = moving_of(read)
    assert_allclose(posed(read.mesh, moving.rig, None, 0.0).vertices, read.mesh.vertices, atol=1e-6)
    for point in (*STRIP, SWORD, BOX, CHEEK, MIRRORED, CHIN):
        assert np.linalg.norm(read.mesh.vertices - point, axis=1).min() < 1e-6, point
    skeleton = moving.rig.skeleton
    assert [skeleton.names[node] for node in sorted(skeleton.joints)] == ["lower", "upper"]
    above = {n: skeleton.names[p] if p >= 0 else None for n, p in zip(skeleton.names, skeleton.parents, strict=True)}
    assert above == {
        "Rig": None,
        "lower": "Rig",
        "upper": "lower",
        "Strip": "Rig",
        "Sword": "upper",
        "Box": None,
        "Face": None,
    }


@pytest.mark.parametrize(
    ("points", "name", "t", "expected"),
    [
        (STRIP, "Bend", 0.0, STRIP),
        # Half of what the middle's bones say, bent and not: (0, -0.5, 1) and (0, 0, 1.5) of the rig, which is twice.
        (STRIP, "Bend", 1.0, ((1, 3, 0), (1, 2.5, 2.5), (1, 1, 2))),
        ((SWORD,), "Bend", 1.0, ((2, 0, 2),)),
        (STRIP[:1], "Bend", 0.5, ((1, 1.5, 0),)),
        # What an action has nothing to do with goes on as its file has it.
        ((BOX,), "BoxAction", 1.0, ((11, 20, 1),)),
        ((BOX,), "BoxAction", 0.25, ((3.5, 20, 1),)),
        ((BOX,), "Lift", 0.5, ((6, 20, 1),)),
        # A take is of one thing and is not played with what is no take of it.
        (STRIP, "BoxAction", 1.0, STRIP),
        ((CHEEK, MIRRORED, CHIN), "Smiling", 1.0, ((3, 10, 2), (-3, 10, 2), (2, 10.5, 0))),
        ((CHEEK, CHIN), "Smiling", 0.5, ((2.6, 10, 1.6), (2, 10.5, 0))),
        # One unit along the bone, upwards, of a rig that is twice as large.
        ((*STRIP, SWORD), "Lift", 0.5, tuple((x, y, z + 2) for x, y, z in (*STRIP, SWORD))),
        # An action of one key is a pose.
        ((*STRIP, SWORD), "Still", 0.0, tuple((x, y, z + 2) for x, y, z in (*STRIP, SWORD))),
    ],
)
def test_points_are_where_they_belong(read: RawMesh, points: object, name: str, t: float, expected: object) -> None:
    assert_allclose(places(read, points, name, t), np.array(expected), atol=1e-5)


def test_motions_have_their_seconds_and_what_cannot_be_played_a_sentence(read: RawMesh) -> None:
    moving = moving_of(read)
    assert {m.name: (m.start, m.end) for m in moving.motions} == {
        "Bend": (0.0, 1.0),
        "BoxAction": (0.0, 1.0),
        "Lift": (0.0, 0.5),
        "Smiling": (0.0, 1.0),
        "Still": (0.0, 0.0),
    }
    assert dict(moving.spoilt) == {
        name: f"moving.blend: action '{name}' {why}"
        for name, why in {
            "Broken": "has values that are not finite numbers at frame 2",
            "Endless": "has 100001 frames; the most that are read of it are 10000",
            "Nothing": "moves nothing",
        }.items()
    }
    assert moving.warnings == ()
    lift = next(motion for motion in moving.motions if motion.name == "Lift")
    # What stands still takes one key at most.
    assert {moving.rig.skeleton.names[t.node] for t in lift.tracks if len(t.times) > 1} == {"lower", "Box", "Face"}


def test_what_was_read_is_read_again_without_blender(
    read: RawMesh, scenes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_SETTING, str(scenes))
    monkeypatch.setattr("specsia_build.rendering.blender.process.find_command", lambda _: None)
    again = read_rig(scenes / "moving.blend")
    assert np.array_equal(again.rig.points, moving_of(read).rig.points)
    assert len(list((scenes / "blender").iterdir())) >= 2


def test_what_no_skin_can_do_is_said_with_how_much_it_is(scenes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_SETTING, str(scenes))
    raw = read_with_blender(scenes / "twisted.blend", moving=True)
    moving = moving_of(raw)
    # What several things do in one take is one motion.
    assert_allclose(places(raw, (BOX,), "Bend", 1.0), [(1, 20, 5)], atol=1e-5)
    assert [motion.name for motion in moving.motions] == ["BoxAction", "Bend", "Lift", "Smiling", "Still", "Twist"]
    (said,) = moving.warnings
    assert said == (
        "twisted.blend moves in 'Bend', 'Twist' up to 5.0% of its size otherwise in Blender, by preserved volume: "
        "apply or bake that before exporting where it shows"
    )


def test_its_motions_are_read_for_other_characters_too(
    read: RawMesh, scenes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_SETTING, str(scenes))
    found, moving = read_motions(scenes / "moving.blend"), moving_of(read)
    assert found.skeleton.names == moving.rig.skeleton.names
    assert [motion.name for motion in found.motions] == [motion.name for motion in moving.motions]
    assert (found.spoilt, found.up, found.front) == (moving.spoilt, "+z", "-y")


def test_a_still_character_s_rig_is_not_asked_for(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_SETTING, str(tmp_path))
    read_with_blender(scenes / "moving.blend")
    (folder,) = (tmp_path / "blender").iterdir()
    assert not list(folder.glob("rig.*"))


def test_a_real_character_moves_as_blender_has_it(
    characters_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_command(SCRIPT.name) is None:
        pytest.skip("needs Blender")
    monkeypatch.setenv(CACHE_SETTING, str(tmp_path))
    entry = Entry("knight", "fbx", characters_dir / "quaternius" / "KnightCharacter.fbx")
    found = read_animated(entry)
    mesh = found.character.mesh
    height = float(np.ptp(mesh.vertices[:, 2]))
    assert_allclose(posed(mesh, found.rig, None, 0.0).vertices, mesh.vertices, atol=1e-4 * height)
    assert (len(found.motions), found.spoilt, found.warnings) == (12, (), ())
    walk = next(motion for motion in found.motions if motion.name == "HumanArmature|Walking")
    assert (walk.start, walk.end) == (0.0, 30 / 24)
    still = read_character(replace(entry, pose="Walking@11"))
    assert_allclose(posed(mesh, found.rig, walk, 10 / 24).vertices, still.mesh.vertices, atol=1e-4 * height)


def test_a_motion_that_costs_too_much_is_left_out_alone(
    read: RawMesh, scenes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("specsia_build.characters.blender.rig._MATRIX_COST", 30_000_000)
    monkeypatch.setenv(CACHE_SETTING, str(scenes))
    found = read_rig(scenes / "moving.blend")
    assert [motion.name for motion in found.motions] == ["Lift", "Still"]
    said = dict(found.spoilt)["Bend"]
    assert said.startswith("moving.blend: action 'Bend': this needs at least 2.15 GB of memory")
