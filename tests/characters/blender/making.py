"""Helpers for scripts that write scenes with bpy."""

import sys
from collections.abc import Sequence
from typing import Any

import bpy

Points = Sequence[Sequence[float]]

TRIANGLE: Points = ((0, 0, 0), (1, 0, 0), (0, 0, 1))
SQUARE: Points = ((0, 0, 0), (1, 0, 0), (1, 0, 1), (0, 0, 1))

bpy.ops.wm.read_factory_settings(use_empty=True)


def material(name: str, colour: Sequence[float] = (1.0, 1.0, 1.0), alpha: float = 1.0) -> tuple[Any, Any]:
    """A material and its shader."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    shader = made.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Alpha"].default_value = alpha
    return made, shader


def add(name: str, points: Points = TRIANGLE, faces: Points = ((0, 1, 2),), look: Any = None) -> Any:
    """An object of a mesh whose UV are its x and z, of one material."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points, [], faces)
    for loop, uv in zip(mesh.loops, mesh.uv_layers.new(name="map").data, strict=True):
        uv.uv = (points[loop.vertex_index][0], points[loop.vertex_index][2])
    if look is not None:
        mesh.materials.append(look)
    item = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(item)
    return item


def save() -> None:
    """Write the scene to the file that the command line names, as its suffix says."""
    path = sys.argv[-1]
    if path.endswith(".fbx"):
        import addon_utils  # type: ignore[import-not-found]

        addon_utils.enable("io_scene_fbx")
        bpy.ops.export_scene.fbx(filepath=path, bake_anim_use_nla_strips=False)
    else:
        bpy.ops.wm.save_as_mainfile(filepath=path)
