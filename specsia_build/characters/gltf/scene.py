"""The node hierarchy of a glTF file: what stands where at rest or in a pose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.animation.motion import poses
from specsia_build.animation.skeleton import Skeleton, composed
from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.animation import standing
from specsia_build.characters.gltf.document import Document
from specsia_build.characters.gltf.hierarchy import below, check_places, read_hierarchy
from specsia_build.characters.gltf.vrm import wearers_own
from specsia_build.characters.landmarks import Landmark
from specsia_build.errors import some

MOST_NAMES = 16
"""Names by which a part is known besides what the file has in all; a hierarchy may be as deep as the file is long."""


_COPY_COST = 1000
"""Bytes of memory of a copy, besides what its mesh takes."""

_COPIES = {"TRANSLATION": (0.0, 0.0, 0.0), "ROTATION": (0.0, 0.0, 0.0, 1.0), "SCALE": (1.0, 1.0, 1.0)}


@dataclass(frozen=True)
class Instance:
    """A mesh at a node.

    Attributes:
        node: as stored.
        mesh: as stored.
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
        pose: as `animation.standing` reads it.
        drop: exact names. A node goes with all below it; a mesh's name takes that mesh away wherever it stands.

    Raises:
        CharacterError: if the hierarchy is not a forest, has too many nodes, something in it is damaged, or the pose is
            of no action.
    """
    hierarchy = read_hierarchy(document)
    nodes, parents, number = hierarchy.nodes, hierarchy.parents, hierarchy.number
    motion, time, odd = standing(document, number, pose)
    reached = below(nodes, _roots(document, nodes, parents))
    hidden = below(nodes, [i for i in reached if _is_hidden(nodes[i])])
    shown_nodes = [i for i in sorted(reached) if i not in hidden]
    places = {i: at for i in shown_nodes if (at := nodes[i].mesh) is not None}
    own, said = wearers_own(document, places)
    said = (*odd, *said)
    meshes = {i: document.entry(schema.Mesh, at) for i, at in places.items() if i not in own}
    check_places(document, hierarchy, (*meshes, *_joints(document, nodes, meshes)))
    weights = {int(number[i]): np.array(w) for i, mesh in meshes.items() if (w := _weights(nodes[i], mesh))}
    skeleton = replace(hierarchy.skeleton, morph_weights=weights)
    stands = poses(skeleton, motion, np.array([time]))
    worlds = stands.worlds[0][number]
    dropped = below(nodes, [i for i in reached if nodes[i].name in drop])
    instances, parts = [], []
    for index, mesh in meshes.items():
        node = nodes[index]
        parts.append(node.name or mesh.name or "")
        if index not in dropped and mesh.name not in drop:
            morph = stands.morph_weights.get(int(number[index]))
            known = _names(nodes, parents, index, mesh)
            instances += [
                Instance(
                    node=node,
                    mesh=mesh,
                    index=node.mesh or 0,
                    place=int(number[index]),
                    weights=() if morph is None else tuple(morph[0].tolist()),
                    world=worlds[index] @ local,
                    copy=copy,
                    local=local,
                    names=known,
                )
                for copy, local in enumerate(_copies(document, index, node))
            ]
    held = set(_held(document, nodes, parents, tuple(meshes)))
    named = {i: name for i in sorted(reached) if i in held and (name := nodes[i].name)}
    at_rest = () if pose == "rest" else _landmarks(named, skeleton.rest_worlds[number])
    shown = tuple(dict.fromkeys(filter(None, parts)))
    unseen = [nodes[i].name or document.entry(schema.Mesh, places[i]).name or f"node {i}" for i in sorted(own)]
    told = (
        f"{document.name} holds what only its wearer sees (firstPersonOnly of VRM), which was left out: {some(unseen)}"
    )
    all_meshes = document.entries(schema.Mesh) if drop else ()
    names = frozenset(entry.name for entry in (*nodes, *all_meshes) if entry.name)
    several = document.root.count("scenes") > 1
    apart = [i for i, node in enumerate(nodes) if node.mesh is not None and i not in reached] if several else []
    return Scene(
        instances=tuple(instances),
        worlds=worlds,
        parts=shown,
        names=names,
        landmarks=_landmarks(named, worlds),
        rest_landmarks=at_rest,
        elsewhere=tuple(nodes[i].name or f"node {i}" for i in apart),
        skeleton=skeleton,
        number=number,
        warnings=(*said, told) if unseen else said,
    )


def _copies(document: Document, index: int, node: schema.Node) -> NDArray[np.float64]:
    """Where EXT_mesh_gpu_instancing puts copies of a node's mesh in its coordinates, (C, 4, 4); else its origin.

    A skin puts its mesh where its joints are, whatever the node says.
    """
    said = (node.extensions or schema.NodeExtensions()).instancing
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
    """Whether a node is not shown, nor what hangs below it."""
    said = (node.extensions or schema.NodeExtensions()).visibility
    return isinstance(said, dict) and said.get("visible") is False


def _joints(document: Document, nodes: Sequence[schema.Node], shown: Iterable[int]) -> Sequence[int]:
    """The joints of the skins that shown meshes have."""
    skins = sorted({skin for index in shown if (skin := nodes[index].skin) is not None})
    return [joint for skin in skins for joint in document.entry(schema.Skin, skin).joints or ()]


def _held(
    document: Document, nodes: Sequence[schema.Node], parents: Sequence[int | None], shown: Sequence[int]
) -> Sequence[int]:
    """The nodes that shown meshes hang on, and those that hang on them; a file may carry skeletons of others along.

    Where no mesh has a skin, which may have been lost, those are all nodes.
    """
    joints = _joints(document, nodes, shown)
    if all(nodes[index].skin is None for index in shown):
        return range(len(nodes))
    rigid = [index for index in shown if nodes[index].skin is None]
    used = [index for index in (*joints, *rigid) if index < len(nodes)]
    found = below(nodes, used)
    for start in used:
        above = parents[start]
        while above is not None and above not in found:
            found[above] = None
            above = parents[above]
    return tuple(found)


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


def _roots(document: Document, nodes: Sequence[schema.Node], parents: Sequence[int | None]) -> Sequence[int]:
    if document.root.count("scenes") == 0:
        return [i for i, parent in enumerate(parents) if parent is None]
    index = int(document.root.scene or 0)
    starts = document.entry(schema.Scene, index).nodes or ()
    if any(start >= len(nodes) for start in starts):
        raise document.error(schema.Scene, index, "names a node that does not exist")
    return starts
