"""Files of a few bytes to a few megabytes that ask for gigabytes or for minutes."""

import json
import struct
import zlib
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

import numpy as np

from tests.characters.fbx.writer import TICKS, Record, model, record, square, thing
from tests.characters.gltf.writer import GltfWriter, glb_of
from tests.hostile.sound import Files, gltf, picture, vrm

_MANY = 100_000


def chunk(kind: bytes, data: bytes) -> bytes:
    """A piece of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_sums(data: bytes) -> bytes:
    """A PNG whose chunks have the sums that belong to them."""
    out, at = data[:8], 8
    while at + 12 <= len(data):
        size = struct.unpack_from(">I", data, at)[0]
        if at + 12 + size > len(data):
            break
        out += chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + size])
        at += 12 + size
    return out + data[at:]


@cache
def large_png(size: int) -> bytes:
    """A PNG of (size, size) black pixels of one bit: 16384 on a side take 33 KB, and 1 GB as RGBA."""
    header = struct.pack(">2I5B", size, size, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(1 + size // 8)) for _ in range(size)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _with_chunks(*chunks: bytes) -> bytes:
    """A small PNG with more chunks behind its header."""
    small = picture(".png")
    return small[:33] + b"".join(chunks) + small[33:]


def _packed_text() -> bytes:
    packed = zlib.compress(bytes(50_000_000), 9)
    return _with_chunks(chunk(b"zTXt", b"a\0\0" + packed), chunk(b"iCCP", b"p\0\0" + packed))


def _large_jpeg() -> bytes:
    data = bytearray(picture(".jpeg"))
    struct.pack_into(">HH", data, data.find(b"\xff\xc0") + 5, 65_000, 65_000)
    return bytes(data)


def _large_bmp() -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, 30_000, 30_000, 1, 8, 1, 64, 1, 1, 256, 0)
    start = 14 + len(header) + 1024
    head = b"BM" + struct.pack("<IHHI", start + 64, 0, 0, start) + header
    return head + bytes(1024) + b"\xff\x07" * 31 + b"\0\1"


_TGA_HEADER = struct.pack("<3B2HB4H2B", *(0, 0, 10, *[0] * 5), 65_000, 65_000, 32, 8)
_PICTURES: dict[str, tuple[Callable[[], bytes], ...]] = {
    "PNG": (
        *(lambda size=size: large_png(size) for size in (16384, 8192, 40_000)),
        lambda: _with_chunks(chunk(b"tEXt", b"a\0b") * _MANY),
        _packed_text,
    ),
    "JPEG": (_large_jpeg,),
    "BMP": (_large_bmp,),
    # Packets of 128 equal pixels each, far fewer than the size says.
    "TGA": (lambda: _TGA_HEADER + b"\xff\0\0\0\0" * 5_000,),
}


def picture_bomb(kind: str, random: Random) -> bytes:
    """A picture that is larger than it looks."""
    return random.choice(_PICTURES[kind])()


def _unbacked(accessor: dict[str, Any], count: int) -> None:
    for key in ("bufferView", "byteOffset", "sparse"):
        accessor.pop(key, None)
    accessor["count"] = count


def change(kind: str, data: dict[str, Any]) -> None:
    """Have the JSON of a glTF file ask for more than the file holds."""
    primitive, accessors = data["meshes"][0]["primitives"][0], data["accessors"]
    if kind == "skin":
        for index in primitive["attributes"].values():
            _unbacked(accessors[index], 100_000_000)
    elif kind == "positions":
        _unbacked(accessors[primitive["attributes"]["POSITION"]], 300_000_000)
        primitive["attributes"] = {"POSITION": primitive["attributes"]["POSITION"]}
        del primitive["targets"]
    elif kind == "indices":
        _unbacked(accessors[primitive["indices"]], 60_000_000)
    elif kind == "sparse":
        for entry in (entry for entry in accessors if "sparse" in entry):
            entry.pop("bufferView", None)
            entry["count"] = 300_000_000
    elif kind == "nodes":
        data["scenes"][0]["nodes"] += range(len(data["nodes"]), len(data["nodes"]) + _MANY)
        data["nodes"] += [{"mesh": 0} for _ in range(_MANY)]
    elif kind == "chain":
        start = len(data["nodes"])
        data["nodes"] += [{"children": [start + k + 1]} for k in range(20_000)] + [{"mesh": 0}]
        data["scenes"][0]["nodes"].append(start)
    elif kind == "targets":
        primitive["targets"] *= 20_000
        data["meshes"][0]["weights"] *= 20_000
    elif kind == "primitives":
        data["meshes"][0]["primitives"] *= 20_000
    elif kind == "materials":
        data["materials"] *= _MANY
        data["textures"] *= _MANY
    else:
        long = {"uri": "%41" * 1_500_000, "data uri": "data:image/png," + "%00" * 1_500_000}
        data["images"][0] = {"uri": long[kind]}


_CHANGES = (
    *("skin", "positions", "indices", "sparse", "nodes", "chain", "targets", "primitives", "materials"),
    *("uri", "data uri"),
)


def textures(file: GltfWriter, count: int, size: int) -> GltfWriter:
    """As many materials, each on a large texture of its own, on as many copies of the primitive."""
    data, primitive = file.data, file.data["meshes"][0]["primitives"][0]
    data["images"] = [{"bufferView": file.view(large_png(size)), "mimeType": "image/png"}] * count
    data["textures"] = [{"source": k} for k in range(count)]
    data["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": k}}} for k in range(count)]
    data["meshes"][0]["primitives"] = [{**primitive, "material": k} for k in range(count)]
    return file


def gltf_bomb(kind: str, files: Files, random: Random) -> Files:
    """A glTF file that asks for more than it holds."""
    file, name = vrm() if kind == "VRM" else gltf(), next(iter(files))
    chosen = random.choice((*_CHANGES, "a texture", "textures", "depth", "length"))
    if chosen in ("a texture", "textures"):
        textures(file, *((1, 16384) if chosen == "a texture" else (16, 8192)))
    elif chosen in ("depth", "length"):
        nested = b"[" * _MANY + b"]" * _MANY if chosen == "depth" else b"[" + b"[]," * 1_000_000 + b"0]"
        text = json.dumps(file.data).encode()[:-1] + b', "extras": ' + nested + b"}"
        return {name: glb_of(text, bytes(file.binary))}
    else:
        change(chosen, file.data)
    return {name: file.glb()}


def ply_bomb(random: Random) -> bytes:
    """A PLY file that announces more than it holds, or is hard to take apart."""
    xyz = b"property float x\nproperty float y\nproperty float z\n"
    faces = b"property list uchar int vertex_indices\n"
    wide = faces.replace(b"uchar", b"uint")
    text, binary = (b"ply\nformat %s 1.0\n" % form for form in (b"ascii", b"binary_little_endian"))
    few, lots, end = b"element vertex 3\n" + xyz, b"element vertex 2000000000\n" + xyz, b"end_header\n"
    return random.choice(
        (
            binary + lots + b"element face 1\n" + faces + end + bytes(100),
            text + lots + b"element face 1\n" + faces + end + b"0 0 0\n" * 100,
            text + b"element nothing 1000000000000\n" + few + end + b"0 0 0\n" * 3,
            binary + few + b"element face 2000000000\n" + faces + end + bytes(1000),
            binary + few + b"element face 1\n" + wide + end + bytes(36) + b"\xff" * 4,
            text + b"comment x\n" * 300_000 + few + end + b"0 0 0\n" * 3,
            text + b"element vertex 3\n" + b"".join(b"property float p%d\n" % k for k in range(50_000)) + end,
            text + few + end + b"9" * 3_000_000 + b" 0 0\n",
        )
    )


_LINES: dict[str, tuple[Callable[[], bytes], ...]] = {
    ".obj": (
        lambda: b"f " + b"1/1 2/2 3/3 " * 300_000 + b"\n",
        lambda: b"v " + b"9" * 3_000_000 + b" 0 0\n",
        lambda: b"v 0 0 0" + b" " * 3_000_000 + b"\n",
        lambda: b"".join(b"usemtl m%d\nf 1/1 2/2 3/3\n" % k for k in range(_MANY)),
        lambda: b"".join(b"mtllib m%d.mtl\n" % k for k in range(_MANY)),
        lambda: b"".join(b"g part%d\nf 1/1 2/2 3/3\n" % k for k in range(_MANY)),
        lambda: b"v 0 0 0 \\\n" * 200_000,
        lambda: b"f 1 2 3\n" * 500_000,
        lambda: b"g " + b"name " * 500_000 + b"\n",
    ),
    ".mtl": (
        lambda: b"".join(b"newmtl m%d\nKd 1 0 0\nmap_Kd m%d.png\n" % (k, k) for k in range(_MANY)),
        lambda: b"newmtl " + b"m" * 3_000_000 + b"\n",
        lambda: b"map_Kd " + b"-o 1 1 1 " * 300_000 + b"x.png\n",
    ),
}


FBX: tuple[Callable[[], list[Record]], ...] = (
    lambda: [thing("Geometry", 50, "", "Mesh", record("Vertices", np.zeros(10_000_000)))],
    lambda: [square(50), *(model(51 + k, "m" * 300) for k in range(_MANY // 10))],
    lambda: [
        thing(
            "Geometry",
            50,
            "",
            "Mesh",
            record("Vertices", np.arange(300_000.0)),
            record("PolygonVertexIndex", np.append(np.arange(99_999), -100_000)),
        )
    ],
    lambda: [thing("Video", 50, "", "Clip", record("Content", large_png(30_000)))],
    lambda: [
        thing(
            "AnimationCurve",
            15,
            "",
            "",
            record("KeyTime", np.array([0, 100_000_000 * TICKS])),
            record("KeyValueFloat", np.ones(2)),
        )
    ],
)
"""More objects of an FBX file: a large array, many parts, a polygon, a picture, a take."""


def _doubling_nodes() -> str:
    """Forty nodes, each of which holds the next one twice."""
    halves = [f'<instance_node url="#n{k}"/>' * 2 for k in range(1, 41)]
    nodes = [f'<node id="n{k}">{twice}</node>' for k, twice in enumerate(halves)]
    return f'<library_nodes><node id="n40"/>{"".join(reversed(nodes))}</library_nodes>'


DAE: tuple[Callable[[], dict[str, str]], ...] = (
    lambda: {"motions": _doubling_nodes(), "shown": '<instance_node url="#n0"/>'},
    lambda: {"shown": "<node>" * _MANY + "</node>" * _MANY},
    lambda: {"look": "<extra>" * _MANY + "</extra>" * _MANY},
    lambda: {"colour": "1 " * 20 * _MANY},
)
"""Parts of a COLLADA file: nodes that double, deep nodes, nested notes of an exporter, a long array."""


def obj_bomb(files: Files, random: Random) -> Files:
    """Long or many lines in an OBJ or its library, a picture too large, or metadata nested too deeply."""
    chosen = random.random()
    details = next((name for name in files if name.endswith(".json")), None)
    if chosen < 0.2:
        pictures = [name for name in files if name.endswith((".png", ".bmp", ".jpeg"))]
        return {**files, random.choice(pictures): picture_bomb("PNG", random)}
    if chosen < 0.3 and details is not None:
        return {**files, details: b'{"license": ' + b"[" * _MANY + b"]" * _MANY + b"}"}
    name = random.choice([name for name in files if name.endswith(tuple(_LINES))])
    content = files[name]
    assert isinstance(content, bytes)
    return {**files, name: content + random.choice(_LINES[name[-4:]])()}
