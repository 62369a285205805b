"""Blender's own evaluation of a glTF file's clips, in a process of its own: world triangles, a .npz a clip.

python -m benchmarks.blender_poses FILE REQUEST.json FOLDER
"""

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from benchmarks.blender_import import triangles

FPS = 2400  # Keys within a hundredth of a frame of each other are one to Blender


def main(path: str, request: str, folder: str) -> None:
    """Write `FOLDER/N.npz` for each clip N of a request: `vertices` (T, V, 3) float32, Z up, `faces` (F, 3).

    The request is an object of `drop`, names of nodes that go with all below them, and `clips`, lists of
    seconds by the clip's place in the file, negative ones for rest.
    """
    query = json.loads(Path(request).read_text(encoding="utf-8"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps = FPS
    imported, at_rest = _import(path)
    for name in query["drop"]:
        _hide(name)
    for index, seconds in query["clips"].items():
        for put in at_rest:
            put()
        animation = import_module("io_scene_gltf2.blender.imp.gltf2_blender_animation").BlenderAnimation
        name = imported.data.animations[int(index)].track_name if int(index) >= 0 else ""
        animation.restore_animation(imported, name)
        frames = []
        for second in seconds:
            frame = second * FPS
            scene.frame_set(int(frame // 1), subframe=frame % 1)
            vertices, faces = triangles()
            frames.append(vertices.astype(np.float32))
        np.savez(Path(folder) / f"{index}.npz", vertices=np.stack(frames), faces=faces)


def _import(path: str) -> tuple[Any, list[Callable[[], None]]]:
    """The importer's own state, and what puts everything as it was before the first clip moved it."""
    # Its modules are there once Blender is.
    importer = import_module("io_scene_gltf2.blender.imp.gltf2_blender_scene")
    held: dict[str, Any] = {}
    make = importer.BlenderScene.create_animations

    def create(gltf: Any) -> None:
        _attach_to_bones(gltf)
        held.update(gltf=gltf, rest=_rest())
        make(gltf)

    importer.BlenderScene.create_animations = create
    bpy.ops.import_scene.gltf(filepath=path)
    importer.BlenderScene.create_animations = make
    return held["gltf"], held["rest"]


def _attach_to_bones(gltf: Any) -> None:
    """Put what hangs on a bone where the file has it.

    The importer counts from the tip of a bone that is as long as it would be if the armature were not scaled,
    and then draws it shorter where it is.
    """
    lengths = {}
    for bone in (node for node in gltf.vnodes.values() if hasattr(node, "bone_length")):
        armature = gltf.vnodes[bone.bone_arma].blender_object
        lengths[armature, bone.blender_bone_name] = bone.bone_length
    for thing in bpy.data.objects:
        if thing.parent_type == "BONE":
            bone = thing.parent.data.bones[thing.parent_bone]
            counted = lengths[thing.parent, bone.name]
            thing.matrix_parent_inverse = Matrix.Translation((0.0, counted - bone.length, 0.0))


def _rest() -> list[Callable[[], None]]:
    found: list[Callable[[], None]] = []
    for thing in bpy.data.objects:
        for moved in (thing, *(thing.pose.bones if thing.pose else ())):
            for key in ("location", "rotation_quaternion", "scale"):
                found.append(_setter(moved, key))
        keys = getattr(thing.data, "shape_keys", None)
        found.extend(_setter(block, "value") for block in (keys.key_blocks if keys else ()))
    return found


def _setter(thing: Any, key: str) -> Callable[[], None]:
    now = getattr(thing, key)
    kept = now if isinstance(now, float) else tuple(now)
    return lambda: setattr(thing, key, kept)


def _hide(name: str) -> None:
    thing = bpy.data.objects.get(name)
    if thing is not None:
        for below in (*thing.children_recursive, thing):
            below.hide_viewport = True


if __name__ == "__main__":
    main(*sys.argv[1:4])
