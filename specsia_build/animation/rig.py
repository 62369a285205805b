"""Skin weights that bind a mesh to a skeleton, and the mesh posed by a motion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.motion import Poses
from specsia_build.animation.skeleton import Skeleton
from specsia_build.arrays import Doubles, Floats, Mask
from specsia_build.jit import compiled, ready
from specsia_build.rendering.mesh import Mesh, cofactors
from specsia_build.rendering.vectors import put, triple64

_Number = TypeVar("_Number", bound=np.number[Any])

_TOGETHER = 64  # Number of poses whose matrices one call of numpy computes, as each call has a cost

_MOST_SHARES = 4  # Number of joints that may move a vertex of an unturned rig


@dataclass(frozen=True)
class Morph:
    """A morph target of some of a mesh's vertices."""

    node: int  # Node whose morph weights drive it
    target: int  # Index into those weights
    vertices: NDArray[np.int32]  # (M,), rows of the vertices that it moves
    offsets: Floats  # (M, 3), added to their points at weight 1


@dataclass(frozen=True, eq=False)
class Rig:
    """Binding of vertices: p = placement · Σ weight · world[node] · inverse_bind · (point + morphs).

    A vertex without a skin has one weight, of its node. All skins, and meshes without one, share the P slots.
    """

    skeleton: Skeleton  # The nodes
    points: Floats  # (V, 3) as stored, before a node or a skin transforms them
    # (V, K), indices into `nodes` and `inverse_binds`; those of weight 0 are ignored
    slots: NDArray[np.int32]
    weights: Floats  # (V, K), at least 0, summing to 1 for each vertex
    nodes: NDArray[np.int32]  # (P,), the node of each slot
    inverse_binds: Doubles  # (P, 4, 4), from the points' coordinates to the node's
    placement: Doubles  # (4, 4), from the file's coordinates to the mesh's
    morphs: tuple[Morph, ...] = ()  # Of the vertices

    @classmethod
    def unturned(
        cls,
        names: tuple[str, ...],
        parents: NDArray[np.int32],
        places: Doubles,
        points: NDArray[np.floating],
        weights: NDArray[np.floating],
        most: int = _MOST_SHARES,
    ) -> Rig:
        """The rig of points (V, 3) on J joints not turned at rest, by places (J, 3) and weights (V, J).

        A vertex follows `most` joints, those of most weight.
        """
        count = len(names)
        slots = np.argsort(-weights, axis=1, kind="stable")[:, :most]
        kept = np.take_along_axis(weights, slots, axis=1)
        binds = np.tile(np.eye(4), (count, 1, 1))
        binds[:, :3, 3] = -places
        from_parent = places - np.where((parents >= 0)[:, None], places[parents], 0.0)
        return cls(
            skeleton=Skeleton.unturned(names, parents, from_parent),
            points=points.astype(np.float32),
            slots=slots.astype(np.int32),
            weights=(kept / kept.sum(axis=1, keepdims=True)).astype(np.float32),
            nodes=np.arange(count, dtype=np.int32),
            inverse_binds=binds,
            placement=np.eye(4),
        )

    def placed(self, matrix: NDArray[np.floating]) -> Rig:
        """The rig of the same mesh moved by a (4, 4) matrix."""
        return replace(self, placement=np.asarray(matrix, np.float64) @ self.placement)

    def of_vertices(self, used: Mask) -> Rig:
        """The rig of the chosen vertices (V,)."""
        number = np.cumsum(used) - 1
        morphs = []
        for morph in self.morphs:
            is_kept = used[morph.vertices]
            rows = number[morph.vertices[is_kept]].astype(np.int32)
            morphs.append(replace(morph, vertices=rows, offsets=morph.offsets[is_kept]))
        return replace(
            self,
            points=self.points[used],
            slots=self.slots[used],
            weights=self.weights[used],
            morphs=tuple(morph for morph in morphs if len(morph.vertices)),
        )

    @cached_property
    def rest_signs(self) -> Doubles:
        """(P,) sign of the determinant of each slot's matrix at rest: -1 where it mirrors."""
        return np.asarray(np.sign(np.linalg.det(self.matrices(self.skeleton.rest_worlds)[..., :3])))

    @cached_property
    def back_to_points(self) -> tuple[Doubles, Doubles]:
        """Matrices from normals at rest to the points' coordinates (V, 3, 3), and the volume's sign (V,)."""
        blended = self.blended(self.skeleton.rest_worlds)
        back = np.asarray(np.linalg.pinv(cofactors(blended)), np.float64)
        return back, np.asarray(np.sign(np.linalg.det(blended)))

    @cached_property
    def holding(self) -> NDArray[np.int32]:
        """Nodes with any weight, each once."""
        return np.unique(self.nodes[np.unique(self.slots[self.weights > 0])])

    def matrices(self, worlds: Doubles) -> Doubles:
        """Transforms (..., P, 3, 4) from slots' points to the mesh, of a skeleton's worlds (..., J, 4, 4)."""
        return np.asarray(self.placement[:3] @ (worlds[..., self.nodes, :, :] @ self.inverse_binds))

    def each_vertices(self, sequence: Poses) -> Iterator[Floats]:
        """Vertices (V, 3) in each of some poses."""
        for begin in range(0, len(sequence.worlds), _TOGETHER):
            for k, matrices in enumerate(self.matrices(sequence.worlds[begin : begin + _TOGETHER]), begin):
                yield self.vertices(sequence, k, matrices)

    def vertices(self, sequence: Poses, k: int, matrices: Doubles | None = None) -> Floats:
        """Vertices (V, 3) in the k-th of some poses; `matrices` saves computing them."""
        points = self.points
        if self.morphs:
            points = points.copy()
            for morph in self.morphs:
                weights = sequence.morph_weights.get(morph.node)
                if weights is not None and morph.target < weights.shape[1] and weights[k, morph.target]:
                    points[morph.vertices] += np.float32(weights[k, morph.target]) * morph.offsets
        matrices = self.matrices(sequence.worlds[k]) if matrices is None else matrices
        shares = ready(self.slots, np.int32), ready(self.weights, np.float32)
        return np.asarray(_skinned(ready(points, np.float32), *shares, ready(matrices, np.float64)))

    @cached_property
    def bound(self) -> NDArray[np.int32]:
        """(V,) int32, equal for vertices with the same nodes, weights and morphs."""
        stored = np.column_stack([self.nodes, self.inverse_binds.reshape(len(self.nodes), 16)])
        same_slot = np.unique(stored, axis=0, return_inverse=True)[1].reshape(-1)
        slots = np.where(self.weights > 0, same_slot[self.slots], -1)
        order = np.argsort(slots, axis=1, kind="stable")
        weights = np.take_along_axis(self.weights, order, 1)
        columns = [np.take_along_axis(slots, order, 1), weights.view(np.int32)]
        for morph in self.morphs:
            offsets = np.zeros((len(slots), 3), np.float32)
            offsets[morph.vertices] = morph.offsets
            columns.append(offsets.view(np.int32))
        rows = np.ascontiguousarray(np.concatenate(columns, axis=1, dtype=np.int32))
        whole = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1])))[:, 0]
        return np.unique(whole, return_inverse=True)[1].astype(np.int32)

    def blended(self, worlds: Doubles) -> Doubles:
        """(V, 3, 3), the linear part of each vertex's transform, for a skeleton's worlds (J, 4, 4)."""
        linear = self.matrices(worlds)[:, :, :3]
        return np.asarray(np.einsum("vk,vkij->vij", self.weights.astype(np.float64), linear[self.slots]))


@compiled
def _skinned(points, slots, weights, matrices):  # type: ignore[no-untyped-def]
    out = np.empty_like(points)
    for v in range(len(points)):
        x, y, z = triple64(points, v)
        a = 0.0
        b = 0.0
        c = 0.0
        for k in range(slots.shape[1]):
            weight = np.float64(weights[v, k])
            if weight > 0.0:
                m = matrices[slots[v, k]]
                a += weight * (m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3])
                b += weight * (m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3])
                c += weight * (m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3])
        put(out, v, (a, b, c))
    return out


def padded(rows: NDArray[_Number], width: int) -> NDArray[_Number]:
    """Pad slots or weights (N, K) with zeros to (N, width)."""
    return np.pad(rows, ((0, 0), (0, width - rows.shape[1])))


def posed_through(mesh: Mesh, rig: Rig, sequence: Poses) -> Iterator[Mesh]:
    """A mesh, given at rest, in each of some poses of its rig's skeleton.

    Yields the mesh with its vertices moved, its `rest` the vertices of `mesh` (or the rest that it has), its
    normals turned, and faces rewound that are mirrored other than in `mesh`.
    """
    rest = mesh.vertices if mesh.rest is None else mesh.rest
    for begin in range(0, len(sequence.worlds), _TOGETHER):
        worlds = sequence.worlds[begin : begin + _TOGETHER]
        matrices = rig.matrices(worlds)
        mirrored = np.linalg.det(matrices[..., :3]) * rig.rest_signs < 0
        for k in range(len(worlds)):
            moved = replace(mesh, vertices=rig.vertices(sequence, begin + k, matrices[k]), rest=rest)
            if mesh.normals is not None:
                moved = replace(moved, normals=_turned(mesh, rig, worlds[k]))
            if mirrored[k].any():
                # A face turns with the slot of most weight of its first vertex.
                first = mesh.faces[:, 0]
                moved = moved.rewound(mirrored[k][rig.slots[first, rig.weights[first].argmax(axis=1)]])
            yield moved


def _turned(mesh: Mesh, rig: Rig, worlds: Doubles) -> Floats:
    """The mesh's normals (F, 3, 3), turned as the surface is between rest and a pose."""
    assert mesh.normals is not None
    after, (back, sign) = rig.blended(worlds), rig.back_to_points
    # Normals move by cofactors: they point as the inverse transpose does, and exist for flattening matrices.
    turn = cofactors(after) @ back
    turn *= np.where(np.linalg.det(after) * sign < 0, -1.0, 1.0)[:, None, None]
    normals = np.einsum("fcij,fcj->fci", turn[mesh.faces], mesh.normals.astype(np.float64))
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    unit = np.divide(normals, length, out=np.zeros_like(normals), where=length > 0)
    return np.asarray(unit, np.float32)
