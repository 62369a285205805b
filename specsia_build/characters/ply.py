"""Read Stanford PLY files as meshes.

Parsed here, since general readers allocate what a header promises, or read lists of mixed lengths wrongly or slowly.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.characters.attributes import full_scale, numbers, unit_normals, without_repeated_colours
from specsia_build.characters.images import IMAGE_SUFFIXES, as_texture, load_texture
from specsia_build.characters.polygons import Ints, triangulate
from specsia_build.characters.raw import RawMesh
from specsia_build.characters.side_files import SideFiles
from specsia_build.errors import CharacterError
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.mesh import Material, Mesh, Texture

_TYPES = {"char": "b", "uchar": "B", "short": "h", "ushort": "H", "int": "i", "uint": "I", "float": "f", "double": "d"}
_TYPES |= {"int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q"}
_TYPES |= {"uint64": "Q", "float32": "f", "float64": "d"}
"""Codes of the types, which `struct` and NumPy share."""

_BYTE_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_MAX_HEADER = 1 << 20
_NUMBER_COST, _UNEVEN_COST, _VALUE_COST = 16, 110, 16
"""Bytes of memory, measured, for a number of a text file, a property of a row whose lists differ, and a value kept."""

_COLOR_NAMES = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b"))
_ALPHA_NAMES = ("alpha", "diffuse_alpha", "a")
_UV_NAMES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"), ("texture_s", "texture_t"))


class _Property(NamedTuple):
    """A property: its declared type, and the types that its values and the length of its list, or None, have."""

    name: str
    kind: str
    value: str
    length: str | None


class _Column(NamedTuple):
    """Values of a property of all rows, how many each row has (None for a scalar), and its declared type."""

    values: NDArray[Any]
    counts: Ints | None
    kind: str


_Columns = dict[str, _Column]


def read_ply(
    path: Path, *, texture: Path | None = None, drop: Collection[str] = (), root: Path | None = None
) -> RawMesh:
    """Read a PLY file, text or binary.

    Colours of vertices or faces are sRGB-encoded; their opacity is kept, but the material is opaque. Texture
    coordinates of face corners or vertices have v up; the textures are those of ``comment TextureFile`` lines, or an
    image named like the file.

    Args:
        path: the file.
        texture: base colour where the file has no texture of its own.
        drop: names of parts to leave out; a PLY has none.
        root: folder that no file may lie outside of, links followed; None is the file's own.

    Returns:
        The mesh in the file's coordinates, ``up`` +z, ``front`` -y.

    Raises:
        CharacterError: if the file or `texture` cannot be read, or it has no faces.
    """
    files = SideFiles(path, root)
    elements, textures = _parse(files.read(path), path.name)
    vertex, face = elements.get("vertex", {}), elements.get("face", {})
    points = _stacked(vertex, ("x", "y", "z"))
    lists = [face[name] for name in ("vertex_indices", "vertex_index") if name in face]
    sides = lists[0].counts if lists else None
    if points is None or sides is None or not len(sides):
        raise CharacterError(f"{path.name} has no faces, so there is no surface to draw: export it as a mesh")
    corners = lists[0].values
    if not (np.isfinite(corners).all() and corners.min(initial=0) >= 0 and corners.max(initial=0) < len(points)):
        raise CharacterError(f"{path.name} has faces that name vertices it does not have")
    corners = corners.astype(np.int64)
    first = np.concatenate([[0], np.cumsum(sides)])
    triangles, polygon = triangulate(points, corners, first, np.ones(len(sides), dtype=bool))
    if len(triangles) == 0:
        raise CharacterError(f"{path.name} has no faces with three corners or more")
    point = corners[triangles]
    uv = _uv(vertex, face, sides, triangles, point)
    override = None if texture is None else as_texture(load_texture(texture, texture.name, files.root))
    material, warnings = _material(textures, files, override, uv is not None)
    normals = _stacked(vertex, ("nx", "ny", "nz"))
    unit = None if normals is None else unit_normals(normals)[point].astype(np.float32)
    with np.errstate(over="ignore"):
        vertices = points.astype(np.float32)
    mesh = Mesh(
        vertices=vertices,
        faces=point.astype(np.int32),
        materials=(material,),
        face_material=np.zeros(len(polygon), np.int32),
        uv=uv,
        colors=_colors(vertex, face, point, polygon),
        normals=unit if unit is not None and unit.any(axis=-1).all() else None,
    )
    mesh, repeated = without_repeated_colours(mesh, path.name)
    tried = files.tried if texture is None else (*files.tried, texture)
    return RawMesh(mesh, up="+z", front="-y", files=tried, warnings=(*files.warnings(), *warnings, *repeated))


def _parse(data: bytes, name: str) -> tuple[dict[str, _Columns], list[str]]:
    """Columns by element and property, and the textures that comments name."""
    end = data.find(b"end_header", 0, _MAX_HEADER)
    # Lines end in \n, \r\n or, as Rhino writes them, in \r alone: as the first one does.
    feed = b"\r" if data[3:4] == b"\r" and data[4:5] != b"\n" else b"\n"
    newline = data.find(feed, end) if end >= 0 else -1
    if not data.startswith(b"ply") or newline < 0:
        raise CharacterError(f"{name} is not a PLY file: its header is missing or has no end")
    lines = [line.split() for line in data[:end].decode("utf-8", errors="replace").splitlines()[1:]]
    elements: list[tuple[str, int, list[_Property]]] = []
    textures: list[str] = []
    try:
        order = _BYTE_ORDERS[next(words[1] for words in lines if words[:1] == ["format"])]
        for words in lines:
            if words[:1] == ["element"]:
                elements.append((words[1], max(0, int(words[2])), []))
            elif words[:1] == ["property"]:
                # All numbers of a text become float64.
                kind, length = (_TYPES[words[k]] for k in (-2, 2 if words[1] == "list" else 1))
                value, count = (order + code if order else "<d" for code in (kind, length))
                elements[-1][2].append(_Property(words[-1], kind, value, count if words[1] == "list" else None))
            elif len(words) > 2 and words[0] == "comment" and words[1].lower() == "texturefile":
                textures.append(" ".join(words[2:]))
    except (IndexError, KeyError, ValueError, StopIteration) as error:
        raise CharacterError(f"{name} has a PLY header that cannot be understood: export it again") from error
    body, at = data[newline + 1 :], 0
    columns: dict[str, _Columns] = {}
    try:
        if not order:
            memory.take(_NUMBER_COST * (1 + len(body) // 2))
            body = numbers(body).astype("<f8", copy=False).tobytes()
        for element, rows, properties in elements:
            even = _read_even(body, rows, properties, at)
            columns[element], at = even or _read_uneven(body, rows, properties, at)
    except (ValueError, OverflowError, struct.error) as error:
        # A fault behind vertices and faces costs nothing.
        if not {"vertex", "face"} <= columns.keys():
            raise CharacterError(f"{name} is cut short or damaged: export it again") from error
    return columns, textures


def _read_even(body: bytes, rows: int, properties: list[_Property], at: int) -> tuple[_Columns, int] | None:
    """Columns of an element whose rows are laid out as the first, and where it ends; None if its lists differ."""
    fields: list[tuple[str, str, tuple[int]]] = []
    end = at
    for k, prop in enumerate(properties):
        count = 1
        if prop.length is not None:
            count = _length(struct.Struct(prop.length), body, end) if rows else 0
            fields.append((f"count {k}", prop.length, (1,)))
            end += struct.calcsize(prop.length)
        fields.append((f"values {k}", prop.value, (count,)))
        end += count * struct.calcsize(prop.value)
    if rows and end > len(body):
        raise ValueError("past the end")
    row = np.dtype(fields)
    if row.itemsize * rows > len(body) - at:
        return None
    memory.take(_VALUE_COST * rows * sum(count for name, _, (count,) in fields if name[0] == "v"))
    table = np.frombuffer(body, row, rows, at) if rows else np.zeros(0, row)
    columns = {}
    for k, prop in enumerate(properties):
        values, counts = table[f"values {k}"], None
        if prop.length is not None:
            if (table[f"count {k}"] != values.shape[1]).any():
                return None
            counts = np.full(rows, values.shape[1], np.int64)
        columns[prop.name] = _Column(values.reshape(-1), counts, prop.kind)
    return columns, at + row.itemsize * rows


def _read_uneven(body: bytes, rows: int, properties: list[_Property], at: int) -> tuple[_Columns, int]:
    """Read as `_read_even` does, row by row."""
    if at + rows * sum(struct.calcsize(prop.length or prop.value) for prop in properties) > len(body):
        raise ValueError("past the end")
    memory.ask(_UNEVEN_COST * rows * len(properties) + len(body))
    readers = [None if prop.length is None else struct.Struct(prop.length) for prop in properties]
    sizes = [struct.calcsize(prop.value) for prop in properties]
    plan = [(reader, size, list[int](), list[int]()) for reader, size in zip(readers, sizes, strict=True)]
    for _ in range(rows):
        for reader, size, starts, counts in plan:
            count = 1
            if reader is not None:
                count = _length(reader, body, at)
                at += reader.size
            starts.append(at)
            counts.append(count)
            at += count * size
        if at > len(body):
            raise ValueError("past the end")
    data = np.frombuffer(body, np.uint8)
    columns = {}
    for prop, (reader, size, starts, counts) in zip(properties, plan, strict=True):
        many = np.array(counts, np.int64)
        total = int(many.sum())
        memory.take(_VALUE_COST * total)
        step = np.arange(total) - np.repeat(np.cumsum(many) - many, many)
        places = np.repeat(np.array(starts, np.int64), many) + size * step
        values = data[places[:, None] + np.arange(size)].view(prop.value)[:, 0]
        columns[prop.name] = _Column(values, None if reader is None else many, prop.kind)
    return columns, at


def _length(reader: struct.Struct, body: bytes, at: int) -> int:
    """The length of a list, which is a number of any type."""
    (value,) = reader.unpack_from(body, at)
    if value < 0 or int(value) != value:
        raise ValueError("a list has no such length")
    return int(value)


def _stacked(columns: _Columns, names: tuple[str, ...]) -> NDArray[np.float64] | None:
    """Scalar properties side by side, (N, len(names)); None if one is missing."""
    if any(name not in columns or columns[name].counts is not None for name in names):
        return None
    with np.errstate(invalid="ignore"):
        return np.stack([columns[name].values.astype(np.float64) for name in names], axis=1)


def _uv(vertex: _Columns, face: _Columns, sides: Ints, triangles: Ints, point: Ints) -> NDArray[np.float32] | None:
    """Texture coordinates of each corner with v down, (T, 3, 2); None where the file has none."""
    per_corner = face.get("texcoord")
    if per_corner is not None and per_corner.counts is not None and (per_corner.counts == 2 * sides).all():
        uv = per_corner.values.astype(np.float64).reshape(-1, 2)[triangles]
    else:
        tables = (_stacked(vertex, names) for names in _UV_NAMES)
        per_vertex = next((table for table in tables if table is not None), None)
        if per_vertex is None:
            return None
        uv = per_vertex[point]
    with np.errstate(over="ignore"):
        return np.stack([uv[..., 0], 1.0 - uv[..., 1]], axis=-1).astype(np.float32)


def _colors(vertex: _Columns, face: _Columns, point: Ints, polygon: Ints) -> NDArray[np.float32] | None:
    """Linear RGB and opacity of each corner, (T, 3, 4), of the first table of several colours, else of the first."""

    def unit(kind: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values as 0-1; integers count to 255, or to 65535 where they are larger."""
        most = 65535.0 if kind == "H" and values.max(initial=0.0) > 255 else 255.0
        return values / (full_scale(values) if kind in "fd" else most)

    tables = []
    for columns, rows in ((vertex, point), (face, np.repeat(polygon[:, None], 3, axis=1))):
        for names in _COLOR_NAMES:
            if (rgb := _stacked(columns, names)) is not None:
                linear = np.ones((len(rgb), 4), np.float32)
                linear[:, :3] = srgb_to_linear(unit(columns[names[0]].kind, rgb))
                for name in _ALPHA_NAMES:
                    if (alpha := _stacked(columns, (name,))) is not None:
                        linear[:, 3] = np.clip(unit(columns[name].kind, alpha[:, 0]), 0.0, 1.0)
                tables.append((linear, rows))
    # Programs write white or grey for what they have no colours of.
    several = (table for table in tables if len(table[0]) and np.ptp(table[0][:, :3], axis=0).any())
    table, rows = next(several, tables[0] if tables else (None, point))
    return None if table is None else table[rows]


def _material(
    named: list[str], files: SideFiles, override: Texture | None, has_uv: bool
) -> tuple[Material, dict[str, None]]:
    """The material with the first texture that the file names, and warnings, as keys, about what is missing."""
    if not has_uv:
        warning = f"{files.name} names textures and has no texture coordinates that can be read: they were left out"
        return Material(texture=override), {warning: None} if named else {}
    warnings: dict[str, None] = {}

    def decoded(path: Path | None) -> Texture | None:
        try:
            return None if path is None else as_texture(load_texture(path, path.name, files.root))
        except CharacterError as error:
            warnings[str(error)] = None
            return None

    name = named[0].replace("\\", "/").rpartition("/")[2] if named else ""
    path = files.find(named[0]) if named else None
    if named and path is None:
        warnings[f"texture {name} {files.nowhere}"] = None
    if len(named) > 1:
        warnings[f"{files.name} names {len(named)} textures: the first is used for all of it"] = None
    return Material(name=name, texture=decoded(path) or override or decoded(files.find_own(IMAGE_SUFFIXES))), warnings
