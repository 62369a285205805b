"""The container of a glTF file: GLB chunks, buffers, accessors and the files it may refer to."""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import unquote, unquote_to_bytes

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.characters.actions import FRAMES
from specsia_build.characters.gltf.extensions import denormalise, unpack_view
from specsia_build.characters.gltf.schema import Accessor, Buffer, BufferView, Entry, Extensions, Root, Sparse
from specsia_build.characters.gltf.text import damaged, parse, read_entry
from specsia_build.characters.side_files import SideFiles
from specsia_build.errors import CharacterError
from specsia_build.files.sources import open_source_file, read_source, read_whole

E = TypeVar("E", bound=Entry)

GLB_MAGIC = b"glTF"
CHUNK_JSON = 0x4E4F534A
CHUNK_BINARY = 0x004E4942

COMPONENTS: dict[int, np.dtype[Any]] = {
    5120: np.dtype("<i1"),
    5121: np.dtype("<u1"),
    5122: np.dtype("<i2"),
    5123: np.dtype("<u2"),
    5125: np.dtype("<u4"),
    5126: np.dtype("<f4"),
}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}

MOST_UNBACKED = 65_536
"""Elements that an accessor without a buffer view may have where nothing else of as many has bytes in the file."""

READABLE = (
    "KHR_draco_mesh_compression",
    "EXT_meshopt_compression",
    "KHR_meshopt_compression",
    "KHR_mesh_quantization",
    "KHR_texture_basisu",
    "KHR_texture_transform",
    "KHR_lights_punctual",
    "KHR_node_visibility",
    "EXT_mesh_gpu_instancing",
    "EXT_texture_webp",
    "EXT_texture_avif",
    "MSFT_texture_dds",
)
READABLE_FAMILIES = ("KHR_materials_", "VRM", "KHR_xmp", "KHR_animation_pointer")
"""Extensions that change nothing of the shape: their materials are shown by base colour, opacity and emission.

Of textures whose image is in a format that is not read, the plain one is shown, or that there is none is said."""


@dataclass(frozen=True)
class Export:
    """A document that another program made of a file.

    Attributes:
        data: of the document.
        files: where those that the file names were looked up.
        fps: frames a second of the file.
    """

    data: bytes
    files: SideFiles
    fps: float


@dataclass(frozen=True)
class Document:
    """A glTF file, its JSON parsed and its binary chunk at hand.

    Attributes:
        path: the file.
        within: folder that no file may lie outside of, links followed.
        root: its JSON.
        binary: the GLB's binary chunk, or None.
        files: where those that it names are looked up.
        buffers: bytes of the buffers read so far, by index.
        unpacked: bytes of the compressed buffer views read so far, by index.
        warnings: sentences about what was read all the same.
        fps: frames a second that poses are counted in.
        is_export: whether another program made it, whose colours beside lost textures are place-holders.
    """

    path: Path
    within: Path
    root: Root
    binary: memoryview | None
    files: SideFiles
    buffers: dict[int, memoryview] = field(default_factory=dict)
    unpacked: dict[int, memoryview] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)
    fps: float = FRAMES
    is_export: bool = False
    _entries: dict[tuple[type[Entry], int], Entry] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.path.name

    def entry(self, kind: type[E], index: int) -> E:
        """An entry of one of the document's lists, the list given by the entry's type."""
        found = self._entries.get((kind, index))
        if not isinstance(found, kind):
            texts = self.root.entries(kind.key)
            if not 0 <= index < len(texts):
                raise damaged(f"{self.name}:", f"uses {kind.key}[{index}], which does not exist")
            found = read_entry(texts[index], kind, f"{self.name}: {kind.key}[{index}]")
            self._entries[kind, index] = found
        return found

    def entries(self, kind: type[E]) -> list[E]:
        """All entries of one of the document's lists."""
        return [self.entry(kind, index) for index in range(self.root.count(kind.key))]

    def error(self, kind: type[Entry], index: int, problem: str, below: str = "") -> CharacterError:
        """The error that says what is wrong with an entry, or with what stands `below` it."""
        return damaged(f"{self.name}: {kind.key}[{index}]{below}", problem)

    def uri_bytes(self, uri: str) -> bytes:
        """What a URI of the file holds: a data URI, or a file where it says, inside the source's folder.

        Raises:
            CharacterError: if the URI leads out of the folder or is damaged.
            FileNotFoundError: if the file is not there.
            OSError: if it may not be read; its text says why.
        """
        if is_data(uri):
            return self._data_uri(uri)
        path = self.files.place(unquote(uri))
        if path is None:
            inside = "its own folder" if self.within == self.path.parent else f"the folder {self.within.name or '.'}"
            raise CharacterError(
                f"{self.name} refers to '{uri}', which is not a file inside {inside}: put the file beside it and "
                "name it by a relative path"
            )
        try:
            with open_source_file(path, self.within) as stream:
                return read_whole(stream)
        except CharacterError as error:
            raise OSError(str(error)) from error

    def image_file(self, uri: str) -> tuple[Path | None, bool]:
        """The image that a URI means, None where there is none, and whether it is where the URI says."""
        names = dict.fromkeys((unquote(uri), uri))
        found = next((path for name in names if (path := self.files.find(name)) is not None), None)
        return found, found in [self.files.stated(PurePosixPath(name.replace("\\", "/")).parts) for name in names]

    def _data_uri(self, uri: str) -> bytes:
        header, comma, payload = uri.partition(",")
        try:
            if not comma:
                raise ValueError("no comma")
            is_base64 = header.lower().endswith(";base64")
            # Each percent sign becomes an object.
            memory.ask(4 * len(payload) + 150 * payload.count("%"))
            content = unquote_to_bytes(payload)
            if is_base64:
                content = base64.b64decode(content)
            memory.take(len(content))
            return content
        except (ValueError, binascii.Error) as error:
            raise CharacterError(f"{self.name} has a data URI that is damaged: export it again") from error

    def buffer(self, index: int) -> memoryview:
        """The bytes of a buffer."""
        if index in self.buffers:
            return self.buffers[index]
        uri = self.entry(Buffer, index).uri
        if uri:
            try:
                self.buffers[index] = memoryview(self.uri_bytes(uri))
            except OSError as error:
                why = "is not there" if isinstance(error, FileNotFoundError) else f"cannot be read ({error})"
                raise CharacterError(f"{self.name} needs '{uri}', which {why}: put it beside the file") from error
        elif index == 0 and self.binary is not None:
            self.buffers[index] = self.binary
        else:
            raise self.error(Buffer, index, "names no data")
        return self.buffers[index]

    def view_bytes(self, index: int) -> memoryview:
        """The bytes of a buffer view, decompressed."""
        view = self.entry(BufferView, index)
        extensions = view.extensions or Extensions()
        packed = extensions.meshopt_ext or extensions.meshopt
        if packed is None:
            return self._part_of(index, view.buffer, view.byte_offset or 0, view.byte_length)
        if index not in self.unpacked:
            data = self._part_of(index, packed.buffer, packed.byte_offset or 0, packed.byte_length)
            try:
                self.unpacked[index] = unpack_view(data, packed)
            except ValueError as error:
                raise self.error(BufferView, index, "has meshoptimizer data that cannot be decoded") from error
        return self.unpacked[index]

    def _part_of(self, index: int, buffer: int, start: int, length: int) -> memoryview:
        data = self.buffer(buffer)
        if start + length > len(data):
            if len(data) < self.entry(Buffer, buffer).byte_length:
                raise CharacterError(f"{self.name} is cut short: its data ends before its header says; copy it again")
            raise self.error(BufferView, index, "reaches past the end of its buffer")
        return data[start : start + length]

    def accessor(self, index: int, backed: int = 0) -> NDArray[Any]:
        """An accessor's elements as stored, (count, width) in their component type, sparse ones filled in.

        Args:
            index: of the accessor.
            backed: elements of what it goes with, which has bytes in the file: it may itself leave out as many.
        """
        entry = self.entry(Accessor, index)
        dtype, width = COMPONENTS.get(entry.component_type), WIDTHS.get(entry.type or "")
        if dtype is None or width is None:
            raise self.error(Accessor, index, "has an unknown componentType or type")
        most = max(MOST_UNBACKED, backed)
        if entry.buffer_view is None and entry.count > most:
            problem = f"says it has {entry.count} elements and has data for none; {most} may be left out"
            raise self.error(Accessor, index, problem)
        if entry.buffer_view is None:
            values: NDArray[Any] = np.zeros((entry.count, width), dtype)
        else:
            stride = self.entry(BufferView, entry.buffer_view).byte_stride or 0
            place = entry.buffer_view, entry.byte_offset or 0, stride
            values = self._elements(index, "", place, dtype, (entry.count, width))
        return values if entry.sparse is None else self._filled(index, entry.sparse, values)

    def floats(self, index: int, backed: int = 0) -> NDArray[np.float32]:
        """As `accessor`, in float32, integers that are normalised as 0-1 or -1-1."""
        values = self.accessor(index, backed)
        return denormalise(values) if self.entry(Accessor, index).normalized is True else values.astype(np.float32)

    def _elements(
        self, index: int, below: str, place: tuple[int, int, int], dtype: np.dtype[Any], shape: tuple[int, int]
    ) -> NDArray[Any]:
        """Elements (count, width) at a buffer view, an offset and a stride, 0 for none; errors name them as `below`."""
        view, offset, stride = place
        count, width = shape
        data, size = self.view_bytes(view), dtype.itemsize * width
        if 0 < stride < size:
            # Old exporters wrote the size of a component, or of another element.
            told = f"{self.name}: accessors[{index}]{below} has a byteStride of {stride}, smaller than its elements of"
            self.warnings[f"{told} {size} bytes: it was read as tightly packed"] = None
            stride = size
        stride = stride or size
        if count and offset + stride * (count - 1) + size > len(data):
            raise self.error(Accessor, index, "reaches past the end of its bufferView", below)
        if count == 0:
            return np.zeros(shape, dtype)
        return np.ndarray(shape, dtype, buffer=data, offset=offset, strides=(stride, dtype.itemsize))

    def _filled(self, index: int, sparse: Sparse, values: NDArray[Any]) -> NDArray[Any]:
        """The elements of a sparse accessor, those that it names put in their places."""
        where, what = sparse.indices, sparse.values
        if sparse.count > len(values):
            raise self.error(Accessor, index, "has more elements than there are", ".sparse")
        index_type = COMPONENTS.get(where.component_type or 0)
        if index_type is None or index_type.kind != "u":
            raise self.error(Accessor, index, "has an unknown componentType", ".sparse.indices")
        place = where.buffer_view, where.byte_offset or 0, 0
        rows = self._elements(index, ".sparse.indices", place, index_type, (sparse.count, 1))[:, 0]
        if sparse.count and int(rows.max()) >= len(values):
            raise self.error(Accessor, index, "names an element that does not exist", ".sparse.indices")
        memory.ask(values.nbytes)
        filled = values.copy()
        place = what.buffer_view, what.byte_offset or 0, 0
        filled[rows] = self._elements(index, ".sparse.values", place, values.dtype, (sparse.count, values.shape[1]))
        return filled


def is_data(uri: str) -> bool:
    """Whether a URI holds what it means."""
    return uri[:5].lower() == "data:"


def load_document(path: Path, within: Path, export: Export | None = None) -> Document:
    """A .glb, .gltf or .vrm file; which it is shows in its first bytes, not in its name.

    Args:
        path: the file.
        within: as in `Document`.
        export: what another program made of a file of another format.
    """
    data = read_source(path, within) if export is None else export.data
    text, binary = _glb_chunks(data, path.name) if data[:4] == GLB_MAGIC else (data, None)
    root = parse(text, path.name)
    for extension in root.extensions_required or ():
        if extension not in READABLE and not extension.startswith(READABLE_FAMILIES):
            raise CharacterError(
                f"{path.name} needs the glTF extension {extension}, which cannot be read: export it again without it"
            )
    if export is not None:
        return Document(path, within, root, binary, export.files, fps=export.fps, is_export=True)
    return Document(path, within, root, binary, SideFiles(path, within))


def _glb_chunks(data: bytes, name: str) -> tuple[bytes, memoryview | None]:
    cut = CharacterError(f"{name} is cut short or damaged: copy or export it again")
    if len(data) < 20:
        raise cut
    _, version, length = struct.unpack_from("<4sII", data)
    if version != 2:
        raise CharacterError(f"{name} is a GLB of version {version}: export it again as glTF 2.0")
    if length > len(data):
        raise cut
    chunks: list[tuple[int, memoryview]] = []
    offset = 12
    while offset + 8 <= length and len(chunks) < 2:
        size, kind = struct.unpack_from("<II", data, offset)
        if offset + 8 + size > length:
            raise cut
        chunks.append((kind, memoryview(data)[offset + 8 : offset + 8 + size]))
        offset += 8 + size
    if not chunks or chunks[0][0] != CHUNK_JSON:
        raise cut
    binary = chunks[1][1] if len(chunks) > 1 and chunks[1][0] == CHUNK_BINARY else None
    return bytes(chunks[0][1]), binary
