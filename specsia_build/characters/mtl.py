"""Material libraries of OBJ files, and their materials with the textures that are there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.images import IMAGE_SUFFIXES, as_texture, load_texture, with_opacity
from specsia_build.characters.side_files import SideFiles
from specsia_build.errors import CharacterError
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.mesh import AlphaMode, Material, Texture, Wrap

MOST_LIBRARY_BYTES = 16 * 2**20
"""Largest material library that is read."""

_OPTION_WORDS = dict.fromkeys(
    ("-blendu", "-blendv", "-boost", "-texres", "-clamp", "-bm", "-imfchan", "-type", "-cc", "-colorspace"), 1
) | {"-mm": 2}
"""Options of a map that are skipped, and how many words follow each."""

_SLOTS = {
    **dict.fromkeys(("map_kd", "map_basecolor", "map_base_color", "map_albedo", "map_diffuse"), "map_kd"),
    "map_ka": "map_ka",
    **dict.fromkeys(("map_d", "map_opacity"), "map_d"),
    **dict.fromkeys(("map_ke", "map_emissive"), "map_ke"),
}
"""The maps that are read, by the words that programs write."""


@dataclass(frozen=True)
class MapReference:
    """A texture as a material names it; uv' = scale * uv + offset, in the OBJ's own UV (v up)."""

    name: str
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    clamp: bool = False


_PLAIN = MapReference("")


@dataclass(frozen=True)
class MtlMaterial:
    """A material as written: colours 0-1 in display (sRGB) encoding, opacity 0-1, and a map per slot."""

    name: str
    diffuse: tuple[float, float, float] = (1.0, 1.0, 1.0)
    opacity: float = 1.0
    emissive: tuple[float, float, float] = (0.0, 0.0, 0.0)
    maps: Mapping[str, MapReference] = field(default_factory=dict)


@dataclass(frozen=True)
class ObjMaterial:
    """A material, and the map whose scale and offset its UV take."""

    material: Material
    placement: MapReference = _PLAIN


def decode_text(data: bytes) -> str:
    """Text of a file: UTF-16 with a byte order mark, else UTF-8, or Western European where it is not."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def parse_mtl(text: str) -> dict[str, MtlMaterial]:
    """Materials by name; what cannot be understood is left at its default."""
    materials: dict[str, MtlMaterial] = {}
    current: MtlMaterial | None = None
    for line in text.splitlines():
        keyword, _, rest = line.strip().replace("\t", " ").partition(" ")
        keyword, rest = keyword.lower(), rest.strip()
        if keyword == "newmtl":
            current = MtlMaterial(rest)
        elif current is not None:
            current = _with_statement(current, keyword, rest)
        if current is not None:
            materials[current.name] = current
    return materials


def _with_statement(material: MtlMaterial, keyword: str, rest: str) -> MtlMaterial:
    if keyword in ("kd", "ke"):
        colour = [_unit(value) for value in _numbers(rest)]
        if len(colour) == 1 or len(colour) >= 3:
            r, g, b = (colour * 3)[:3] if len(colour) == 1 else colour[:3]
            return replace(material, diffuse=(r, g, b)) if keyword == "kd" else replace(material, emissive=(r, g, b))
    elif keyword in ("d", "tr") and (value := _numbers(rest.removeprefix("-halo").strip())):
        # Exporters disagree on whether Tr is transparency; "Tr 1" for something wholly opaque is the common mistake.
        if keyword == "tr":
            return material if value[0] >= 1 else replace(material, opacity=_unit(1 - value[0]))
        return replace(material, opacity=_unit(value[0]))
    elif (slot := _SLOTS.get(keyword)) is not None and (reference := _map(rest)).name:
        return replace(material, maps={**material.maps, slot: reference})
    return material


def _map(rest: str) -> MapReference:
    """Options and file name of a map statement; the name may hold spaces."""
    words = rest.split(" ")
    scale, offset, clamp = (1.0, 1.0), (0.0, 0.0), False
    k = 0
    while k < len(words):
        option = words[k].lower()
        if option == "":
            k += 1
        elif option in ("-s", "-o", "-t"):
            values = _numbers(" ".join(words[k + 1 : k + 4]))
            default = 1.0 if option == "-s" else 0.0
            pair = (values[0] if values else default, values[1] if len(values) > 1 else default)
            scale, offset = (pair if option == "-s" else scale), (pair if option == "-o" else offset)
            k += 1 + len(values)
        elif option in _OPTION_WORDS:
            clamp = clamp or (option == "-clamp" and words[k + 1 : k + 2] == ["on"])
            k += 1 + _OPTION_WORDS[option]
        else:
            break
    return MapReference(" ".join(words[k:]).strip(), scale, offset, clamp)


def _numbers(text: str) -> list[float]:
    """The finite numbers that a text begins with."""
    values = []
    for word in text.split():
        try:
            values.append(float(word))
        except ValueError:
            break
        if not math.isfinite(values[-1]):
            return values[:-1]
    return values


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def read_libraries(files: SideFiles, names: Iterable[str]) -> tuple[dict[str, MtlMaterial], dict[str, None]]:
    """Materials of the libraries that ``mtllib`` statements name, and a warning for each that cannot be read."""
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


@dataclass
class MaterialBuilder:
    """Builds the materials of one OBJ file, each texture decoded once.

    Attributes:
        files: finds textures.
        library: materials of the OBJ's libraries by name.
        warnings: sentences as keys, in order; at first those about libraries that are missing.
        override: texture for materials without one.
        own_image: whether an image named like the OBJ replaces what is missing.
    """

    files: SideFiles
    library: Mapping[str, MtlMaterial]
    warnings: dict[str, None]
    override: Texture | None
    own_image: bool
    _decoded: dict[Path, NDArray[np.uint8] | None] = field(default_factory=dict)
    _textures: dict[tuple[Path, Path | None, bool], Texture] = field(default_factory=dict)

    def build_all(self, names: Sequence[str | None]) -> tuple[ObjMaterial, ...]:
        """Build all materials in use; None is that of faces before any ``usemtl``.

        Exporters write an opacity of 0 beside opaque surfaces: where nothing would be visible, it is ignored.
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
            built.append(ObjMaterial(Material(name=name or "", texture=self.override or self._own_image())))
        return tuple(built)

    def _stated(self, name: str) -> MtlMaterial | None:
        """A material of the libraries; letter case does not count where no other is called so."""
        if name in self.library:
            return self.library[name]
        alike = (m for key, m in self.library.items() if key.strip().casefold() == name.strip().casefold())
        return next(alike, None)

    def _build(self, stated: MtlMaterial) -> ObjMaterial:
        # Programs that name only an ambient map mean the surface's colour.
        diffuse, base_path = self._find(stated, ("map_kd", "map_ka"))
        cutout, cutout_path = self._find(stated, ("map_d",))
        placement = diffuse or cutout or _PLAIN
        texture = self._texture(base_path, cutout_path, placement)
        if texture is None:
            texture = self.override or (None if diffuse is None else self._own_image())
        # A texture replaces Kd, as in Blender: exporters leave Kd at 0, 0.588 or 0.8 beside a texture.
        red, green, blue = (1.0, 1.0, 1.0) if texture is not None and diffuse is not None else _linear(stated.diffuse)
        glow, glow_path = self._find(stated, ("map_ke",))
        emissive_texture = self._texture(glow_path, None, glow or _PLAIN)
        material = Material(
            name=stated.name,
            base_color=(red, green, blue, stated.opacity),
            texture=texture,
            emissive=(1.0, 1.0, 1.0) if emissive_texture is not None else _linear(stated.emissive),
            emissive_texture=emissive_texture,
            alpha_mode=_alpha_mode(stated.opacity, texture if cutout_path is not None else None),
        )
        return ObjMaterial(material, placement)

    def _find(self, stated: MtlMaterial, keys: Sequence[str]) -> tuple[MapReference | None, Path | None]:
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

    def _own_image(self) -> Texture | None:
        """The image named like the OBJ."""
        path = self.files.find_own(IMAGE_SUFFIXES) if self.own_image else None
        if path is None or self._pixels(path) is None:
            return None
        if self.warnings:
            self._warn(f"{path.name} is used instead")
        return self._texture(path, None, _PLAIN)

    def _warn(self, sentence: str) -> None:
        self.warnings[sentence] = None


def _alpha_mode(opacity: float, cutout: Texture | None) -> AlphaMode:
    """Opaque unless the library says otherwise: an image's alpha channel alone means nothing in an OBJ."""
    if opacity < 1:
        return "blend"
    alpha = np.full(1, 255) if cutout is None else cutout.pixels[..., 3]
    if (alpha == 255).all():
        return "opaque"
    return "mask" if ((alpha == 0) | (alpha == 255)).all() else "blend"


def _base_name(name: str) -> str:
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2]


def _linear(display: tuple[float, float, float]) -> tuple[float, float, float]:
    red, green, blue = srgb_to_linear(np.array(display)).tolist()
    return red, green, blue
