"""Read a character from a glTF 2.0 file: .glb, .gltf or .vrm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from specsia_build.characters.gltf.animation import read_motions
from specsia_build.characters.gltf.document import Document, load_document
from specsia_build.characters.gltf.materials import Materials
from specsia_build.characters.gltf.nodes import completed
from specsia_build.characters.gltf.primitives import MeshReader
from specsia_build.characters.gltf.rigs import RigGatherer
from specsia_build.characters.gltf.scene import Scene, read_scene
from specsia_build.characters.gltf.vrm import is_vrm0
from specsia_build.characters.raw import RawMesh, RawMoving
from specsia_build.errors import CharacterError, some
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
    """The default scene of a glTF file at rest or in a pose, in the file's own coordinates (+Y up, metres).

    Skins are applied from the transforms of their joints, morph targets with their default weights or the pose's.
    Lines, points, cameras and lights are left out. Buffers and images are read from the file, from data URIs and from
    files inside `root`, nowhere else.

    Args:
        path: the file; what it is shows in its first bytes, not in its suffix.
        texture: base-colour image for materials without a readable one of their own.
        drop: exact names of parts to leave out. A node goes with all below it; a mesh's name takes that mesh away
            wherever it stands.
        pose: ``rest``, or the name of an animation with an optional ``@frame``, 24 a second; without one its first.
        root: folder that no file may lie outside of, links followed; None is the file's own.
        moving: read what moves it too.

    Returns:
        The mesh; `front` is ``+y`` for VRM 0.x, whose characters face -Z, and else ``-y``. A texture that is missing
        or damaged is a warning, and its file is among `files`.

    Raises:
        CharacterError: if the file is damaged, cannot be read without an extension that we lack, refers to a file
            outside its folder, has no triangles, or no such pose.
    """
    document = load_document(path, root or path.parent)
    return read_document(document, texture=texture, drop=drop, pose=pose, moving=moving)


def read_document(document: Document, *, texture: Path | None, drop: Sequence[str], pose: str, moving: bool) -> RawMesh:
    """The default scene of a document; see `read_gltf`."""
    with np.errstate(all="ignore"):
        scene = read_scene(document, drop, pose)
        warnings: dict[str, None] = {}
        materials = Materials(document, texture, warnings)
        uses = Counter(instance.index for instance in scene.instances)
        shared = {index for index, count in uses.items() if count > 1}
        reader = MeshReader(document, scene.worlds, materials, warnings, shared)
        gatherer = RigGatherer(reader, scene.number) if moving else None
        placed = []
        for k, instance in enumerate(scene.instances):
            for mesh, source, influences in reader.read(instance):
                placed.append((k, mesh))
                if gatherer is not None:
                    gatherer.add(instance, source, influences)
    if scene.elsewhere:
        left_out = f"left out: {some(scene.elsewhere)}; export the scene you want to a file of its own"
        warnings[f"{document.name} has several scenes, and only the one that it opens with is shown; {left_out}"] = None
    if not placed:
        raise CharacterError(_nothing(document, scene))
    face_part = np.concatenate([np.full(len(mesh.faces), k, np.int32) for k, mesh in placed])
    return RawMesh(
        mesh=_shared_materials(concatenate([mesh for _, mesh in placed])),
        up="+y",
        front="+y" if is_vrm0(document) else "-y",
        parts=scene.parts,
        names=scene.names,
        part_names=tuple(instance.names for instance in scene.instances),
        face_part=face_part,
        files=document.files.tried,
        warnings=(
            *scene.warnings,
            *document.files.warnings(),
            *document.warnings,
            *warnings,
        ),
        skinned=reader.skinned,
        animations=document.root.count("animations"),
        landmarks=scene.landmarks,
        rest_landmarks=scene.rest_landmarks,
        moving=None if gatherer is None else _moving(document, scene, gatherer),
    )


def _moving(document: Document, scene: Scene, gatherer: RigGatherer) -> RawMoving:
    found = read_motions(document, scene.number, gatherer.broken)
    skeleton, doubts = completed(scene.skeleton, document, scene.number)
    told = replace(found, warnings=(*found.warnings, *doubts))
    return RawMoving(gatherer.rig(skeleton), **vars(told))


def _nothing(document: Document, scene: Scene) -> str:
    if scene.parts and not scene.instances:
        return f"{document.name} has nothing left once its parts are dropped: leave at least one of them in"
    more = ", or let others move by it (specsia clips … --motion FILE)" if document.root.count("animations") else ""
    return f"{document.name} has no triangles: export it again with its meshes{more}"


def _shared_materials(mesh: Mesh) -> Mesh:
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
