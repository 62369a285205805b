"""Geometry in the forms of Draco and meshoptimizer, decoded by their own libraries in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.characters.gltf.schema import Draco, Meshopt

_WHOLE = range(1, 9)
"""Draco's types of whole numbers, `DT_INT8` to `DT_UINT64` of its draco_types.h."""


@dataclass(frozen=True)
class DracoMesh:
    """A primitive as Draco holds it.

    Attributes:
        faces: (F, 3) int64 into the rows of its attributes.
        attributes: by their names in the glTF file, (V, width) in the types that Draco holds them in.
    """

    faces: NDArray[np.int64]
    attributes: Mapping[str, NDArray[Any]]


def unpack_draco(data: bytes, packed: Draco) -> DracoMesh:
    """A primitive from its Draco data.

    Raises:
        ValueError: if the data is damaged or lacks an attribute.
        MemoryError, CostError: if it takes more than the character may.
    """
    import DracoPy

    try:
        with memory.held():
            mesh = DracoPy.decode(data)
            held = {entry["unique_id"]: _values(entry) for entry in mesh.attributes}
            faces = np.asarray(mesh.faces, np.int64).reshape(-1, 3)
    except (DracoPy.FileTypeException, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error
    attributes = {"POSITION": -1, **(packed.attributes or {})}
    missing = [name for name, number in attributes.items() if number not in held]
    if missing:
        raise ValueError(f"no {missing[0]} in it")
    memory.take(faces.nbytes + sum(values.nbytes for values in held.values()))
    return DracoMesh(faces, {name: held[number] for name, number in attributes.items()})


def _values(attribute: Mapping[str, Any]) -> NDArray[Any]:
    """An attribute's values, whole numbers as such: the decoder gives those with a sign as floats."""
    values = np.asarray(attribute["data"])
    whole = attribute["data_type"] in _WHOLE and values.dtype.kind == "f"
    return values.astype(np.int32) if whole else values


def unpack_view(data: memoryview, packed: Meshopt) -> memoryview:
    """The bytes of a buffer view from meshoptimizer's data.

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
