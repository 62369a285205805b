"""The scene of a glTF file: which meshes stand where, at rest or in a pose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.animation.motion import poses
from specsia_build.animation.skeleton import Skeleton, composed
from specsia_build.characters.doubts.joints import Landmark
from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.animation import standing
from specsia_build.characters.gltf.document import Document
from specsia_build.characters.gltf.nodes import Hierarchy, below, check_nodes, read_hierarchy
from specsia_build.characters.gltf.vrm import wearers_own
from specsia_build.errors import some

MOST_NAMES = 16
"""Names by which a part is known; a hierarchy may be as deep as the file is long."""

_COPY_COST = 1000
"""Bytes of memory of a copy, besides what its mesh takes."""

_COPIES = {"TRANSLATION": (0.0, 0.0, 0.0), "ROTATION": (0.0, 0.0, 0.0, 1.0), "SCALE": (1.0, 1.0, 1.0)}


@dataclass(frozen=True)
class Instance:
    """A mesh at a node.

    Attributes:
        node, mesh: as stored.
        index: of the mesh.
        place: of the node in the skeleton.
        weights: of the mesh's morph targets, as many as are stated, or as there are where none is.
        world: (4, 4) float64, from its own coordinates to the file's.
        copy: its number, of those that stand at the node.
        local: (4, 4) float64, from its own coordinates to the node's.
        names: of the node, of the mesh and of the nodes above, the nearest first; no more than `MOST_NAMES`.
    """

    node: schema.Node
    mesh: schema.Mesh
    index: int
    place: int
    weights: tuple[float, ...]
    world: NDArray[np.float64]
    copy: int
    local: NDArray[np.float64]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Scene:
    """What a file shows.

    Attributes:
        instances: meshes in place, in node order, dropped ones left out.
        worlds: (N, 4, 4) float64, every node's coordinates to the file's.
        parts: names of the nodes that carry a mesh (the mesh's name where a node has none), dropped ones included.
        names: of all nodes and meshes of the file.
        landmarks, rest_landmarks: named nodes of the scene, but for skeletons that nothing shown hangs on, and
            where their origins are, as in `RawMesh`.
        elsewhere: names of the nodes that carry a mesh in other scenes alone.
        skeleton: all nodes of the file at rest, with the morph weights of those that carry a mesh.
        number: (N,) int32, each node's place in the skeleton.
        warnings: sentences about what was left out.
    """

    instances: tuple[Instance, ...]
    worlds: NDArray[np.float64]
    parts: tuple[str, ...]
    names: frozenset[str]
    landmarks: tuple[Landmark, ...]
    rest_landmarks: tuple[Landmark, ...]
    elsewhere: tuple[str, ...]
    skeleton: Skeleton
    number: NDArray[np.int32]
    warnings: tuple[str, ...]


def read_scene(document: Document, drop: Sequence[str], pose: str = "rest") -> Scene:
    """The default scene in a pose.

    Args:
        document: the file.
        drop: exact names. A node goes with all below it; a mesh's name takes that mesh away wherever it stands.
        pose: as `animation.standing` reads it.
    """
    hierarchy = read_hierarchy(document)
    nodes, number = hierarchy.nodes, hierarchy.number
    motion, time, odd = standing(document, number, pose)
    reached = below(nodes, _roots(document, hierarchy))
    hidden = below(nodes, [i for i in reached if _is_hidden(nodes[i])])
    places = {i: at for i in sorted(reached) if i not in hidden and (at := nodes[i].mesh) is not None}
    own, said = wearers_own(document, places)
    meshes = {i: document.entry(schema.Mesh, at) for i, at in places.items() if i not in own}
    joints = _joints(document, nodes, meshes)
    # A node that cannot be read may have carried a mesh.
    check_nodes(hierarchy, (*meshes, *joints, *(hierarchy.unread & reached.keys())))
    weights = {int(number[i]): np.array(w) for i, mesh in meshes.items() if (w := _weights(nodes[i], mesh))}
    skeleton = replace(hierarchy.skeleton, morph_weights=weights)
    stands = poses(skeleton, motion, np.array([time]))
    worlds = stands.worlds[0][number]
    dropped = below(nodes, [i for i in reached if nodes[i].name in drop])
    instances = []
    for index, mesh in meshes.items():
        if index in dropped or mesh.name in drop:
            continue
        morph = stands.morph_weights.get(int(number[index]))
        for copy, local in enumerate(_copies(document, index, nodes[index])):
            instance = Instance(
                node=nodes[index],
                mesh=mesh,
                index=places[index],
                place=int(number[index]),
                weights=() if morph is None else tuple(morph[0].tolist()),
                world=worlds[index] @ local,
                copy=copy,
                local=local,
                names=_names(hierarchy, index, mesh),
            )
            instances.append(instance)
    held = _held(hierarchy, joints, meshes)
    named = {i: name for i in sorted(reached) if i in held and (name := nodes[i].name)}
    unseen = [nodes[i].name or document.entry(schema.Mesh, places[i]).name or f"node {i}" for i in sorted(own)]
    if unseen:
        left = f"{document.name} holds what only its wearer sees (firstPersonOnly of VRM), which was left out: "
        said = (*said, left + some(unseen))
    several = document.root.count("scenes") > 1
    apart = [i for i, node in enumerate(nodes) if node.mesh is not None and i not in reached] if several else []
    all_meshes = document.entries(schema.Mesh) if drop else ()
    return Scene(
        instances=tuple(instances),
        worlds=worlds,
        parts=tuple(dict.fromkeys(name for i, mesh in meshes.items() if (name := nodes[i].name or mesh.name))),
        names=frozenset(entry.name for entry in (*nodes, *all_meshes) if entry.name),
        landmarks=_landmarks(named, worlds),
        rest_landmarks=() if pose == "rest" else _landmarks(named, skeleton.rest_worlds[number]),
        elsewhere=tuple(nodes[i].name or f"node {i}" for i in apart),
        skeleton=skeleton,
        number=number,
        warnings=(*odd, *said),
    )


def _copies(document: Document, index: int, node: schema.Node) -> NDArray[np.float64]:
    """Where EXT_mesh_gpu_instancing puts copies of a node's mesh in its coordinates, (C, 4, 4); else its origin.

    A skin puts its mesh where its joints are, whatever the node says.
    """
    said = (node.extensions or schema.Extensions()).instancing
    attributes = {} if said is None or node.skin is not None else said.attributes or {}
    stored = {name: document.floats(attributes[name]) for name in _COPIES if name in attributes}
    if not stored:
        return np.eye(4)[None]
    count = max(map(len, stored.values()))
    memory.ask(_COPY_COST * count)
    values = [np.asarray(stored.get(name, np.tile(usual, (count, 1))), np.float64) for name, usual in _COPIES.items()]
    for (name, usual), found in zip(_COPIES.items(), values, strict=True):
        if found.shape != (count, len(usual)) or not np.isfinite(found).all():
            raise document.error(schema.Node, index, f"has copies without a {name} of {len(usual)} finite numbers each")
    return composed(*values)


def _weights(node: schema.Node, mesh: schema.Mesh) -> Sequence[float]:
    """Weights of a mesh's morph targets at a node, 0 where none are stated."""
    targets = max((len(primitive.targets or ()) for primitive in mesh.primitives or ()), default=0)
    return node.weights or mesh.weights or (0.0,) * targets


def _is_hidden(node: schema.Node) -> bool:
    """Whether a node is not shown, nor what hangs below it (KHR_node_visibility)."""
    said = (node.extensions or schema.Extensions()).visibility
    return isinstance(said, dict) and said.get("visible") is False


def _joints(document: Document, nodes: Sequence[schema.Node], shown: Iterable[int]) -> Sequence[int]:
    """The joints of the skins that shown meshes have."""
    skins = sorted({skin for index in shown if (skin := nodes[index].skin) is not None})
    return [joint for skin in skins for joint in document.entry(schema.Skin, skin).joints or ()]


def _held(hierarchy: Hierarchy, joints: Sequence[int], shown: Iterable[int]) -> set[int]:
    """The nodes that shown meshes hang on, and those that hang on them; a file may carry skeletons of others along.

    Where no mesh has a skin, which may have been lost, those are all nodes.
    """
    nodes = hierarchy.nodes
    rigid = [index for index in shown if nodes[index].skin is None]
    if not joints:
        return set(range(len(nodes)))
    used = [index for index in (*joints, *rigid) if index < len(nodes)]
    found = set(below(nodes, used))
    for start in used:
        above = hierarchy.parents[start]
        while above is not None and above not in found:
            found.add(above)
            above = hierarchy.parents[above]
    return found


def _landmarks(named: Mapping[int, str], worlds: NDArray[np.float64]) -> tuple[Landmark, ...]:
    places = ((name, worlds[index, :3, 3].tolist()) for index, name in named.items())
    return tuple((name, (x, y, z)) for name, (x, y, z) in places)


def _names(hierarchy: Hierarchy, index: int, mesh: schema.Mesh) -> tuple[str, ...]:
    found, above = [hierarchy.nodes[index].name, mesh.name], hierarchy.parents[index]
    while above is not None and len(found) < MOST_NAMES:
        found.append(hierarchy.nodes[above].name)
        above = hierarchy.parents[above]
    return tuple(dict.fromkeys(name for name in found if name))


def _roots(document: Document, hierarchy: Hierarchy) -> Sequence[int]:
    if document.root.count("scenes") == 0:
        return [i for i, parent in enumerate(hierarchy.parents) if parent is None]
    index = int(document.root.scene or 0)
    starts = document.entry(schema.Scene, index).nodes or ()
    if any(start >= len(hierarchy.nodes) for start in starts):
        raise document.error(schema.Scene, index, "names a node that does not exist")
    return starts
