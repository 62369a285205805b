"""The node hierarchy of a glTF file: what stands where at rest or in a pose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.facing import Landmark
from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.animation import posed_nodes
from specsia_build.characters.gltf.document import Document
from specsia_build.errors import CharacterError

MOST_NODES = 50_000
"""Nodes of a file; each costs its bytes little and its reader a tenth of a millisecond."""

MOST_NAMES = 16
"""Names by which a part is known besides what the file has in all; a hierarchy may be as deep as the file is long."""


@dataclass(frozen=True)
class Instance:
    """A mesh at a node.

    Attributes:
        node: as stored.
        mesh: as stored.
        index: of the mesh.
        world: (4, 4) float64, from the node's coordinates to the file's.
        names: of the node, of the mesh and of the nodes above, the nearest first; no more than `MOST_NAMES`.
    """

    node: schema.Node
    mesh: schema.Mesh
    index: int
    world: NDArray[np.float64]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Scene:
    """What a file shows.

    Attributes:
        instances: meshes in place, in node order, dropped ones left out.
        worlds: (N, 4, 4) float64, every node's coordinates to the file's.
        parts: names of the nodes that carry a mesh (the mesh's name where a node has none), dropped ones included.
        names: of all nodes and meshes of the file.
        landmarks, rest_landmarks: named nodes of the scene and where their origins are, as in `RawMesh`.
    """

    instances: tuple[Instance, ...]
    worlds: NDArray[np.float64]
    parts: tuple[str, ...]
    names: frozenset[str]
    landmarks: tuple[Landmark, ...]
    rest_landmarks: tuple[Landmark, ...]


def read_scene(document: Document, drop: Sequence[str], pose: str = "rest") -> Scene:
    """The default scene in a pose.

    Args:
        document: the file.
        pose: as `animation.posed_nodes` reads it.
        drop: exact names. A node goes with all below it; a mesh's name takes that mesh away wherever it stands.

    Raises:
        CharacterError: if the hierarchy is not a forest, has more than `MOST_NODES`, something in it is damaged, or the
            pose is of no action.
    """
    if document.root.count("nodes") > MOST_NODES:
        raise CharacterError(f"{document.name} has more than {MOST_NODES:,} nodes: join its meshes and export it again")
    nodes = posed_nodes(document, pose)
    parents = _parents(document, nodes)
    order = _top_down(document, nodes, parents)
    worlds = _worlds(nodes, parents, order)
    reached = _below(nodes, _roots(document, nodes, parents))
    dropped = _below(nodes, [i for i in reached if nodes[i].name in drop])
    instances, parts = [], []
    for index in sorted(reached):
        node = nodes[index]
        if node.mesh is None:
            continue
        mesh = document.entry(schema.Mesh, node.mesh)
        parts.append(node.name or mesh.name or "")
        if index not in dropped and mesh.name not in drop:
            instances.append(Instance(node, mesh, node.mesh, worlds[index], _names(nodes, parents, index, mesh)))
    named = {i: name for i in sorted(reached) if (name := nodes[i].name)}
    at_rest = () if pose == "rest" else _landmarks(named, _worlds(document.entries(schema.Node), parents, order))
    shown = tuple(dict.fromkeys(filter(None, parts)))
    meshes = document.entries(schema.Mesh) if drop else ()
    names = frozenset(entry.name for entry in (*nodes, *meshes) if entry.name)
    return Scene(tuple(instances), worlds, shown, names, _landmarks(named, worlds), at_rest)


def _worlds(nodes: Sequence[schema.Node], parents: Sequence[int | None], order: Sequence[int]) -> NDArray[np.float64]:
    """Every node's coordinates to the file's, (N, 4, 4); `order` has parents first."""
    worlds = np.zeros((len(nodes), 4, 4))
    for index in order:
        local, parent = local_matrix(nodes[index]), parents[index]
        worlds[index] = local if parent is None else worlds[parent] @ local
    return worlds


def _landmarks(named: Mapping[int, str], worlds: NDArray[np.float64]) -> tuple[Landmark, ...]:
    places = ((name, worlds[index, :3, 3].tolist()) for index, name in named.items())
    return tuple((name, (x, y, z)) for name, (x, y, z) in places)


def _names(
    nodes: Sequence[schema.Node], parents: Sequence[int | None], index: int, mesh: schema.Mesh
) -> tuple[str, ...]:
    found, above = [nodes[index].name, mesh.name], parents[index]
    while above is not None and len(found) < MOST_NAMES:
        found.append(nodes[above].name)
        above = parents[above]
    return tuple(dict.fromkeys(name for name in found if name))


def local_matrix(node: schema.Node) -> NDArray[np.float64]:
    """A node's transform to its parent's coordinates, (4, 4), from its matrix or translation, rotation and scale."""
    if node.matrix is not None:
        matrix = np.array(node.matrix).reshape(4, 4).T
        matrix[3] = (0.0, 0.0, 0.0, 1.0)
        return matrix
    matrix = np.eye(4)
    if node.rotation is not None:
        matrix[:3, :3] = _quaternion_matrix(np.array(node.rotation))
    if node.scale is not None:
        matrix[:3, :3] *= np.array(node.scale)
    if node.translation is not None:
        matrix[:3, 3] = node.translation
    return matrix


def _quaternion_matrix(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    length = float(np.sqrt(quaternion @ quaternion))
    if not 0.0 < length < np.inf:
        return np.eye(3)
    x, y, z, w = quaternion / length
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
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
    order = list(_below(nodes, [i for i, parent in enumerate(parents) if parent is None]))
    if len(order) < len(nodes):
        # What no root reaches is a cycle or hangs below one: going up ends in it.
        index = min(set(range(len(nodes))) - set(order))
        for _ in nodes:
            index = parents[index] or 0
        raise document.error(schema.Node, index, "hangs below itself")
    return order


def _below(nodes: Sequence[schema.Node], starts: Sequence[int]) -> dict[int, None]:
    """The nodes `starts` and all below them, parents first."""
    found: dict[int, None] = {}
    pending = list(reversed(starts))
    while pending:
        index = pending.pop()
        if index not in found:
            found[index] = None
            pending.extend(reversed(nodes[index].children or ()))
    return found


def _roots(document: Document, nodes: Sequence[schema.Node], parents: Sequence[int | None]) -> Sequence[int]:
    if document.root.count("scenes") == 0:
        return [i for i, parent in enumerate(parents) if parent is None]
    index = int(document.root.scene or 0)
    starts = document.entry(schema.Scene, index).nodes or ()
    if any(start >= len(nodes) for start in starts):
        raise document.error(schema.Scene, index, "names a node that does not exist")
    return starts
