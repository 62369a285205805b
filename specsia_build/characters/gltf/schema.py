"""The JSON of a glTF file as typed structs: what a picture depends on, and nothing else of it is even decoded."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, ClassVar, NoReturn, TypeVar

import msgspec
import numpy as np
from msgspec import Meta, Raw, field

from specsia_build import memory
from specsia_build.errors import CharacterError

LARGEST_INTEGER = 2**53
"""Integers above this are not exact in JSON numbers of other programs, and no count or offset needs them."""

Index = Annotated[int, Meta(ge=0, le=LARGEST_INTEGER)]
# Bounds leave out what is not finite.
Number = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
Two = tuple[Number, Number]
Three = tuple[Number, Number, Number]
Four = tuple[Number, Number, Number, Number]
Sixteen = Annotated[tuple[Number, ...], Meta(min_length=16, max_length=16)]

_COSTS = {"[": 80, "{": 240, ",": 100, '"': 40}
"""Bytes of memory of a list, an object, one more value in it, and half of a text, at most."""

_TEXT_OR_ODD_NUMBER = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|-?Infinity|NaN', re.DOTALL)
_ESCAPE = re.compile(rb"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)|\\.", re.DOTALL)
_EXPECTED = re.compile(r"Expected `(\w+)[^`]*`(?: of length \D*(\d+))?")
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_WANTED = {"int": "a whole number of 0 or more", "str": "a text", "array": "a list", "object": "an object"}


class _Struct(msgspec.Struct, rename="camel", gc=False):
    """An object of the file; null is as if the key were absent, and so is every key that is not named here."""


class Present(_Struct):
    """An object of which only that it is there counts."""


class Asset(_Struct):
    version: str | None = None


class VrmMaterial(_Struct):
    """What VRM 0.x says of the material at the same place of its own list."""

    shader: str | None = None
    float_properties: dict[str, Any] | None = None


class Vrm(_Struct):
    material_properties: tuple[VrmMaterial, ...] | None = None


class Versioned(_Struct):
    """A document of which only the version counts."""

    asset: Asset | None = None


class RootExtensions(_Struct):
    vrm: Vrm | None = field(default=None, name="VRM")
    vrmc_vrm: Present | None = field(default=None, name="VRMC_vrm")


class Root(_Struct):
    """The document; the entries of its lists stay text until they are used, see `Entry`."""

    asset: Asset | None = None
    extensions_required: list[str] | None = None
    extensions: RootExtensions | None = None
    scene: int | float | None = None
    scenes: list[Raw] | None = None
    nodes: list[Raw] | None = None
    meshes: list[Raw] | None = None
    skins: list[Raw] | None = None
    animations: list[Raw] | None = None
    materials: list[Raw] | None = None
    textures: list[Raw] | None = None
    images: list[Raw] | None = None
    samplers: list[Raw] | None = None
    accessors: list[Raw] | None = None
    buffer_views: list[Raw] | None = None
    buffers: list[Raw] | None = None

    def count(self, key: str) -> int:
        """How many entries one of the lists has, by its name in the file."""
        return len(self.entries(key))

    def entries(self, key: str) -> list[Raw]:
        """One of the lists, by its name in the file."""
        return getattr(self, "buffer_views" if key == "bufferViews" else key) or []


class Entry(_Struct):
    """An entry of one of the document's lists, which are called `key` in the file."""

    key: ClassVar[str]


class Scene(Entry):
    key = "scenes"
    nodes: tuple[Index, ...] | None = None


class Node(Entry):
    key = "nodes"
    name: str | None = None
    children: tuple[Index, ...] | None = None
    mesh: Index | None = None
    skin: Index | None = None
    weights: tuple[Number, ...] | None = None
    matrix: Sixteen | None = None
    translation: Three | None = None
    rotation: Four | None = None
    scale: Three | None = None


class Draco(_Struct):
    """Where a primitive's triangles and attributes lie in Draco's form; attributes are named by their ids there."""

    buffer_view: Index
    attributes: dict[str, Index] | None = None


class PrimitiveExtensions(_Struct):
    draco: Draco | None = field(default=None, name="KHR_draco_mesh_compression")


class Primitive(_Struct):
    attributes: dict[str, Index] | None = None
    indices: Index | None = None
    material: Index | None = None
    mode: Index | None = None
    targets: tuple[dict[str, Index], ...] | None = None
    extensions: PrimitiveExtensions | None = None


class Mesh(Entry):
    key = "meshes"
    name: str | None = None
    primitives: tuple[Primitive, ...] | None = None
    weights: tuple[Number, ...] | None = None


class Skin(Entry):
    key = "skins"
    joints: tuple[Index, ...] | None = None
    inverse_bind_matrices: Index | None = None


class TextureTransform(_Struct):
    tex_coord: Index | None = None
    offset: Two | None = None
    rotation: Number | None = None
    scale: Two | None = None


class SlotExtensions(_Struct):
    transform: TextureTransform | None = field(default=None, name="KHR_texture_transform")


class Slot(_Struct):
    """Where a material names a texture."""

    index: Index
    tex_coord: Index | None = None
    extensions: SlotExtensions | None = None


class Metallic(_Struct):
    factor: Four | None = field(default=None, name="baseColorFactor")
    texture: Slot | None = field(default=None, name="baseColorTexture")


class Glossy(_Struct):
    factor: Four | None = field(default=None, name="diffuseFactor")
    texture: Slot | None = field(default=None, name="diffuseTexture")


class EmissiveStrength(_Struct):
    emissive_strength: Number | None = None


class MaterialExtensions(_Struct):
    glossy: Glossy | None = field(default=None, name="KHR_materials_pbrSpecularGlossiness")
    unlit: Present | None = field(default=None, name="KHR_materials_unlit")
    glow: EmissiveStrength | None = field(default=None, name="KHR_materials_emissive_strength")


class Material(Entry):
    key = "materials"
    name: str | None = None
    metallic: Metallic | None = field(default=None, name="pbrMetallicRoughness")
    alpha_mode: str | None = None
    alpha_cutoff: Number | None = None
    # Anything but true is false.
    double_sided: Any = False
    emissive_factor: Three | None = None
    emissive_texture: Slot | None = None
    extensions: MaterialExtensions | None = None


class OtherSource(_Struct):
    """The image of a texture in a format of its own."""

    source: Index | None = None


class TextureExtensions(_Struct):
    basisu: OtherSource | None = field(default=None, name="KHR_texture_basisu")
    webp: OtherSource | None = field(default=None, name="EXT_texture_webp")


class Texture(Entry):
    key = "textures"
    source: Index | None = None
    sampler: Index | None = None
    extensions: TextureExtensions | None = None


class Image(Entry):
    key = "images"
    uri: str | None = None
    buffer_view: Index | None = None


class Sampler(Entry):
    key = "samplers"
    wrap_s: Index | None = None
    wrap_t: Index | None = None
    mag_filter: Index | None = None


class SparsePart(_Struct):
    """Where a sparse accessor's indices or values lie; values have the accessor's own type."""

    buffer_view: Index
    byte_offset: Index | None = None
    component_type: Index | None = None


class Sparse(_Struct):
    count: Index
    indices: SparsePart
    values: SparsePart


class Accessor(Entry):
    key = "accessors"
    component_type: Index
    count: Index
    type: str | None = None
    buffer_view: Index | None = None
    byte_offset: Index | None = None
    # Anything but true is false.
    normalized: Any = False
    sparse: Sparse | None = None


class Meshopt(_Struct):
    """Where a buffer view's bytes lie in meshoptimizer's form."""

    buffer: Index
    byte_length: Index
    byte_stride: Index
    count: Index
    mode: str
    byte_offset: Index | None = None
    filter: str | None = None


class BufferViewExtensions(_Struct):
    ext: Meshopt | None = field(default=None, name="EXT_meshopt_compression")
    khr: Meshopt | None = field(default=None, name="KHR_meshopt_compression")


class BufferView(Entry):
    key = "bufferViews"
    buffer: Index
    byte_length: Index
    byte_offset: Index | None = None
    byte_stride: Index | None = None
    extensions: BufferViewExtensions | None = None


class Buffer(Entry):
    key = "buffers"
    byte_length: Index
    uri: str | None = None


S = TypeVar("S", bound=_Struct)


def parse(text: bytes, name: str) -> Root:
    """The root object of a JSON text.

    Args:
        text: UTF-8, with or without a byte order mark.
        name: the file's name, for messages.

    Raises:
        CharacterError: if it is not a JSON object, or none of a glTF file.
        CostError: if it could take more memory than is left for the character.
    """
    text = text.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text.startswith((b"{", b"[")):
        what = "it begins neither as GLB nor as JSON" if text else "it is empty"
        raise CharacterError(f"{name} is not a glTF file that can be read: {what}; copy or export it again")
    if text.startswith(b"["):
        raise CharacterError(f"{name} is not a glTF file: its JSON is not an object")
    memory.take(_cost(text))
    try:
        return _decoded(text, Root)
    except (msgspec.DecodeError, ValueError):
        mended = _TEXT_OR_ODD_NUMBER.sub(_mended, text)
    # The lists of glTF 1.0 are objects: that is what is to be said of them, not that they are no lists.
    check_version(_checked(lambda: _decoded(mended, Versioned), f"{name}:", name), name)
    return _checked(lambda: _decoded(mended, Root), f"{name}:", name)


def check_version(document: Root | Versioned, name: str) -> None:
    """Check that a document is glTF 2.

    Raises:
        CharacterError: if it is not.
    """
    version = (document.asset.version if document.asset else None) or ""
    if not version.startswith("2"):
        raise CharacterError(f"{name} is glTF version '{version or 'unknown'}': export it again as glTF 2.0")


def read_entry(text: Raw, kind: type[S], place: str, name: str) -> S:
    """An object of the file.

    Args:
        text: of the object.
        kind: its type.
        place: for messages, such as ``Knight.glb: accessors[4]``.
        name: the file's name, for messages.

    Raises:
        CharacterError: if it is not one of that kind.
    """
    try:
        return _decoded(text, kind)
    except (msgspec.DecodeError, ValueError):
        # Exporters write whole numbers as 5.0 too.
        return _checked(lambda: msgspec.convert(json.loads(bytes(text), parse_float=_whole), kind), place, name)


def damaged(place: str, problem: str) -> CharacterError:
    """The error that says what is wrong at a place, such as ``Knight.glb: accessors[4]``."""
    return CharacterError(f"{place} {problem}: the file is damaged or wrongly written, export it again")


def _decoded(text: bytes | Raw, kind: type[S]) -> S:
    try:
        decoded: S = _decoder(kind).decode(text)
        return decoded
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


@cache
def _decoder(kind: type[S]) -> msgspec.json.Decoder[S]:
    return msgspec.json.Decoder(kind)


def _checked(read: Callable[[], S], place: str, name: str) -> S:
    try:
        return read()
    except msgspec.ValidationError as error:
        _refuse(str(error), place)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise CharacterError(f"{name} is not a glTF file that can be read: its JSON is damaged ({error})") from error


def _refuse(said: str, place: str) -> NoReturn:
    """Raise what msgspec says of a value as a sentence of ours."""
    problem, _, path = said.rstrip("`").partition(" - at `$")
    missing, expected = _MISSING.match(problem), _EXPECTED.match(problem)
    if missing:
        raise damaged(_joined(place, path), f"lacks '{missing[1]}'")
    wanted = _WANTED.get(expected[1] if expected else "", "a finite number")
    if expected and expected[2]:
        wanted += f" of {expected[2]} numbers"
    above, _, key = path.rpartition(".")
    if key and "[" not in key:
        raise damaged(_joined(place, above), f"has a '{key}' that is not {wanted}")
    raise damaged(_joined(place, path), f"is not {wanted}")


def _joined(place: str, path: str) -> str:
    return f"{place} {path.removeprefix('.')}" if place.endswith(":") and path else place + path


def _cost(text: bytes) -> int:
    """Bytes of memory that a JSON text takes once it is decoded, at most."""
    characters = (2 if text.isascii() else 6) * len(text)
    signs = np.frombuffer(text, np.uint8)
    return characters + sum(cost * int(np.count_nonzero(signs == ord(sign))) for sign, cost in _COSTS.items())


def _mended(found: re.Match[bytes]) -> bytes:
    """What stands for what JSON does not have, and exporters write where nothing depends on it.

    For a number that is none, one that no float can hold, which is refused where it is used; for half of a character in
    a text, the replacement character.
    """
    if not found[0].startswith(b'"'):
        return b"1e999"
    return _ESCAPE.sub(lambda escape: b"\\ufffd" if escape[1] else escape[0], found[0])


def _whole(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() else value
