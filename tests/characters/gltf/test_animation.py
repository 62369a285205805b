"""Poses of a glTF file's own animations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.testing import assert_allclose

from specsia_build.characters.character import Entry
from specsia_build.characters.gltf.read import read_gltf
from specsia_build.characters.read import read_character
from specsia_build.characters.survey import facts_of
from tests.characters.gltf.writer import TRIANGLE, GltfWriter

HALF = 0.5**0.5


def moving(path: str, values: Any, **node: Any) -> GltfWriter:
    """A triangle at a node that an animation moves at 1, 2 and 3 seconds."""
    writer = GltfWriter()
    target = writer.accessor([[0, 0, 1.0]] * 3)
    writer.mesh_node(writer.primitive(targets=[{"POSITION": target}]), **node)
    curve: dict[str, Any] = {"input": writer.accessor([1.0, 2.0, 3.0]), "output": writer.accessor(values)}
    writer.add(
        "animations",
        name="Rig|Hero_Go",
        channels=[{"sampler": 0, "target": {"node": 0, "path": path}}],
        samplers=[curve],
    )
    writer.add("animations", name="Rig|Hero_Rest", channels=[], samplers=[])
    return writer


SHIFTS = [[0.0, 0, 0], [4, 0, 0], [4, 8, 0]]


@pytest.mark.parametrize(
    ("pose", "shift", "warnings"),
    [
        ("rest", [9, 9, 9], 0),
        ("Rig|Hero_Go", [0, 0, 0], 0),
        ("Hero_Go@36", [2, 0, 0], 0),
        ("Go@60", [4, 4, 0], 0),
        ("Go@0", [0, 0, 0], 1),
        ("Go@1000", [4, 8, 0], 1),
        ("Rest", [9, 9, 9], 0),
    ],
)
def test_a_frame_is_a_24th_of_a_second(tmp_path: Path, pose: str, shift: list[float], warnings: int) -> None:
    writer = moving("translation", SHIFTS, translation=[9, 9, 9])
    raw = read_gltf(writer.write_glb(tmp_path / "a.glb"), pose=pose)
    assert_allclose(raw.mesh.vertices[raw.mesh.faces][0], np.add(TRIANGLE, shift), atol=1e-5)
    assert len(raw.warnings) == warnings


def test_a_real_character_takes_a_pose(characters_dir: Path) -> None:
    knight = Entry("a", "gltf", characters_dir / "kaykit" / "Knight.glb")
    rest, idle, dead = (
        facts_of(read_character(replace(knight, pose=pose))) for pose in ("rest", "Idle@12", "Death_A_Pose")
    )
    assert set(idle.warnings) <= set(rest.warnings)
    lying = read_character(replace(knight, pose="Death_A_Pose")).mesh
    assert np.ptp(lying.vertices[:, 2]) < np.ptp(lying.vertices[:, 1])
    assert not any("stands along" in sentence for sentence in dead.warnings)
