"""VRM extensions of a glTF file: humanoid bones, and the materials of VRM 0.x."""

from __future__ import annotations

import re

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

_UNLIT_MODES = {"VRM/UnlitTransparent": "BLEND", "VRM/UnlitTransparentZWrite": "BLEND", "VRM/UnlitCutout": "MASK"}
_BLEND_MODES = {0: "OPAQUE", 1: "MASK", 2: "BLEND", 3: "BLEND"}
"""MToon's ``_BlendMode``."""

_GAMMA_UNTIL = (0, 54)
"""UniVRM before 0.54 wrote ``baseColorFactor`` in gamma (UniVRM's `MigrationFlags.IsBaseColorFactorGamma`)."""


def is_vrm0(document: Document) -> bool:
    """Whether a file is a character of VRM 0.x."""
    return document.extensions.vrm is not None and document.extensions.vrmc_vrm is None


def read_humanoid(document: Document, number: NDArray[np.int32]) -> dict[str, int]:
    """Index in the skeleton of each humanoid bone that VRM 0.x, VRM 1.0 or a VRM animation names.

    Args:
        document: the file; one that is no VRM has no bones.
        number: (N,) each node's index in the skeleton.
    """
    extensions = document.extensions
    vrm = extensions.vrmc_vrm or extensions.vrmc_vrm_animation or extensions.vrm or schema.Vrm()
    try:
        bones = msgspec.convert(vrm.humanoid or {}, schema.Humanoid).human_bones or {}
    except msgspec.ValidationError as error:
        document.warn(f"{document.name}: its humanoid is damaged ({error}); it was left out")
        return {}
    if isinstance(bones, tuple):
        bones = {bone.bone: bone for bone in bones if bone.bone}
    missing = [name for name, bone in bones.items() if not 0 <= bone.node < len(number)]
    if missing:
        document.warn(f"{document.name}: humanoid bones of nodes that do not exist were left out: {some(missing)}")
    return {name: int(number[bone.node]) for name, bone in bones.items() if name not in missing}


def vrm0_material(document: Document, index: int | None, entry: schema.Material) -> tuple[schema.Material, bool, bool]:
    """Replace a material's values by the ``materialProperties`` of VRM 0.x.

    As in UniVRM and three-vrm, colour, texture, texture transform, cut-out and blending of MToon and of VRM's unlit
    shaders come from there, with colours in gamma; glTF's own values are a fallback for other programs.

    Args:
        document: the file; if it is no VRM 0.x, the material stays as it is.
        index: of the material, None for the default one.
        entry: as glTF stores it.

    Returns:
        The material; whether it is MToon, which emits light although exporters call it unlit; and whether its faces
        are visible from behind only.
    """
    vrm = document.extensions.vrm if is_vrm0(document) else None
    if vrm is None or index is None:
        return entry, False, False
    listed = vrm.material_properties if isinstance(vrm.material_properties, list) else []
    stated = schema.VrmMaterial()
    try:
        if index < len(listed):
            stated = msgspec.convert(listed[index], schema.VrmMaterial)
    except msgspec.ValidationError as error:
        document.warn(f"{document.name}: materialProperties[{index}] of VRM is damaged ({error}); glTF's was used")
    shader = stated.shader or ""
    cull = None if shader == GLTF_SHADER else stated.float_properties.get("_CullMode")
    if cull is not None:
        entry = msgspec.structs.replace(entry, double_sided=int(cull) == CULL_NOTHING)
    if shader == "VRM/MToon" or shader.startswith("VRM/Unlit"):
        entry = _from_unity(entry, stated, shader)
    elif _is_gamma(vrm) and entry.pbr is not None and entry.pbr.factor is not None:
        linear = msgspec.structs.replace(entry.pbr, factor=_to_linear(entry.pbr.factor))
        entry = msgspec.structs.replace(entry, pbr=linear)
    return entry, shader == "VRM/MToon", cull == CULL_FRONT


def _from_unity(entry: schema.Material, stated: schema.VrmMaterial, shader: str) -> schema.Material:
    main = stated.vector_properties.get("_MainTex", ())
    u, v, width, height = (*main, *(0.0, 0.0, 1.0, 1.0)[len(main) :])[:4]
    # Unity counts v from below.
    transform = schema.TextureTransform(offset=(u, 1.0 - height - v), scale=(width, height))
    extensions = schema.Extensions(transform=transform)
    textures = {
        name: schema.TextureInfo(index=index, extensions=extensions)
        for name, index in stated.texture_properties.items()
    }
    keywords = stated.keyword_map
    if shader != "VRM/MToon":
        mode = _UNLIT_MODES.get(shader, "OPAQUE")
    elif not keywords:
        mode = _BLEND_MODES.get(int(stated.float_properties.get("_BlendMode", 0)), "OPAQUE")
    elif keywords.get("_ALPHABLEND_ON") or keywords.get("_ALPHAPREMULTIPLY_ON"):
        mode = "BLEND"
    else:
        mode = "MASK" if keywords.get("_ALPHATEST_ON") else "OPAQUE"
    color = _to_linear(stated.vector_properties.get("_Color", ()))
    return msgspec.structs.replace(
        entry,
        pbr=schema.BaseColor(factor=color, texture=textures.get("_MainTex")),
        alpha_mode=mode,
        alpha_cutoff=stated.float_properties.get("_Cutoff", 0.5),
        emissive_factor=_to_linear(stated.vector_properties.get("_EmissionColor", (0.0, 0.0, 0.0)))[:3],
        emissive_texture=textures.get("_EmissionMap"),
        extensions=schema.Extensions(unlit={}),
    )


def _is_gamma(vrm: schema.Vrm) -> bool:
    """Return whether the exporter wrote colours in gamma."""
    version = re.match(r"(?:UniVRM-)?(\d+)\.(\d+)", str(vrm.exporter_version or ""))
    return version is not None and (int(version[1]), int(version[2])) < _GAMMA_UNTIL


def _to_linear(color: tuple[float, ...]) -> schema.Four:
    """A colour in gamma, of up to four values, as linear RGB and opacity."""
    r, g, b, a = (*color, 1.0, 1.0, 1.0, 1.0)[:4]
    red, green, blue = srgb_to_linear(np.array([r, g, b])).tolist()
    return red, green, blue, a
