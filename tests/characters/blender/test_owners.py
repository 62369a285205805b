"""Whose an action of a .blend file is."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from specsia_build.characters.blender.kept import CACHE_SETTING
from specsia_build.characters.blender.rig import read_rig
from tests.characters.blender.armature import ARMATURE

WRITE = (
    ARMATURE
    + """
mesh = bpy.data.meshes.new("body")
mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 0, 1)], [], [(0, 1, 2)])
body = bpy.data.objects.new("body", mesh)
link(body)
body.parent = rig
body.modifiers.new("rig", "ARMATURE").object = rig
body.vertex_groups.new(name="bone").add((0, 1, 2), 1.0, "REPLACE")
for name, height in (("walk", 1), ("jump", 5)):
    action = bpy.data.actions.new(name)
    curve = action.fcurves.new('pose.bones["bone"].location', index=1)
    for frame, value in ((1, 0), (11, height)):
        curve.keyframe_points.insert(frame, value)
rig.animation_data_create().action = bpy.data.actions["walk"]
away = body.animation_data_create().nla_tracks.new()
away.mute = True
away.strips.new("jump", 1, bpy.data.actions["jump"])
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])
"""
)


def test_an_action_put_away_on_the_mesh_of_its_armature_moves_the_armature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("bpy") is None:
        pytest.skip("needs the bpy package to write a .blend file")
    monkeypatch.setenv(CACHE_SETTING, str(tmp_path / "cache"))
    path = tmp_path / "guy.blend"
    subprocess.run([sys.executable, "-c", WRITE, str(path)], check=True, capture_output=True, timeout=300)
    highest = {
        motion.name: max(float(np.abs(track.values).max()) for track in motion.tracks if track.path == "translation")
        for motion in read_rig(path).motions
    }
    assert highest == pytest.approx({"jump": 5.0, "walk": 1.0})
