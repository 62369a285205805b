"""Blender's own evaluation of the takes of an FBX or .blend file, in a process of its own: triangles, a .npz each.

python -m benchmarks.blender_takes FILE REQUEST.json FOLDER
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from specsia_build.rendering.blender.process import scripts_folder

sys.path.insert(0, str(scripts_folder()))
scenes = importlib.import_module("scenes")


def main(path: str, request: str, folder: str) -> None:
    """Write `FOLDER/N.npz` for each clip N of the request: `vertices` (T, V, 3) float32, Z up, and `faces` (F, 3).

    The request is an object of `clips`, lists of seconds from the take's first frame on by N, `names`, of the takes by
    N; a clip without a name is rest; and `drop`, names of objects that are left out.
    """
    asked = json.loads(Path(request).read_text(encoding="utf-8"))
    for number, seconds in asked["clips"].items():
        # A fresh scene for each: nothing is left of another take.
        scenes.open_file(path, {}, {}, {})
        scenes.use_render_settings()
        render, name = bpy.context.scene.render, asked["names"].get(number)
        if name is None:
            scenes.put_in_pose("rest", None)
            first = bpy.context.scene.frame_current_final
        else:
            actions = dict(scenes.takes())[name]
            scenes.play(actions)
            first = min(action.frame_range[0] for action in actions)
        frames = []
        for second in seconds:
            scenes.show_frame(first + second * render.fps / render.fps_base)
            frames.append(_points(asked))
        np.savez(Path(folder) / f"{number}.npz", vertices=np.stack(frames), faces=_faces(asked))


def _meshes(asked: dict[str, Any]) -> Any:
    for evaluated, mesh, matrix, _ in scenes.shown(bpy.context.evaluated_depsgraph_get()):
        if evaluated.original.name not in asked["drop"]:
            yield mesh, np.array(matrix, np.float64)


def _points(asked: dict[str, Any]) -> Any:
    found = []
    for mesh, world in _meshes(asked):
        points = scenes.values(mesh.vertices, "co", 3 * len(mesh.vertices), np.float32).reshape(-1, 3)
        found.append(points @ world[:3, :3].T + world[:3, 3])
    return np.concatenate(found).astype(np.float32)


def _faces(asked: dict[str, Any]) -> Any:
    found, first = [], 0
    for mesh, _ in _meshes(asked):
        mesh.calc_loop_triangles()
        corners = scenes.values(mesh.loop_triangles, "vertices", 3 * len(mesh.loop_triangles), np.int32)
        found.append(corners.reshape(-1, 3) + first)
        first += len(mesh.vertices)
    return np.concatenate(found).astype(np.int32)


if __name__ == "__main__":
    main(*sys.argv[1:4])
