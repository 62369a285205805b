"""Read a character from a glTF 2.0 file (.glb, .gltf or .vrm): its scene, at rest or in a pose."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.animation.motion import poses
from specsia_build.animation.rig import Morph, Rig, padded
from specsia_build.arrays import Doubles
from specsia_build.characters.character import Entry, RawMesh, RawMoving, Skin
from specsia_build.characters.checks.joints import landmarks_of, turned
from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.document import Document, load_document
from specsia_build.characters.gltf.materials import Materials
from specsia_build.characters.gltf.nodes import (
    Hierarchy,
    below,
    hidden_nodes,
    is_vrm0,
    offsets_of,
    read_hierarchy,
    read_motions,
    read_pose,
    read_skin,
    with_binds,
)
from specsia_build.characters.gltf.primitives import Instance, MeshReader, PlacedPrimitive
from specsia_build.errors import CharacterError
from specsia_build.frame import up_rotation
from specsia_build.rendering.mesh import concatenate

MOST_NAMES = 16  # Most names in a part's path; a hierarchy may be as deep as the file is long
# Bytes of memory of a vertex of a rig, and of each of its influences
_RIG_VERTEX_COST, _RIG_INFLUENCE_COST = 20, 8


def read_gltf(entry: Entry, *, moving: bool = False) -> RawMesh:
    """Read the default scene of a glTF file, at rest or in a pose, in the file's coordinates (+Y up, metres).

    Skins are applied from the transforms of their joints, morph targets with their default weights or the
    pose's. Lines, points, cameras and lights are left out. Buffers and images are read from the file, from
    data URIs and from files inside `entry.within`, nowhere else. A dropped node goes with all below it; a
    mesh's name removes that mesh everywhere. Frames of a pose are 24 a second. The rig and the motions are
    read if `moving`.

    A texture that is missing or damaged is a warning, and its file is among `files`. `front` is ``+y`` for
    VRM 0.x, whose characters face -Z, and else ``-y``. Raises CharacterError if the file is damaged, needs an
    extension that is not supported, refers to a file outside its folder, or has no triangles or no such pose.
    """
    return read_document(load_document(entry.path, entry.within), entry, moving=moving)


def read_document(document: Document, entry: Entry, *, moving: bool) -> RawMesh:
    """Read the default scene of a document; see `read_gltf`."""
    with np.errstate(all="ignore"):
        hierarchy, worlds, instances, named = _read_scene(document, entry.drop, entry.pose)
        reader = MeshReader(document, worlds, Materials(document, entry.texture))
        primitives = [(k, primitive) for k, each in enumerate(instances) for primitive in reader.read(each)]
        if not primitives:
            why = "export it again with its meshes"
            if named["parts"] and not instances:
                why = "every part is dropped"
            elif document.count(schema.Animation):
                why = "it holds motions alone, which `specsia clips --motion FILE` plays on characters"
            raise CharacterError(f"{document.name} has no triangles: {why}")
        rig = None
        if moving:
            # A still picture is not warned about motions.
            apart = replace(document, warnings={})
            motions = read_motions(apart, hierarchy.number)
            skeleton = with_binds(hierarchy.skeleton, apart, hierarchy.number)
            own = _rig_of(document, replace(hierarchy, skeleton=skeleton), instances, primitives)
            rig = RawMoving(own, **vars(replace(motions, warnings=tuple(apart.warnings))))
    names = {instance.place: instance.names for instance in instances}
    part = {place: at for at, place in enumerate(names)}
    numbers = [(part[instances[k].place], primitive.mesh) for k, primitive in primitives]
    return RawMesh(
        mesh=concatenate([primitive.mesh for _, primitive in primitives]),
        up="+y",
        front="+y" if is_vrm0(document) else "-y",
        part_names=tuple(names.values()),
        face_part=np.concatenate([np.full(len(mesh.faces), at, np.int32) for at, mesh in numbers]),
        files=tuple(document.files.tried),
        warnings=(*document.files.warnings, *document.warnings),
        skinned=any(primitive.influences is not None for _, primitive in primitives),
        animations=document.count(schema.Animation),
        moving=rig,
        **named,
    )


def read_export(document: Document, entry: Entry, *, moving: bool) -> RawMesh:
    """Read a document made of another format, turned to Z up, facing -Y; poses have the file's own frames."""
    raw = read_document(document, entry, moving=moving)
    turn = up_rotation("+y")
    return replace(
        raw,
        mesh=raw.mesh.rotated(turn),
        up="+z",
        front="-y",
        landmarks=turned(raw.landmarks, turn),
        moving=raw.moving and raw.moving.turned(turn),
    )


def _rig_of(
    document: Document,
    hierarchy: Hierarchy,
    instances: Sequence[Instance],
    primitives: Iterable[tuple[int, PlacedPrimitive]],
) -> Rig:
    """The rig of primitives' vertices and the numbers of their instances, in the file's own coordinates."""
    first: dict[tuple[str, int], int] = {}
    nodes, binds, points, slots, weights = (list[NDArray[Any]]() for _ in range(5))
    morphs: list[Morph] = []
    vertex_count = slot_count = 0
    for number, primitive in primitives:
        instance, source = instances[number], primitive.source
        influences = primitive.influences
        skin = instance.node.skin
        own = source.floats("POSITION", 3, morphed=False)
        key = ("node", number) if influences is None or skin is None else ("skin", skin)
        if key not in first:
            first[key] = slot_count
            joints, inverse = np.array([instance.place], np.int32), instance.offset[None]
            if key[0] == "skin":
                held, inverse = read_skin(document, key[1])
                joints = hierarchy.number[held]
            nodes.append(joints)
            binds.append(inverse)
            slot_count += len(joints)
        if influences is None:
            influences = Skin(np.zeros((len(own), 1), np.int32), np.ones((len(own), 1)))
        memory.take(len(own) * (_RIG_VERTEX_COST + _RIG_INFLUENCE_COST * influences.joints.shape[1]))
        points.append(own)
        slots.append((influences.joints + first[key]).astype(np.int32))
        weights.append(influences.weights.astype(np.float32))
        for target, offsets in source.morphs("POSITION", (3,)):
            rows = np.flatnonzero(offsets.any(axis=1))
            if not np.isfinite(offsets).all():
                problem = f"{source.label} has a morph target of numbers that are not finite; it was left out"
                document.warn("unusable", problem)
            elif len(rows):
                memory.take(16 * len(rows))
                moved = (rows + vertex_count).astype(np.int32)
                morphs.append(Morph(instance.place, target, moved, offsets[rows]))
        vertex_count += len(own)
    most = max(own.shape[1] for own in slots)
    memory.take(vertex_count * (_RIG_VERTEX_COST + _RIG_INFLUENCE_COST * most))
    return Rig(
        skeleton=hierarchy.skeleton,
        points=np.concatenate(points),
        slots=np.concatenate([padded(own, most) for own in slots]),
        weights=np.concatenate([padded(own, most) for own in weights]),
        nodes=np.concatenate(nodes),
        inverse_binds=np.concatenate(binds),
        placement=np.eye(4),
        morphs=tuple(morphs),
    )


def _read_scene(
    document: Document, drop: Sequence[str], pose: str
) -> tuple[Hierarchy, Doubles, list[Instance], dict[str, Any]]:
    """Read the default scene.

    Returns all nodes, with morph weights in the skeleton; the transforms of the posed nodes to the file's
    coordinates (N, 4, 4); the meshes that are drawn; and parts, names and landmarks as in `RawMesh`.
    """
    hierarchy = read_hierarchy(document)
    nodes, number = hierarchy.nodes, hierarchy.number
    motion, time = read_pose(document, number, pose)
    starts: Sequence[int] = [i for i, parent in enumerate(hierarchy.parents) if parent is None]
    if document.count(schema.Scene):
        index = document.root.scene or 0
        starts = document.entry(schema.Scene, index).nodes or ()
        if any(start >= len(nodes) for start in starts):
            raise document.error(schema.Scene, index, "names a node that does not exist")
    reached = below(nodes, starts)
    hidden, places = hidden_nodes(document, nodes), dict[int, int]()
    for i in sorted(reached):
        if (at := nodes[i].mesh) is not None and i not in hidden:
            places[i] = at
    if not places and any(nodes[i].mesh is not None for i in reached):
        raise CharacterError(f"{document.name} hides all of its meshes: show them and export it again")
    meshes = {i: document.entry(schema.GltfMesh, at) for i, at in places.items()}
    skins = sorted({skin for i in meshes if (skin := nodes[i].skin) is not None})
    joints = [joint for skin in skins for joint in document.entry(schema.GltfSkin, skin).joints or ()]
    hierarchy.check(document, (*meshes, *joints))
    weights = {}
    for i, mesh in meshes.items():
        targets = max((len(primitive.targets or ()) for primitive in mesh.primitives or ()), default=0)
        if stated := nodes[i].weights or mesh.weights or (0.0,) * targets:
            weights[int(number[i])] = np.array(stated)
    skeleton = replace(hierarchy.skeleton, morph_weights=weights)
    posed = poses(skeleton, motion, np.array([time]))
    worlds = posed.worlds[0][number]
    dropped = below(nodes, [i for i in reached if nodes[i].name in drop])
    instances = []
    for index, mesh in meshes.items():
        if index not in dropped and mesh.name not in drop:
            place = int(number[index])
            morph = tuple(posed.morph_weights[place][0].tolist()) if place in posed.morph_weights else ()
            above = [nodes[i].name for i in islice(hierarchy.above(index), MOST_NAMES - 2)]
            names = tuple(dict.fromkeys(name for name in (nodes[index].name, mesh.name, *above) if name))
            drawn = partial(Instance, nodes[index], mesh, places[index], place, morph)
            for offset in offsets_of(document, index, nodes[index]):
                instances.append(drawn(offset, worlds[index] @ offset, names))
    used = _used(hierarchy, joints, meshes)
    named = {i: name for i in sorted(reached) if i in used and (name := nodes[i].name)}
    all_meshes = document.entries(schema.GltfMesh) if drop else ()
    parts = dict.fromkeys(name for i, mesh in meshes.items() if (name := nodes[i].name or mesh.name))
    described = {
        "parts": tuple(parts),
        "names": frozenset(entry.name for entry in (*nodes, *all_meshes) if entry.name),
        "landmarks": landmarks_of(named.values(), worlds[[*named], :3, 3]),
    }
    return replace(hierarchy, skeleton=skeleton), worlds, instances, described


def _used(hierarchy: Hierarchy, joints: Sequence[int], meshes: Iterable[int]) -> Collection[int]:
    """Nodes above and below joints and visible meshes, as a skeleton may be spare; all without a skin."""
    nodes = hierarchy.nodes
    if not joints:
        return range(len(nodes))
    starts = [*(i for i in joints if i < len(nodes)), *(i for i in meshes if nodes[i].skin is None)]
    used = set(below(nodes, starts))
    for start in starts:
        for above in hierarchy.above(start):
            if above in used:
                break
            used.add(above)
    return used
