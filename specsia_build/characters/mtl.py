"""Material libraries of OBJ files, and their materials with those textures that exist."""

import codecs
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import InitVar, dataclass, field, replace
from itertools import chain, product
from pathlib import Path

import numpy as np

from specsia_build import memory
from specsia_build.arrays import Pixels
from specsia_build.characters.images import as_texture, load_texture, with_opacity
from specsia_build.characters.side_files import SideFiles
from specsia_build.errors import CharacterError
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.mesh import AlphaMode, Material, Texture, Wrap

_HEAD = 256  # Bytes by which an encoding is told
_WIDE_COST = 6  # Bytes of memory for a byte of a text in another encoding
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MAPS = {"map_kd": "texture", "map_d": "cutout", "map_ke": "glow", "map_emissive": "glow"}
_BLACK = 1 / 255  # Display level below which a colour is black
MOST_LIBRARY_BYTES = 16 * 2**20  # Largest material library that is read

_OPTION = re.compile(r"\s*-(\w+)((\s+[-+.\de]+){1,3}|\s+\S+)(?=\s)")
"""An option of a map: its name, and up to three numbers or one other word."""

_NUMBER = re.compile(r"(?<!\S)-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?(?!\S)", re.IGNORECASE)


@dataclass
class MtlMaterial:
    """A material as written."""

    name: str
    diffuse: tuple[float, ...] | None = None  # Display (sRGB) colour, 0-1; None where it is not stated
    opacity: float = 1.0  # 0-1
    emission: tuple[float, ...] = (0.0, 0.0, 0.0)  # Display colour of ``Ke``
    texture: str | None = None  # Name of the image of ``map_Kd``
    cutout: str | None = None  # That of ``map_d``
    glow: str | None = None  # That of ``map_Ke``
    scale: tuple[float, float] = (1.0, 1.0)  # Of the texture coordinates, v up
    offset: tuple[float, float] = (0.0, 0.0)  # The same
    clamped: bool = False  # Whether the image is not repeated


def in_bytes(data: bytes) -> bytes:
    """A text of UTF-16 or UTF-32, with its mark or without, as UTF-8; others but for the mark as they are."""
    head = data[:_HEAD]
    codec = next((codec for mark, codec in _MARKS if head.startswith(mark)), None)
    if codec is None and b"\0" in head:
        # Every second byte of letters of Western languages is zero.
        late, early = head[1::2].count(0), head[::2].count(0)
        codec = "utf-16-le" if late > early else "utf-16-be"
    if codec is None:
        return data
    memory.ask(_WIDE_COST * len(data))
    return data.decode(codec, errors="replace").encode()


def decode_text(data: bytes) -> str:
    """Text of a line in UTF-8, or in Western European where it is not."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def parse_mtl(data: bytes) -> dict[str, MtlMaterial]:
    """Materials by name; what cannot be understood is left at its default."""
    materials: dict[str, MtlMaterial] = {}
    current = MtlMaterial("")
    data = re.sub(rb"\\\s*\n\s*(?=[-+.\d])", b" ", in_bytes(data))
    for line in map(decode_text, data.splitlines()):
        keyword, _, rest = line.strip().replace("\t", " ").partition(" ")
        keyword, rest = keyword.lower(), rest.strip()
        if keyword == "newmtl":
            current = materials[rest] = MtlMaterial(rest)
        elif keyword in _MAPS:
            while (option := _OPTION.match(rest)) is not None:
                numbers = [float(number[0]) for number in _NUMBER.finditer(option[2])]
                if option[1] in ("s", "o") and numbers and (keyword == "map_kd" or not current.texture):
                    pair = numbers[0], numbers[1] if len(numbers) > 1 else float(option[1] == "s")
                    setattr(current, "scale" if option[1] == "s" else "offset", pair)
                current.clamped |= option[1] == "clamp" and option[2].strip().lower() == "on"
                rest = rest[option.end() :].lstrip()
            setattr(current, _MAPS[keyword], rest or None)
        elif keyword in ("kd", "ke", "d", "tr"):
            values = [min(max(float(number[0]), 0.0), 1.0) for number in _NUMBER.finditer(rest)]
            if keyword in ("kd", "ke") and len(values) >= 3:
                setattr(current, "diffuse" if keyword == "kd" else "emission", tuple(values[:3]))
            elif keyword == "d" and values:
                current.opacity = values[0]
            elif keyword == "tr" and values and values[0] < 1:
                # Exporters disagree if Tr is transparency; "Tr 1" for something opaque is the common mistake.
                current.opacity = 1 - values[0]
    return materials


@dataclass
class MaterialBuilder:
    """Builds the materials of one file, each texture decoded once."""

    files: SideFiles  # Finds libraries and textures
    libraries: InitVar[Iterable[str]]  # As in an OBJ's ``mtllib`` lines
    texture: Path | None  # Image for materials without one
    library: dict[str, MtlMaterial] = field(default_factory=dict)  # Materials by name
    _override: Texture | None = None
    _decoded: dict[str, Pixels | None] = field(default_factory=dict)
    _textures: dict[tuple[str | None, str | None, bool], Texture] = field(default_factory=dict)

    def __post_init__(self, libraries: Iterable[str]) -> None:
        if self.texture is not None:
            self._override = as_texture(load_texture(self.texture, self.texture.name, self.files.root))
        for name in chain.from_iterable(map(self._library_names, libraries)):
            try:
                path = self.files.find(name)
                if path is None:
                    self.files.warn_missing(f"material library {base_name(name)} is not there", name)
                else:
                    materials = parse_mtl(self.files.read(path, MOST_LIBRARY_BYTES))
                    folder = Path(os.path.relpath(path.parent, self.files.folder)).as_posix()
                    if folder != ".":
                        self._look_beside(folder, materials.values())
                    self.library.update(materials)
            except CharacterError as error:
                self.files.warn(error.code, f"material library {error}", name)

    def _look_beside(self, folder: str, materials: Iterable[MtlMaterial]) -> None:
        """Name images of a library's materials by its `folder`, in place, where they are there."""
        for material, kind in product(materials, _MAPS.values()):
            beside = f"{folder}/{getattr(material, kind)}"
            if getattr(material, kind) and self.files.has(beside.replace("<UDIM>", "1001")):
                setattr(material, kind, beside)

    def _library_names(self, line: str) -> list[str]:
        """Names of an ``mtllib`` line, which may hold one with spaces or several, and a comment."""
        if self.files.find(line) is not None:
            return [line]
        return re.findall(r"\S.*?\.mtl(?=\s|$)", _uncommented(line), re.IGNORECASE) or [line]

    def stated(self, name: str | None) -> MtlMaterial | None:
        """The material that a ``usemtl`` line names, in any letter case, with or without a comment."""
        if name is None or name in self.library:
            return self.library.get(name or "")
        plain = {_uncommented(key).casefold(): key for key in reversed(self.library)}
        return self.library.get(plain.get(_uncommented(name).casefold(), ""))

    def build_all(self, names: Sequence[str | None]) -> tuple[Material, ...]:
        """Build all materials in use; None is that of faces before any ``usemtl``."""
        stated = [self.stated(name) for name in names]
        # Exporters write an opacity of 0 beside opaque surfaces.
        invisible = all(material is not None and material.opacity == 0 for material in stated)
        if invisible:
            sentence = (
                "the opacity of all materials is 0, so that nothing would be seen: they were drawn opaque"
            )
            self.files.warn("made-visible", sentence, self.files.stem)
        built = []
        for name, material in zip(names, stated, strict=True):
            if material is not None:
                built.append(self._build(material, 1.0 if invisible else material.opacity))
                continue
            if name is not None and self.library:
                self.files.warn("material-missing", f"material '{name}' is in no library", name)
            built.append(Material(name=name or "", texture=self._override))
        if self.texture is not None:
            self.files.tried[self.texture] = None
        return tuple(built)

    def _build(self, stated: MtlMaterial, opacity: float) -> Material:
        color, cutout = self._pixels(stated.texture), self._pixels(stated.cutout)
        is_black = stated.diffuse is None or max(stated.diffuse) < _BLACK
        if color is not None:
            is_black = color[..., :3].max() < 255 * _BLACK
        glow = self._pixels(stated.glow) if is_black else None
        if is_black and (glow is not None or any(stated.emission)):
            # As with Kd, exporters leave Ke at 0 beside its image.
            own = stated.glow if glow is not None else None
            return self._build(
                replace(stated, diffuse=stated.emission, texture=own, emission=(), glow=None), opacity
            )
        texture = self._override if color is None and cutout is None else self._texture(stated)
        # A texture replaces Kd, as in Blender: exporters leave Kd at 0, 0.588 or 0.8 beside a texture.
        is_white = stated.diffuse is None or (texture is not None and stated.texture)
        red, green, blue = srgb_to_linear(np.ones(3) if is_white else np.array(stated.diffuse)).tolist()
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
            wanted = name if re.search(r"\.\w{2,4}$", name) else _uncommented(name)
            path = self.files.find(wanted.replace("<UDIM>", "1001"))
            try:
                if path is None:
                    self.files.warn_missing(f"texture {base_name(name)} is not there", base_name(name))
                else:
                    self._decoded[name] = load_texture(path, path.name, self.files.root)
            except CharacterError as error:
                self.files.warn(error.code, str(error), base_name(name))
        return self._decoded[name]

    def _texture(self, stated: MtlMaterial) -> Texture:
        """The texture of a material of which one image can be read."""
        key = (stated.texture, stated.cutout, stated.clamped)
        if key not in self._textures:
            pixels, cutout = self._pixels(stated.texture), self._pixels(stated.cutout)
            if cutout is not None:
                pixels = with_opacity(pixels, cutout)
            assert pixels is not None
            wrap: Wrap = "clamp" if stated.clamped else "repeat"
            self._textures[key] = as_texture(pixels, (wrap, wrap))
        return self._textures[key]


def _alpha_mode(opacity: float, cutout: Texture | None) -> AlphaMode:
    """Opaque unless the library says otherwise: an image's alpha channel alone means nothing in an OBJ."""
    if opacity < 1:
        return "blend"
    alpha = np.uint8(255) if cutout is None else cutout.pixels[..., 3]
    if (alpha == 255).all():
        return "opaque"
    return "mask" if ((alpha == 0) | (alpha == 255)).all() else "blend"


def _uncommented(text: str) -> str:
    return text.partition(" #")[0].strip()


def base_name(name: str) -> str:
    """Last part of a path of any system."""
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2]
