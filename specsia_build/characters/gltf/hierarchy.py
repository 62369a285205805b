"""The nodes of a glTF file as a skeleton."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.skeleton import Skeleton, decomposed
from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.document import Document
from specsia_build.errors import CharacterError

MOST_NODES = 50_000
"""Nodes of a file; each costs its bytes little and its reader a tenth of a millisecond."""


@dataclass(frozen=True)
class Hierarchy:
    """All nodes of a file, in its scene or not.

    Attributes:
        nodes: as stored, N of them.
        parents: index of each node's parent, None for roots.
        skeleton: the same nodes, parents first; with the morph weights that nodes state themselves.
        number: (N,) int32, each node's place in the skeleton.
    """

    nodes: Sequence[schema.Node]
    parents: Sequence[int | None]
    skeleton: Skeleton
    number: NDArray[np.int32]


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
    return Hierarchy(nodes, parents, _skeleton(nodes, parents, order, number), number)


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
