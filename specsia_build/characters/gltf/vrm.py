"""The VRM extensions of a glTF file: humanoid bones, first-person meshes and the materials of VRM 0.x."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.document import Document
from specsia_build.errors import some
from specsia_build.rendering.colour import srgb_to_linear

GLTF_SHADER = "VRM_USE_GLTFSHADER"
"""Shader of a VRM 0.x material that glTF's own properties describe."""

CULL_NOTHING, CULL_FRONT = 0, 1
"""Values of MToon's ``_CullMode``; 2 culls backs."""

_TRANSPARENT = {"VRM/UnlitTransparent": "BLEND", "VRM/UnlitTransparentZWrite": "BLEND", "VRM/UnlitCutout": "MASK"}
_BLEND_MODES = {0: "OPAQUE", 1: "MASK", 2: "BLEND", 3: "BLEND"}
"""MToon's ``_BlendMode``."""

_GAMMA_UNTIL = (0, 54)
"""UniVRM before 0.54 wrote ``baseColorFactor`` in gamma (UniVRM's `MigrationFlags.IsBaseColorFactorGamma`)."""


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
    extensions = document.root.extensions or schema.Extensions()
    newer = extensions.vrmc_vrm or extensions.vrmc_vrm_animation
    try:
        stated = (newer or extensions.vrm or schema.Vrm()).humanoid
        bones = msgspec.convert(stated or {}, schema.Humanoid).human_bones or {}
    except msgspec.ValidationError as error:
        return {}, (f"{document.name}: its humanoid is wrongly written ({error}); it was left out",)
    if isinstance(bones, tuple):
        bones = {bone.bone: bone for bone in bones if bone.bone}
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
    extensions = document.root.extensions or schema.Extensions()
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


class Vrm0Material(NamedTuple):
    """A glTF material as VRM 0.x means it.

    Attributes:
        entry: with the values that count.
        cull: MToon's ``_CullMode``, or None where glTF's ``doubleSided`` counts.
        toon: whether it is MToon, which emits light beside its colour although exporters call it unlit.
        warnings: sentences.
    """

    entry: schema.Material
    cull: int | None = None
    toon: bool = False
    warnings: tuple[str, ...] = ()


def vrm0_material(document: Document, index: int | None, entry: schema.Material) -> Vrm0Material:
    """A material by the ``materialProperties`` of VRM 0.x.

    As in UniVRM and three-vrm, colour, texture, texture transform, cut-out and blending of MToon and of VRM's unlit
    shaders come from there, with colours in gamma; what glTF says of them is a fallback for other programs.

    Args:
        document: the file; if it is no VRM 0.x, the material stays as it is.
        index: of the material, None for the default one.
        entry: as glTF has it.
    """
    vrm = (document.root.extensions or schema.Extensions()).vrm if is_vrm0(document) else None
    if vrm is None or index is None:
        return Vrm0Material(entry)
    listed = vrm.material_properties if isinstance(vrm.material_properties, list) else []
    try:
        said = msgspec.convert(listed[index], schema.VrmMaterial) if index < len(listed) else schema.VrmMaterial()
    except msgspec.ValidationError as error:
        warning = f"{document.name}: materialProperties[{index}] of VRM is wrongly written ({error}); glTF's was taken"
        return Vrm0Material(_ungamma(entry, vrm), warnings=(warning,))
    shader = said.shader or ""
    mode = None if shader == GLTF_SHADER else said.float_properties.get("_CullMode")
    cull = None if mode is None else int(mode)
    if shader == "VRM/MToon" or shader.startswith("VRM/Unlit"):
        return Vrm0Material(_from_unity(entry, said, shader), cull, toon=shader == "VRM/MToon")
    return Vrm0Material(_ungamma(entry, vrm), cull)


def _from_unity(entry: schema.Material, said: schema.VrmMaterial, shader: str) -> schema.Material:
    placed = said.vector_properties.get("_MainTex", ())
    u, v, across, down = (*placed, *(0.0, 0.0, 1.0, 1.0)[len(placed) :])[:4]
    # Unity counts v from below.
    transform = schema.TextureTransform(offset=(u, 1.0 - down - v), scale=(across, down))
    extensions = schema.Extensions(transform=transform)
    slots = {
        name: schema.Slot(index=said.texture_properties[name], extensions=extensions)
        for name in ("_MainTex", "_EmissionMap")
        if name in said.texture_properties
    }
    keywords = said.keyword_map
    mode = "BLEND" if keywords.get("_ALPHABLEND_ON") or keywords.get("_ALPHAPREMULTIPLY_ON") else "OPAQUE"
    if mode == "OPAQUE" and keywords.get("_ALPHATEST_ON"):
        mode = "MASK"
    if not keywords:
        mode = _BLEND_MODES.get(int(said.float_properties.get("_BlendMode", 0)), "OPAQUE")
    if shader != "VRM/MToon":
        mode = _TRANSPARENT.get(shader, "OPAQUE")
    return msgspec.structs.replace(
        entry,
        metallic=schema.Metallic(factor=_linear(said.vector_properties.get("_Color")), texture=slots.get("_MainTex")),
        alpha_mode=mode,
        alpha_cutoff=said.float_properties.get("_Cutoff", 0.5),
        emissive_factor=_linear(said.vector_properties.get("_EmissionColor", (0.0, 0.0, 0.0)))[:3],
        emissive_texture=slots.get("_EmissionMap"),
        extensions=schema.Extensions(unlit={}),
    )


def _ungamma(entry: schema.Material, vrm: schema.Vrm) -> schema.Material:
    version = re.match(r"(?:UniVRM-)?(\d+)\.(\d+)", str(vrm.exporter_version or ""))
    if version is None or (int(version[1]), int(version[2])) >= _GAMMA_UNTIL:
        return entry
    if entry.metallic is None or entry.metallic.factor is None:
        return entry
    metallic = msgspec.structs.replace(entry.metallic, factor=_linear(entry.metallic.factor))
    return msgspec.structs.replace(entry, metallic=metallic)


def _linear(colour: tuple[float, ...] | None) -> schema.Four:
    """A colour in gamma, of which as much is stated as there is, as linear RGB with its opacity as it is."""
    r, g, b, a = (*(colour or ()), 1.0, 1.0, 1.0, 1.0)[:4]
    red, green, blue = srgb_to_linear(np.array([r, g, b])).tolist()
    return red, green, blue, a
