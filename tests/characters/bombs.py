"""Small files that would cost much memory: writers by name, each given a folder and returning the file to read."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.characters.bad_characters import figure
from tests.characters.gltf.writer import GltfWriter

MANY = 20_000_000


def _unbacked(count: int, kind: str, component: int = 5126) -> dict[str, Any]:
    return {"componentType": component, "type": kind, "count": count}


def _glb(path: Path, **document: Any) -> Path:
    file = GltfWriter()
    file.data |= {"scenes": [{"nodes": [0]}], **document}
    return file.write_glb(path)


def unbacked(folder: Path, count: int = MANY) -> Path:
    """Positions and normals that no bytes stand behind."""
    primitive = {"attributes": {"POSITION": 0, "NORMAL": 0}}
    return _glb(
        folder / "unbacked.glb",
        nodes=[{"mesh": 0}],
        meshes=[{"primitives": [primitive]}],
        accessors=[_unbacked(count, "VEC3")],
    )


def sparse(folder: Path, count: int = MANY) -> Path:
    """A sparse accessor of which three elements are there."""
    file = GltfWriter()
    where = {"bufferView": file.view(np.arange(3, dtype="<u4").tobytes()), "componentType": 5125}
    what = {"bufferView": file.view(np.eye(3, dtype="<f4").tobytes())}
    file.data |= {
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [{**_unbacked(count, "VEC3"), "sparse": {"count": 3, "indices": where, "values": what}}],
    }
    return file.write_gltf(folder / "sparse.gltf")


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


def influences(folder: Path, instances: int = 60, sets: int = 30) -> Path:
    """A skinned mesh of a thousand triangles with many influences a vertex, at many nodes."""
    file, count = GltfWriter(), 3000
    skin: dict[str, Any] = {f"JOINTS_{k}": file.accessor(np.zeros((count, 4)), "u1") for k in range(sets)}
    skin |= {f"WEIGHTS_{k}": file.accessor(np.ones((count, 4)), "u1") for k in range(sets)}
    file.add("meshes", primitives=[file.primitive(np.random.default_rng(0).random((count, 3)), **skin)])
    file.data["nodes"] = [{"mesh": 0, "skin": 0} for _ in range(instances)]
    file.add("skins", joints=[0])
    return file.write_glb(folder / "influences.glb")


def png(side: int) -> bytes:
    """A black grey PNG of a size that is nothing beside its pixels."""
    stream = io.BytesIO()
    Image.new("L", (side, side)).save(stream, "PNG")
    return stream.getvalue()


def textures(folder: Path, count: int, side: int) -> Path:
    """A figure of so many materials, each with a large texture of its own."""
    points, faces, uv, _ = figure()
    file = GltfWriter()
    primitives = []
    for _ in range(count):
        texture = file.add("textures", source=file.image(png(side)))
        number = file.add("materials", pbrMetallicRoughness={"baseColorTexture": {"index": texture}})
        primitive = file.primitive(points, material=number, TEXCOORD_0=file.accessor(uv))
        primitive["indices"] = file.accessor(faces.reshape(-1), "u4")
        primitives.append(primitive)
    file.mesh_node(*primitives)
    file.add("scenes", nodes=[0])
    return file.write_glb(folder / "textures.glb")


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
