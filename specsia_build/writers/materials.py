"""Materials and textures of meshes as those of glTF."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from specsia_build import png
from specsia_build.arrays import Doubles, Pixels
from specsia_build.files.glb import GlbWriter
from specsia_build.rendering.colour import linear_to_srgb, srgb_to_linear
from specsia_build.rendering.mesh import Material, Texture

UNLIT = "KHR_materials_unlit"

_WRAPS = {"repeat": 10497, "clamp": 33071, "mirror": 33648}
_NEAREST, _LINEAR = 9728, 9729  # Filters of samplers
_SMOOTH = 9987  # Filter for images that are made smaller: between coarser copies of them


@dataclass(frozen=True, eq=False)
class GltfMaterials:
    """Adds materials to a GLB, which are lit or show their colours as they are, and textures once each."""

    glb: GlbWriter
    lit: bool
    _textures: dict[tuple[int, bool], int] = field(default_factory=dict)

    def add(self, material: Material, *, coloured: bool) -> int:
        """Add a material, of faces with vertex colours if they are `coloured`; returns its index.

        An unlit material of glTF emits no light, so that light is added to its colour; where vertex colours
        would dim it, the material is lit.
        """
        unlit = not self.lit and not (coloured and any(material.emissive))
        if unlit:
            material = with_light(material)
        is_opaque = material.alpha_mode == "opaque"
        pbr: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 1.0}
        if material.base_color != (1.0, 1.0, 1.0, 1.0):
            pbr["baseColorFactor"] = list(material.base_color)
        if material.texture is not None:
            pbr["baseColorTexture"] = self._texture(material.texture, opaque=is_opaque)
        glow: dict[str, Any] = {"emissiveFactor": list(material.emissive) if any(material.emissive) else None}
        if glow["emissiveFactor"] is not None and material.emissive_texture is not None:
            glow["emissiveTexture"] = self._texture(material.emissive_texture, opaque=True)
        return self.glb.add(
            "materials",
            name=material.name or None,
            pbrMetallicRoughness=pbr,
            alphaMode=None if is_opaque else material.alpha_mode.upper(),
            alphaCutoff=material.alpha_cutoff if material.alpha_mode == "mask" else None,
            doubleSided=True if material.double_sided else None,
            extensions={UNLIT: {}} if unlit else None,
            **glow,
        )

    def _texture(self, texture: Texture, *, opaque: bool) -> dict[str, int]:
        """Refer to a texture, which is added once, without its alpha where that is ignored."""
        key = (id(texture), opaque)
        if key not in self._textures:
            pixels = texture.pixels[..., :3] if opaque else texture.pixels
            view = self.glb.view(png.encode(np.ascontiguousarray(pixels)))
            sampler = self.glb.add(
                "samplers",
                magFilter=_NEAREST if texture.nearest else _LINEAR,
                minFilter=_NEAREST if texture.nearest else _SMOOTH,
                wrapS=_WRAPS[texture.wrap[0]],
                wrapT=_WRAPS[texture.wrap[1]],
            )
            image = self.glb.add("images", bufferView=view, mimeType="image/png")
            self._textures[key] = self.glb.add("textures", source=image, sampler=sampler)
        return {"index": self._textures[key]}


def with_light(material: Material) -> Material:
    """The material with the light that it emits added to its base colour and texture."""
    if not any(material.emissive):
        return material
    textures = [t for t in (material.texture, material.emissive_texture) if t is not None]
    dark = replace(material, emissive=(0.0, 0.0, 0.0), emissive_texture=None)
    red, green, blue, alpha = material.base_color
    if not textures:
        lit = np.clip(np.array([red, green, blue]) + material.emissive, 0.0, 1.0).tolist()
        return replace(dark, base_color=(lit[0], lit[1], lit[2], alpha))
    height, width = np.max([texture.pixels.shape[:2] for texture in textures], axis=0).tolist()
    light = _linear(material.texture, height, width) * (red, green, blue)
    light += _linear(material.emissive_texture, height, width) * material.emissive
    pixels = np.full((height, width, 4), 255, np.uint8)
    pixels[..., :3] = np.rint(255 * linear_to_srgb(light))
    if material.texture is not None:
        pixels[..., 3] = _resized(material.texture.pixels, height, width)[..., 3]
    return replace(dark, base_color=(1.0, 1.0, 1.0, alpha), texture=replace(textures[0], pixels=pixels))


def _linear(texture: Texture | None, height: int, width: int) -> Doubles:
    """Linear light (height, width, 3) of a texture; white without one."""
    if texture is None:
        return np.ones((height, width, 3))
    return srgb_to_linear(_resized(texture.pixels, height, width)[..., :3] / 255)


def _resized(pixels: Pixels, height: int, width: int) -> Pixels:
    """Repeat pixels (h, w, 4) to another size."""
    rows = np.arange(height) * len(pixels) // height
    columns = np.arange(width) * pixels.shape[1] // width
    return np.asarray(pixels[rows[:, None], columns], np.uint8)
