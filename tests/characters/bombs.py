"""Small files that would cost much memory: writers by name, each given a folder and returning the file to read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.characters.bad_characters import figure
from tests.characters.gltf.writer import GltfWriter


def shared(folder: Path, instances: int = 100_000, triangles: int = 12) -> Path:
    """One mesh at very many nodes."""
    points, faces, _, _ = figure()
    file = GltfWriter()
    primitive = file.primitive(points)
    primitive["indices"] = file.accessor(np.resize(faces, (triangles, 3)).reshape(-1), "u4")
    file.add("meshes", primitives=[primitive])
    file.data["nodes"] = [{"mesh": 0, "translation": [k % 100, k // 100, 0]} for k in range(instances)]
    file.add("scenes", nodes=list(range(instances)))
    return file.write_glb(folder / "shared.glb")


def empty_lists(folder: Path, size: int = 99_000_000) -> Path:
    """JSON of empty lists, 56 bytes of memory for every three."""
    path = folder / "lists.gltf"
    path.write_text('{"asset":{"version":"2.0"},"extras":[' + "[]," * (size // 3) + "[]]}")
    return path


def obj_line(folder: Path, size: int = 40_000_000) -> Path:
    """An OBJ whose one face has very many corners."""
    path = folder / "line.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf" + " 1 2 3" * (size // 6) + "\n")
    return path


def ply_lists(folder: Path, rows: int = 40_000_000) -> Path:
    """A binary PLY of very many faces without corners, one of them with."""
    path = folder / "lists.ply"
    head = (
        "ply\nformat binary_little_endian 1.0\n"
        "element vertex 3\nproperty uchar x\nproperty uchar y\nproperty uchar z\n"
        f"element face {rows}\nproperty list uchar uchar vertex_indices\nend_header\n"
    )
    path.write_bytes(head.encode() + bytes([0, 0, 0, 1, 0, 0, 0, 1, 0]) + b"\x03\x00\x01\x02" + bytes(rows - 1))
    return path
