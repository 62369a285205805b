"""VRM 1.0 files of real characters: the T-pose, bones and licence that it demands, and figures it refuses."""

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specsia_build.animation.motion import poses
from specsia_build.animation.rig import posed_through
from specsia_build.characters.character import Entry
from specsia_build.characters.motions import built_in, motion_for
from specsia_build.characters.read import AnimatedCharacter, read_animated
from specsia_build.rendering.mesh import Mesh
from specsia_build.writers.exported import ExportedCharacter
from specsia_build.writers.vrm import write_vrm
from tests.commands import specsia
from tests.writers.checking import faults_in, install_validator, likeness

PEOPLE = ("animated/man_king.glb", "kaykit/Mage.glb", "quaternius/Male_LongSleeve.fbx")


def walking(own: AnimatedCharacter) -> Mesh:
    """A character in the middle of a step."""
    source = built_in()
    walk = next(motion for motion in source.motions if motion.name == "walk")
    motion, _ = motion_for(own.rig, own.humanoid, source, walk)
    track = poses(own.rig.skeleton, motion, np.array([motion.start + 0.3 * motion.duration]))
    return next(posed_through(own.character.mesh, own.rig, track))


@pytest.fixture(scope="module")
def files(characters_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("vrm")
    paths = {name: folder / f"{Path(name).stem}.vrm" for name in PEOPLE}
    for name, path in paths.items():
        specsia("mesh", characters_dir / name, "--out", path)
    return paths


def test_stands_in_a_t_pose_and_walks(characters_dir: Path, files: dict[str, Path]) -> None:
    for name, path in files.items():
        own = read_animated(Entry("a", "vrm", path))
        places, bones = own.rig.skeleton.rest_worlds[:, :3, 3], own.humanoid
        assert own.rig.skeleton.rotations.tolist() == [[0, 0, 0, 1]] * len(places)
        for side, outward in (("left", 1), ("right", -1)):
            chains = (("UpperArm", "LowerArm", "Hand"), ("UpperLeg", "LowerLeg", "Foot"))
            arm, leg = (places[[bones[side + part] for part in parts]] for parts in chains)
            for limb, way in ((arm, (outward, 0, 0)), (leg, (0, -1, 0))):
                steps = np.diff(limb, axis=0)
                assert (steps @ way > 0.999 * np.linalg.norm(steps, axis=1)).all()
        assert abs(places[bones["hips"]][[0, 2]]).max() < 1e-6
        # Whatever the pose at rest, a motion of others looks as on the rig of the file.
        source = characters_dir / name
        before = read_animated(Entry("a", "fbx" if source.suffix == ".fbx" else "gltf", source))
        overlap, difference = likeness(walking(before), walking(own))
        assert overlap > 0.9
        assert difference < 6


def test_says_what_the_format_demands(files: dict[str, Path], tmp_path: Path) -> None:
    assert faults_in(install_validator(tmp_path), list(files.values())) == {}
    for path in files.values():
        content = path.read_bytes()
        document: dict[str, Any] = json.loads(content[20 : 20 + struct.unpack_from("<I", content, 12)[0]])
        vrm = document["extensions"]["VRMC_vrm"]
        assert "VRMC_vrm" in document["extensionsUsed"]
        assert vrm["specVersion"] == "1.0"
        assert vrm["meta"]["licenseUrl"] == "https://vrm.dev/licenses/1.0/"
        assert vrm["meta"]["name"] and all(vrm["meta"]["authors"])
        nodes = [bone["node"] for bone in vrm["humanoid"]["humanBones"].values()]
        assert len(set(nodes)) == len(nodes) >= 15
        assert all(len(set(document["nodes"][node].get("scale", [1]))) == 1 for node in nodes)
        assert "animations" not in document


def test_says_that_vertices_follow_fewer_joints(characters_dir: Path, tmp_path: Path) -> None:
    own = read_animated(Entry("a", "gltf", characters_dir / "animated" / "man_king.glb"))
    crowd = ((own.rig.slots[:, :1] + np.arange(6)) % len(own.rig.nodes)).astype(np.int32)
    rig = replace(own.rig, slots=crowd, weights=np.full(crowd.shape, 1 / 6, np.float32))
    for rigged, codes in ((own.rig, []), (rig, ["not-written"])):
        character = ExportedCharacter(own.character.mesh, rig=rigged, humanoid=own.humanoid)
        assert [warning.code for warning in write_vrm(tmp_path / "a.vrm", character)] == codes


@pytest.mark.parametrize("name", ["animated/animal_alpaca.glb", "kenney/kenney_character.glb"])
def test_refuses_who_is_no_humanoid(characters_dir: Path, tmp_path: Path, name: str) -> None:
    ran = specsia("mesh", characters_dir / name, "--out", tmp_path / "a.vrm", code=2)
    assert len(ran.stderr.splitlines()) == 1
    assert not (tmp_path / "a.vrm").exists()
