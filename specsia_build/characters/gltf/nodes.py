"""The nodes of a glTF file as a skeleton, with what its skins and constraints say of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.constraints import in_order
from specsia_build.animation.skeleton import Constraint, Following, Skeleton, decomposed
from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.document import Document
from specsia_build.errors import CharacterError

MOST_NODES = 50_000
"""Nodes of a file; each costs its bytes little and its reader a tenth of a millisecond."""

_MOST_SKINS = 64
"""Skins that are asked where they bind joints."""

_AXES = {"roll": ("X", "Y", "Z"), "aim": tuple(w + a for w in ("Positive", "Negative") for a in "XYZ")}


@dataclass(frozen=True)
class Hierarchy:
    """All nodes of a file, in its scene or not.

    Attributes:
        nodes: as stored, N of them, without transforms that are not of finite numbers.
        parents: index of each node's parent, None for roots.
        skeleton: the same nodes, parents first; with the morph weights that nodes state themselves.
        number: (N,) int32, each node's place in the skeleton.
        broken: by node, why it, or its transform, cannot be read.
        unread: nodes of which nothing is known, not even what hangs on them.
    """

    nodes: Sequence[schema.Node]
    parents: Sequence[int | None]
    skeleton: Skeleton
    number: NDArray[np.int32]
    broken: Mapping[int, CharacterError]
    unread: frozenset[int]


def read_hierarchy(document: Document) -> Hierarchy:
    """The nodes of a file."""
    if document.root.count("nodes") > MOST_NODES:
        raise CharacterError(f"{document.name} has more than {MOST_NODES:,} nodes: join its meshes and export it again")
    nodes, broken, unread = list[schema.Node](), dict[int, CharacterError](), set[int]()
    for index in range(document.root.count("nodes")):
        node = schema.Node()
        try:
            node = document.entry(schema.Node, index)
        except CharacterError as error:
            broken[index] = error
            unread.add(index)
        for key in ("matrix", "translation", "rotation", "scale"):
            values = getattr(node, key) or ()
            if None in values or not math.isfinite(sum(values)):
                broken[index] = document.error(schema.Node, index, "is not of finite numbers", f".{key}")
                node = msgspec.structs.replace(node, **{key: None})
        nodes.append(node)
    parents = _parents(document, nodes)
    order = list(below(nodes, [i for i, parent in enumerate(parents) if parent is None]))
    if len(order) < len(nodes):
        # What no root reaches is a cycle or hangs below one: going up ends in it.
        index = min(set(range(len(nodes))) - set(order))
        for _ in nodes:
            index = parents[index] or 0
        raise document.error(schema.Node, index, "hangs below itself")
    number = np.empty(len(nodes), np.int32)
    number[order] = np.arange(len(nodes))
    return Hierarchy(nodes, parents, _skeleton(nodes, parents, order, number), number, broken, frozenset(unread))


def check_nodes(hierarchy: Hierarchy, used: Iterable[int]) -> None:
    """Raise the error of a broken node that some used node is, or hangs below."""
    needed = set(used)
    for index, error in hierarchy.broken.items():
        if not needed.isdisjoint(below(hierarchy.nodes, [index])):
            raise error


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


def read_skin(document: Document, index: int, nodes: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """A skin's joints (J,), of so many nodes of the file, and their inverse bind matrices (J, 4, 4)."""
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


def completed(skeleton: Skeleton, document: Document, number: NDArray[np.int32]) -> tuple[Skeleton, tuple[str, ...]]:
    """A skeleton with where skins bind its nodes, and which follow others (VRMC_node_constraint); and warnings.

    A damaged skin says nothing here: what it spoils is told where its mesh is read.
    """
    skins = []
    for index in range(min(document.root.count("skins"), _MOST_SKINS)):
        with suppress(CharacterError):
            joints, inverse = read_skin(document, index, len(number))
            skins.append((number[joints], inverse))
    bound = frozenset(node for nodes, _ in skins for node in nodes.tolist())
    skeleton = replace(skeleton, bound=_bound(skins), joints=bound)
    found, warnings = [], []
    for index in range(len(number)):
        node = schema.Node()
        with suppress(CharacterError):
            node = document.entry(schema.Node, index)
        if (stated := None if node.extensions is None else node.extensions.constraint) is not None:
            try:
                found.append(_constraint(msgspec.convert(stated, schema.Follower).constraint, index, number))
            except ValueError as error:
                name = node.name or f"nodes[{index}]"
                warnings.append(f"{document.name}: '{name}' follows no other node, its constraint is damaged ({error})")
    try:
        return replace(skeleton, constraints=in_order(found, skeleton)), tuple(warnings)
    except ValueError as error:
        return skeleton, (*warnings, f"{document.name} has nodes that {error}, so that none follows another")


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


def _constraint(said: schema.Followings, node: int, number: NDArray[np.int32]) -> Constraint:
    for kind, stated in (("roll", said.roll), ("aim", said.aim), ("rotation", said.rotation)):
        if stated is None:
            continue
        axis = {"roll": stated.roll_axis, "aim": stated.aim_axis}.get(kind, "X")
        if stated.source >= len(number) or stated.source == node:
            raise ValueError("its source is no other node")
        if axis not in _AXES.get(kind, ("X",)):
            raise ValueError(f"it has no axis '{axis}'")
        along = np.eye(3)["XYZ".index(axis[-1])] * (-1.0 if axis.startswith("Negative") else 1.0)
        weight = min(max(stated.weight, 0.0), 1.0)
        way: Following = "roll" if kind == "roll" else "aim" if kind == "aim" else "rotation"
        return Constraint(int(number[node]), int(number[stated.source]), way, along, weight)
    raise ValueError("it is neither roll, aim nor rotation")
