"""Materials and textures of a glTF file as the project's `Material`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.gltf.document import Document
from specsia_build.characters.gltf.fields import Fields
from specsia_build.characters.images import as_texture, load_texture
from specsia_build.errors import CharacterError
from specsia_build.rendering.mesh import AlphaMode, Material, Texture, Wrap

WRAPS: dict[int, Wrap] = {10497: "repeat", 33071: "clamp", 33648: "mirror"}
NEAREST = 9728
ALPHA_MODES: dict[str, AlphaMode] = {"OPAQUE": "opaque", "MASK": "mask", "BLEND": "blend"}


@dataclass(frozen=True)
class UvTransform:
    """Where a texture is looked up.

    Attributes:
        uv_set: n of ``TEXCOORD_n``.
        offset, rotation, scale: of KHR_texture_transform; radians.
    """

    uv_set: int = 0
    offset: tuple[float, float] = (0.0, 0.0)
    rotation: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)

    def apply(self, uv: NDArray[np.float32]) -> NDArray[np.float32]:
        """The UVs (..., 2) that the image is sampled at: scaled, turned, then moved.

        A positive rotation takes +v to +u. That is how the extension's worked example and Blender have it; the
        shader printed in its text turns the other way.
        """
        if (self.offset, self.rotation, self.scale) == ((0.0, 0.0), 0.0, (1.0, 1.0)):
            return uv
        c, s = np.cos(self.rotation), np.sin(self.rotation)
        matrix = np.array([[c, s], [-s, c]]) * np.array(self.scale)
        moved: NDArray[np.float64] = uv @ matrix.T + np.array(self.offset)
        return moved.astype(np.float32)


@dataclass(frozen=True)
class Surface:
    """A material and where its textures are looked up.

    Attributes:
        material: with the alpha mode as the file says it.
        lookup: for its textures; None if it has none.
    """

    material: Material
    lookup: UvTransform | None


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
    _pixels: dict[str | int | None, NDArray[np.uint8] | None] = field(default_factory=dict)
    _textures: dict[tuple[int | Path, int | None], Texture | None] = field(default_factory=dict)
    _surfaces: dict[int | None, Surface] = field(default_factory=dict)
    _variants: dict[tuple[int | None, bool, bool], Material] = field(default_factory=dict)

    def surface(self, index: int | None) -> Surface:
        """A material by its index; None is the default one.

        Raises:
            CharacterError: if it is damaged.
        """
        if index not in self._surfaces:
            entry = Fields({}, "") if index is None else self.document.root.item("materials", index)
            self._surfaces[index] = self._read(entry)
        return self._surfaces[index]

    def variant(self, index: int | None, textured: bool, opaque_corners: bool) -> Material:
        """The material as one primitive shows it: the same object for the same question.

        Args:
            index: of the material, or None.
            textured: whether the primitive has the UVs that the textures need.
            opaque_corners: whether all its vertex colours have opacity 1.
        """
        material = self.surface(index).material
        bare = not textured and (material.texture is not None or material.emissive_texture is not None)
        if bare:
            material = replace(material, texture=None, emissive_texture=None)
        solid = opaque_corners and material.alpha_mode != "opaque" and _shows_everything(material)
        key = (index, bare, solid)
        if key not in self._variants:
            self._variants[key] = replace(material, alpha_mode="opaque") if solid else material
        return self._variants[key]

    def _read(self, entry: Fields) -> Surface:
        metallic, glossy = entry.child("pbrMetallicRoughness"), entry.extension("KHR_materials_pbrSpecularGlossiness")
        base = glossy or metallic or Fields({}, entry.place)
        factor, image = ("diffuseFactor", "diffuseTexture") if glossy else ("baseColorFactor", "baseColorTexture")
        texture, lookup = self._slot(base.child(image))
        if texture is None and self.fallback is not None:
            texture, lookup = self._fallback_texture(self.fallback), UvTransform()
        unlit = entry.extension("KHR_materials_unlit") is not None
        glow, glow_texture = (0.0, 0.0, 0.0) if unlit else _emissive_factor(entry), None
        if any(glow):
            glow_slot = entry.child("emissiveTexture")
            glow_texture, glow_lookup = self._slot(glow_slot)
            if glow_slot is not None and glow_texture is None:
                # The factor alone would make the whole surface glow where the lost image lit a few texels.
                glow = (0.0, 0.0, 0.0)
            if glow_texture is not None and texture is not None and glow_lookup != lookup:
                self.warnings[
                    f"{entry.place}: the emissive texture lies on other UVs than the base colour's; the base colour's "
                    "were used for both"
                ] = None
            lookup = glow_lookup if texture is None else lookup
        r, g, b, a = base.numbers(factor, (1.0, 1.0, 1.0, 1.0))
        material = Material(
            name=entry.text("name"),
            base_color=(_unit(r), _unit(g), _unit(b), _unit(a)),
            texture=texture,
            emissive=glow,
            emissive_texture=glow_texture,
            alpha_mode=ALPHA_MODES.get(entry.text("alphaMode", "OPAQUE"), "opaque"),
            alpha_cutoff=max(0.0, entry.number("alphaCutoff", 0.5)),
            unlit=unlit,
        )
        return Surface(material, None if texture is None and glow_texture is None else lookup)

    def _slot(self, slot: Fields | None) -> tuple[Texture | None, UvTransform | None]:
        """The texture of a material's slot, None where slot or image is missing, and where it is looked up."""
        if slot is None:
            return None, None
        transform = slot.extension("KHR_texture_transform")
        lookup = UvTransform(slot.integer("texCoord", 0))
        if transform is not None:
            lookup = UvTransform(
                transform.integer("texCoord", lookup.uv_set),
                transform.pair("offset", (0.0, 0.0)),
                transform.number("rotation", 0.0),
                transform.pair("scale", (1.0, 1.0)),
            )
        return self._texture(self.document.root.item("textures", slot.integer("index"))), lookup

    def _texture(self, entry: Fields) -> Texture | None:
        source = _source(entry)
        if source is None:
            self.warnings[f"{entry.place} has no image of a kind that can be read; it was left out"] = None
            return None
        sampler = entry.optional_integer("sampler")
        if (source, sampler) not in self._textures:
            pixels = self._image(source)
            self._textures[source, sampler] = None if pixels is None else self._sampled(pixels, sampler)
        return self._textures[source, sampler]

    def _sampled(self, pixels: NDArray[np.uint8], sampler: int | None) -> Texture:
        entry = Fields({}, "") if sampler is None else self.document.root.item("samplers", sampler)
        wrap = (WRAPS.get(entry.integer("wrapS", 10497), "repeat"), WRAPS.get(entry.integer("wrapT", 10497), "repeat"))
        return as_texture(pixels, wrap, nearest=entry.optional_integer("magFilter") == NEAREST)

    def _image(self, index: int) -> NDArray[np.uint8] | None:
        entry = self.document.root.item("images", index)
        uri, view = entry.text("uri"), entry.optional_integer("bufferView")
        key = uri or view
        if key not in self._pixels:
            label = f"'{uri}'" if uri and uri[:5].lower() != "data:" else f"images[{index}]"
            self._pixels[key] = self._decoded(entry, uri, view, label)
        return self._pixels[key]

    def _decoded(self, entry: Fields, uri: str, view: int | None, label: str) -> NDArray[np.uint8] | None:
        if not uri and view is None:
            raise entry.error("names no data")
        try:
            data = self.document.uri_bytes(uri) if uri else bytes(self.document.view_bytes(view or 0))
        except OSError as error:
            why = "is not there" if isinstance(error, FileNotFoundError) else f"cannot be read ({error})"
            self._left_out(label, why)
            return None
        return self._pixels_of(data, label)

    def _pixels_of(self, data: bytes | Path, label: str) -> NDArray[np.uint8] | None:
        try:
            return load_texture(data, f"texture {label} of {self.document.name}", self.document.within)
        except CharacterError as error:
            self.warnings[f"{error}; it was left out"] = None
            return None

    def _left_out(self, label: str, problem: str) -> None:
        self.warnings[f"texture {label} of {self.document.name} {problem}; it was left out"] = None

    def _fallback_texture(self, path: Path) -> Texture | None:
        if (path, None) not in self._textures:
            self.document.touched[path] = None
            pixels = self._pixels_of(path, f"'{path.name}'")
            self._textures[path, None] = None if pixels is None else as_texture(pixels)
        return self._textures[path, None]


def _source(texture: Fields) -> int | None:
    webp = texture.extension("EXT_texture_webp")
    preferred = None if webp is None else webp.optional_integer("source")
    return texture.optional_integer("source") if preferred is None else preferred


def _emissive_factor(entry: Fields) -> tuple[float, float, float]:
    boost = entry.extension("KHR_materials_emissive_strength")
    strength = 1.0 if boost is None else boost.number("emissiveStrength", 1.0)
    r, g, b = entry.numbers("emissiveFactor", (0.0, 0.0, 0.0))
    return _unit(r * strength), _unit(g * strength), _unit(b * strength)


def _shows_everything(material: Material) -> bool:
    """Whether no factor and no texel makes any of it see-through."""
    if material.base_color[3] < 1.0 or (material.alpha_mode == "mask" and material.alpha_cutoff > 1.0):
        return False
    return material.texture is None or bool((material.texture.pixels[..., 3] == 255).all())


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))
