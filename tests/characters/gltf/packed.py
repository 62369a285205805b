"""Turns plain .glb files into what the web ships: Draco's and meshoptimizer's forms of the same geometry."""

from __future__ import annotations

import json
import struct
from typing import Any

import DracoPy
import meshopt
import numpy as np
from numpy.typing import NDArray

from tests.characters.gltf.writer import COMPONENT_TYPES, TYPES, GltfWriter, glb_of

DRACO, MESHOPT = "KHR_draco_mesh_compression", "EXT_meshopt_compression"
DTYPES = {number: "<" + name for name, number in COMPONENT_TYPES.items()}
WIDTHS = {name: width for width, name in TYPES.items()}


def opened(content: bytes) -> GltfWriter:
    """A .glb file with one buffer as a writer that may change it."""
    (length,) = struct.unpack_from("<I", content, 12)
    writer = GltfWriter()
    writer.data = json.loads(content[20 : 20 + length])
    writer.binary = bytearray(content[28 + length :])
    return writer


def values(writer: GltfWriter, index: int) -> NDArray[Any]:
    """An accessor of tightly packed or interleaved elements, (count, width)."""
    accessor = writer.data["accessors"][index]
    dtype, width = np.dtype(DTYPES[accessor["componentType"]]), WIDTHS[accessor["type"]]
    if "bufferView" not in accessor:
        return np.zeros((accessor["count"], width), dtype)
    view = writer.data["bufferViews"][accessor["bufferView"]]
    start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    stride = view.get("byteStride", dtype.itemsize * width)
    return np.ndarray((accessor["count"], width), dtype, bytes(writer.binary), start, (stride, dtype.itemsize)).copy()


def draco(content: bytes, **options: Any) -> bytes:
    """The same .glb with its triangles in Draco's form; `options` are those of `DracoPy.encode`."""
    writer = opened(content)
    for mesh in writer.data["meshes"]:
        for primitive in (p for p in mesh["primitives"] if "indices" in p):
            _pack_draco(writer, primitive, options)
    writer.data["extensionsUsed"] = writer.data["extensionsRequired"] = [DRACO]
    return writer.glb()


def _pack_draco(writer: GltfWriter, primitive: dict[str, Any], options: dict[str, Any]) -> None:
    stored = {name: values(writer, index) for name, index in primitive["attributes"].items()}
    points, normals = stored.pop("POSITION"), stored.pop("NORMAL", None)
    ids = {name: number for number, name in enumerate(stored)}
    data = DracoPy.encode(
        points,
        values(writer, primitive["indices"]).reshape(-1, 3),
        normals=None if normals is None else normals.astype(float),
        generic_attributes={number: stored[name] for name, number in ids.items()},
        **options,
    )
    made = DracoPy.decode(data)
    kinds = {"POSITION": 0, "NORMAL": 1}
    ids |= {n: a["unique_id"] for a in made.attributes for n, kind in kinds.items() if a["attribute_type"] == kind}
    primitive["indices"] = _empty(writer, primitive["indices"], made.faces.size)
    primitive["attributes"] = {n: _empty(writer, k, len(made.points)) for n, k in primitive["attributes"].items()}
    primitive["extensions"] = {DRACO: {"bufferView": writer.view(data), "attributes": ids}}


def _empty(writer: GltfWriter, index: int, count: int) -> int:
    """An accessor like another, without data of its own."""
    kept = {k: v for k, v in writer.data["accessors"][index].items() if k not in ("bufferView", "byteOffset")}
    return writer.add("accessors", **{**kept, "count": count})


def meshopted(content: bytes, extension: str = MESHOPT, version: int = 0) -> bytes:
    """The same .glb with every buffer view of vertices or triangles in meshoptimizer's form, and no plain copy."""
    writer = opened(content)
    data = writer.data
    triangles = {p.get("indices") for mesh in data["meshes"] for p in mesh["primitives"]}
    modes: dict[int, str] = {}
    for index, accessor in enumerate(data["accessors"]):
        if "bufferView" in accessor:
            modes[accessor["bufferView"]] = "TRIANGLES" if index in triangles else "ATTRIBUTES"
    packed = {k: _meshopt(writer, k, mode, extension, version) for k, mode in modes.items()}
    plain = bytes(writer.binary)
    writer.binary = bytearray()
    for index, view in enumerate(data["bufferViews"]):
        start, found = view.get("byteOffset", 0), packed.get(index)
        content = plain[start : start + view["byteLength"]] if found is None else found
        writer.binary += bytes(-len(writer.binary) % 4)
        here = view if found is None else view["extensions"][extension]
        here.update(buffer=0, byteOffset=len(writer.binary), byteLength=len(content))
        writer.binary += content
    data["extensionsUsed"] = data["extensionsRequired"] = [extension]
    fallback = sum(data["bufferViews"][k]["byteLength"] for k, found in packed.items() if found)
    made = opened(writer.glb())
    made.data["buffers"].append({"byteLength": fallback, "extensions": {extension: {"fallback": True}}})
    return rewritten(made)


def rewritten(writer: GltfWriter) -> bytes:
    """The .glb of a writer whose buffers are as they are to be."""
    return glb_of(json.dumps(writer.data).encode(), bytes(writer.binary))


def _meshopt(writer: GltfWriter, index: int, mode: str, extension: str, version: int) -> bytes | None:
    view = writer.data["bufferViews"][index]
    first = next(a for a in writer.data["accessors"] if a.get("bufferView") == index)
    size = np.dtype(DTYPES[first["componentType"]]).itemsize
    stride = size if mode == "TRIANGLES" else view.get("byteStride", size * WIDTHS[first["type"]])
    start, length = view.get("byteOffset", 0), view["byteLength"]
    if stride % (2 if mode == "TRIANGLES" else 4) or length % stride or stride > 256:
        return None
    content = np.frombuffer(bytes(writer.binary[start : start + length]), np.uint8)
    rows = content.view(f"<u{stride}") if mode == "TRIANGLES" else content.reshape(-1, stride)
    view["buffer"] = 1
    view["extensions"] = {extension: {"byteStride": stride, "count": len(rows), "mode": mode}}
    return bytes(meshopt.encode_gltf_buffer(rows, mode, version))
