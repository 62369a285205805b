"""Read Stanford PLY files as meshes.

Parsed here, as `plyfile` reads text and lists of mixed lengths row by row, and allocates what a header promises.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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

_TYPES = {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"}
_TYPES |= {f"{word}{8 * size}": f"{word[0]}{size}" for word in ("int", "uint") for size in (1, 2, 4, 8)}
_TYPES |= {"float": "f4", "float32": "f4", "double": "f8", "float64": "f8"}
_BYTE_ORDERS = {"ascii": None, "binary_little_endian": "<", "binary_big_endian": ">"}

_MAX_HEADER = 1 << 20
_NUMBER_COST, _UNEVEN_COST, _VALUE_COST = 16, 110, 16
"""Bytes of memory, measured, for a number of a text file, a property of a row whose lists differ, and a value kept."""

_COLOUR_NAMES = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b"))
_ALPHA_NAMES = ("alpha", "diffuse_alpha", "a")
_UV_NAMES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"), ("texture_s", "texture_t"))


@dataclass(frozen=True)
class _Column:
    """A property of all rows.

    Attributes:
        values: in row order.
        counts: how many each row has; None for a scalar.
        kind: declared type, such as ``u1``; the values of a text file are float64.
    """

    values: NDArray[Any]
    counts: Ints | None
    kind: str


_Columns = dict[str, _Column]


@dataclass(frozen=True)
class _Property:
    """A property: its declared type, and how its values and the length of its list are stored."""

    name: str
    kind: str
    stored: np.dtype[Any]
    counted: np.dtype[Any] | None


@dataclass(frozen=True)
class _Header:
    """Elements as name, rows and properties; textures that comments name; where the data begins, and its form."""

    elements: list[tuple[str, int, list[_Property]]]
    textures: list[str]
    start: int
    is_text: bool


def read_ply(
    path: Path, *, texture: Path | None = None, drop: Collection[str] = (), root: Path | None = None
) -> RawMesh:
    """Read a PLY file, text or binary.

    It is taken to be in the project's own frame. Colours of vertices or of faces, the first that are not all one, are
    sRGB-encoded; their opacity is kept, but the material is opaque. Texture coordinates of face corners or vertices
    have v up; the textures are those that ``comment TextureFile`` lines name, or an image named like the file. Polygons
    are cut as those of an OBJ.

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
    materials, warnings = _materials(textures, files, override, uv is not None)
    face_material = np.zeros(len(polygon), np.int32)
    if (number := _stacked(face, ("texnumber",))) is not None:
        face_material = np.clip(np.nan_to_num(number[polygon, 0]), 0, len(materials) - 1).astype(np.int32)
    with np.errstate(over="ignore"):
        vertices = points.astype(np.float32)
    mesh = Mesh(
        vertices=vertices,
        faces=point.astype(np.int32),
        materials=materials,
        face_material=face_material,
        uv=uv,
        colors=_colors(vertex, face, point, polygon),
        normals=_normals(vertex, point),
    )
    mesh, repeated = without_repeated_colours(mesh, path.name)
    return RawMesh(
        mesh=mesh,
        up="+z",
        front="-y",
        files=files.tried if texture is None else (*files.tried, texture),
        warnings=(*files.warnings(), *warnings, *repeated),
    )


def _parse(data: bytes, name: str) -> tuple[dict[str, _Columns], list[str]]:
    """Columns by element and property, and the textures that comments name."""
    header = _header(data, name)
    body = data[header.start :]
    columns: dict[str, _Columns] = {}
    at = 0
    try:
        if header.is_text:
            memory.take(_NUMBER_COST * (1 + len(body) // 2))
            body = numbers(body).astype("<f8", copy=False).tobytes()
        for element, rows, properties in header.elements:
            even = _read_even(body, rows, properties, at)
            columns[element], at = _read_uneven(body, rows, properties, at) if even is None else even
    except (ValueError, OverflowError, struct.error) as error:
        # A fault behind vertices and faces costs nothing.
        if not {"vertex", "face"} <= columns.keys():
            raise CharacterError(f"{name} is cut short or damaged: export it again") from error
    return columns, header.textures


def _header(data: bytes, name: str) -> _Header:
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
                kind = _TYPES[words[-2]]
                # All numbers of a text become float64.
                stored = np.dtype("<f8" if order is None else order + kind)
                counted = stored if order is None else np.dtype(order + _TYPES[words[2 if words[1] == "list" else 1]])
                elements[-1][2].append(_Property(words[-1], kind, stored, counted if words[1] == "list" else None))
            elif len(words) > 2 and words[0] == "comment" and words[1].lower() == "texturefile":
                textures.append(" ".join(words[2:]))
    except (IndexError, KeyError, ValueError, StopIteration) as error:
        raise CharacterError(f"{name} has a PLY header that cannot be understood: export it again") from error
    return _Header(elements, textures, newline + 1, order is None)


def _read_even(body: bytes, rows: int, properties: list[_Property], at: int) -> tuple[_Columns, int] | None:
    """Columns of an element whose rows are laid out as the first, and where it ends; None if its lists differ.

    Raises:
        ValueError: if the data ends before.
    """
    fields: list[tuple[str, np.dtype[Any], int]] = []
    end = at
    for k, prop in enumerate(properties):
        count = 1
        if prop.counted is not None:
            count = _count(np.frombuffer(body, prop.counted, 1, end)[0]) if rows else 0
            fields.append((f"count {k}", prop.counted, 1))
            end += prop.counted.itemsize
        fields.append((f"values {k}", prop.stored, count))
        end += count * prop.stored.itemsize
    if rows and end > len(body):
        raise ValueError("past the end")
    row = np.dtype([(name, dtype, (count,)) for name, dtype, count in fields])
    if row.itemsize * rows > len(body) - at:
        return None
    memory.take(_VALUE_COST * rows * sum(count for _, _, count in fields))
    table = np.frombuffer(body, row, rows, at) if rows else np.zeros(0, row)
    columns = {}
    for k, prop in enumerate(properties):
        values, counts = table[f"values {k}"], None
        if prop.counted is not None:
            if (table[f"count {k}"] != values.shape[1]).any():
                return None
            counts = np.full(rows, values.shape[1], np.int64)
        columns[prop.name] = _Column(values.reshape(-1), counts, prop.kind)
    return columns, at + row.itemsize * rows


def _read_uneven(body: bytes, rows: int, properties: list[_Property], at: int) -> tuple[_Columns, int]:
    """As `_read_even`, row by row."""
    if at + rows * sum((prop.counted or prop.stored).itemsize for prop in properties) > len(body):
        raise ValueError("past the end")
    memory.ask(_UNEVEN_COST * rows * len(properties) + len(body))
    # NumPy's long has 8 bytes where struct's standard one has 4.
    codes = {"l": "q", "L": "Q"}
    plan = []
    for prop in properties:
        counted = prop.counted
        code = None if counted is None else counted.str[0].replace("|", "<") + codes.get(counted.char, counted.char)
        plan.append((None if code is None else struct.Struct(code), prop.stored.itemsize, list[int](), list[int]()))
    for _ in range(rows):
        for reader, size, starts, counts in plan:
            count = 1
            if reader is not None:
                count = _count(reader.unpack_from(body, at)[0])
                at += reader.size
            starts.append(at)
            counts.append(count)
            at += count * size
        if at > len(body):
            raise ValueError("past the end")
    data = np.frombuffer(body, np.uint8)
    columns = {}
    for prop, (_, size, starts, counts) in zip(properties, plan, strict=True):
        many = np.array(counts, np.int64)
        total = int(many.sum())
        memory.take(_VALUE_COST * total)
        step = np.arange(total) - np.repeat(np.cumsum(many) - many, many)
        places = np.repeat(np.array(starts, np.int64), many) + size * step
        values = data[places[:, None] + np.arange(size)].view(prop.stored)[:, 0]
        columns[prop.name] = _Column(values, None if prop.counted is None else many, prop.kind)
    return columns, at


def _count(value: Any) -> int:
    count = int(value)
    if count < 0 or count != value:
        raise ValueError("a list has no such length")
    return count


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
    """Colours of each corner, (T, 3, 4): the first table that has several colours, else the first; None without."""
    sides = np.repeat(polygon[:, None], 3, axis=1)
    tables = [(rows, at) for columns, at in ((vertex, point), (face, sides)) for rows in _linear_colors(columns)]
    # Programs write white or grey for what they have no colours of.
    several = (table for table in tables if len(table[0]) and np.ptp(table[0][:, :3], axis=0).any())
    rows, at = next(several, tables[0] if tables else (None, point))
    return None if rows is None else rows[at]


def _linear_colors(columns: _Columns) -> list[NDArray[np.float32]]:
    """Linear RGB and opacity of each row, (N, 4), for each set of colours."""

    def unit(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values as 0-1, by the largest of a small unsigned type; floats tell their range themselves."""
        kind = columns[name].kind
        most = 65535.0 if kind == "u2" and values.max(initial=0.0) > 255 else 255.0
        return values / (full_scale(values) if kind[0] == "f" else most)

    tables = []
    for names in _COLOUR_NAMES:
        if (rgb := _stacked(columns, names)) is not None:
            linear = np.ones((len(rgb), 4), np.float32)
            linear[:, :3] = srgb_to_linear(unit(names[0], rgb))
            for name in _ALPHA_NAMES:
                if (alpha := _stacked(columns, (name,))) is not None:
                    linear[:, 3] = np.clip(unit(name, alpha[:, 0]), 0.0, 1.0)
            tables.append(linear)
    return tables


def _normals(vertex: _Columns, point: Ints) -> NDArray[np.float32] | None:
    """Unit normals of each corner; None unless every vertex in use has one."""
    normals = _stacked(vertex, ("nx", "ny", "nz"))
    if normals is None:
        return None
    unit = unit_normals(normals)[point]
    return unit.astype(np.float32) if unit.any(axis=-1).all() else None


def _materials(
    named: list[str], files: SideFiles, override: Texture | None, has_uv: bool
) -> tuple[tuple[Material, ...], list[str]]:
    """A material for each texture the file names, or one; and warnings about what is missing."""
    if not has_uv:
        warning = f"{files.name} names textures and has no texture coordinates that can be read: they were left out"
        return (Material(texture=override),), [warning] if named else []
    warnings: dict[str, None] = {}

    def decoded(path: Path | None) -> Texture | None:
        try:
            return None if path is None else as_texture(load_texture(path, path.name, files.root))
        except CharacterError as error:
            warnings[str(error)] = None
            return None

    materials = []
    for name in named or [""]:
        short, path = name.replace("\\", "/").rpartition("/")[2], files.find(name)
        if name and path is None:
            warnings[f"texture {short} {files.nowhere}"] = None
        materials.append(Material(name=short, texture=decoded(path) or override))
    if any(material.texture is None for material in materials):
        image = decoded(files.find_own(IMAGE_SUFFIXES))
        materials = [material if material.texture else replace(material, texture=image) for material in materials]
    return tuple(materials), list(warnings)
