"""The materials of an OBJ file: what its libraries say, with the textures that are really there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.cutouts import opacity_in, with_opacity
from specsia_build.characters.images import IMAGE_SUFFIXES, as_texture, load_texture
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


class MaterialBuilder:
    """Builds materials by name for one OBJ file, each texture decoded once; collects what had to be done without.

    Attributes:
        warnings: sentences, each once, in order.

    Args:
        files: where textures are looked up.
        library: materials of the OBJ's libraries by name.
        library_warnings: sentences about libraries that are not there; the first of `warnings`.
        override: texture for materials without one.
        own_image: whether an image named like the OBJ stands in for what is missing.
    """

    def __init__(
        self,
        files: SideFiles,
        library: Mapping[str, MtlMaterial],
        library_warnings: Iterable[str],
        override: Texture | None,
        own_image: bool,
    ) -> None:
        self.warnings = dict.fromkeys(library_warnings)
        self._files = files
        self._library = library
        self._alike = {name.strip().casefold(): one for name, one in reversed(list(library.items()))}
        self._library_missing = bool(self.warnings)
        self._override = override
        self._own_image = own_image
        self._decoded: dict[Path, NDArray[np.uint8] | None] = {}
        self._textures: dict[tuple[Path, Path | None, bool], Texture] = {}

    def build_all(self, names: Sequence[str | None]) -> tuple[ObjMaterial, ...]:
        """The materials of these names, which are all that are shown.

        Exporters write an opacity of 0 beside opaque surfaces: where nothing would be seen, it is not meant.
        """
        written = [one for name in names if (one := self._written(name)) is not None]
        unseen = len(written) == len(names) and all(one.opacity == 0 for one in written)
        if unseen:
            self._library = {**self._library, **{one.name: replace(one, opacity=1.0) for one in written}}
        built = tuple(self.build(name) for name in names)
        if unseen:
            self._warn("the opacity of all materials is 0, so that nothing would be seen: they were drawn opaque")
        return built

    def build(self, name: str | None) -> ObjMaterial:
        """The material of that name; None is what faces before any ``usemtl`` have."""
        written = self._written(name)
        if written is None:
            if name is not None and not self._library_missing:
                self._warn(f"material '{name}' is in no library")
            return ObjMaterial(Material(name=name or "", texture=self._override or self._stand_in()))
        return self._from_library(written)

    def _from_library(self, written: MtlMaterial) -> ObjMaterial:
        diffuse, base_path = self._found(written, _COLOUR)
        cutout, cutout_path = self._found(written, ("map_d",))
        texture = self._texture(base_path, cutout_path, diffuse or cutout or _PLAIN)
        if diffuse is not None and base_path is None and texture is None:
            texture = self._override or self._stand_in()
        elif texture is None:
            texture = self._override
        # A texture replaces Kd, as in Blender: exporters leave Kd at 0, 0.588 or 0.8 beside a texture.
        red, green, blue = (1.0, 1.0, 1.0) if texture is not None and diffuse is not None else _linear(written.diffuse)
        glow, glow_path = self._found(written, ("map_ke",))
        emissive_texture = self._texture(glow_path, None, glow or _PLAIN)
        material = Material(
            name=written.name,
            base_color=(red, green, blue, written.opacity),
            texture=texture,
            emissive=(1.0, 1.0, 1.0) if emissive_texture is not None else _linear(written.emissive),
            emissive_texture=emissive_texture,
            alpha_mode=self._alpha_mode(written.opacity, cutout_path, texture),
        )
        return ObjMaterial(material, diffuse or cutout or _PLAIN)

    def _alpha_mode(self, opacity: float, cutout_path: Path | None, texture: Texture | None) -> AlphaMode:
        """Opaque unless the library says otherwise: an alpha channel alone means nothing in an OBJ."""
        if opacity < 1:
            return "blend"
        if cutout_path is None or texture is None:
            return "opaque"
        alpha = texture.pixels[..., 3]
        if (alpha == 255).all():
            return "opaque"
        return "mask" if ((alpha == 0) | (alpha == 255)).all() else "blend"

    def _written(self, name: str | None) -> MtlMaterial | None:
        """What the libraries say of a material; letter case does not count where nothing else is called so."""
        if name is None:
            return None
        return self._library.get(name) or self._alike.get(name.strip().casefold())

    def _found(self, written: MtlMaterial, keys: Sequence[str]) -> tuple[MapReference | None, Path | None]:
        """The first of a material's maps that can be read, with its file; else the first, or None, and None."""
        maps = [written.maps[key] for key in keys if key in written.maps]
        for one in maps:
            if (path := self._path(one)) is not None:
                return one, path
        return (maps[0] if maps else None), None

    def _path(self, reference: MapReference) -> Path | None:
        """The decodable file of a map, or None with a warning."""
        path = self._files.find(reference.name)
        if path is None:
            self._warn(f"texture {_base_name(reference.name)} {self._files.nowhere}")
            return None
        return path if self._pixels(path) is not None else None

    def _pixels(self, path: Path) -> NDArray[np.uint8] | None:
        if path not in self._decoded:
            try:
                self._decoded[path] = load_texture(path, path.name, self._files.root)
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
            veil = None if cutout is None else self._pixels(cutout)
            if veil is not None:
                pixels = with_opacity(pixels, opacity_in(veil))
            assert pixels is not None
            wrap: Wrap = "clamp" if reference.clamp else "repeat"
            self._textures[key] = as_texture(pixels, wrap=(wrap, wrap))
        return self._textures[key]

    def _stand_in(self) -> Texture | None:
        """The image named like the OBJ."""
        if not self._own_image:
            return None
        path = self._files.find_own(IMAGE_SUFFIXES)
        if path is None or self._pixels(path) is None:
            return None
        if self.warnings:
            self._warn(f"{path.name} is used instead")
        return self._texture(path, None, _PLAIN)

    def _warn(self, sentence: str) -> None:
        self.warnings[sentence] = None


def read_libraries(files: SideFiles, names: Iterable[str]) -> tuple[dict[str, MtlMaterial], list[str]]:
    """Materials of the libraries that ``mtllib`` statements name, and a sentence for each that cannot be read."""
    library: dict[str, MtlMaterial] = {}
    warnings: list[str] = []
    for name in names:
        path = files.find(name)
        # One statement may list several libraries, but one name may hold spaces too.
        several = [part.strip() + ".mtl" for part in name[:-4].replace(".MTL ", ".mtl ").split(".mtl ")]
        paths = [path] if path is not None or len(several) == 1 else [files.find(part) for part in several]
        for part, found in zip(several if len(paths) > 1 else [name], paths, strict=True):
            try:
                if found is None:
                    warnings.append(f"material library {_base_name(part)} {files.nowhere}")
                else:
                    library.update(parse_mtl(decode_text(files.read(found, MOST_LIBRARY_BYTES))))
            except CharacterError as error:
                warnings.append(f"material library {error}")
    return library, warnings


def _base_name(name: str) -> str:
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2]


def _linear(display: tuple[float, float, float]) -> tuple[float, float, float]:
    red, green, blue = srgb_to_linear(np.array(display)).tolist()
    return red, green, blue
