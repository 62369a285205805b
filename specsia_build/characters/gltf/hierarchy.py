"""The nodes of a glTF file as a skeleton."""

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
from specsia_build.characters.gltf.text import damaged
from specsia_build.errors import CharacterError

MOST_NODES = 50_000
"""Nodes of a file; each costs its bytes little and its reader a tenth of a millisecond."""

_TRANSFORM = ("matrix", "translation", "rotation", "scale")

_MOST_SKINS = 64
"""Skins that are asked where they bind joints."""


@dataclass(frozen=True)
class Hierarchy:
    """All nodes of a file, in its scene or not.

    Attributes:
        nodes: as stored, N of them.
        parents: index of each node's parent, None for roots.
        skeleton: the same nodes, parents first; with the morph weights that nodes state themselves.
        number: (N,) int32, each node's place in the skeleton.
        odd: by node, what of its transform is no finite number, such as ``scale[0]``; it stands there without that.
    """

    nodes: Sequence[schema.Node]
    parents: Sequence[int | None]
    skeleton: Skeleton
    number: NDArray[np.int32]
    odd: Mapping[int, str]


def read_hierarchy(document: Document) -> Hierarchy:
    """The nodes of a file.

    Raises:
        CharacterError: if they are no forest, more than `MOST_NODES`, or one is damaged.
    """
    if document.root.count("nodes") > MOST_NODES:
        raise CharacterError(f"{document.name} has more than {MOST_NODES:,} nodes: join its meshes and export it again")
    nodes = document.entries(schema.Node)
    parents = _parents(document, nodes)
    order = _top_down(document, nodes, parents)
    number = np.empty(len(nodes), np.int32)
    number[order] = np.arange(len(nodes))
    odd = {index: place for index, node in enumerate(nodes) if (place := _odd_number(node)) is not None}
    sound = [_without_odd(node) if index in odd else node for index, node in enumerate(nodes)]
    return Hierarchy(sound, parents, _skeleton(sound, parents, order, number), number, odd)


def check_places(document: Document, hierarchy: Hierarchy, used: Iterable[int]) -> None:
    """Check that nodes of a file stand somewhere.

    Args:
        document: the file.
        hierarchy: its nodes.
        used: nodes that something depends on, as do those that they hang on.

    Raises:
        CharacterError: if the transform of one is not of finite numbers.
    """
    if not hierarchy.odd:
        return
    needed = set(used)
    for index, place in hierarchy.odd.items():
        if not needed.isdisjoint(below(hierarchy.nodes, [index])):
            raise damaged(f"{document.name}: nodes[{index}].{place}", "is not a finite number")


def _is_finite(values: Sequence[schema.Odd]) -> bool:
    return all(value is not None and math.isfinite(value) for value in values)


def _odd_number(node: schema.Node) -> str | None:
    """Which number of a node's transform is not finite, or None."""
    for key in _TRANSFORM:
        values = getattr(node, key)
        if values is None or (None not in values and math.isfinite(sum(values))):
            continue
        for place, value in enumerate(values):
            if not _is_finite((value,)):
                return f"{key}[{place}]"
    return None


def _without_odd(node: schema.Node) -> schema.Node:
    odd = [key for key in _TRANSFORM if not _is_finite(getattr(node, key) or ())]
    return msgspec.structs.replace(node, **dict.fromkeys(odd))


def below(nodes: Sequence[schema.Node], starts: Sequence[int]) -> dict[int, None]:
    """The nodes `starts` and all below them, parents first."""
    found: dict[int, None] = {}
    pending = list(reversed(starts))
    while pending:
        index = pending.pop()
        if index not in found:
            found[index] = None
            pending.extend(reversed(nodes[index].children or ()))
    return found


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


def _top_down(document: Document, nodes: Sequence[schema.Node], parents: Sequence[int | None]) -> list[int]:
    """Every node after its parent."""
    order = list(below(nodes, [i for i, parent in enumerate(parents) if parent is None]))
    if len(order) < len(nodes):
        # What no root reaches is a cycle or hangs below one: going up ends in it.
        index = min(set(range(len(nodes))) - set(order))
        for _ in nodes:
            index = parents[index] or 0
        raise document.error(schema.Node, index, "hangs below itself")
    return order


def read_skin(document: Document, index: int, nodes: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """A skin's joints (J,), of so many nodes of the file, and their inverse bind matrices (J, 4, 4).

    Raises:
        CharacterError: if it is damaged.
    """
    skin = document.entry(schema.Skin, index)
    joints = np.array(skin.joints or (), dtype=np.int64)
    if not len(joints) or int(joints.max()) >= nodes:
        raise document.error(schema.Skin, index, "has no joints, or names a node that does not exist")
    if skin.inverse_bind_matrices is None:
        return joints, np.broadcast_to(np.eye(4), (len(joints), 4, 4))
    stored = document.accessor(skin.inverse_bind_matrices)
    if stored.shape[1] != 16 or len(stored) < len(joints):
        raise document.error(schema.Skin, index, "has fewer inverse bind matrices than joints")
    return joints, stored[: len(joints)].astype(np.float64).reshape(-1, 4, 4).transpose(0, 2, 1)


def with_skins(skeleton: Skeleton, document: Document, number: NDArray[np.int32]) -> Skeleton:
    """A skeleton with what skins tell of its nodes: `Skeleton.bound` and `Skeleton.joints`.

    A damaged skin says nothing: what it spoils is told where its mesh is read.

    Args:
        skeleton: of the file's nodes.
        document: the file.
        number: (N,) each node's place in the skeleton.
    """
    skins = []
    for index in range(min(document.root.count("skins"), _MOST_SKINS)):
        with suppress(CharacterError):
            joints, inverse = read_skin(document, index, len(number))
            skins.append((number[joints], inverse))
    return replace(
        skeleton, bound=_bound(skins), joints=frozenset(node for nodes, _ in skins for node in nodes.tolist())
    )


def _bound(skins: Sequence[tuple[NDArray[np.int32], NDArray[np.float64]]]) -> dict[int, NDArray[np.float64]]:
    """Where skins, each its joints (J,) and their inverse bind matrices (J, 4, 4), bind nodes: (4, 4) by node.

    The skin of most joints says, and others that agree with it.
    """
    places = []
    for joints, inverse in skins:
        told = np.isfinite(inverse).all(axis=(1, 2)) & (inverse != np.eye(4)).any(axis=(1, 2))
        told[told] = np.linalg.det(inverse[told]) > 0
        places.append(dict(zip(joints[told].tolist(), np.linalg.inv(inverse[told]), strict=True)))
    found: dict[int, NDArray[np.float64]] = {}
    for skin in sorted(places, key=len, reverse=True):
        shared = [node for node in skin if node in found]
        if not found or (shared and all(np.allclose(skin[node], found[node], 1e-3, 1e-3) for node in shared)):
            found |= {node: matrix for node, matrix in skin.items() if node not in found}
    return found
