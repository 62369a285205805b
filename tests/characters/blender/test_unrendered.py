"""A .blend file whose meshes are switched off for renders, or put in a collection that is."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from specsia_build.characters.blender.kept import CACHE_SETTING
from specsia_build.characters.blender.read import read_with_blender
from specsia_build.characters.blender.rig import read_rig
from specsia_build.errors import CharacterError
from tests.characters.blender.armature import ARMATURE

WRITE = (
    ARMATURE
    + """
def triangle(name):
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 0, 1)], [], [(0, 1, 2)])
    item = bpy.data.objects.new(name, mesh)
    link(item)
    return item

body, old, widget = map(triangle, ("body", "old", "widget"))
rig.pose.bones["bone"].custom_shape = widget
old.hide_set(True)
if sys.argv[2] == "item":
    body.hide_render = True
elif sys.argv[2] == "collection":
    unseen = bpy.data.collections.new("unseen")
    bpy.context.scene.collection.children.link(unseen)
    bpy.context.scene.collection.objects.unlink(body)
    unseen.objects.link(body)
    unseen.hide_render = True
elif sys.argv[2] == "camera":
    triangle("proxy").visible_camera = False
    scalp = triangle("scalp")
    scalp.modifiers.new("hair", "PARTICLE_SYSTEM")
    scalp.show_instancer_for_render = False
elif sys.argv[2] == "scene":
    stage = bpy.data.scenes.new("stage")
    stage.collection.objects.link(body.copy())
else:
    bpy.data.objects.remove(body)
old.hide_render = widget.hide_render = True
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])
"""
)


def written(path: Path, how: str) -> Path:
    if importlib.util.find_spec("bpy") is None:
        pytest.skip("needs the bpy package to write a .blend file")
    subprocess.run([sys.executable, "-c", WRITE, str(path), how], check=True, capture_output=True, timeout=300)
    return path


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_SETTING, str(tmp_path / "cache"))


@pytest.mark.parametrize("how", ["item", "collection"])
def test_what_the_viewport_shows_is_read_where_a_render_would_show_no_mesh(tmp_path: Path, how: str) -> None:
    path = written(tmp_path / "melon.blend", how)
    raw = read_with_blender(path)
    assert raw.parts == ("body",)
    assert raw.warnings == ("melon.blend: a render would show no mesh, so what the viewport shows was read ('body')",)
    assert len(read_rig(path).rig.points) == 3


def test_what_neither_shows_is_no_character(tmp_path: Path) -> None:
    with pytest.raises(CharacterError, match="no mesh that a render would show"):
        read_with_blender(written(tmp_path / "melon.blend", "none"))


def test_what_no_camera_sees_of_a_render_is_left_out(tmp_path: Path) -> None:
    """A shape that only casts shadows, and a scalp of which the hair alone is shown."""
    path = written(tmp_path / "melon.blend", "camera")
    assert read_with_blender(path).parts == ("body",)
    assert len(read_rig(path).rig.points) == 3


def test_meshes_of_another_scene_are_said(tmp_path: Path) -> None:
    raw = read_with_blender(written(tmp_path / "melon.blend", "scene"))
    assert raw.parts == ("body",)
    assert raw.warnings == ("melon.blend: its other scenes have meshes too, which were not read ('stage')",)
