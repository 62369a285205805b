"""Write tiny glTF files with known geometry, and compress them with Draco and meshoptimizer."""

import base64
import io
import json
import struct
from pathlib import Path
from typing import Any

import DracoPy
import meshopt
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build.characters.character import Entry, RawMesh
from specsia_build.characters.gltf import read

COMPONENT_TYPES = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}

TRIANGLE = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 2.0, 0.0))
"""An asymmetric triangle; counter-clockwise seen from +Z."""


def png(pixels: Any) -> bytes:
    """A PNG of (H, W, 3 or 4) uint8 pixels."""
    stream = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def glb_of(text: bytes, binary: bytes) -> bytes:
    """The bytes of a .glb file, by its JSON and its buffer."""
    text += b" " * (-len(text) % 4)
    binary += bytes(-len(binary) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text
    chunks += struct.pack("<II", len(binary), 0x004E4942) + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


class GltfWriter:
    """A glTF file under construction: `data` is its JSON, `binary` its only buffer."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {"asset": {"version": "2.0"}}
        self.binary = bytearray()

    def add(self, key: str, **entry: Any) -> int:
        """Append to a top-level list; returns the index."""
        entries = self.data.setdefault(key, [])
        entries.append(entry)
        return len(entries) - 1

    def view(self, content: bytes, **entry: Any) -> int:
        self.binary += bytes(-len(self.binary) % 4)
        offset = len(self.binary)
        self.binary += content
        return self.add("bufferViews", buffer=0, byteOffset=offset, byteLength=len(content), **entry)

    def accessor(self, values: Any, dtype: str = "f4", **entry: Any) -> int:
        array: NDArray[Any] = np.asarray(values, dtype="<" + dtype)
        width = 1 if array.ndim == 1 else int(np.prod(array.shape[1:]))
        return self.add(
            "accessors",
            bufferView=self.view(array.tobytes()),
            componentType=COMPONENT_TYPES[dtype],
            type=TYPES[width],
            count=len(array),
            **entry,
        )

    def primitive(
        self,
        positions: Any = TRIANGLE,
        indices: Any = None,
        material: int | None = None,
        mode: int | None = None,
        targets: list[dict[str, int]] | None = None,
        **attributes: int,
    ) -> dict[str, Any]:
        """A primitive of points, indices unless each three are a triangle, and accessors by name."""
        entry: dict[str, Any] = {"attributes": {"POSITION": self.accessor(positions), **attributes}}
        if indices is not None:
            entry["indices"] = self.accessor(np.ravel(indices), "u4")
        for key, value in (("material", material), ("mode", mode), ("targets", targets)):
            if value is not None:
                entry[key] = value
        return entry

    def mesh_node(self, *primitives: dict[str, Any], name: str = "thing", **node: Any) -> int:
        """A mesh of its own at a node of its own."""
        mesh = self.add("meshes", name=f"{name} mesh", primitives=list(primitives) or [self.primitive()])
        return self.add("nodes", name=name, mesh=mesh, **node)

    def image(self, content: bytes) -> int:
        return self.add("images", bufferView=self.view(content), mimeType="image/png")

    def glb(self) -> bytes:
        """The bytes of the .glb file."""
        if self.binary:
            self.data["buffers"] = [{"byteLength": len(self.binary)}]
        return glb_of(json.dumps(self.data).encode(), bytes(self.binary))

    def write_glb(self, path: Path) -> Path:
        path.write_bytes(self.glb())
        return path

    def write_gltf(self, path: Path, uri: str | None = None) -> Path:
        """A .gltf file whose buffer is a data URI, or whatever stands at `uri`."""
        uri = uri or "data:application/octet-stream;base64," + base64.b64encode(self.binary).decode()
        self.data["buffers"] = [{"byteLength": len(self.binary), "uri": uri}]
        path.write_text(json.dumps(self.data))
        return path


def read_gltf(path: Path, *, moving: bool = False, **options: Any) -> RawMesh:
    """Read a file as `options` of an entry say."""
    return read.read_gltf(Entry("a", "gltf", path, **options), moving=moving)


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
    shape, strides = (accessor["count"], width), (stride, dtype.itemsize)
    return np.ndarray(shape, dtype, bytes(writer.binary), start, strides).copy()


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
    for attribute in made.attributes:
        ids |= {n: attribute["unique_id"] for n, kind in kinds.items() if attribute["attribute_type"] == kind}
    primitive["indices"] = _empty(writer, primitive["indices"], made.faces.size)
    accessors = primitive["attributes"].items()
    primitive["attributes"] = {name: _empty(writer, k, len(made.points)) for name, k in accessors}
    primitive["extensions"] = {DRACO: {"bufferView": writer.view(data), "attributes": ids}}


def _empty(writer: GltfWriter, index: int, count: int) -> int:
    """An accessor like another, without data of its own."""
    kept = {k: v for k, v in writer.data["accessors"][index].items() if k not in ("bufferView", "byteOffset")}
    return writer.add("accessors", **{**kept, "count": count})


def meshopted(content: bytes, extension: str = MESHOPT, version: int = 0) -> bytes:
    """The same .glb with all vertices and triangles in meshoptimizer's form, and no plain copy."""
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
