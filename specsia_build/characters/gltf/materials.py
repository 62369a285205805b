"""Materials and textures of a glTF file as the project's `Material`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.document import Document, is_data
from specsia_build.characters.gltf.extensions import UvTransform
from specsia_build.characters.gltf.vrm import CULL_FRONT, CULL_NOTHING, vrm0_material
from specsia_build.characters.images import as_texture, load_texture
from specsia_build.errors import CharacterError
from specsia_build.rendering.mesh import AlphaMode, Material, Texture, Wrap

WRAPS: dict[int, Wrap] = {10497: "repeat", 33071: "clamp", 33648: "mirror"}
NEAREST = 9728
GLASS = 0.2
"""Opacity of what lets all light through: its colour and gloss are seen, and what is behind it more so."""

ALPHA_MODES: dict[str, AlphaMode] = {"OPAQUE": "opaque", "MASK": "mask", "BLEND": "blend"}


@dataclass(frozen=True)
class GltfMaterial:
    """A material and the place of its textures on the UV.

    Attributes:
        material: with the alpha mode as the file says it.
        placement: where its textures are looked up; None if it has none.
        inside_out: whether its faces are shown from behind only, so that their backs are to become their fronts.
    """

    material: Material
    placement: UvTransform | None
    inside_out: bool = False


@dataclass(frozen=True)
class Materials:
    """The materials of one file, each made once, with their images shared.

    Attributes:
        document: the file.
        fallback: image for materials without a base-colour texture, or None.
        warnings: sentences about what was left out, each once.
    """

    document: Document
    fallback: Path | None
    warnings: dict[str, None]
    _pixels: dict[str | int, NDArray[np.uint8] | None] = field(default_factory=dict)
    _textures: dict[tuple[int | Path, int | None], Texture | None] = field(default_factory=dict)
    _built: dict[int | None, GltfMaterial] = field(default_factory=dict)
    _variants: dict[tuple[int | None, bool, bool], Material] = field(default_factory=dict)

    def built(self, index: int | None) -> GltfMaterial:
        """A material by its index; None, and what is damaged, is the default one."""
        if index not in self._built:
            try:
                entry = self._default() if index is None else self.document.entry(schema.Material, index)
            except CharacterError as error:
                self.warnings[f"{error}; the default material was taken in its stead"] = None
                entry = schema.Material()
            self._built[index] = self._read(entry, index)
        return self._built[index]

    def _default(self) -> schema.Material:
        """What has no material: white and single-sided in glTF, grey from both sides in Blender."""
        grey = schema.Metallic(factor=(0.8, 0.8, 0.8, 1.0))
        return schema.Material(metallic=grey, double_sided=True) if self.document.is_export else schema.Material()

    def variant(self, index: int | None, textured: bool, opaque_corners: bool) -> Material:
        """The material as one primitive shows it: the same object for the same question.

        Args:
            index: of the material, or None.
            textured: whether the primitive has the UVs that the textures need.
            opaque_corners: whether all its vertex colours have opacity 1.
        """
        material = self.built(index).material
        bare = not textured and (material.texture is not None or material.emissive_texture is not None)
        if bare:
            material = replace(material, texture=None, emissive_texture=None)
        solid = opaque_corners and material.alpha_mode != "opaque" and _shows_everything(material)
        key = (index, bare, solid)
        if key not in self._variants:
            self._variants[key] = replace(material, alpha_mode="opaque") if solid else material
        return self._variants[key]

    def _read(self, entry: schema.Material, index: int | None) -> GltfMaterial:
        entry, culled, toon, told = vrm0_material(self.document, index, entry)
        self.warnings.update(dict.fromkeys(told))
        extensions = entry.extensions or schema.Extensions()
        metallic = entry.metallic or schema.Metallic()
        base = extensions.glossy or metallic
        texture, placement = self._slot(base.texture)
        if texture is None and self.fallback is not None:
            texture, placement = self._fallback_texture(self.fallback), UvTransform()
            if self.document.is_export and texture is not None:
                base = schema.Metallic(factor=(1.0, 1.0, 1.0, (base.factor or (1.0,))[-1]))
        unlit = extensions.unlit is not None
        glow, glow_texture = (0.0, 0.0, 0.0) if unlit and not toon else _emissive_factor(entry, extensions.glow), None
        if any(glow):
            glow_texture, glow_placement = self._slot(entry.emissive_texture)
            if entry.emissive_texture is not None and glow_texture is None:
                # The factor alone would make the whole surface glow where the lost image lit a few texels.
                glow = (0.0, 0.0, 0.0)
            if glow_texture is not None and texture is not None and glow_placement != placement:
                self.warnings[
                    f"{self.document.name}: materials[{index}]: the emissive texture lies on other UVs than the base "
                    "colour's; the base colour's were used for both"
                ] = None
            placement = glow_placement if texture is None else placement
        r, g, b, a = base.factor or (1.0, 1.0, 1.0, 1.0)
        material = Material(
            name=entry.name or "",
            base_color=(_unit(r), _unit(g), _unit(b), _unit(a)),
            texture=texture,
            emissive=glow,
            emissive_texture=glow_texture,
            alpha_mode=ALPHA_MODES.get((entry.alpha_mode or "OPAQUE").upper(), "opaque"),
            alpha_cutoff=max(0.0, _or(entry.alpha_cutoff, 0.5)),
            unlit=unlit,
            double_sided=entry.double_sided is True if culled is None else culled == CULL_NOTHING,
        )
        material = self._as_glass(material, extensions.transmission or schema.Transmission(), index)
        placed = None if texture is None and glow_texture is None else placement
        return GltfMaterial(material, placed, inside_out=culled == CULL_FRONT)

    def _as_glass(self, material: Material, said: schema.Transmission, index: int | None) -> Material:
        """The material as see-through as its transmission makes it: a cornea of glass is not to hide the eye."""
        factor = _unit(_or(said.factor, 0.0))
        if factor == 0.0 or material.alpha_mode == "mask":
            return material
        if said.texture is not None:
            self.warnings[
                f"{self.document.name}: materials[{index}] ('{material.name}') lets light through where an image says "
                "so, which is not shown"
            ] = None
            return material
        texture = material.texture
        if texture is not None and material.alpha_mode == "opaque":
            pixels = texture.pixels.copy()
            pixels[..., 3] = 255
            texture = replace(texture, pixels=pixels)
        r, g, b, a = material.base_color
        kept = (1.0 if material.alpha_mode == "opaque" else a) * (1.0 - (1.0 - GLASS) * factor)
        return replace(material, texture=texture, base_color=(r, g, b, kept), alpha_mode="blend")

    def _slot(self, slot: schema.Slot | None) -> tuple[Texture | None, UvTransform | None]:
        """The texture of a material's slot, None where slot or image is missing, and where it is looked up."""
        if slot is None:
            return None, None
        moved = (slot.extensions or schema.Extensions()).transform or schema.TextureTransform()
        uv_set = slot.tex_coord or 0 if moved.tex_coord is None else moved.tex_coord
        placement = UvTransform(uv_set, moved.offset or (0.0, 0.0), moved.rotation or 0.0, moved.scale or (1.0, 1.0))
        try:
            return self._texture(slot.index), placement
        except CharacterError as error:
            self.warnings[f"{error}; the texture was left out"] = None
            return None, placement

    def _texture(self, index: int) -> Texture | None:
        entry = self.document.entry(schema.Texture, index)
        others, none = entry.extensions or schema.Extensions(), schema.OtherSource()
        offered = (others.webp or none).source, entry.source, (others.basisu or none).source
        images = [image for image in offered if image is not None]
        if not images:
            raise CharacterError(f"{self.document.name}: textures[{index}] has no PNG, JPEG, WebP or KTX2 image")
        # Where one is damaged the next stands in, as it does for readers that do not know the one's format.
        found = (self._sampled(image, entry.sampler) for image in images)
        return next((texture for texture in found if texture is not None), None)

    def _sampled(self, image: int, sampler: int | None) -> Texture | None:
        """An image under a sampler; None, with a warning, where it cannot be had."""
        key = (image, sampler)
        if key not in self._textures:
            entry = schema.Sampler()
            try:
                entry = schema.Sampler() if sampler is None else self.document.entry(schema.Sampler, sampler)
            except CharacterError as error:
                self.warnings[f"{error}; its texture is repeated"] = None
            wrap = WRAPS.get(entry.wrap_s or 0, "repeat"), WRAPS.get(entry.wrap_t or 0, "repeat")
            pixels = self._pixels_of(image)
            nearest = entry.mag_filter == NEAREST
            self._textures[key] = None if pixels is None else as_texture(pixels, wrap, nearest=nearest)
        return self._textures[key]

    def _pixels_of(self, image: int) -> NDArray[np.uint8] | None:
        """The pixels of an image; None, with a warning, where they cannot be had."""
        try:
            entry = self.document.entry(schema.Image, image)
            place = entry.uri or entry.buffer_view
            if place is None:
                raise self.document.error(schema.Image, image, "names no data")
            if place not in self._pixels:
                self._pixels[place] = None
                self._pixels[place] = self._decoded(place, image)
            return self._pixels[place]
        except CharacterError as error:
            self.warnings[f"{error}; it was left out"] = None
            return None

    def _decoded(self, place: str | int, image: int) -> NDArray[np.uint8]:
        """The pixels at a URI or in a buffer view."""
        document = self.document
        if isinstance(place, int) or is_data(place):
            data = document.uri_bytes(place) if isinstance(place, str) else bytes(document.view_bytes(place))
            return load_texture(data, f"texture images[{image}] of {document.name}")
        path, as_stated = document.image_file(place)
        name = f"texture '{place}' of {document.name}"
        if path is None:
            raise CharacterError(f"{name} is not there")
        if not as_stated:
            found = Path(os.path.relpath(path, document.within)).as_posix()
            self.warnings[f"{name} is not there: {found} was taken in its stead"] = None
        return load_texture(path, name, document.within)

    def _fallback_texture(self, path: Path) -> Texture | None:
        key = (path, None)
        if key not in self._textures:
            self._textures[key] = None
            self.document.files.note(path)
            try:
                name = f"texture '{path.name}' of {self.document.name}"
                self._textures[key] = as_texture(load_texture(path, name, self.document.within))
            except CharacterError as error:
                self.warnings[f"{error}; it was left out"] = None
        return self._textures[key]


def _emissive_factor(entry: schema.Material, boost: schema.EmissiveStrength | None) -> tuple[float, float, float]:
    strength = 1.0 if boost is None else _or(boost.emissive_strength, 1.0)
    r, g, b = entry.emissive_factor or (0.0, 0.0, 0.0)
    return _unit(r * strength), _unit(g * strength), _unit(b * strength)


def _shows_everything(material: Material) -> bool:
    """Whether no factor and no texel makes any of it see-through."""
    if material.base_color[3] < 1.0 or (material.alpha_mode == "mask" and material.alpha_cutoff > 1.0):
        return False
    return material.texture is None or bool((material.texture.pixels[..., 3] == 255).all())


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
