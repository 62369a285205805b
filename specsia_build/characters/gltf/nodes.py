"""The nodes of a glTF file as a skeleton, with its skins."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.skeleton import Skeleton, decomposed
from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.document import Document
from specsia_build.errors import CharacterError

MOST_NODES = 50_000
"""Nodes of a file; each takes a tenth of a millisecond to read."""

_MOST_SKINS = 64
"""Skins that are searched for bind poses."""


@dataclass(frozen=True)
class Hierarchy:
    """All N nodes of a file, in its scene or not.

    Attributes:
        nodes: as stored; transforms that are not finite are removed.
        parents: index of each node's parent, None for roots.
        skeleton: the same nodes, parents first, with the morph weights that nodes state.
        number: (N,) int32, each node's index in the skeleton.
        broken: nodes whose transform is not finite.
    """

    nodes: Sequence[schema.Node]
    parents: Sequence[int | None]
    skeleton: Skeleton
    number: NDArray[np.int32]
    broken: frozenset[int]

    def check(self, document: Document, used: Iterable[int]) -> None:
        """Raise `CharacterError` if a node in use is broken or hangs below a broken one."""
        needed = set(used)
        for index in sorted(self.broken):
            if not needed.isdisjoint(below(self.nodes, [index])):
                raise document.error(schema.Node, index, "has a transform that is not of finite numbers")


def read_hierarchy(document: Document) -> Hierarchy:
    """Read the nodes of a file."""
    if document.root.count("nodes") > MOST_NODES:
        raise CharacterError(f"{document.name} has more than {MOST_NODES:,} nodes: join its meshes and export it again")
    nodes, broken = document.entries(schema.Node), set[int]()
    for index, node in enumerate(nodes):
        for key in ("matrix", "translation", "rotation", "scale"):
            values = getattr(node, key) or ()
            if None in values or not math.isfinite(sum(values)):
                broken.add(index)
                nodes[index] = msgspec.structs.replace(nodes[index], **{key: None})
    parents = _parents(document, nodes)
    order = list(below(nodes, [i for i, parent in enumerate(parents) if parent is None]))
    if len(order) < len(nodes):
        lost = min(set(range(len(nodes))) - set(order))
        raise document.error(schema.Node, lost, "hangs below itself, or below a node that does")
    number = np.empty(len(nodes), np.int32)
    number[order] = np.arange(len(nodes))
    return Hierarchy(nodes, parents, _skeleton(nodes, parents, order, number), number, frozenset(broken))


def below(nodes: Sequence[schema.Node], starts: Sequence[int]) -> dict[int, None]:
    """The nodes `starts` and all below them, parents first."""
    reached: dict[int, None] = {}
    pending = list(reversed(starts))
    while pending:
        index = pending.pop()
        if index not in reached:
            reached[index] = None
            pending.extend(reversed(nodes[index].children or ()))
    return reached


def _parents(document: Document, nodes: Sequence[schema.Node]) -> list[int | None]:
    parents: list[int | None] = [None] * len(nodes)
    for index, node in enumerate(nodes):
        for child in node.children or ():
            if child >= len(nodes):
                raise document.error(schema.Node, index, f"has a child {child} that does not exist")
            if parents[child] is not None:
                raise document.error(schema.Node, child, "hangs on two parents")
            parents[child] = index
    return parents


def _skeleton(
    nodes: Sequence[schema.Node], parents: Sequence[int | None], order: Sequence[int], number: NDArray[np.int32]
) -> Skeleton:
    ordered, above = [nodes[index] for index in order], [parents[index] for index in order]
    translations = np.array([node.translation or (0.0, 0.0, 0.0) for node in ordered]).reshape(-1, 3)
    rotations = np.array([node.rotation or (0.0, 0.0, 0.0, 1.0) for node in ordered]).reshape(-1, 4)
    scales = np.array([node.scale or (1.0, 1.0, 1.0) for node in ordered]).reshape(-1, 3)
    stated = [place for place, node in enumerate(ordered) if node.matrix is not None]
    matrices = np.array([ordered[place].matrix for place in stated]).reshape(-1, 4, 4).transpose(0, 2, 1)
    matrices[:, 3] = (0.0, 0.0, 0.0, 1.0)
    # A motion of one of the three starts from the matrix's own other two.
    translations[stated], rotations[stated], scales[stated] = decomposed(matrices)
    return Skeleton(
        names=tuple(node.name or "" for node in ordered),
        parents=np.array([-1 if parent is None else number[parent] for parent in above], np.int32),
        translations=translations,
        rotations=rotations,
        scales=scales,
        matrices=dict(zip(stated, matrices, strict=True)),
        morph_weights={k: np.array(node.weights) for k, node in enumerate(ordered) if node.weights},
    )


def read_skin(document: Document, index: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Joints of a skin (J,), as nodes of the file, and their inverse bind matrices (J, 4, 4)."""
    skin = document.entry(schema.Skin, index)
    joints = np.array(skin.joints or (), dtype=np.int64)
    if not len(joints) or int(joints.max()) >= document.root.count("nodes"):
        raise document.error(schema.Skin, index, "has no joints, or names a node that does not exist")
    if skin.inverse_bind_matrices is None:
        return joints, np.broadcast_to(np.eye(4), (len(joints), 4, 4))
    stored = document.accessor(skin.inverse_bind_matrices)
    if stored.shape[1] != 16 or len(stored) < len(joints):
        raise document.error(schema.Skin, index, "has fewer inverse bind matrices than joints")
    return joints, stored[: len(joints)].astype(np.float64).reshape(-1, 4, 4).transpose(0, 2, 1)


def with_binds(skeleton: Skeleton, document: Document, number: NDArray[np.int32]) -> Skeleton:
    """Add the joints and bind poses of the skins; damaged skins are skipped, as reading their mesh reports them."""
    skins = []
    for index in range(min(document.root.count("skins"), _MOST_SKINS)):
        with suppress(CharacterError):
            joints, inverse = read_skin(document, index)
            skins.append((number[joints], inverse))
    held = frozenset(node for nodes, _ in skins for node in nodes.tolist())
    return replace(skeleton, bound=_bind_poses(skins), joints=held)


def _bind_poses(skins: Sequence[tuple[NDArray[np.int32], NDArray[np.float64]]]) -> Mapping[int, NDArray[np.float64]]:
    """Bind pose (4, 4) by node, from joints (J,) and inverse bind matrices (J, 4, 4) of skins.

    The skin of most joints counts, with others that agree with it.
    """
    poses = []
    for joints, inverse in skins:
        valid = np.isfinite(inverse).all(axis=(1, 2)) & (inverse != np.eye(4)).any(axis=(1, 2))
        valid[valid] = np.linalg.det(inverse[valid]) > 0
        poses.append(dict(zip(joints[valid].tolist(), np.linalg.inv(inverse[valid]), strict=True)))
    merged: dict[int, NDArray[np.float64]] = {}
    for skin in sorted(poses, key=len, reverse=True):
        shared = [node for node in skin if node in merged]
        if not merged or (shared and all(np.allclose(skin[node], merged[node], 1e-3, 1e-3) for node in shared)):
            merged = {**skin, **merged}
    return merged
