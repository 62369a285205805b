"""Material libraries of OBJ files, and their materials with those textures that exist."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import InitVar, dataclass, field
from pathlib import Path

import numpy as np

from specsia_build.arrays import Pixels
from specsia_build.characters.images import as_texture, load_texture, with_opacity
from specsia_build.characters.side_files import SideFiles
from specsia_build.errors import CharacterError
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.mesh import AlphaMode, Material, Texture

MOST_LIBRARY_BYTES = 16 * 2**20  # Largest material library that is read

_OPTION = re.compile(r"\s*-(\w+)((\s+[-+.\de]+){1,3}|\s+\S+)(?=\s)")
"""An option of a map: its name, and up to three numbers or one other word."""

_NUMBER = re.compile(r"(?<!\S)-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?(?!\S)", re.IGNORECASE)


@dataclass
class MtlMaterial:
    """A material as written.

    Attributes:
        diffuse: display (sRGB) colour, 0-1.
        opacity: 0-1.
        texture, cutout: names of the images of ``map_Kd`` and ``map_d``, or None.
        is_moved: whether one of them is scaled or shifted.
    """

    name: str
    diffuse: tuple[float, ...] = (1.0, 1.0, 1.0)
    opacity: float = 1.0
    texture: str | None = None
    cutout: str | None = None
    is_moved: bool = False


def decode_text(data: bytes) -> str:
    """Text of a file in UTF-8, or in Western European where it is not."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def parse_mtl(text: str) -> dict[str, MtlMaterial]:
    """Materials by name; what cannot be understood is left at its default."""
    materials: dict[str, MtlMaterial] = {}
    current = MtlMaterial("")
    for line in text.splitlines():
        keyword, _, rest = line.strip().replace("\t", " ").partition(" ")
        keyword, rest = keyword.lower(), rest.strip()
        if keyword == "newmtl":
            current = materials[rest] = MtlMaterial(rest)
        elif keyword in ("map_kd", "map_d"):
            while (option := _OPTION.match(rest)) is not None:
                current.is_moved |= option[1] in ("s", "o")
                rest = rest[option.end() :].lstrip()
            setattr(current, "texture" if keyword == "map_kd" else "cutout", rest or None)
        elif keyword in ("kd", "d", "tr"):
            values = [min(max(float(number[0]), 0.0), 1.0) for number in _NUMBER.finditer(rest)]
            if keyword == "kd" and len(values) >= 3:
                current.diffuse = tuple(values[:3])
            elif keyword == "d" and values:
                current.opacity = values[0]
            elif keyword == "tr" and values and values[0] < 1:
                # Exporters disagree if Tr is transparency; "Tr 1" for something opaque is the common mistake.
                current.opacity = 1 - values[0]
    return materials


@dataclass
class MaterialBuilder:
    """Builds the materials of one file, each texture decoded once.

    Attributes:
        files: finds libraries and textures.
        libraries: as in an OBJ's ``mtllib`` lines.
        texture: image for materials without one.
        library: materials by name.
    """

    files: SideFiles
    libraries: InitVar[Iterable[str]]
    texture: Path | None
    library: dict[str, MtlMaterial] = field(default_factory=dict)
    _override: Texture | None = None
    _decoded: dict[str, Pixels | None] = field(default_factory=dict)
    _textures: dict[tuple[str | None, str | None], Texture] = field(default_factory=dict)

    def __post_init__(self, libraries: Iterable[str]) -> None:
        if self.texture is not None:
            self._override = as_texture(load_texture(self.texture, self.texture.name, self.files.root))
        for name in libraries:
            try:
                path = self.files.find(name)
                if path is None:
                    self.files.warn(f"material library {base_name(name)} is not there")
                else:
                    self.library.update(parse_mtl(decode_text(self.files.read(path, MOST_LIBRARY_BYTES))))
            except CharacterError as error:
                self.files.warn(f"material library {error}")

    def build_all(self, names: Sequence[str | None]) -> tuple[Material, ...]:
        """Build all materials in use; None is that of faces before any ``usemtl``."""
        stated = [None if name is None else self.library.get(name) for name in names]
        # Exporters write an opacity of 0 beside opaque surfaces.
        invisible = all(material is not None and material.opacity == 0 for material in stated)
        if invisible and names:
            self.files.warn(
                "the opacity of all materials is 0, so that nothing would be seen: they were drawn opaque"
            )
        built = []
        for name, material in zip(names, stated, strict=True):
            if material is not None:
                built.append(self._build(material, 1.0 if invisible else material.opacity))
                continue
            if name is not None and self.library:
                self.files.warn(f"material '{name}' is in no library")
            built.append(Material(name=name or "", texture=self._override))
        if self.texture is not None:
            self.files.tried[self.texture] = None
        return tuple(built)

    def _build(self, stated: MtlMaterial, opacity: float) -> Material:
        color, cutout = self._pixels(stated.texture), self._pixels(stated.cutout)
        texture = self._override if color is None and cutout is None else self._texture(stated)
        if stated.is_moved:
            self.files.warn(f"textures of material '{stated.name}' are scaled or shifted, which was ignored")
        # A texture replaces Kd, as in Blender: exporters leave Kd at 0, 0.588 or 0.8 beside a texture.
        display = (1.0, 1.0, 1.0) if texture is not None and stated.texture else stated.diffuse
        red, green, blue = srgb_to_linear(np.array(display)).tolist()
        return Material(
            name=stated.name,
            base_color=(red, green, blue, opacity),
            texture=texture,
            alpha_mode=_alpha_mode(opacity, texture if cutout is not None else None),
        )

    def _pixels(self, name: str | None) -> Pixels | None:
        """Pixels of an image; None, with a warning, where there is none that can be read."""
        if name is None:
            return None
        if name not in self._decoded:
            self._decoded[name] = None
            path = self.files.find(name)
            try:
                if path is None:
                    raise CharacterError(f"texture {base_name(name)} is not there")
                self._decoded[name] = load_texture(path, path.name, self.files.root)
            except CharacterError as error:
                self.files.warn(str(error))
        return self._decoded[name]

    def _texture(self, stated: MtlMaterial) -> Texture:
        """The texture of a material of which one image can be read."""
        key = (stated.texture, stated.cutout)
        if key not in self._textures:
            pixels, cutout = map(self._pixels, key)
            if cutout is not None:
                pixels = with_opacity(pixels, cutout)
            assert pixels is not None
            self._textures[key] = as_texture(pixels)
        return self._textures[key]


def _alpha_mode(opacity: float, cutout: Texture | None) -> AlphaMode:
    """Opaque unless the library says otherwise: an image's alpha channel alone means nothing in an OBJ."""
    if opacity < 1:
        return "blend"
    alpha = np.full(1, 255) if cutout is None else cutout.pixels[..., 3]
    if (alpha == 255).all():
        return "opaque"
    return "mask" if ((alpha == 0) | (alpha == 255)).all() else "blend"


def base_name(name: str) -> str:
    """Last part of a path of any system."""
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2]
