"""The materials of an OBJ file: what its libraries say, with the textures that are really there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.images import IMAGE_SUFFIXES, as_texture, load_texture, with_opacity
from specsia_build.characters.obj.mtl import MapReference, MtlMaterial, parse_mtl
from specsia_build.characters.obj.text import decode_text
from specsia_build.characters.side_files import SideFiles
from specsia_build.errors import CharacterError
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.mesh import AlphaMode, Material, Texture, Wrap

_PLAIN = MapReference("")

_COLOUR = ("map_kd", "map_ka")
"""Maps of a surface's colour: where programs name none but that of ambient light, they mean it."""

MOST_LIBRARY_BYTES = 16 * 2**20
"""Largest material library that is read."""


@dataclass(frozen=True)
class ObjMaterial:
    """A material and the map whose scale and offset its UV take (v up, as in the OBJ)."""

    material: Material
    placement: MapReference = _PLAIN


@dataclass
class MaterialBuilder:
    """Builds materials by name for one OBJ file, each texture decoded once.

    Attributes:
        files: where textures are looked up.
        library: materials of the OBJ's libraries by name.
        warnings: sentences, each once, in order; at first those about libraries that are not there.
        override: texture for materials without one.
        own_image: whether an image named like the OBJ stands in for what is missing.
    """

    files: SideFiles
    library: Mapping[str, MtlMaterial]
    warnings: dict[str, None]
    override: Texture | None
    own_image: bool
    _decoded: dict[Path, NDArray[np.uint8] | None] = field(default_factory=dict)
    _textures: dict[tuple[Path, Path | None, bool], Texture] = field(default_factory=dict)

    def build_all(self, names: Sequence[str | None]) -> tuple[ObjMaterial, ...]:
        """The materials of these names, which are all that are shown; None is what faces before any ``usemtl`` have.

        Exporters write an opacity of 0 beside opaque surfaces: where nothing would be seen, it is not meant.
        """
        is_complete = not self.warnings
        stated = [None if name is None else self._stated(name) for name in names]
        if stated and all(material is not None and material.opacity == 0 for material in stated):
            stated = [None if material is None else replace(material, opacity=1.0) for material in stated]
            self._warn("the opacity of all materials is 0, so that nothing would be seen: they were drawn opaque")
        built = []
        for name, material in zip(names, stated, strict=True):
            if material is not None:
                built.append(self._build(material))
                continue
            if name is not None and is_complete:
                self._warn(f"material '{name}' is in no library")
            built.append(ObjMaterial(Material(name=name or "", texture=self.override or self._stand_in())))
        return tuple(built)

    def _stated(self, name: str) -> MtlMaterial | None:
        """What the libraries say of a material; letter case does not count where nothing else is called so."""
        if name in self.library:
            return self.library[name]
        alike = (m for key, m in self.library.items() if key.strip().casefold() == name.strip().casefold())
        return next(alike, None)

    def _build(self, stated: MtlMaterial) -> ObjMaterial:
        diffuse, base_path = self._found(stated, _COLOUR)
        cutout, cutout_path = self._found(stated, ("map_d",))
        texture = self._texture(base_path, cutout_path, diffuse or cutout or _PLAIN)
        if texture is None:
            texture = self.override or (None if diffuse is None else self._stand_in())
        # A texture replaces Kd, as in Blender: exporters leave Kd at 0, 0.588 or 0.8 beside a texture.
        red, green, blue = (1.0, 1.0, 1.0) if texture is not None and diffuse is not None else _linear(stated.diffuse)
        glow, glow_path = self._found(stated, ("map_ke",))
        emissive_texture = self._texture(glow_path, None, glow or _PLAIN)
        material = Material(
            name=stated.name,
            base_color=(red, green, blue, stated.opacity),
            texture=texture,
            emissive=(1.0, 1.0, 1.0) if emissive_texture is not None else _linear(stated.emissive),
            emissive_texture=emissive_texture,
            alpha_mode=_alpha_mode(stated.opacity, texture if cutout_path is not None else None),
        )
        return ObjMaterial(material, diffuse or cutout or _PLAIN)

    def _found(self, stated: MtlMaterial, keys: Sequence[str]) -> tuple[MapReference | None, Path | None]:
        """The first of a material's maps that can be read, with its file; else the first, or None, and None."""
        maps = [stated.maps[key] for key in keys if key in stated.maps]
        for reference in maps:
            path = self.files.find(reference.name)
            if path is None:
                self._warn(f"texture {_base_name(reference.name)} {self.files.nowhere}")
            elif self._pixels(path) is not None:
                return reference, path
        return (maps[0] if maps else None), None

    def _pixels(self, path: Path) -> NDArray[np.uint8] | None:
        if path not in self._decoded:
            try:
                self._decoded[path] = load_texture(path, path.name, self.files.root)
            except CharacterError as error:
                self._warn(str(error))
                self._decoded[path] = None
        return self._decoded[path]

    def _texture(self, base: Path | None, cutout: Path | None, reference: MapReference) -> Texture | None:
        anchor = base or cutout
        if anchor is None:
            return None
        key = (anchor, cutout, reference.clamp)
        if key not in self._textures:
            pixels = None if base is None else self._pixels(base)
            opacity = None if cutout is None else self._pixels(cutout)
            if opacity is not None:
                pixels = with_opacity(pixels, opacity)
            assert pixels is not None
            wrap: Wrap = "clamp" if reference.clamp else "repeat"
            self._textures[key] = as_texture(pixels, wrap=(wrap, wrap))
        return self._textures[key]

    def _stand_in(self) -> Texture | None:
        """The image named like the OBJ."""
        path = self.files.find_own(IMAGE_SUFFIXES) if self.own_image else None
        if path is None or self._pixels(path) is None:
            return None
        if self.warnings:
            self._warn(f"{path.name} is used instead")
        return self._texture(path, None, _PLAIN)

    def _warn(self, sentence: str) -> None:
        self.warnings[sentence] = None


def read_libraries(files: SideFiles, names: Iterable[str]) -> tuple[dict[str, MtlMaterial], dict[str, None]]:
    """Materials of the libraries that ``mtllib`` statements name, and a sentence for each that cannot be read."""
    library: dict[str, MtlMaterial] = {}
    warnings: dict[str, None] = {}
    for name in names:
        # One statement may list several libraries, but one name may hold spaces too.
        several = [part.strip() + ".mtl" for part in name[:-4].replace(".MTL ", ".mtl ").split(".mtl ")]
        for part in [name] if len(several) == 1 or files.find(name) is not None else several:
            try:
                path = files.find(part)
                if path is None:
                    warnings[f"material library {_base_name(part)} {files.nowhere}"] = None
                else:
                    library.update(parse_mtl(decode_text(files.read(path, MOST_LIBRARY_BYTES))))
            except CharacterError as error:
                warnings[f"material library {error}"] = None
    return library, warnings


def _alpha_mode(opacity: float, cut_out: Texture | None) -> AlphaMode:
    """Opaque unless the library says otherwise: an image's alpha channel alone means nothing in an OBJ."""
    if opacity < 1:
        return "blend"
    alpha = np.full(1, 255) if cut_out is None else cut_out.pixels[..., 3]
    if (alpha == 255).all():
        return "opaque"
    return "mask" if ((alpha == 0) | (alpha == 255)).all() else "blend"


def _base_name(name: str) -> str:
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2]


def _linear(display: tuple[float, float, float]) -> tuple[float, float, float]:
    red, green, blue = srgb_to_linear(np.array(display)).tolist()
    return red, green, blue
