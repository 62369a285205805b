"""Files of a few bytes to a few megabytes that ask for gigabytes or for minutes."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

from tests.hostile.sound import Files, Gltf, gltf, picture, vrm

_MANY = 100_000


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_sums(data: bytes) -> bytes:
    """A PNG whose chunks have the sums that belong to them."""
    out, at = data[:8], 8
    while at + 12 <= len(data):
        size = struct.unpack_from(">I", data, at)[0]
        if at + 12 + size > len(data):
            break
        out += _chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + size])
        at += 12 + size
    return out + data[at:]


@cache
def large_png(size: int, bits: int = 1) -> bytes:
    """A PNG of (size, size) black pixels: 16384 of one bit each take 33 KB, and 1 GB as RGBA."""
    header = struct.pack(">2I5B", size, size, bits, 0 if bits < 8 else 6, 0, 0, 0)
    row = 1 + size * (bits if bits < 8 else 32) // 8
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(row)) for _ in range(size)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _many_chunks() -> bytes:
    small = picture(".png")
    return small[:33] + _chunk(b"tEXt", b"a\0b") * _MANY + small[33:]


def _packed_text() -> bytes:
    small = picture(".png")
    packed = zlib.compress(bytes(50_000_000), 9)
    return small[:33] + _chunk(b"zTXt", b"a\0\0" + packed) + _chunk(b"iCCP", b"p\0\0" + packed) + small[33:]


def _large_jpeg() -> bytes:
    data = bytearray(picture(".jpg"))
    frame = data.find(b"\xff\xc0")
    struct.pack_into(">HH", data, frame + 5, 65_000, 65_000)
    return bytes(data)


def _large_bmp() -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, 30_000, 30_000, 1, 8, 1, 64, 1, 1, 256, 0)
    start = 14 + len(header) + 1024
    return b"BM" + struct.pack("<IHHI", start + 64, 0, 0, start) + header + bytes(1024) + b"\xff\x07" * 31 + b"\0\1"


def _large_tga() -> bytes:
    # Packets of 128 equal pixels each, far fewer than the size says.
    return struct.pack("<3B2HB4H2B", 0, 0, 10, 0, 0, 0, 0, 0, 65_000, 65_000, 32, 8) + b"\xff\0\0\0\0" * 5_000


_PICTURES: dict[str, tuple[Callable[[], bytes], ...]] = {
    "PNG": (lambda: large_png(16384), lambda: large_png(8192), lambda: large_png(40_000), _many_chunks, _packed_text),
    "JPEG": (_large_jpeg,),
    "BMP": (_large_bmp,),
    "TGA": (_large_tga,),
}


def picture_bomb(kind: str, random: Random) -> bytes:
    """A picture that is larger than it looks."""
    return random.choice(_PICTURES[kind])()


def _unbacked(data: dict[str, Any], accessor: int, count: int) -> None:
    entry = data["accessors"][accessor]
    for key in ("bufferView", "byteOffset", "sparse"):
        entry.pop(key, None)
    entry["count"] = count


def _skin(data: dict[str, Any]) -> None:
    attributes = data["meshes"][0]["primitives"][0]["attributes"]
    for accessor in attributes.values():
        _unbacked(data, accessor, 100_000_000)


def _positions(data: dict[str, Any]) -> None:
    primitive = data["meshes"][0]["primitives"][0]
    _unbacked(data, primitive["attributes"]["POSITION"], 300_000_000)
    primitive["attributes"] = {"POSITION": primitive["attributes"]["POSITION"]}
    del primitive["targets"]


def _indices(data: dict[str, Any]) -> None:
    _unbacked(data, data["meshes"][0]["primitives"][0]["indices"], 60_000_000)


def _sparse(data: dict[str, Any]) -> None:
    for entry in data["accessors"]:
        if "sparse" in entry:
            entry.pop("bufferView", None)
            entry["count"] = 300_000_000


def _nodes(data: dict[str, Any]) -> None:
    data["nodes"] += [{"mesh": 0} for _ in range(_MANY)]
    data["scenes"][0]["nodes"] += range(3, 3 + _MANY)


def _chain(data: dict[str, Any]) -> None:
    """Nodes that hang on one another, each at the end of the one before."""
    start = len(data["nodes"])
    data["nodes"] += [{"children": [start + k + 1]} for k in range(20_000)] + [{"mesh": 0}]
    data["scenes"][0]["nodes"].append(start)


def _targets(data: dict[str, Any]) -> None:
    data["meshes"][0]["primitives"][0]["targets"] *= 20_000
    data["meshes"][0]["weights"] *= 20_000


def _primitives(data: dict[str, Any]) -> None:
    data["meshes"][0]["primitives"] *= 20_000


def _materials(data: dict[str, Any]) -> None:
    data["materials"] *= _MANY
    data["textures"] *= _MANY


def _uri(data: dict[str, Any]) -> None:
    data["images"][0] = {"uri": "%41" * 1_500_000}


def _data_uri(data: dict[str, Any]) -> None:
    data["images"][0] = {"uri": "data:image/png," + "%00" * 1_500_000}


_DOCUMENTS = (_skin, _positions, _indices, _sparse, _nodes, _chain, _targets, _primitives, _materials, _uri, _data_uri)


def _textures(made: Gltf, count: int, size: int) -> Gltf:
    """As many materials, each on a large texture of its own, on as many copies of the primitive."""
    content = large_png(size)
    view = {"buffer": 0, "byteOffset": len(made.binary), "byteLength": len(content)}
    data, primitive = made.data, made.data["meshes"][0]["primitives"][0]
    data["bufferViews"].append(view)
    data["buffers"][0] = {"byteLength": len(made.binary) + len(content)}
    data["images"] = [{"bufferView": len(data["bufferViews"]) - 1, "mimeType": "image/png"}] * count
    data["textures"] = [{"source": k} for k in range(count)]
    data["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": k}}} for k in range(count)]
    data["meshes"][0]["primitives"] = [{**primitive, "material": k} for k in range(count)]
    return Gltf(data, made.binary + content)


def gltf_bomb(kind: str, files: Files, random: Random) -> Files:
    """A glTF file that asks for more than it holds."""
    made, text = vrm() if kind == "VRM" else gltf(), None
    chosen = random.randrange(len(_DOCUMENTS) + 4)
    if chosen < len(_DOCUMENTS):
        _DOCUMENTS[chosen](made.data)
    elif chosen == len(_DOCUMENTS):
        made = _textures(made, 1, 16384)
    elif chosen == len(_DOCUMENTS) + 1:
        made = _textures(made, 16, 8192)
    elif chosen == len(_DOCUMENTS) + 2:
        text = json.dumps(made.data).encode()[:-1] + b', "extras": ' + b"[" * _MANY + b"]" * _MANY + b"}"
    else:
        text = json.dumps(made.data).encode()[:-1] + b', "extras": [' + b"[]," * 1_000_000 + b"0]}"
    return {next(iter(files)): made.glb(text)}


def ply_bomb(random: Random) -> bytes:
    """A PLY file that announces more than it holds, or is hard to take apart."""
    xyz = b"property float x\nproperty float y\nproperty float z\n"
    text, binary = (b"ply\nformat %s 1.0\n" % form for form in (b"ascii", b"binary_little_endian"))
    faces = b"property list uchar int vertex_indices\n"
    end = b"end_header\n"
    return random.choice(
        (
            binary + b"element vertex 2000000000\n" + xyz + b"element face 1\n" + faces + end + bytes(100),
            text + b"element vertex 2000000000\n" + xyz + b"element face 1\n" + faces + end + b"0 0 0\n" * 100,
            text + b"element nothing 1000000000000\nelement vertex 3\n" + xyz + end + b"0 0 0\n" * 3,
            binary + b"element vertex 3\n" + xyz + b"element face 2000000000\n" + faces + end + bytes(1000),
            binary
            + b"element vertex 3\n"
            + xyz
            + b"element face 1\nproperty list uint int vertex_indices\n"
            + end
            + bytes(36)
            + b"\xff" * 4,
            text + b"comment x\n" * 300_000 + b"element vertex 3\n" + xyz + end + b"0 0 0\n" * 3,
            text + b"element vertex 3\n" + b"".join(b"property float p%d\n" % k for k in range(50_000)) + end,
            text + b"element vertex 3\n" + xyz + end + b"9" * 3_000_000 + b" 0 0\n",
        )
    )


_LINES: tuple[Callable[[], bytes], ...] = (
    lambda: b"f " + b"1/1 2/2 3/3 " * 300_000 + b"\n",
    lambda: b"v " + b"9" * 3_000_000 + b" 0 0\n",
    lambda: b"v 0 0 0" + b" " * 3_000_000 + b"\n",
    lambda: b"".join(b"usemtl m%d\nf 1/1 2/2 3/3\n" % k for k in range(_MANY)),
    lambda: b"".join(b"mtllib m%d.mtl\n" % k for k in range(_MANY)),
    lambda: b"".join(b"g part%d\nf 1/1 2/2 3/3\n" % k for k in range(_MANY)),
    lambda: b"v 0 0 0 \\\n" * 200_000,
    lambda: b"f 1 2 3\n" * 500_000,
    lambda: b"g " + b"name " * 500_000 + b"\n",
)

_LIBRARIES: tuple[Callable[[], bytes], ...] = (
    lambda: b"".join(b"newmtl m%d\nKd 1 0 0\nmap_Kd m%d.png\n" % (k, k) for k in range(_MANY)),
    lambda: b"newmtl " + b"m" * 3_000_000 + b"\n",
    lambda: b"map_Kd " + b"-o 1 1 1 " * 300_000 + b"x.png\n",
)


def obj_bomb(files: Files, random: Random) -> Files:
    """Long or many lines in an OBJ file or its library, a picture that is too large, or metadata nested too deeply."""
    texts = [name for name in files if name.endswith((".obj", ".mtl"))]
    pictures = [name for name in files if name.endswith((".png", ".bmp", ".jpeg"))]
    chosen = random.random()
    if chosen < 0.2:
        return {**files, random.choice(pictures): picture_bomb("PNG", random)}
    if chosen < 0.3:
        details = next((name for name in files if name.endswith(".json")), None)
        if details is not None:
            return {**files, details: b'{"license": ' + b"[" * _MANY + b"]" * _MANY + b"}"}
    name = random.choice(texts)
    content = files[name]
    assert isinstance(content, bytes)
    return {**files, name: content + random.choice(_LIBRARIES if name.endswith(".mtl") else _LINES)()}
