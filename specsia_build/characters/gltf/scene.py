"""The scene of a glTF file: which meshes stand where, at rest or in a pose."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.motion import poses
from specsia_build.animation.skeleton import Skeleton
from specsia_build.characters.doubts.joints import Landmark
from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.animation import read_pose
from specsia_build.characters.gltf.document import Document
from specsia_build.characters.gltf.nodes import Hierarchy, below, read_hierarchy
from specsia_build.errors import some

MOST_NAMES = 16
"""Names by which a part is known; a hierarchy may be as deep as the file is long."""


@dataclass(frozen=True)
class Instance:
    """A mesh at a node.

    Attributes:
        node, mesh: as stored.
        index: of the mesh.
        place: index of the node in the skeleton.
        weights: of the mesh's morph targets; as many as are stated, or zeros.
        world: (4, 4) float64, from the mesh's coordinates to the file's.
        names: of the node, of the mesh and of the nodes above, nearest first; at most `MOST_NAMES`.
    """

    node: schema.Node
    mesh: schema.Mesh
    index: int
    place: int
    weights: tuple[float, ...]
    world: NDArray[np.float64]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Scene:
    """The default scene of a file.

    Attributes:
        instances: meshes in place, in node order, without dropped ones.
        worlds: (N, 4, 4) float64, each node's coordinates to the file's.
        parts: names of the nodes that carry a mesh (the mesh's where a node has none), dropped ones included.
        names: of all nodes and meshes of the file.
        landmarks, rest_landmarks: named nodes of the scene that visible meshes hang on, as in `RawMesh`.
        skeleton: all nodes of the file at rest, with morph weights.
        number: (N,) int32, each node's index in the skeleton.
    """

    instances: tuple[Instance, ...]
    worlds: NDArray[np.float64]
    parts: tuple[str, ...]
    names: frozenset[str]
    landmarks: tuple[Landmark, ...]
    rest_landmarks: tuple[Landmark, ...]
    skeleton: Skeleton
    number: NDArray[np.int32]


def read_scene(document: Document, drop: Sequence[str], pose: str = "rest") -> Scene:
    """Read the default scene in a pose.

    Args:
        document: the file.
        drop: exact names. A node goes with all below it; a mesh's name removes that mesh everywhere.
        pose: as `animation.read_pose` reads it.
    """
    hierarchy = read_hierarchy(document)
    nodes, number = hierarchy.nodes, hierarchy.number
    motion, time = read_pose(document, number, pose)
    reached = below(nodes, _roots(document, hierarchy))
    hidden = below(nodes, [i for i in reached if _is_hidden(nodes[i])])
    places = {i: at for i in sorted(reached) if i not in hidden and (at := nodes[i].mesh) is not None}
    meshes = {i: document.entry(schema.Mesh, at) for i, at in places.items()}
    skins = sorted({skin for i in meshes if (skin := nodes[i].skin) is not None})
    joints = [joint for skin in skins for joint in document.entry(schema.Skin, skin).joints or ()]
    hierarchy.check(document, (*meshes, *joints))
    weights = {int(number[i]): np.array(w) for i, mesh in meshes.items() if (w := _weights(nodes[i], mesh))}
    skeleton = replace(hierarchy.skeleton, morph_weights=weights)
    posed = poses(skeleton, motion, np.array([time]))
    worlds = posed.worlds[0][number]
    dropped = below(nodes, [i for i in reached if nodes[i].name in drop])
    instances = []
    for index, mesh in meshes.items():
        if index not in dropped and mesh.name not in drop:
            place = int(number[index])
            morph = tuple(posed.morph_weights[place][0].tolist()) if place in posed.morph_weights else ()
            names = _names(hierarchy, index, mesh)
            instances.append(Instance(nodes[index], mesh, places[index], place, morph, worlds[index], names))
    used = _used(hierarchy, joints, meshes)
    named = {i: name for i in sorted(reached) if i in used and (name := nodes[i].name)}
    elsewhere = [node.name or f"node {i}" for i, node in enumerate(nodes) if node.mesh is not None and i not in reached]
    if elsewhere and document.root.count("scenes") > 1:
        document.warn(f"{document.name} has several scenes; only the default one is read, without {some(elsewhere)}")
    all_meshes = document.entries(schema.Mesh) if drop else ()
    return Scene(
        instances=tuple(instances),
        worlds=worlds,
        parts=tuple(dict.fromkeys(name for i, mesh in meshes.items() if (name := nodes[i].name or mesh.name))),
        names=frozenset(entry.name for entry in (*nodes, *all_meshes) if entry.name),
        landmarks=_landmarks(named, worlds),
        rest_landmarks=() if pose == "rest" else _landmarks(named, skeleton.rest_worlds[number]),
        skeleton=skeleton,
        number=number,
    )


def _weights(node: schema.Node, mesh: schema.Mesh) -> Sequence[float]:
    """Weights of a mesh's morph targets at a node, 0 where none are stated."""
    targets = max((len(primitive.targets or ()) for primitive in mesh.primitives or ()), default=0)
    return node.weights or mesh.weights or (0.0,) * targets


def _is_hidden(node: schema.Node) -> bool:
    """Whether KHR_node_visibility hides a node and all below it."""
    stated = (node.extensions or schema.Extensions()).visibility
    return isinstance(stated, dict) and stated.get("visible") is False


def _used(hierarchy: Hierarchy, joints: Sequence[int], meshes: Iterable[int]) -> Collection[int]:
    """Nodes above and below joints and visible meshes; all nodes if no mesh has a skin, which may have been lost.

    A file may carry skeletons that nothing visible hangs on.
    """
    nodes = hierarchy.nodes
    if not joints:
        return range(len(nodes))
    starts = [*(i for i in joints if i < len(nodes)), *(i for i in meshes if nodes[i].skin is None)]
    used = set(below(nodes, starts))
    for start in starts:
        above = hierarchy.parents[start]
        while above is not None and above not in used:
            used.add(above)
            above = hierarchy.parents[above]
    return used


def _landmarks(named: Mapping[int, str], worlds: NDArray[np.float64]) -> tuple[Landmark, ...]:
    places = ((name, worlds[index, :3, 3].tolist()) for index, name in named.items())
    return tuple((name, (x, y, z)) for name, (x, y, z) in places)


def _names(hierarchy: Hierarchy, index: int, mesh: schema.Mesh) -> tuple[str, ...]:
    names, above = [hierarchy.nodes[index].name, mesh.name], hierarchy.parents[index]
    while above is not None and len(names) < MOST_NAMES:
        names.append(hierarchy.nodes[above].name)
        above = hierarchy.parents[above]
    return tuple(dict.fromkeys(name for name in names if name))


def _roots(document: Document, hierarchy: Hierarchy) -> Sequence[int]:
    if document.root.count("scenes") == 0:
        return [i for i, parent in enumerate(hierarchy.parents) if parent is None]
    index = document.root.scene or 0
    starts = document.entry(schema.Scene, index).nodes or ()
    if any(start >= len(hierarchy.nodes) for start in starts):
        raise document.error(schema.Scene, index, "names a node that does not exist")
    return starts
