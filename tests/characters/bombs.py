"""Small files that would cost much memory: writers by name, each given a folder and returning the file to read."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.characters.bad_characters import checks, figure
from tests.characters.gltf.writer import GltfWriter
from tests.characters.gltf.writer import png as small_png

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


def skinned(folder: Path, count: int = MANY) -> Path:
    """Skinned vertices that no bytes stand behind."""
    primitive = {"attributes": {"POSITION": 0, "JOINTS_0": 1, "WEIGHTS_0": 2}}
    return _glb(
        folder / "skinned.glb",
        nodes=[{"mesh": 0, "skin": 0}],
        meshes=[{"primitives": [primitive]}],
        skins=[{"joints": [0]}],
        accessors=[_unbacked(count, "VEC3"), _unbacked(count, "VEC4", 5121), _unbacked(count, "VEC4")],
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


def png(width: int, height: int) -> bytes:
    """A black PNG, grey, of a size that is nothing beside its pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer = zlib.compressobj(9)
    row = bytes(1 + width)
    rows = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def textures(folder: Path, count: int = 16, side: int = 8192, samplers: int = 1) -> Path:
    """A figure of so many materials, each with a large texture of its own, or one under so many samplers."""
    points, faces, uv, _ = figure()
    file = GltfWriter()
    content = png(side, side)
    primitives = []
    for k in range(count * samplers):
        if k < count:
            file.image(content)
        source = k % count
        if samplers > 1:
            file.add("samplers", wrapS=10497)
        texture = file.add("textures", source=source, **({"sampler": k} if samplers > 1 else {}))
        number = file.add("materials", pbrMetallicRoughness={"baseColorTexture": {"index": texture}})
        primitive = file.primitive(points, material=number, TEXCOORD_0=file.accessor(uv))
        primitive["indices"] = file.accessor(faces.reshape(-1), "u4")
        primitives.append(primitive)
    file.mesh_node(*primitives)
    file.add("scenes", nodes=[0])
    return file.write_glb(folder / "textures.glb")


def uri(folder: Path, length: int = 66_000_000) -> Path:
    """A data URI of percent signs, three bytes for each of `length`."""
    path = folder / "uri.gltf"
    head = '{"asset":{"version":"2.0"},"buffers":[{"byteLength":3,"uri":"data:application/octet-stream,'
    tail = (
        '"}],"bufferViews":[{"buffer":0,"byteLength":3}],"accessors":[{"bufferView":0,"componentType":5126,"type":"VEC3",'
        '"count":3}],"meshes":[{"primitives":[{"attributes":{"POSITION":0}}]}],"nodes":[{"mesh":0}],'
        '"scenes":[{"nodes":[0]}]}'
    )
    path.write_text(head + "%00" * length + tail)
    return path


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


def obj_vertex(folder: Path, size: int = 40_000_000) -> Path:
    """An OBJ whose one vertex has very many numbers."""
    path = folder / "vertex.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0" + " 1" * (size // 2) + "\nf 1 2 3\n")
    return path


def obj_lines(folder: Path, size: int = 40_000_000) -> Path:
    """An OBJ of very many empty lines and groups."""
    path = folder / "lines.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n" + "g\n" * (size // 2))
    return path


def ply_text(folder: Path, size: int = 40_000_000) -> Path:
    """A text PLY of very many short numbers."""
    path = folder / "text.ply"
    head = "ply\nformat ascii 1.0\nelement vertex {}\nproperty uchar x\nend_header\n"
    path.write_text(head.format(size // 2) + "1 " * (size // 2))
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


def ply_count(folder: Path) -> Path:
    """A PLY whose header promises very many rows."""
    path = folder / "count.ply"
    path.write_text(
        "ply\nformat ascii 1.0\nelement vertex 4000000000\nproperty float x\nproperty float y\nproperty float z\n"
        "element face 4000000000\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n"
    )
    return path


def _image_beside(folder: Path, name: str, content: bytes) -> Path:
    """A textured OBJ whose own image is the bomb."""
    (folder / name).write_bytes(content)
    path = folder / f"{Path(name).stem}.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nf 1/1 2/1 3/1\n")
    return path


def huge_png(folder: Path) -> Path:
    """An image that says it has 4 billion pixels."""
    whole = bytearray(small_png(checks(8)))
    whole[16:24] = struct.pack(">II", 65_500, 65_500)
    whole[29:33] = struct.pack(">I", zlib.crc32(whole[12:29]))
    return _image_beside(folder, "huge.png", bytes(whole))


def large_bmp(folder: Path, side: int = 16_384) -> Path:
    """A BMP of one bit a pixel that is cut after its header."""
    header = struct.pack("<2sIHHI", b"BM", 62, 0, 0, 62) + struct.pack(
        "<IiiHHIIiiII", 40, side, side, 1, 1, 0, 0, 0, 0, 2, 2
    )
    return _image_beside(folder, "large.bmp", header + b"\x00\x00\x00\x00\xff\xff\xff\x00")


def large_tga(folder: Path, side: int = 16_384) -> Path:
    """A TGA of runs, 128 pixels of four bytes for every five."""
    runs = b"\xff\x00\x00\x00\xff" * (side * side // 128)
    return _image_beside(
        folder, "large.tga", struct.pack("<BBBHHBHHHHBB", 0, 0, 10, 0, 0, 0, 0, 0, side, side, 32, 8) + runs
    )


BOMBS: dict[str, Callable[[Path], Path]] = {
    "unbacked": unbacked,
    "skinned": skinned,
    "sparse": sparse,
    "shared": shared,
    "textures": textures,
    "samplers": lambda folder: textures(folder, 1, 4096, 200),
    "uri": uri,
    "empty_lists": empty_lists,
    "obj_line": obj_line,
    "obj_vertex": obj_vertex,
    "obj_lines": obj_lines,
    "ply_text": ply_text,
    "ply_lists": ply_lists,
    "ply_count": ply_count,
    "huge_png": huge_png,
    "large_bmp": large_bmp,
    "large_tga": large_tga,
}
"""All of them, as large as they were when they did harm; most take a smaller size too."""
