"""How the vertices of a glTF file hang on its nodes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.animation.rig import Morph, Rig, padded
from specsia_build.animation.skeleton import Skeleton
from specsia_build.characters.gltf.primitives import MeshReader
from specsia_build.characters.gltf.scene import Instance
from specsia_build.characters.gltf.vertices import Influences, Vertices

_VERTEX_COST = 20
"""Bytes of memory of a vertex of a rig, beside its influences."""

_INFLUENCE_COST = 8


@dataclass
class RigGatherer:
    """Gathers the rig of a scene's vertices, primitive by primitive in the order in which they are drawn.

    Attributes:
        reader: of the scene's meshes.
        number: (N,) each node's place in the skeleton.
        broken: node in the skeleton and number of the morph targets that are not finite numbers, which are left out.
    """

    reader: MeshReader
    number: NDArray[np.int32]
    broken: set[tuple[int, int]] = field(default_factory=set)
    _points: list[NDArray[np.float32]] = field(default_factory=list)
    _slots: list[NDArray[np.int32]] = field(default_factory=list)
    _weights: list[NDArray[np.float32]] = field(default_factory=list)
    _nodes: list[NDArray[np.int32]] = field(default_factory=list)
    _binds: list[NDArray[np.float64]] = field(default_factory=list)
    _morphs: list[Morph] = field(default_factory=list)
    _first: dict[tuple[str, int, int], int] = field(default_factory=dict)
    _vertices: int = 0
    _used: int = 0

    def add(self, instance: Instance, source: Vertices, influences: Influences | None) -> None:
        """Add the vertices of a primitive at a node, moved by its skin, or without influences by the node."""
        points = source.unmorphed("POSITION", 3)
        if influences is not None:
            skin = instance.node.skin or 0
            joints, binds = self.reader.skin(skin)
            first = self._places(("skin", skin, 0), self.number[joints], binds)
            slots, weights = (influences.joints + first).astype(np.int32), influences.weights.astype(np.float32)
        else:
            key = ("node", instance.place, instance.copy)
            first = self._places(key, np.array([instance.place], np.int32), instance.local[None])
            slots, weights = np.full((len(points), 1), first, np.int32), np.ones((len(points), 1), np.float32)
        memory.take(len(points) * (_VERTEX_COST + _INFLUENCE_COST * slots.shape[1]))
        self._points.append(points)
        self._slots.append(slots)
        self._weights.append(weights)
        for target, offsets in source.morphs("POSITION", 3):
            rows = np.flatnonzero(offsets.any(axis=1))
            if not np.isfinite(offsets).all():
                self.broken.add((instance.place, target))
            elif len(rows):
                memory.take(16 * len(rows))
                moved = (rows + self._vertices).astype(np.int32)
                self._morphs.append(Morph(instance.place, target, moved, offsets[rows]))
        self._vertices += len(points)

    def rig(self, skeleton: Skeleton) -> Rig:
        """The rig of all that was added, its placement the file's own coordinates."""
        most = max(slots.shape[1] for slots in self._slots)
        memory.take(self._vertices * (_VERTEX_COST + _INFLUENCE_COST * most))
        return Rig(
            skeleton=skeleton,
            points=np.concatenate(self._points),
            slots=np.concatenate([padded(slots, most) for slots in self._slots]),
            weights=np.concatenate([padded(weights, most) for weights in self._weights]),
            nodes=np.concatenate(self._nodes),
            inverse_binds=np.concatenate(self._binds),
            placement=np.eye(4),
            morphs=tuple(self._morphs),
        )

    def _places(self, key: tuple[str, int, int], nodes: NDArray[np.int32], binds: NDArray[np.float64]) -> int:
        """The first slot of a skin, or of a copy at a node."""
        if key not in self._first:
            self._first[key] = self._used
            self._used += len(nodes)
            self._nodes.append(nodes)
            self._binds.append(binds)
        return self._first[key]
