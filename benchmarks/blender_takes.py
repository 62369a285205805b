"""Blender's own evaluation of the takes of an FBX or .blend file, in its own process: triangles, a .npz each.

python -m benchmarks.blender_takes FILE REQUEST.json FOLDER
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from specsia_build.rendering.blender.process import scripts_folder

sys.path.insert(0, str(scripts_folder()))
export_glb = importlib.import_module("export_glb")


def main(path: str, request: str, folder: str) -> None:
    """Write `FOLDER/N.npz` for each clip N of a request: `vertices` (T, V, 3) float32, Z up, `faces` (F, 3).

    The request is an object of `clips`, lists of seconds from the take's first frame on by N, `names`, of the
    takes by N; a clip without a name is rest; and `drop`, names of objects that are left out.
    """
    query = json.loads(Path(request).read_text(encoding="utf-8"))
    for number, seconds in query["clips"].items():
        # A fresh scene for each: nothing is left of another take.
        _open(path)
        export_glb.show_what_renders()
        things, takes = export_glb.find_takes([])
        scene, name = bpy.context.scene, query["names"].get(number)
        owned = [(thing, action) for thing, take, action in takes if take == name]
        first = min((action.frame_range[0] for _, action in owned), default=scene.frame_current)
        for thing in things:
            if thing.animation_data is not None:
                thing.animation_data.action = None
        for thing, action in owned:
            (thing.animation_data or thing.animation_data_create()).action = action
        for armature in bpy.data.armatures:
            armature.pose_position = "REST" if name is None else "POSE"
        frames = []
        for second in seconds:
            frame = first + second * scene.render.fps / scene.render.fps_base
            scene.frame_set(int(frame // 1), subframe=float(frame % 1))
            frames.append(_points(query))
        np.savez(Path(folder) / f"{number}.npz", vertices=np.stack(frames), faces=_faces(query))


def _open(path: str) -> None:
    """Make a file the scene; objects that an FBX file hides are hidden from renders too."""
    if path.lower().endswith(".blend"):
        export_glb.open_file(path)
        return
    bpy.ops.wm.read_factory_settings(use_empty=True)
    importlib.import_module("addon_utils").enable("io_scene_fbx")
    bpy.ops.import_scene.fbx(filepath=path, use_image_search=False)
    for item in bpy.context.scene.objects:
        item.hide_render = item.hide_render or item.hide_viewport


def _meshes(asked: dict[str, Any]) -> Any:
    graph = bpy.context.evaluated_depsgraph_get()
    for item in bpy.context.scene.objects:
        if item.type in export_glb.GEOMETRY and not item.hide_render and item.name not in asked["drop"]:
            evaluated = item.evaluated_get(graph)
            yield evaluated.to_mesh(), np.array(item.matrix_world, np.float64)


def _values(collection: Any, attribute: str, count: int, kind: Any) -> Any:
    values = np.empty(count, kind)
    collection.foreach_get(attribute, values)
    return values.reshape(-1, 3)


def _points(asked: dict[str, Any]) -> Any:
    points_of_all = []
    for mesh, world in _meshes(asked):
        points = _values(mesh.vertices, "co", 3 * len(mesh.vertices), np.float32)
        points_of_all.append(points @ world[:3, :3].T + world[:3, 3])
    return np.concatenate(points_of_all).astype(np.float32)


def _faces(asked: dict[str, Any]) -> Any:
    faces, first = [], 0
    for mesh, _ in _meshes(asked):
        mesh.calc_loop_triangles()
        faces.append(_values(mesh.loop_triangles, "vertices", 3 * len(mesh.loop_triangles), np.int32) + first)
        first += len(mesh.vertices)
    return np.concatenate(faces).astype(np.int32)


if __name__ == "__main__":
    main(*sys.argv[1:4])
