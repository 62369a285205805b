"""Vertex attributes of a glTF primitive, with its morph targets, stored plainly or packed by Draco."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.document import COMPONENTS, Document, damaged, denormalise
from specsia_build.errors import CharacterError

_INFLUENCE_COST = 250
"""Bytes of memory for four joints and weights of a vertex."""

MOST_OUTSIDE = 0.01
"""Share of a primitive's vertices that may name joints its skin lacks; with more, the skin is another mesh's."""


@dataclass(frozen=True)
class Influences:
    """Skinning of V vertices.

    Attributes:
        joints: (V, K) int64, places in the skin.
        weights: (V, K) float64, at least 0, summing to 1 for each vertex.
    """

    joints: NDArray[np.int64]
    weights: NDArray[np.float64]


@dataclass(frozen=True)
class Vertices:
    """The vertices that a primitive uses.

    Attributes:
        document: the file.
        primitive: as stored.
        label: its place in the file, for errors.
        count: rows that every accessor must have.
        morph: weight of each of its morph targets.
        used: (V,) rows of the accessors that faces use, or None for all.
        unpacked: attributes decoded from Draco, (count, width); others are accessors.
    """

    document: Document
    primitive: schema.Primitive
    label: str
    count: int
    morph: tuple[float, ...] = ()
    used: NDArray[np.int64] | None = None
    unpacked: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.count if self.used is None else len(self.used)

    @property
    def attributes(self) -> Mapping[str, int]:
        return self.primitive.attributes or {}

    def error(self, problem: str) -> CharacterError:
        """Error about the primitive."""
        return damaged(self.label, problem)

    def floats(self, name: str, width: int, *, morphed: bool = True) -> NDArray[np.float32]:
        """An attribute as (V, width) float32, with or without its morph targets."""
        values, is_normalised = self._stored(name, (width,))
        floats = denormalise(values) if is_normalised else values.astype(np.float32)
        return self._morphed(floats, name, (width,)) if morphed else floats

    def optional(self, name: str, width: int) -> NDArray[np.float32] | None:
        """Return `floats`, or None where the primitive lacks the attribute."""
        return self.floats(name, width) if name in self.attributes else None

    def morphs(self, name: str, widths: tuple[int, ...]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Index of each morph target that moves an attribute, and its offsets (V, width) float32 at weight 1."""
        for index, target in enumerate(self.primitive.targets or ()):
            if name in target:
                stored, is_normalised = self._stored(name, widths, target)
                yield index, denormalise(stored) if is_normalised else stored.astype(np.float32)

    def colors(self) -> NDArray[np.float32] | None:
        """Linear RGB and opacity, (V, 4) float32, each 0-1 or NaN, or None."""
        if "COLOR_0" not in self.attributes:
            return None
        stored, _ = self._stored("COLOR_0", (3, 4))
        # Integers always stand for 0-1 here, even where an exporter forgot to say so.
        rgba = np.ones((len(stored), 4), np.float32)
        rgba[:, : stored.shape[1]] = denormalise(stored)
        return np.clip(self._morphed(rgba, "COLOR_0", (3, 4)), 0.0, 1.0)

    def influences(self, joint_count: int) -> Influences:
        """Joints and weights of each vertex, of all sets, in a skin of `joint_count` joints.

        A vertex without weight follows its first joint. One whose weights are not finite, or belong to joints that the
        skin lacks, moves as the nearest vertex with valid ones.
        """
        sets = 0
        while {f"JOINTS_{sets}", f"WEIGHTS_{sets}"} <= self.attributes.keys():
            sets += 1
        memory.ask(_INFLUENCE_COST * sets * len(self))
        # Only ratios of weights count, so it does not matter whether integers are normalised.
        joints, weights = (
            np.concatenate([self._stored(f"{name}_{k}", (4,))[0].astype(np.float64) for k in range(sets)], axis=1)
            for name in ("JOINTS", "WEIGHTS")
        )
        invalid = ~np.isfinite(weights)
        weights = np.where(invalid, 0.0, np.maximum(weights, 0.0))
        missing = ~((joints >= 0) & (joints < joint_count))
        outside = missing & (weights > 0)
        if np.count_nonzero(outside.any(axis=1)) > MOST_OUTSIDE * len(self):
            raise self.error("names a joint that its skin does not have")
        weights[outside] = 0.0
        slots = np.where(missing, 0, joints).astype(np.int64)
        total = weights.sum(axis=1, keepdims=True)
        weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
        weights[total[:, 0] <= 0, 0] = 1.0
        lost = (total[:, 0] <= 0) & (invalid | outside).any(axis=1)
        if lost.any() and not lost.all():
            points = np.nan_to_num(self.floats("POSITION", 3, morphed=False))
            _, nearest = scipy.spatial.cKDTree(points[~lost]).query(points[lost])
            slots[lost], weights[lost] = slots[~lost][nearest], weights[~lost][nearest]
        return Influences(slots, weights)

    def _stored(
        self, name: str, widths: tuple[int, ...], target: Mapping[str, int] | None = None
    ) -> tuple[NDArray[Any], bool]:
        """Rows of an attribute, or of a morph target's, as stored, and whether their integers are normalised."""
        accessor = self.attributes[name] if target is None else target[name]
        if target is None and name in self.unpacked:
            values = self.unpacked[name]
            declared = np.dtype(COMPONENTS.get(self.document.entry(schema.Accessor, accessor).component_type, "<f4"))
            if "f" not in (declared.kind, values.dtype.kind):
                values = values.astype(declared)
        else:
            values = self.document.accessor(accessor)
        if len(values) != self.count or values.shape[1] not in widths:
            raise self.error(f"has {name} of another number or width than its POSITION asks for")
        return values if self.used is None else values[self.used], self.document.is_normalised(accessor)

    def _morphed(self, values: NDArray[np.float32], name: str, widths: tuple[int, ...]) -> NDArray[np.float32]:
        if any(self.morph):
            values = values.copy()
            for index, offsets in self.morphs(name, widths):
                if index < len(self.morph) and self.morph[index]:
                    values[:, : offsets.shape[1]] += np.float32(self.morph[index]) * offsets
        return values


_INTEGERS = range(1, 9)
"""`DT_INT8` to `DT_UINT64` of Draco's draco_types.h."""


def unpack_draco(data: bytes, packed: schema.Draco) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
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
