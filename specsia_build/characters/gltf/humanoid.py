"""What VRM says of a file's nodes: which are which bones of its humanoid, and which only its wearer sees."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.document import Document
from specsia_build.errors import some


def is_vrm0(document: Document) -> bool:
    """Whether a file is a character of VRM 0.x."""
    extensions = document.root.extensions
    return extensions is not None and extensions.vrm is not None and extensions.vrmc_vrm is None


def read_humanoid(document: Document, number: NDArray[np.int32]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Place in the skeleton of each bone that a file of VRM 0.x, VRM 1.0 or VRM animation states, named as it does.

    Args:
        document: the file; one that is no VRM has no bones.
        number: (N,) each node's place in the skeleton.

    Returns:
        The bones, and sentences about what of them was left out.
    """
    extensions = document.root.extensions or schema.RootExtensions()
    newer = extensions.vrmc_vrm or extensions.vrmc_vrm_animation
    try:
        if newer is not None:
            bones = msgspec.convert(newer.humanoid or {}, schema.Humanoid).human_bones or {}
        else:
            older = extensions.vrm or schema.Vrm()
            listed = msgspec.convert(older.humanoid or {}, schema.Humanoid0).human_bones or ()
            bones = {bone.bone: bone for bone in listed if bone.bone}
    except msgspec.ValidationError as error:
        return {}, (f"{document.name}: its humanoid is wrongly written ({error}); it was left out",)
    missing = [name for name, bone in bones.items() if not 0 <= bone.node < len(number)]
    found = {name: int(number[bone.node]) for name, bone in bones.items() if name not in missing}
    said = f"{document.name}: its humanoid names nodes that do not exist: {some(missing)}; those bones were left out"
    return found, (said,) if missing else ()


def wearers_own(document: Document, meshes: Mapping[int, int]) -> tuple[frozenset[int], tuple[str, ...]]:
    """Nodes whose meshes are shown to the wearer alone (VRM's ``firstPersonOnly``), which no view from outside shows.

    Args:
        document: the file; one that is no VRM has none.
        meshes: index of each node's mesh, by that of the node.

    Returns:
        The nodes, and sentences about what of that could not be read. None where nothing else would be left.
    """
    extensions = document.root.extensions or schema.RootExtensions()
    newer = extensions.vrmc_vrm
    try:
        stated = (newer or extensions.vrm or schema.Vrm()).first_person
        found = msgspec.convert(stated or {}, schema.FirstPerson).mesh_annotations or ()
    except msgspec.ValidationError as error:
        return frozenset(), (f"{document.name}: its firstPerson is wrongly written ({error}); it was left out",)
    if newer is not None:
        own = {one.node for one in found if one.type == "firstPersonOnly"}
        nodes = frozenset(node for node in meshes if node in own)
    else:
        own = {one.mesh for one in found if one.first_person_flag == "FirstPersonOnly"}
        nodes = frozenset(node for node, mesh in meshes.items() if mesh in own)
    return frozenset() if nodes == meshes.keys() else nodes, ()
