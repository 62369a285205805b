"""The rig of a mesh as glTF has it: nodes in metres, and four joints and weights for each vertex."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.animation.rig import Rig, padded
from specsia_build.animation.skeleton import composed, decomposed
from specsia_build.arrays import Doubles, Floats
from specsia_build.files.glb import VERTICES, GlbWriter

_ROOT = "root"
_SHARES = 4  # Joints that may move a vertex
_LOST = 0.02  # Share of a vertex's weight that may be left out without a warning
_SHEAR = 1e-3  # Part of a joint's size by which its transform at rest may differ from the file's
_FLAT = 1e-9  # Least volume, by the figure's scale, of a joint's transform that points are moved by


@dataclass(frozen=True, eq=False)
class BoundSkin:
    """A rig in metres: p = root · Σ weight · world[joint] · bind · point.

    Points are where they are drawn at rest, as far as joints that share vertices agree on it: programs
    without skins show the figure, too, and no joint mirrors what is bound to it.
    """

    rig: Rig  # As it was
    root: Doubles  # (4, 4), from the skeleton's coordinates to the file's, without a scale
    scale: float  # Metres of the skeleton's unit, by which its translations are multiplied
    points: Floats  # (V, 3), of the mesh's vertices
    # joints, weights: (V, 4), joints as places in `nodes`, weights that sum to 1
    joints: NDArray[np.uint16]
    weights: Floats
    # nodes, binds: (P,) nodes of the skeleton, some of them repeated, and (P, 4, 4) inverse bind matrices
    nodes: NDArray[np.int32]
    binds: Doubles
    moved: Doubles  # (V, 3, 3), from the rig's points to these
    at_rest: Doubles  # (V, 3, 3), from these points to the file's coordinates at rest
    lacks: tuple[str, ...] = ()  # Sentences about what glTF cannot hold

    @classmethod
    def of(cls, rig: Rig, to_metres: Doubles) -> BoundSkin:
        """Bind a rig whose mesh `to_metres` (4, 4) moves into the file's coordinates."""
        root = to_metres @ rig.placement
        scale = float(np.cbrt(abs(np.linalg.det(root[:3, :3]))))
        slots, weights, lost = _strongest(rig)
        placed = root @ rig.skeleton.rest_worlds[rig.nodes] @ rig.inverse_binds
        common = placed[_chief(slots, weights, len(rig.nodes))]
        common[np.abs(np.linalg.det(common)) < _FLAT * scale**3] = np.diag([scale, scale, scale, 1.0])
        back = np.linalg.inv(common)
        at_rest = placed @ back
        binds = np.diag([scale, scale, scale, 1.0]) @ rig.inverse_binds @ back
        own = common[slots[:, 0]]
        kept, place = _distinct(rig.nodes, binds, np.unique(slots[weights > 0]))
        points = np.einsum("vij,vj->vi", own[:, :3, :3], rig.points.astype(np.float64)) + own[:, :3, 3]
        root[:3, :3] /= scale
        return cls(
            rig=rig,
            root=root,
            scale=scale,
            points=points.astype(np.float32),
            joints=np.where(weights > 0, place[slots], 0).astype(np.uint16),
            weights=weights,
            nodes=rig.nodes[kept],
            binds=binds[kept],
            moved=own[:, :3, :3],
            at_rest=np.einsum("vk,vkij->vij", weights.astype(np.float64), at_rest[slots, :3, :3]),
            lacks=_lacks(rig, lost),
        )

    @property
    def targets(self) -> list[tuple[int, int]]:
        """Node and number of each morph target, in the order of the file."""
        return sorted({(morph.node, morph.target) for morph in self.rig.morphs})

    def add_nodes(self, glb: GlbWriter) -> int:
        """Add the root, the skeleton's nodes after it in their order, and a skin; returns its index.

        A joint that is bound in several ways has a node below it for each further one, since a skin of glTF
        names each node once.
        """
        move, turn, scale = decomposed(self.root)
        glb.add("nodes", name=_ROOT, **_transform(move, turn, np.sign(scale)))
        skeleton = self.rig.skeleton
        places = skeleton.translations * self.scale, skeleton.rotations, skeleton.scales
        for name, *place in zip(skeleton.names, *places, strict=True):
            glb.add("nodes", name=name or None, **_transform(*place))
        nodes = glb.lists["nodes"]
        for number, parent in enumerate(skeleton.parents.tolist(), 1):
            nodes[parent + 1].setdefault("children", []).append(number)
        joints: list[int] = []
        for node in (self.nodes + 1).tolist():
            if node in joints:
                helper = glb.add("nodes", name=nodes[node].get("name"))
                nodes[node].setdefault("children", []).append(helper)
                node = helper
            joints.append(node)
        columns = self.binds.transpose(0, 2, 1).reshape(-1, 16).astype("<f4")
        return glb.add("skins", joints=joints, inverseBindMatrices=glb.accessor(columns), skeleton=0)

    def attributes(self, glb: GlbWriter, rows: NDArray[np.int32]) -> dict[str, int]:
        """Add joints and weights of vertices (N,); returns their accessors."""
        return {
            "JOINTS_0": glb.accessor(self.joints[rows].astype("<u2"), VERTICES),
            "WEIGHTS_0": glb.accessor(self.weights[rows], VERTICES),
        }

    def normals(self, rows: NDArray[np.int32], normals: Floats) -> Floats:
        """Normals (N, 3) in the file's coordinates at rest, of vertices (N,), as their points have them."""
        matrices = self.at_rest[rows]
        # Normals move by cofactors, whose inverse is the transpose but for a factor.
        own = np.einsum("nji,nj->ni", matrices, normals.astype(np.float64))
        own *= np.where(np.linalg.det(matrices) < 0, -1.0, 1.0)[:, None]
        length = np.linalg.norm(own, axis=1, keepdims=True)
        unit = np.divide(own, length, out=np.tile([0.0, 1.0, 0.0], (len(own), 1)), where=length > 1e-12)
        return np.asarray(unit, np.float32)

    def offsets(self, rows: NDArray[np.int32], offsets: Floats) -> Floats:
        """Offsets (N, 3) of a morph target of vertices (N,), as their points have them."""
        return np.asarray(np.einsum("nij,nj->ni", self.moved[rows], offsets), np.float32)


def _transform(move: Doubles, turn: Doubles, scale: Doubles) -> dict[str, Any]:
    """Members of a node that is moved, turned and scaled, without those that change nothing."""
    length = float(np.linalg.norm(turn))
    unit = turn / length if length > 0 else np.array([0.0, 0.0, 0.0, 1.0])
    stated = {"translation": (move, 0.0), "rotation": (unit, (0.0, 0.0, 0.0, 1.0)), "scale": (scale, 1.0)}
    return {name: values.tolist() for name, (values, usual) in stated.items() if (values != usual).any()}


def _strongest(rig: Rig) -> tuple[NDArray[np.int32], Floats, float]:
    """The slots and weights (V, 4) of most weight, strongest first, and the largest share left out."""
    order = np.argsort(-rig.weights, axis=1, kind="stable")[:, :_SHARES]
    slots = padded(np.take_along_axis(rig.slots, order, axis=1), _SHARES)
    weights = padded(np.take_along_axis(rig.weights, order, axis=1).astype(np.float64), _SHARES)
    total = weights.sum(axis=1, keepdims=True)
    lost = float((1.0 - total / rig.weights.sum(axis=1, keepdims=True)).max(initial=0.0))
    return slots, (weights / total).astype(np.float32), lost


def _chief(slots: NDArray[np.int32], weights: Floats, count: int) -> NDArray[np.int64]:
    """For each of `count` slots the one of most weight among those connected to it by vertices."""
    used = weights[:, 1:] > 0
    first = np.broadcast_to(slots[:, :1], used.shape)[used]
    links = scipy.sparse.coo_array((np.ones(len(first)), (first, slots[:, 1:][used])), (count, count))
    group = scipy.sparse.csgraph.connected_components(links, directed=False)[1]
    total = np.bincount(slots.reshape(-1), weights.reshape(-1), count)
    order = np.lexsort((-total, group))
    _, begin = np.unique(group[order], return_index=True)
    return np.asarray(order[begin][group])


def _lacks(rig: Rig, lost: float) -> tuple[str, ...]:
    """What glTF cannot hold of a rig; `lost` is the largest share of a vertex's weight that is left out."""
    lacks = []
    if lost > _LOST:
        kept = f"the strongest were kept, without up to {lost:.0%} of a vertex's weight"
        lacks.append(f"vertices follow more than {_SHARES} joints: {kept}")
    skeleton = rig.skeleton
    plain = composed(skeleton.translations, skeleton.rotations, skeleton.scales)
    if np.abs(plain - skeleton.rest).max(initial=0.0) > _SHEAR * np.abs(skeleton.rest).max(initial=1.0):
        lacks.append("joints are sheared at rest, which glTF cannot hold: look at the pose")
    return tuple(lacks)


def _distinct(
    nodes: NDArray[np.int32], binds: Doubles, used: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Slots to keep, one of those alike and only used ones of a node with any; and each slot's place."""
    rows = np.column_stack([nodes, binds.reshape(len(nodes), 16)])
    _, first, same = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    own = first[same.reshape(-1)]
    is_used = np.zeros(len(nodes), np.bool_)
    is_used[own[used]] = True
    served = set(nodes[is_used].tolist())
    kept: list[int] = []
    for slot in np.unique(own).tolist():
        if is_used[slot] or int(nodes[slot]) not in served:
            served.add(int(nodes[slot]))
            kept.append(slot)
    place = np.zeros(len(nodes), np.int64)
    place[kept] = np.arange(len(kept))
    return np.array(kept), place[own]
