"""Extensions that change how a shape or its texture is stored; `images` decodes KTX2.

Sizes that a file states are checked against the memory limit before anything is decoded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.characters.gltf.schema import Draco, Meshopt, TextureTransform

_INTEGERS = range(1, 9)
"""`DT_INT8` to `DT_UINT64` of Draco's draco_types.h."""


def unpack_draco(data: bytes, packed: Draco) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
    """Decode a primitive of KHR_draco_mesh_compression.

    Returns:
        Faces (F, 3), and attributes (V, width) by their names in the glTF file, in the types that Draco stores.

    Raises:
        ValueError: if the data is damaged or lacks an attribute.
        MemoryError, CostError: if it takes more than the character may.
    """
    import DracoPy

    try:
        with memory.held():
            mesh = DracoPy.decode(data)
            stored = {entry["unique_id"]: _draco_values(entry) for entry in mesh.attributes}
            faces = np.asarray(mesh.faces, np.int64).reshape(-1, 3)
    except (DracoPy.FileTypeException, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error
    attributes = {"POSITION": -1, **(packed.attributes or {})}
    if missing := [name for name, number in attributes.items() if number not in stored]:
        raise ValueError(f"no {missing[0]} in it")
    memory.take(faces.nbytes + sum(values.nbytes for values in stored.values()))
    return faces, {name: stored[number] for name, number in attributes.items()}


def _draco_values(attribute: Mapping[str, Any]) -> NDArray[Any]:
    """Values of an attribute; the decoder gives signed integers as floats."""
    values = np.asarray(attribute["data"])
    is_integer = attribute["data_type"] in _INTEGERS and values.dtype.kind == "f"
    return values.astype(np.int32) if is_integer else values


def unpack_view(data: memoryview, packed: Meshopt) -> memoryview:
    """Decode a buffer view of EXT_meshopt_compression.

    Raises:
        ValueError: if the data is damaged or is not what the file says it is.
        CostError: if it would take more memory than is left for the character.
    """
    import meshopt

    memory.take(packed.count * packed.byte_stride)
    if packed.count == 0:
        return memoryview(b"")
    with memory.held():
        unpacked = meshopt.decode_gltf_buffer(
            np.frombuffer(data, np.uint8), packed.count, packed.byte_stride, packed.mode, packed.filter
        )
    return np.ascontiguousarray(unpacked).data.cast("B")


def denormalise(values: NDArray[Any]) -> NDArray[np.float32]:
    """Normalised integers as float32, 0-1 or -1-1 (KHR_mesh_quantization); floats unchanged."""
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    scaled = values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
    return np.maximum(scaled, np.float32(-1)) if values.dtype.kind == "i" else scaled


@dataclass(frozen=True)
class UvTransform:
    """Where a texture is looked up.

    Attributes:
        uv_set: n of ``TEXCOORD_n``.
        offset, rotation, scale: of KHR_texture_transform; radians.
    """

    uv_set: int = 0
    offset: tuple[float, float] = (0.0, 0.0)
    rotation: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)

    @classmethod
    def of(cls, uv_set: int, stored: TextureTransform | None) -> UvTransform:
        """The transform of a texture whose own UV set is `uv_set`."""
        if stored is None:
            return cls(uv_set)
        chosen = uv_set if stored.tex_coord is None else stored.tex_coord
        return cls(chosen, stored.offset or (0.0, 0.0), stored.rotation or 0.0, stored.scale or (1.0, 1.0))

    def apply(self, uv: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scale, rotate, then move UVs (..., 2).

        A positive rotation takes +v to +u, as in the extension's worked example and in Blender; the shader printed in
        its text turns the other way.
        """
        if (self.offset, self.rotation, self.scale) == ((0.0, 0.0), 0.0, (1.0, 1.0)):
            return uv
        c, s = np.cos(self.rotation), np.sin(self.rotation)
        matrix = np.array([[c, s], [-s, c]]) * np.array(self.scale)
        moved: NDArray[np.float64] = uv @ matrix.T + np.array(self.offset)
        return moved.astype(np.float32)
