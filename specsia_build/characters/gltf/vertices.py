"""Vertex attributes of a glTF primitive, with its morph targets at their weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.document import COMPONENTS, Document
from specsia_build.characters.gltf.extensions import denormalise
from specsia_build.characters.gltf.text import damaged
from specsia_build.errors import CharacterError

_INFLUENCE_COST = 250
"""Bytes of memory for four joints and weights of a vertex."""


MOST_OUTSIDE = 0.01
"""Share of a primitive's vertices that may name joints which its skin lacks; of more the skin is another mesh's."""


@dataclass(frozen=True)
class Influences:
    """What moves V vertices.

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
        place: index of its mesh, and its own there.
        morph: weight of each of its morph targets.
        used: (V,) rows of the accessors, or None for all.
        count: rows that every accessor must have.
        unpacked: attributes that were compressed in one with the primitive, (count, width); others are accessors.
    """

    document: Document
    primitive: schema.Primitive
    place: tuple[int, int]
    morph: tuple[float, ...]
    used: NDArray[np.int64] | None
    count: int
    unpacked: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.count if self.used is None else len(self.used)

    @property
    def attributes(self) -> dict[str, int]:
        """schema.Accessor of each attribute."""
        return self.primitive.attributes or {}

    @property
    def label(self) -> str:
        """The primitive's place in the file, for messages."""
        return f"{self.document.name}: meshes[{self.place[0]}].primitives[{self.place[1]}]"

    def error(self, problem: str, below: str = "") -> CharacterError:
        """The error that says what is wrong with the primitive, or with what stands `below` it."""
        return damaged(self.label + below, problem)

    def floats(self, name: str, width: int) -> NDArray[np.float32]:
        """An attribute, (V, width) float32."""
        return self._morphed(self.unmorphed(name, width), name, (width,))

    def unmorphed(self, name: str, width: int) -> NDArray[np.float32]:
        """As `floats`, without the morph targets."""
        values, normalised = self._stored(name, (width,))
        return denormalise(values) if normalised else values.astype(np.float32)

    def morphs(self, name: str, width: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Number of each morph target that moves an attribute, and what it adds at weight 1, (V, width) float32."""
        for number, target in enumerate(self._targets()):
            if name in target:
                stored, normalised = self._stored(name, (width,), number)
                yield number, denormalise(stored) if normalised else stored.astype(np.float32)

    def optional(self, name: str, width: int) -> NDArray[np.float32] | None:
        """As `floats`, or None where the primitive lacks it."""
        return self.floats(name, width) if name in self.attributes else None

    def colors(self) -> NDArray[np.float32] | None:
        """Linear RGB and opacity, (V, 4) float32, each 0-1 or NaN, or None."""
        if "COLOR_0" not in self.attributes:
            return None
        stored, _ = self._stored("COLOR_0", (3, 4))
        # Integers always stand for 0-1 here, also where an exporter forgot to say so.
        rgba = np.ones((len(stored), 4), np.float32)
        rgba[:, : stored.shape[1]] = denormalise(stored)
        return np.clip(self._morphed(rgba, "COLOR_0", (3, 4)), 0.0, 1.0)

    def influences(self, joint_count: int) -> Influences:
        """Joints and weights of each vertex, of all sets, in a skin of so many joints.

        A vertex without weight follows its first joint; one whose weights are no numbers, or are those of joints that
        the skin lacks, moves as the nearest sound one.
        """
        joints, weights = [], []
        number = 0
        while f"JOINTS_{number}" in self.attributes and f"WEIGHTS_{number}" in self.attributes:
            memory.ask(_INFLUENCE_COST * (number + 1) * len(self))
            joints.append(self._stored(f"JOINTS_{number}", (4,))[0].astype(np.float64))
            # Whether integers are marked as normalised is no matter: only their ratios count.
            weights.append(self._stored(f"WEIGHTS_{number}", (4,))[0].astype(np.float64))
            number += 1
        place, share = np.concatenate(joints, axis=1), np.concatenate(weights, axis=1)
        odd = ~np.isfinite(share)
        share = np.where(odd, 0.0, np.maximum(share, 0.0))
        beyond = ~((place >= 0) & (place < joint_count))
        # What carries no weight may name anything.
        outside = beyond & (share > 0)
        if np.count_nonzero(outside.any(axis=1)) > MOST_OUTSIDE * len(self):
            raise self.error("names a joint that its skin does not have", ".attributes")
        share[outside] = 0.0
        slots = np.where(beyond, 0, place).astype(np.int64)
        total = share.sum(axis=1, keepdims=True)
        share = np.divide(share, total, out=np.zeros_like(share), where=total > 0)
        share[total[:, 0] <= 0, 0] = 1.0
        lost = (total[:, 0] <= 0) & (odd | outside).any(axis=1)
        if lost.any() and not lost.all():
            points = np.nan_to_num(self.unmorphed("POSITION", 3))
            _, nearest = scipy.spatial.cKDTree(points[~lost]).query(points[lost])
            slots[lost], share[lost] = slots[~lost][nearest], share[~lost][nearest]
        return Influences(slots, share)

    def _stored(self, name: str, widths: tuple[int, ...], target: int | None = None) -> tuple[NDArray[Any], bool]:
        """Rows of an attribute, or of a morph target's, as stored, and whether their integers stand for 0-1."""
        of, below = self.attributes, ".attributes"
        if target is not None:
            of, below = self._targets()[target], f".targets[{target}]"
        if target is None and name in self.unpacked:
            values = self._as_declared(name)
        else:
            # Exporters leave out a morph target's zeros, however many vertices the primitive has.
            values = self.document.accessor(of[name], backed=self.count)
        if len(values) != self.count:
            raise self.error(f"has another number of {name} than of POSITION", below)
        if values.shape[1] not in widths:
            raise self.error(f"has {name} of {values.shape[1]} numbers each", below)
        normalised = self.document.entry(schema.Accessor, of[name]).normalized is True
        return (values if self.used is None else values[self.used]), normalised

    def _as_declared(self, name: str) -> NDArray[Any]:
        """A compressed attribute, its whole numbers of the type that its accessor says, which may stand for 0-1."""
        values = self.unpacked[name]
        declared = COMPONENTS.get(self.document.entry(schema.Accessor, self.attributes[name]).component_type)
        plain = declared is None or "f" in (declared.kind, values.dtype.kind)
        return values if plain else values.astype(declared)

    def _targets(self) -> tuple[dict[str, int], ...]:
        return self.primitive.targets or ()

    def _morphed(self, values: NDArray[np.float32], name: str, widths: tuple[int, ...]) -> NDArray[np.float32]:
        for number, (target, weight) in enumerate(zip(self._targets(), self.morph, strict=False)):
            if weight and name in target:
                stored, normalised = self._stored(name, widths, number)
                delta = denormalise(stored) if normalised else stored.astype(np.float32)
                values = values.copy()
                values[:, : delta.shape[1]] += np.float32(weight) * delta
        return values
