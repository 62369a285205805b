"""Materials and textures of a glTF file, and of VRM 0.x, as the project's `Material`."""

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import msgspec
import numpy as np

from specsia_build.arrays import Doubles, Floats, Pixels
from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.document import Document, data_uri, is_data
from specsia_build.characters.gltf.nodes import is_vrm0
from specsia_build.characters.images import as_texture, load_texture, with_opacity
from specsia_build.characters.mtl import base_name
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.mesh import AlphaMode, Material, Texture, Wrap

_WRAPS: dict[int | None, Wrap] = {33071: "clamp", 33648: "mirror"}  # All others repeat
_NEAREST = 9728
_BLACK = 1e-3  # Linear light below which a base colour is black
# Opacity of what transmits all light: its colour and gloss are visible, and what is behind it more so
GLASS = 0.2
ALPHA_MODES: dict[str, AlphaMode] = {"OPAQUE": "opaque", "MASK": "mask", "BLEND": "blend"}
GLTF_SHADER = "VRM_USE_GLTFSHADER"  # Shader of a VRM 0.x material that glTF's own properties describe
CULL_NOTHING, CULL_FRONT = 0, 1  # Values of MToon's _CullMode; 2 culls backs

_UNLIT_MODES = {"VRM/UnlitTransparent": "BLEND", "VRM/UnlitCutout": "MASK"}
_UNLIT_MODES |= {"VRM/UnlitTransparentZWrite": "BLEND"}
_BLEND_MODES = {1: "MASK", 2: "BLEND", 3: "BLEND"}  # MToon's _BlendMode; 0 is opaque

_GAMMA_UNTIL = (0, 54)
"""UniVRM before 0.54 wrote ``baseColorFactor`` in gamma (its `MigrationFlags.IsBaseColorFactorGamma`)."""


class Placement(NamedTuple):
    """Where a texture is looked up: n of ``TEXCOORD_n``, KHR_texture_transform's values, in radians.

    `skew` is how far u moves along v when UVs are scaled.
    """

    uv_set: int = 0
    offset: tuple[float, float] = (0.0, 0.0)
    rotation: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    skew: float = 0.0

    def apply(self, uv: Floats) -> Floats:
        """Scale, rotate, then move UVs (..., 2); as in Blender, a positive rotation takes +v to +u."""
        if self[1:] == Placement()[1:]:
            return uv
        c, s = np.cos(self.rotation), np.sin(self.rotation)
        matrix = np.array([[c, s], [-s, c]]) @ [[self.scale[0], self.skew], [0.0, self.scale[1]]]
        moved: Doubles = uv @ matrix.T + np.array(self.offset)
        return moved.astype(np.float32)


@dataclass(frozen=True)
class ConvertedMaterial:
    """A material, where its textures are looked up, and whether its faces are visible from behind only."""

    material: Material
    placement: Placement
    inside_out: bool

    @property
    def is_textured(self) -> bool:
        return self.material.texture is not None or self.material.emissive_texture is not None


@dataclass(frozen=True)
class Materials:
    """The materials of a file, each built once, `fallback` for base-colour textures; damage is a warning."""

    document: Document
    fallback: Path | None
    _pixels: dict[str | int, Pixels | None] = field(default_factory=dict)
    _textures: dict[tuple[int, int | None], Texture | None] = field(default_factory=dict)
    _built: dict[int | None, ConvertedMaterial] = field(default_factory=dict)
    _variants: dict[tuple[int | None, bool, bool], Material] = field(default_factory=dict)

    def material(self, index: int | None) -> ConvertedMaterial:
        """Read a material; None, and a damaged one, is the default."""
        if index not in self._built:
            entry = schema.GltfMaterial()
            if index is None and self.document.is_export:
                # Blender's default material is grey and double-sided.
                grey = schema.BaseColor(factor=(0.8, 0.8, 0.8, 1.0))
                entry = schema.GltfMaterial(pbr=grey, double_sided=True)
            with self.document.tolerating("the default material was used"):
                entry = entry if index is None else self.document.entry(schema.GltfMaterial, index)
            self._built[index] = self._build(entry, index)
        return self._built[index]

    def variant(self, index: int | None, textured: bool, opaque_corners: bool) -> Material:
        """The material for a primitive with or without UVs, of opaque vertex colours or not; built once."""
        built = self.material(index)
        material, bare = built.material, not textured and built.is_textured
        if bare:
            # Without coordinates for the image of its emission, the whole surface would glow.
            glow = material.emissive if material.emissive_texture is None else (0.0, 0.0, 0.0)
            material = replace(material, texture=None, emissive=glow, emissive_texture=None)
        # Neither a factor nor a texel makes any of it translucent.
        solid = opaque_corners and material.alpha_mode != "opaque" and material.base_color[3] >= 1.0
        solid = solid and (material.alpha_mode != "mask" or material.alpha_cutoff <= 1.0)
        solid = solid and (material.texture is None or bool((material.texture.pixels[..., 3] == 255).all()))
        key = (index, bare, solid)
        if key not in self._variants:
            self._variants[key] = replace(material, alpha_mode="opaque") if solid else material
        return self._variants[key]

    def _build(self, entry: schema.GltfMaterial, index: int | None) -> ConvertedMaterial:
        entry, is_mtoon, inside_out = _vrm0_material(self.document, index, entry)
        extensions = entry.extensions or schema.Extensions()
        base = extensions.specular_glossiness or entry.pbr or schema.BaseColor()
        texture, placement = self._texture_of(base.texture)
        r, g, b, a = base.factor or (1.0,) * 4
        if extensions.classic is not None:
            if texture is not None:
                r = g = b = 1.0
            cutout, cut_at = self._texture_of(extensions.classic.opacity_texture)
            if cutout is not None:
                placement = cut_at if texture is None else placement
                pixels = with_opacity(None if texture is None else texture.pixels, cutout.pixels)
                texture = as_texture(pixels, (texture or cutout).wrap)
        if texture is None and self.fallback is not None:
            texture, placement = self._fallback_texture, Placement()
            if self.document.is_export and texture is not None:
                r = g = b = 1.0
        unlit = extensions.unlit is not None
        strength = (extensions.emissive_strength or schema.ExtensionValues()).emissive_strength
        emissive = (0.0, 0.0, 0.0)
        # A glowing picture is the colour of what is black without it, even where an exporter calls it unlit.
        is_black = max(r, g, b) < _BLACK or (texture is not None and not texture.pixels[..., :3].any())
        if entry.emissive_factor is not None and (is_mtoon or not unlit or is_black):
            red, green, blue = (_unit(value * strength) for value in entry.emissive_factor)
            emissive = red, green, blue
        emissive_texture = None
        if any(emissive) and entry.emissive_texture is not None:
            emissive_texture, emissive_placement = self._texture_of(entry.emissive_texture)
            if emissive_texture is None:
                # The factor alone would make the whole surface glow where the lost image lit a few texels.
                emissive = (0.0, 0.0, 0.0)
            elif texture is None or (is_black and (entry.alpha_mode or "OPAQUE") == "OPAQUE"):
                texture = None if emissive_placement != placement else texture
                placement = emissive_placement
            elif emissive_placement != placement:
                problem = f"{self.document.name}: materials[{index}] emits light at its base colour's UVs"
                self.document.warn("not-read", problem)
        material = Material(
            name=entry.name or "",
            base_color=(_unit(r), _unit(g), _unit(b), _unit(a)),
            texture=texture,
            emissive=emissive,
            emissive_texture=emissive_texture,
            alpha_mode=ALPHA_MODES.get((entry.alpha_mode or "OPAQUE").upper(), "opaque"),
            alpha_cutoff=max(0.0, 0.5 if entry.alpha_cutoff is None else entry.alpha_cutoff),
            unlit=unlit,
            double_sided=entry.double_sided is True,
        )
        material = _as_glass(material, extensions.transmission)
        has_texture = texture is not None or emissive_texture is not None
        return ConvertedMaterial(material, placement if has_texture else Placement(), inside_out)

    def _texture_of(self, info: schema.TextureInfo | None) -> tuple[Texture | None, Placement]:
        """The texture that a material refers to, None where there is none, and where it is looked up."""
        if info is None:
            return None, Placement()
        stored = (info.extensions or schema.Extensions()).transform or schema.TextureTransform()
        uv_set = (info.tex_coord or 0) if stored.tex_coord is None else stored.tex_coord
        offset, scale = stored.offset or (0.0, 0.0), stored.scale or (1.0, 1.0)
        placement = Placement(uv_set, offset, stored.rotation or 0.0, scale, stored.skew)
        with self.document.tolerating("the texture was left out"):
            entry = self.document.entry(schema.GltfTexture, info.index)
            extensions, none = entry.extensions or schema.Extensions(), schema.ExtensionValues()
            sources = ((extensions.webp or none).source, entry.source, (extensions.basisu or none).source)
            images = [image for image in sources if image is not None]
            if not images:
                raise self.document.error(
                    schema.GltfTexture, info.index, "has no image in a format that is read"
                )
            # Where one is damaged the next is used, as by readers that do not know the one's format.
            textures = (self._sampled(image, entry.sampler) for image in images)
            return next((texture for texture in textures if texture is not None), None), placement
        return None, placement

    def _sampled(self, image: int, sampler: int | None) -> Texture | None:
        """An image under a sampler; None, with a warning, where it cannot be read."""
        key = (image, sampler)
        if key not in self._textures:
            entry = schema.Sampler()
            with self.document.tolerating("its texture is repeated"):
                entry = schema.Sampler() if sampler is None else self.document.entry(schema.Sampler, sampler)
            wrap = _WRAPS.get(entry.wrap_s, "repeat"), _WRAPS.get(entry.wrap_t, "repeat")
            pixels = self._pixels_of(image)
            nearest = entry.mag_filter == _NEAREST
            self._textures[key] = None if pixels is None else as_texture(pixels, wrap, nearest=nearest)
        return self._textures[key]

    def _pixels_of(self, index: int) -> Pixels | None:
        """Pixels of an image; None, with a warning, where it cannot be read."""
        document = self.document
        with document.tolerating():
            entry = document.entry(schema.Image, index)
            place = entry.uri or entry.buffer_view
            if place is None:
                raise document.error(schema.Image, index, "names no data")
            if place not in self._pixels:
                self._pixels[place] = None
                name = f"texture images[{index}] of {document.name}"
                source: Path | bytes | None
                if isinstance(place, int):
                    source = bytes(document.view_bytes(place))
                elif is_data(place):
                    source = data_uri(place, document.name)
                else:
                    source = document.files.find(unquote(place)) or document.files.find(place)
                    name = f"texture '{place}' of {document.name}"
                if source is None:
                    sentence = f"{name} is not there; it was left out"
                    document.files.warn_missing(sentence, base_name(str(place)))
                    return None
                self._pixels[place] = load_texture(source, name, document.files.root)
            return self._pixels[place]
        return None

    @cached_property
    def _fallback_texture(self) -> Texture | None:
        path = self.fallback
        assert path is not None
        self.document.files.tried[path] = None
        with self.document.tolerating():
            name = f"texture '{path.name}' of {self.document.name}"
            return as_texture(load_texture(path, name, self.document.files.root))
        return None


def _as_glass(material: Material, stated: schema.ExtensionValues | None) -> Material:
    """Make a material translucent as KHR_materials_transmission says, unless a texture modulates it."""
    if stated is None or stated.transmission_texture or not stated.transmission_factor:
        return material
    if material.alpha_mode == "mask":
        return material
    r, g, b, a = material.base_color
    texture, left = material.texture, 1.0 - (1.0 - GLASS) * _unit(stated.transmission_factor)
    if material.alpha_mode == "opaque":
        a = 1.0
        if texture is not None:
            # An opaque material ignores the alpha of its image.
            pixels = texture.pixels.copy()
            pixels[..., 3] = 255
            texture = replace(texture, pixels=pixels)
    return replace(material, texture=texture, base_color=(r, g, b, a * left), alpha_mode="blend")


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))


def _vrm0_material(
    document: Document, index: int | None, entry: schema.GltfMaterial
) -> tuple[schema.GltfMaterial, bool, bool]:
    """Replace a material's values by the ``materialProperties`` of VRM 0.x, if the file is one.

    As in UniVRM and three-vrm, colour, texture, texture transform, cut-out and blending of MToon and of VRM's
    unlit shaders come from there, with colours in gamma; glTF's own values are a fallback for other programs.
    Returned are the material; whether it is MToon, which emits light although exporters call it unlit; and
    whether its faces are visible from behind only.
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
        problem = f"{document.name}: materialProperties[{index}] of VRM is damaged ({error}); glTF's was used"
        document.warn("unusable", problem)
    shader = stated.shader or ""
    cull = None if shader == GLTF_SHADER else stated.float_properties.get("_CullMode")
    if cull is not None:
        entry = msgspec.structs.replace(entry, double_sided=int(cull) == CULL_NOTHING)
    if shader == "VRM/MToon" or shader.startswith("VRM/Unlit"):
        entry = _from_unity(entry, stated, shader)
    elif entry.pbr is not None and entry.pbr.factor is not None:
        version = re.match(r"(?:UniVRM-)?(\d+)\.(\d+)", str(vrm.exporter_version or ""))
        if version is not None and (int(version[1]), int(version[2])) < _GAMMA_UNTIL:
            linear = msgspec.structs.replace(entry.pbr, factor=_to_linear(entry.pbr.factor))
            entry = msgspec.structs.replace(entry, pbr=linear)
    return entry, shader == "VRM/MToon", cull == CULL_FRONT


def _from_unity(entry: schema.GltfMaterial, stated: schema.VrmMaterial, shader: str) -> schema.GltfMaterial:
    main = stated.vector_properties.get("_MainTex", ())
    u, v, width, height = (*main, *(0.0, 0.0, 1.0, 1.0)[len(main) :])[:4]
    # Unity counts v from below.
    transform = schema.TextureTransform(offset=(u, 1.0 - height - v), scale=(width, height))
    extensions = schema.Extensions(transform=transform)
    textures = {
        name: schema.TextureInfo(index=index, extensions=extensions)
        for name, index in stated.texture_properties.items()
    }
    keywords, mode = stated.keyword_map, _UNLIT_MODES.get(shader, "OPAQUE")
    if shader == "VRM/MToon" and not keywords:
        mode = _BLEND_MODES.get(int(stated.float_properties.get("_BlendMode", 0)), "OPAQUE")
    elif shader == "VRM/MToon":
        blends = keywords.get("_ALPHABLEND_ON") or keywords.get("_ALPHAPREMULTIPLY_ON")
        mode = "BLEND" if blends else "MASK" if keywords.get("_ALPHATEST_ON") else "OPAQUE"
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


def _to_linear(color: tuple[float, ...]) -> schema.Four:
    """A colour in gamma, of up to four values, as linear RGB and opacity."""
    r, g, b, a = (*color, 1.0, 1.0, 1.0, 1.0)[:4]
    red, green, blue = srgb_to_linear(np.array([r, g, b])).tolist()
    return red, green, blue, a
