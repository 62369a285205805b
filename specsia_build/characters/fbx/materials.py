"""Materials and textures of ufbx as those of glTF."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
import ufbx

from specsia_build.characters.fbx.scene import each, properties
from specsia_build.files.glb import GlbWriter

_DEFAULT_GREY = 0.8  # What exporters write where a material has no colour
_ALMOST = 1e-3
_CLAMPED = 33071  # Wrap of glTF

_CLASSIC = (ufbx.ShaderType.UNKNOWN, ufbx.ShaderType.FBX_LAMBERT, ufbx.ShaderType.FBX_PHONG)
"""Shaders whose colour is `DiffuseColor` and whose opacity is stated in one of three ways."""


class MaterialWriter:
    """Adds materials to a GLB, each once for each choice of UVs."""

    def __init__(self, glb: GlbWriter) -> None:
        self._glb = glb
        self._built: dict[tuple[int, int, int, int], int] = {}
        self._images: dict[Any, int] = {}

    def shows_colours(self, material: Any) -> bool:
        """Whether vertex colours count: where there is no material, or its colour is white or grey.

        Exporters cannot say that they are meant. Textures replace them where they can be read.
        """
        if material is None:
            return True
        own = np.array(_base(material)[0])
        return bool(np.allclose(own, _DEFAULT_GREY, atol=_ALMOST) or own.min() > 1.0 - _ALMOST)

    def add(self, material: Any, uv_names: Sequence[str]) -> int:
        """Add a material for a mesh with UV sets of these names; returns its index."""
        colour, base = _base(material)
        opacity, cutout = _opacity(material)
        emission, glow = _emission(material)
        if base is not None and cutout is not None and cutout.filename == base.filename:
            # Its alpha counts anyway, and its luminance is none.
            cutout = None
        own = [_uv_set(texture, uv_names) for texture in (base, cutout, glow)]
        key = (material.typed_id, *own)
        if key not in self._built:
            info = [self._texture(*pair) for pair in zip((base, cutout, glow), own, strict=True)]
            pbr = {"baseColorFactor": [*colour, opacity], "baseColorTexture": info[0]}
            self._built[key] = self._glb.add(
                "materials",
                name=material.name,
                pbrMetallicRoughness={name: value for name, value in pbr.items() if value is not None},
                emissiveFactor=emission,
                emissiveTexture=info[2],
                alphaMode="BLEND" if opacity < 1.0 or base or cutout else "OPAQUE",
                doubleSided=True,
                extensions={"SPECSIA_material": {"opacityTexture": info[1]} if info[1] else {}},
            )
        return self._built[key]

    def _texture(self, texture: Any, uv_set: int) -> dict[str, Any] | None:
        """A reference to a texture, which is added; None without one."""
        if texture is None:
            return None
        image = self._image(texture)
        wraps = [_CLAMPED if int(wrap) == 1 else None for wrap in (texture.wrap_u, texture.wrap_v)]
        sampler = self._glb.add("samplers", wrapS=wraps[0], wrapT=wraps[1])
        index = self._glb.add("textures", source=image, sampler=sampler)
        info: dict[str, Any] = {"index": index, "texCoord": uv_set}
        if texture.has_uv_transform:
            info["extensions"] = {"KHR_texture_transform": _placement(texture.uv_to_texture)}
        return info

    def _image(self, texture: Any) -> int:
        """The image of a texture, which is added once: what is embedded, or else a file's name."""
        content = texture.content
        names = (texture.relative_filename, texture.filename, texture.absolute_filename, texture.name)
        name = next(filter(None, names), "")
        key = content or name
        if key not in self._images:
            place = {"bufferView": self._glb.view(content)} if content else {"uri": quote(name)}
            self._images[key] = self._glb.add("images", name=name, **place)
        return self._images[key]


def _base(material: Any) -> tuple[list[float], Any]:
    """Linear base colour (3) of a material and its texture, which replaces it."""
    if material.shader_type in _CLASSIC:
        stated = material.fbx.diffuse_color
        return _colour(stated, 1.0), _file_of(stated)
    stated, factor = material.pbr.base_color, material.pbr.base_factor
    share = factor.value_vec4.x if factor.has_value else 1.0
    return [_unit(value * share) for value in _colour(stated, 1.0)], _file_of(stated)


def _opacity(material: Any) -> tuple[float, Any]:
    """Opacity of a material, and the texture that holds it.

    Of the three ways to state it, each exporter means another, as Unity and Blender found. Exporters write 0
    beside opaque surfaces, so 0 counts as 1.
    """
    if material.shader_type in _CLASSIC:
        factor, colour = material.fbx.transparency_factor, material.fbx.transparency_color
        opacity = 1.0 - factor.value_vec4.x
        if opacity in (0.0, 1.0):
            own = [prop for prop in properties(material) if prop.name == "Opacity"]
            opacity = own[0].value_vec4.x if own else 1.0 - _colour(colour, 0.0)[0]
        texture = _file_of(colour) or _file_of(factor)
    else:
        stated = material.pbr.opacity
        opacity, texture = _colour(stated, 1.0)[0], _file_of(stated)
    return _unit(opacity) or 1.0, texture


def _emission(material: Any) -> tuple[list[float], Any]:
    """Light (3) that a material emits, and its texture, which replaces its colour."""
    maps = material.fbx if material.shader_type in _CLASSIC else material.pbr
    factor, stated = maps.emission_factor, maps.emission_color
    share = factor.value_vec4.x if factor.has_value else 1.0
    texture = _file_of(stated)
    colour = [1.0] * 3 if texture is not None else _colour(stated, 0.0)
    return [max(0.0, value * share) for value in colour], texture


def _colour(stated: Any, default: float) -> list[float]:
    """Three values of a map, `default` where it has none; one value counts thrice."""
    if not stated.has_value:
        return [default] * 3
    values = list(stated.value_vec4)[:3]
    values = [values[0]] * 3 if stated.value_components == 1 else values
    return [value if np.isfinite(value) else default for value in values]


def _file_of(stated: Any) -> Any:
    """The first texture of a map, among its layers and shaders, that is a file; None without one."""
    texture = stated.texture
    if texture is None or not stated.texture_enabled:
        return None
    if int(texture.type) != int(ufbx.TextureType.FILE):
        return next(iter(each(texture.file_textures)), None)
    return texture


def _uv_set(texture: Any, uv_names: Sequence[str]) -> int:
    """The number of the UV set that a texture names; the first where the mesh lacks it."""
    name = texture.uv_set if texture is not None else ""
    return uv_names.index(name) if name in uv_names else 0


def _placement(stored: Any) -> dict[str, Any]:
    """KHR_texture_transform of the matrix from UVs to a texture, both with v up, and its skew.

    A texture that is turned and scaled unevenly is skewed, since the inverse of both scales last.
    """
    (a, c, _), (b, d, _), _, (x, y, _) = stored
    angle = float(np.arctan2(c, a))
    height = d * np.cos(angle) - b * np.sin(angle)
    skew = -b * np.cos(angle) - d * np.sin(angle)
    return {
        "offset": [b + x, 1.0 - d - y],
        "rotation": angle,
        "scale": [float(np.hypot(a, c)), float(height)],
        "SPECSIA_skew": float(skew),
    }


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))
