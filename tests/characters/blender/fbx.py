"""What tests of FBX files share: a box that Blender moves and writes, and the scripts that read it."""

from __future__ import annotations

import importlib.util
from typing import Any

from specsia_build.rendering.blender.process import scripts_folder

BOX = """
import sys
import bpy, addon_utils

bpy.ops.wm.read_factory_settings(use_empty=True)
addon_utils.enable("io_scene_fbx")
mesh = bpy.data.meshes.new("box")
mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 0, 1)], [], [(0, 1, 2)])
box = bpy.data.objects.new("box", mesh)
bpy.context.scene.collection.objects.link(box)
box.animation_data_create()
"""
"""The beginning of a script for Blender: a scene of one thing, `box`, that is to be moved."""


def script(name: str) -> Any:
    """One of `blender_scripts` that needs no Blender, as a module."""
    spec = importlib.util.spec_from_file_location(name, scripts_folder() / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
