"""The vertices of an FBX file are in the same order whichever script reads it, and however often."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from specsia_build.animation.motion import poses
from specsia_build.characters.blender.kept import CACHE_SETTING
from specsia_build.characters.blender.read import read_with_blender
from tests.characters.blender.armature import ARMATURE

NAMES = ("hat", "arm", "tail", "body", "leg", "eye", "boot", "scarf")

WRITE = (
    ARMATURE
    + """
for k, name in enumerate(sys.argv[2:]):
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(k, 0, 0), (k + 1, 0, 0), (k, 0, 1)], [], [(0, 1, 2)])
    part = bpy.data.objects.new(name, mesh)
    link(part)
    part.parent = rig
    part.modifiers.new("rig", "ARMATURE").object = rig
    part.vertex_groups.new(name="bone").add((0, 1, 2), 1.0, "REPLACE")
import addon_utils

addon_utils.enable("io_scene_fbx")
bpy.ops.export_scene.fbx(filepath=sys.argv[1], add_leaf_bones=False)
"""
)


def test_a_rig_is_of_the_vertices_of_the_mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("bpy") is None:
        pytest.skip("needs the bpy package to write an FBX file")
    monkeypatch.setenv(CACHE_SETTING, str(tmp_path))
    path = tmp_path / "parts.fbx"
    command = [sys.executable, "-c", WRITE, str(path), *NAMES]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    read = read_with_blender(path, moving=True)
    assert [names[0] for names in read.part_names] == sorted(NAMES)
    assert read.moving is not None
    rig = read.moving.rig
    at_rest = rig.vertices(poses(rig.skeleton, None, np.zeros(1)), 0)
    np.testing.assert_allclose(at_rest, read.mesh.vertices, atol=1e-5)
