"""Read a character from a glTF 2.0 file: .glb, .gltf or .vrm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from specsia_build.characters.gltf.animation import read_motions
from specsia_build.characters.gltf.document import Document, load_document
from specsia_build.characters.gltf.materials import Materials
from specsia_build.characters.gltf.nodes import with_binds
from specsia_build.characters.gltf.primitives import MeshReader, RigBuilder
from specsia_build.characters.gltf.scene import Scene, read_scene
from specsia_build.characters.gltf.vrm import is_vrm0
from specsia_build.characters.raw import RawMesh, RawMoving
from specsia_build.errors import CharacterError
from specsia_build.rendering.mesh import Material, Mesh, concatenate


def read_gltf(
    path: Path,
    *,
    texture: Path | None = None,
    drop: Sequence[str] = (),
    pose: str = "rest",
    root: Path | None = None,
    moving: bool = False,
) -> RawMesh:
    """Read the default scene of a glTF file, at rest or in a pose, in the file's own coordinates (+Y up, metres).

    Skins are applied from the transforms of their joints, morph targets with their default weights or the pose's.
    Lines, points, cameras and lights are left out. Buffers and images are read from the file, from data URIs and from
    files inside `root`, nowhere else.

    Args:
        path: the file; its first bytes decide whether it is GLB or JSON, not its suffix.
        texture: base-colour image for materials without a readable one of their own.
        drop: exact names of parts to leave out. A node goes with all below it; a mesh's name removes that mesh
            everywhere.
        pose: ``rest``, or the name of an animation with an optional ``@frame``, 24 a second; without one its first.
        root: folder that no file may lie outside of, links followed; None is the file's own.
        moving: read the rig and the motions too.

    Returns:
        The mesh; `front` is ``+y`` for VRM 0.x, whose characters face -Z, and else ``-y``. A texture that is missing
        or damaged is a warning, and its file is among `files`.

    Raises:
        CharacterError: if the file is damaged, cannot be read without an extension that is not supported, refers to a
            file outside its folder, has no triangles, or no such pose.
    """
    document = load_document(path, root or path.parent)
    return read_document(document, texture=texture, drop=drop, pose=pose, moving=moving)


def read_document(document: Document, *, texture: Path | None, drop: Sequence[str], pose: str, moving: bool) -> RawMesh:
    """Read the default scene of a document; see `read_gltf`."""
    with np.errstate(all="ignore"):
        scene = read_scene(document, drop, pose)
        reader = MeshReader(document, scene.worlds, Materials(document, texture))
        rigs = RigBuilder(document, scene.number)
        meshes, parts, is_skinned = [], [], False
        for index, instance in enumerate(scene.instances):
            for primitive in reader.read(instance):
                meshes.append(primitive.mesh)
                parts.append(np.full(len(primitive.mesh.faces), index, np.int32))
                is_skinned |= primitive.influences is not None
                if moving:
                    rigs.add(instance, primitive)
        if not meshes:
            is_dropped = bool(scene.parts) and not scene.instances
            why = "every part is dropped" if is_dropped else "export it again with its meshes"
            raise CharacterError(f"{document.name} has no triangles: {why}")
        rig = _moving(document, scene, rigs) if moving else None
    return RawMesh(
        mesh=_with_shared_materials(concatenate(meshes)),
        up="+y",
        front="+y" if is_vrm0(document) else "-y",
        parts=scene.parts,
        names=scene.names,
        part_names=tuple(instance.names for instance in scene.instances),
        face_part=np.concatenate(parts),
        files=document.files.tried,
        warnings=(*document.files.warnings(), *document.warnings),
        skinned=is_skinned,
        animations=document.root.count("animations"),
        landmarks=scene.landmarks,
        rest_landmarks=scene.rest_landmarks,
        moving=rig,
    )


def _moving(document: Document, scene: Scene, rigs: RigBuilder) -> RawMoving:
    # A still picture is not warned about motions.
    document = replace(document, warnings={})
    motions = read_motions(document, scene.number)
    rig = rigs.rig(with_binds(scene.skeleton, document, scene.number))
    return RawMoving(rig, **vars(replace(motions, warnings=tuple(document.warnings))))


def _with_shared_materials(mesh: Mesh) -> Mesh:
    """The same mesh with each material once."""
    slots: dict[int, int] = {}
    materials: list[Material] = []
    slot_of = np.empty(len(mesh.materials), np.int32)
    for index, material in enumerate(mesh.materials):
        if id(material) not in slots:
            slots[id(material)] = len(materials)
            materials.append(material)
        slot_of[index] = slots[id(material)]
    return replace(mesh, materials=tuple(materials), face_material=slot_of[mesh.face_material])
