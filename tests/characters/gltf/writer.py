"""Writes tiny glTF files with geometry known to the last digit."""

from __future__ import annotations

import base64
import io
import json
import struct
from pathlib import Path
from typing import Any

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
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(binary), 0x004E4942) + binary
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
        """A primitive of points and, unless each three points are a triangle, indices into them; accessors by name."""
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
