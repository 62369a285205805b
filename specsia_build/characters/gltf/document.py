"""The container of a glTF file: JSON, GLB chunks, buffers, accessors and the files that it may refer to."""

import base64
import json
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, unquote_to_bytes

import msgspec
import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.arrays import Floats
from specsia_build.characters.actions import FRAME_RATE
from specsia_build.characters.character import legible
from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.schema import Accessor, BufferView, GltfEntry
from specsia_build.characters.side_files import SideFiles
from specsia_build.errors import CharacterError
from specsia_build.files.sources import read_source
from specsia_build.warning import Code, Warning

E = TypeVar("E", bound=GltfEntry)
_T = TypeVar("_T")

COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}

_EXTENSIONS = (
    "KHR_draco_mesh_compression EXT_meshopt_compression KHR_meshopt_compression KHR_mesh_quantization "
    "KHR_texture_basisu KHR_texture_transform KHR_lights_punctual EXT_texture_webp "
    "EXT_texture_avif MSFT_texture_dds KHR_animation_pointer KHR_materials_ VRM KHR_xmp MSFT_lod "
    "EXT_mesh_gpu_instancing KHR_node_visibility"
)
READABLE = tuple(_EXTENSIONS.split())
"""Beginnings of extensions that are read, or whose absence costs a shade or an image with a warning."""

_ASIDE = (
    "CESIUM_primitive_outline EXT_mesh_features EXT_structural_metadata EXT_feature_metadata "
    "FB_ngon_encoding FB_geometry_metadata EXT_mesh_manifold MSFT_packing_ KHR_physics_ KHR_collision_ OMI_"
)
_SHAPES = ("meshes", "accessors", "bufferViews", "buffers", "materials", "textures", "images", "samplers")
# Parts of names of extensions, wherever they stand, that place or make surfaces
_SHAPING = re.compile(
    "mesh|instancing|geometr|primitive|splat|voxel|subdiv|nurbs|curve|points", re.IGNORECASE
)

_INTEGERS = range(1, 9)  # `DT_INT8` to `DT_UINT64` of Draco's draco_types.h

_JSON_COSTS = {b"[": 80, b"{": 240, b",": 100, b'"': 40}
"""Bytes of memory of a list, an object, one more value in it, and half of a string, at most."""


@dataclass(frozen=True)
class Document:
    """A glTF file, its JSON split into entries and its buffers read on demand."""

    path: Path
    files: SideFiles  # Finds the files that it refers to, and says what folder they may not lie outside of
    root: schema.Root  # Its JSON but for its lists
    # JSON of the entries of each list, empty for those that the file lacks
    lists: Mapping[str, Sequence[Raw]]
    binary: memoryview | None  # The GLB's binary chunk, or None
    fps: float  # Frames per second that poses are counted in
    is_export: bool  # Whether it was made of another format
    # About what was left out or repaired, as keys in order
    warnings: dict[Warning, None] = field(default_factory=dict)
    _entries: dict[tuple[type[GltfEntry], int], GltfEntry] = field(default_factory=dict)
    _bytes: dict[tuple[type[GltfEntry], int], memoryview] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def extensions(self) -> schema.Extensions:
        return self.root.extensions or schema.Extensions()

    def entry(self, kind: type[E], index: int) -> E:
        """Decode an entry of one of the document's lists; `kind` says which."""
        entry = self._entries.get((kind, index))
        if not isinstance(entry, kind):
            if not 0 <= index < self.count(kind):
                raise self.error(kind, index, "is used and does not exist")
            entry = _decode(self.lists[kind.key][index], kind, f"{self.name}: {kind.key}[{index}]")
            self._entries[kind, index] = entry
        return entry

    def entries(self, kind: type[E]) -> list[E]:
        """All entries of one of the document's lists."""
        return [self.entry(kind, index) for index in range(self.count(kind))]

    def count(self, kind: type[GltfEntry]) -> int:
        """Number of entries of one of the document's lists."""
        return len(self.lists.get(kind.key, ()))

    def error(self, kind: type[GltfEntry], index: int, problem: str) -> CharacterError:
        """Error about an entry."""
        return damaged(f"{self.name}: {kind.key}[{index}]", problem)

    def warn(self, code: Code, sentence: str, subject: str | None = None) -> None:
        """Add a warning, by default about the file."""
        self.warnings[Warning(code, sentence, self.name if subject is None else subject)] = None

    @contextmanager
    def tolerating(self, end: str = "it was left out") -> Iterator[None]:
        """Turn a `CharacterError` of the block into a warning with this end."""
        try:
            yield
        except CharacterError as error:
            self.warn(error.code, f"{error}; {end}")

    def buffer(self, index: int) -> memoryview:
        """Bytes of a buffer: the binary chunk, a data URI, or a file inside the root."""
        key = (schema.Buffer, index)
        if key not in self._bytes:
            uri = self.entry(schema.Buffer, index).uri
            if uri and is_data(uri):
                self._bytes[key] = memoryview(data_uri(uri, self.name))
            elif uri:
                if (path := self.files.place(unquote(uri))) is None:
                    problem = f"{self.name} refers to '{uri}', which is not a file inside its folder"
                    raise CharacterError(problem)
                self._bytes[key] = memoryview(self.files.read(path))
            elif index == 0 and self.binary is not None:
                self._bytes[key] = self.binary
            else:
                raise self.error(schema.Buffer, index, "names no data")
        return self._bytes[key]

    def view_bytes(self, index: int) -> memoryview:
        """Bytes of a buffer view, decompressed."""
        key = (BufferView, index)
        if key not in self._bytes:
            view = self.entry(BufferView, index)
            extensions = view.extensions or schema.Extensions()
            packed = extensions.meshopt_ext or extensions.meshopt
            place = packed or view
            start, data = place.byte_offset or 0, self.buffer(place.buffer)
            if start + place.byte_length > len(data):
                raise self.error(BufferView, index, "reaches past the end of its buffer")
            data = data[start : start + place.byte_length]
            try:
                self._bytes[key] = data if packed is None else unpack_view(data, packed)
            except ValueError as error:
                raise self.error(
                    BufferView, index, "has meshoptimizer data that cannot be decoded"
                ) from error
        return self._bytes[key]

    def accessor(self, index: int) -> NDArray[Any]:
        """An accessor's elements as stored, (count, width) in their component type, sparse ones filled in."""
        entry = self.entry(Accessor, index)
        code, width = COMPONENTS.get(entry.component_type), _WIDTHS.get(entry.type or "")
        if code is None or width is None:
            raise self.error(Accessor, index, "has an unknown componentType or type")
        if entry.buffer_view is None:
            memory.ask(np.dtype(code).itemsize * width * entry.count)
            values: NDArray[Any] = np.zeros((entry.count, width), code)
        else:
            values = self._elements(index, entry.buffer_view, entry.byte_offset, code, (entry.count, width))
        if (sparse := entry.sparse) is None:
            return values
        places, many = sparse.indices, sparse.count
        row_code = COMPONENTS.get(places.component_type or 0, "")
        if "u" not in row_code or many > len(values):
            raise self.error(
                Accessor, index, "has a sparse part with another componentType or too many elements"
            )
        rows = self._elements(index, places.buffer_view, places.byte_offset, row_code, (many, 1))
        new = self._elements(index, sparse.values.buffer_view, sparse.values.byte_offset, code, (many, width))
        if many and int(rows.max()) >= len(values):
            raise self.error(Accessor, index, "has a sparse part with an element that does not exist")
        memory.ask(values.nbytes)
        values = values.copy()
        values[rows[:, 0]] = new
        return values

    def is_normalised(self, index: int) -> bool:
        """Whether an accessor's integers stand for 0-1 or -1-1."""
        return self.entry(Accessor, index).normalized is True

    def _elements(
        self, index: int, view: int, offset: int | None, code: str, shape: tuple[int, int]
    ) -> NDArray[Any]:
        """Elements (count, width) of accessor `index` at an offset in a buffer view."""
        dtype = np.dtype(code)
        data = self.view_bytes(view)
        start = offset or 0
        count, size = shape[0], dtype.itemsize * shape[1]
        # Old exporters wrote the size of a component as the stride.
        stride = max(self.entry(BufferView, view).byte_stride or 0, size)
        if count == 0:
            return np.zeros(shape, dtype)
        if start + stride * (count - 1) + size > len(data):
            raise self.error(Accessor, index, "does not fit its buffer view")
        return np.ndarray(shape, dtype, buffer=data, offset=start, strides=(stride, dtype.itemsize))


def damaged(place: str, problem: str) -> CharacterError:
    """Error about a place in a file, such as ``Knight.glb: accessors[4]``."""
    fault = f"{place} {problem}: the file is damaged or wrongly written, export it again as glTF 2.0"
    return CharacterError(fault)


def is_data(uri: str) -> bool:
    """Whether a URI holds its data itself."""
    return uri[:5].lower() == "data:"


def data_uri(uri: str, name: str) -> bytes:
    """Decode a data URI of the file called `name`."""
    header, _, payload = uri.partition(",")
    try:
        # Each percent sign becomes an object.
        memory.ask(4 * len(payload) + 150 * payload.count("%"))
        content = unquote_to_bytes(payload)
        if header.lower().endswith(";base64"):
            content = base64.b64decode(content)
    except ValueError as error:
        raise CharacterError(f"{name} has a data URI that is damaged: export it again") from error
    memory.take(len(content))
    return content


def unpack_view(data: memoryview, packed: schema.Meshopt) -> memoryview:
    """Decode a buffer view of EXT_meshopt_compression; a ValueError if it is damaged."""
    import meshopt

    memory.take(packed.count * packed.byte_stride)
    if packed.count == 0:
        return memoryview(b"")
    with memory.held():
        unpacked = meshopt.decode_gltf_buffer(
            np.frombuffer(data, np.uint8), packed.count, packed.byte_stride, packed.mode, packed.filter
        )
    return np.ascontiguousarray(unpacked).data.cast("B")


def unpack_draco(data: bytes, packed: schema.Draco) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
    """Decode faces (F, 3) and attributes (V, width) of Draco, in its types; a ValueError if damaged."""
    import DracoPy

    try:
        with memory.held():
            mesh = DracoPy.decode(data)
            stored = {entry["unique_id"]: np.asarray(entry["data"]) for entry in mesh.attributes}
            for entry in mesh.attributes:
                # The decoder gives signed integers as floats.
                if entry["data_type"] in _INTEGERS and stored[entry["unique_id"]].dtype.kind == "f":
                    stored[entry["unique_id"]] = stored[entry["unique_id"]].astype(np.int32)
            faces = np.asarray(mesh.faces, np.int64).reshape(-1, 3)
    except (DracoPy.FileTypeException, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error
    attributes = {"POSITION": None, **(packed.attributes or {})}
    if missing := [name for name, number in attributes.items() if number not in stored]:
        raise ValueError(f"no {missing[0]} in it")
    memory.take(faces.nbytes + sum(values.nbytes for values in stored.values()))
    return faces, {name: stored[number] for name, number in attributes.items()}


def denormalise(values: NDArray[Any]) -> Floats:
    """Normalised integers as float32, 0-1 or -1-1 (KHR_mesh_quantization); floats unchanged."""
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    scaled = values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
    # The least of signed integers is a step below -1.
    return np.asarray(np.maximum(scaled, np.float32(-1)))


def load_document(path: Path, within: Path) -> Document:
    """Open a .glb, .gltf or .vrm file, told by its first bytes; no file of it may lie outside `within`."""
    return parse_document(path, read_source(path, within), SideFiles(path, within))


def parse_document(
    path: Path, data: bytes, files: SideFiles, fps: float = FRAME_RATE, is_export: bool = False
) -> Document:
    """Open a glTF document held in memory; arguments are as in `Document`."""
    text, binary = _glb_chunks(data, path.name) if data[:4] == b"glTF" else (data, None)
    root, lists = _parse(text, path.name)
    document = Document(path, files, root, lists, binary, fps, is_export)
    required = dict.fromkeys(root.extensions_required or ())
    for extension in dict.fromkeys([*required, *(root.extensions_used or ())]):
        if extension.startswith(READABLE):
            continue
        shapes = _changes_looks(extension, lists)
        if shapes and extension in required:
            raise CharacterError(
                f"{path.name} needs the glTF extension {extension}, which cannot be read: export it again "
                "without it",
                "not-read",
            )
        if shapes or extension in required:
            sentence = f"{path.name} has the glTF extension {extension}, which is not read"
            document.warn("not-read", sentence, extension)
    return document


def _changes_looks(extension: str, lists: Mapping[str, Sequence[Raw]]) -> bool:
    """Whether an extension that is not read changes geometry or colours, by where it stands and its name."""
    if extension.startswith(tuple(_ASIDE.split())):
        return False
    key = json.dumps(extension).encode()
    stands = any(key in bytes(entry) for kind in _SHAPES for entry in lists.get(kind, ()))
    return stands or _SHAPING.search(extension) is not None


def _glb_chunks(data: bytes, name: str) -> tuple[bytes, memoryview | None]:
    """JSON and binary chunk of a GLB file."""
    if data[4:8] != b"\2\0\0\0" and len(data) >= 20:
        raise CharacterError(f"{name} is a GLB of another version than 2: export it again as glTF 2.0")
    length = int.from_bytes(data[8:12], "little")
    chunks: list[tuple[int, memoryview]] = []
    end = 12
    while end + 8 <= min(length, len(data)) and len(chunks) < 2:
        size, kind = struct.unpack_from("<II", data, end)
        chunks.append((kind, memoryview(data)[end + 8 : end + 8 + size]))
        end += 8 + size
    is_json = bool(chunks) and chunks[0][0] == int.from_bytes(b"JSON", "little")
    if max(length, end) > len(data) or end > length or not is_json:
        raise CharacterError(f"{name} is cut short or damaged: copy or export it again")
    binary = chunks[1][1] if len(chunks) > 1 and chunks[1][0] == int.from_bytes(b"BIN\0", "little") else None
    return bytes(chunks[0][1]), binary


def _parse(text: bytes, name: str) -> tuple[schema.Root, dict[str, list[Raw]]]:
    """Decode the root object of UTF-8 JSON, with or without byte order mark, and split lists into entries."""
    text = text.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text.startswith(b"{"):
        raise CharacterError(f"{name} is not a glTF file that can be read: copy or export it again")
    characters = (2 if text.isascii() else 6) * len(text)
    memory.take(characters + sum(cost * text.count(sign) for sign, cost in _JSON_COSTS.items()))
    if not text.isascii():
        # Names in another encoding than UTF-8 cost the name alone.
        text = text.decode("utf-8", errors="replace").encode()
    stored = _decode(text, dict[str, Raw], f"{name}:")
    keys = [kind.key for kind in GltfEntry.__subclasses__()]
    rest = msgspec.json.encode({key: value for key, value in stored.items() if key not in keys})
    asset = _decode(rest, schema.Versioned, f"{name}:").asset or {}
    version = str(asset.get("version") or "unknown")
    if not version.startswith("2"):
        raise CharacterError(f"{name} is glTF version '{version}': export it again as glTF 2.0")
    root = _decode(rest, schema.Root, f"{name}:")
    return root, {key: _decode(stored[key], list[Raw], f"{name}: {key}") for key in keys if key in stored}


def _decode(text: bytes | Raw, kind: type[_T], place: str) -> _T:
    """Decode an object; `place` names it in errors. Whole numbers may be written as 5.0."""
    decoder = _decoder(kind)  # type: ignore[arg-type]
    try:
        try:
            entry: _T = decoder.decode(text)
        except msgspec.ValidationError:
            raise
        except ValueError:
            # Some exporters write NaN, or half a character, where nothing depends on it.
            value = json.loads(bytes(text), parse_constant=lambda _: None)
            entry = decoder.decode(legible(json.dumps(value, ensure_ascii=False)).encode())
        return entry
    except msgspec.ValidationError as error:
        problem, _, where = str(error).rstrip("`").partition(" - at `$")
        raise damaged((place + where).replace(":.", ": "), f"is wrongly written ({problem})") from error
    except (ValueError, RecursionError) as error:
        name = place.partition(":")[0]
        fault = f"{name} is not a glTF file that can be read: its JSON is damaged ({error})"
        raise CharacterError(fault) from error


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, strict=False)
