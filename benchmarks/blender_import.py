"""Blender's own import of one file, in a process of its own: world triangles, as OUT.npz.

python -m benchmarks.blender_import FILE OUT.npz
"""

import json
import struct
import sys
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

NOT_OF_THE_FILE = "glTF_not_exported"  # Collection of what the importer adds


def without_animations(content: bytes) -> bytes:
    """A .glb without its animations, which the importer would move joints by; anything else as it is."""
    if content[:4] != b"glTF":
        return content
    (length,) = struct.unpack_from("<I", content, 12)
    document = json.loads(content[20 : 20 + length])
    document.pop("animations", None)
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    rest = content[20 + length :]
    head = struct.pack("<4sIIII", b"glTF", 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A)
    return head + text + rest


def main(path: str, out: str) -> None:
    """Import a file; write `vertices` (V, 3) float64, Z up, `faces` (F, 3) int32; skins as nodes stand."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    suffix = Path(path).suffix.lower()
    if suffix == ".obj":
        bpy.ops.wm.obj_import(filepath=path)
    elif suffix == ".ply":
        bpy.ops.wm.ply_import(filepath=path)
    else:
        still = Path(out).with_suffix(suffix)
        still.write_bytes(without_animations(Path(path).read_bytes()))
        bpy.ops.import_scene.gltf(filepath=str(still if suffix == ".glb" else path))
    vertices, faces = triangles()
    np.savez(out, vertices=vertices, faces=faces)


def triangles() -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return the evaluated scene: `vertices` (V, 3), Z up, and `faces` (F, 3)."""
    graph = bpy.context.evaluated_depsgraph_get()
    added = [each for each in bpy.data.collections if each.name.startswith(NOT_OF_THE_FILE)]
    shapes = {item.name for collection in added for item in collection.objects}
    vertices, faces, base = [], [], 0
    for instance in graph.object_instances:
        # The importer draws bones as a shape of its own, which is not part of the file.
        if instance.object.type != "MESH" or instance.object.original.name in shapes:
            continue
        mesh = instance.object.to_mesh()
        mesh.calc_loop_triangles()
        points = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", points)
        corners = np.empty(3 * len(mesh.loop_triangles), np.int32)
        mesh.loop_triangles.foreach_get("vertices", corners)
        matrix = np.array(instance.matrix_world, np.float64)
        vertices.append(points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3])
        faces.append(corners.reshape(-1, 3) + base)
        base += len(mesh.vertices)
        instance.object.to_mesh_clear()
    return np.concatenate([np.empty((0, 3)), *vertices]), np.concatenate([np.empty((0, 3), np.int32), *faces])


if __name__ == "__main__":
    main(*sys.argv[1:3])
