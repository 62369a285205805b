"""Stanford PLY files as meshes.

Parsed here, as `plyfile` reads texts and lists of mixed lengths row by row, and allocates what a header promises.
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
from specsia_build.errors import CharacterError, some
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.mesh import Material, Mesh, Texture

_TYPES = {
    "char": "i1",
    "uchar": "u1",
    "short": "i2",
    "ushort": "u2",
    "int": "i4",
    "uint": "u4",
    **{f"{word}{8 * size}": f"{word[0]}{size}" for word in ("int", "uint") for size in (1, 2, 4, 8)},
    "float": "f4",
    "float32": "f4",
    "double": "f8",
    "float64": "f8",
}
_BYTE_ORDERS = {"ascii": None, "binary_little_endian": "<", "binary_big_endian": ">"}
_USED = frozenset({"vertex", "face", "tristrips", "material"})
"""Elements that decide a picture; a fault in another one, behind them, costs nothing."""

_MAX_HEADER = 1 << 20
_NUMBER_COST, _UNEVEN_COST, _VALUE_COST = 16, 110, 16
"""Bytes of memory, measured, for a number of a text file, a property of a row whose lists differ, and a value kept."""

_COLOUR_NAMES = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b"))
_ALPHA_NAMES = ("alpha", "diffuse_alpha", "a")
_SPLAT_NAMES = frozenset({"packed_position", "f_dc_0"})
_UV_NAMES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"), ("texture_s", "texture_t"))


@dataclass(frozen=True)
class Column:
    """A property of all rows: `values` in row order, `counts` how many each row has (None: one each).

    `kind` is the declared type, such as ``u1`` or ``f4``; the values of a text file are float64 all the same.
    """

    values: NDArray[Any]
    counts: Ints | None
    kind: str


Columns = dict[str, Column]


@dataclass(frozen=True)
class _Property:
    """A property, its declared type, and the types that its values and the length of its list are stored in."""

    name: str
    kind: str
    stored: np.dtype[Any]
    counted: np.dtype[Any] | None


@dataclass(frozen=True)
class _Element:
    name: str
    rows: int
    properties: tuple[_Property, ...]


def read_ply(
    path: Path, *, texture: Path | None = None, drop: Collection[str] = (), root: Path | None = None
) -> RawMesh:
    """Read a PLY file, text or binary.

    It is taken to be in the project's own frame. Colours of vertices, of faces, or of the materials that either
    name (``material_index``), the first that are not all one, are display colours, sRGB-encoded; their opacity is kept,
    but the material is opaque. Texture coordinates of face corners or vertices have v up; the textures are those that
    ``comment TextureFile`` lines name, or an image named like the file. Polygons are cut as those of an OBJ.

    Args:
        path: the file.
        texture: base colour where the file has no texture of its own.
        drop: names of parts to leave out; a PLY has none.
        root: folder that no file may lie outside of, links followed; None is the file's own.

    Returns:
        The mesh in the file's coordinates, ``up`` +z, ``front`` -y.

    Raises:
        CharacterError: if the file or `texture` cannot be read, or it is a point cloud.
    """
    files = SideFiles(path, root)
    elements, textures = _parsed(files.read(path), path.name)
    vertex, face = elements.get("vertex", {}), elements.get("face", {})
    points = _stacked(vertex, ("x", "y", "z"))
    indices = _indices(face) or _of_strips(_indices(elements.get("tristrips", {})))
    if indices is None and not _SPLAT_NAMES.isdisjoint(vertex):
        raise CharacterError(f"{path.name} holds Gaussian splats: there is no surface to draw, so export it as a mesh")
    if points is None or len(points) == 0:
        raise CharacterError(f"{path.name} has no vertices")
    if indices is None or indices.counts is None:
        raise CharacterError(f"{path.name} is a point cloud: it has no faces, so there is no surface to draw")
    corners = indices.values
    if len(corners) and not (np.isfinite(corners).all() and corners.min() >= 0 and corners.max() < len(points)):
        raise CharacterError(f"{path.name} has faces that name vertices it does not have")
    corners = corners.astype(np.int64)
    first = np.concatenate([[0], np.cumsum(indices.counts)])
    triangles, polygon = triangulate(points, corners, first, np.ones(len(indices.counts), dtype=bool))
    if len(triangles) == 0:
        raise CharacterError(f"{path.name} has no faces with three corners or more")
    point = corners[triangles]
    uv = _uv(vertex, face, indices.counts, triangles, point)
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
        colors=_colors(vertex, face, elements.get("material", {}), point, polygon),
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


def _parsed(data: bytes, name: str) -> tuple[dict[str, Columns], list[str]]:
    """Columns by element and property, and the textures that comments name."""
    is_text, elements, textures, start = _header(data, name)
    body = data[start:]
    if is_text:
        memory.take(_NUMBER_COST * (1 + len(body) // 2))
        try:
            body = numbers(body).astype("<f8", copy=False).tobytes()
        except ValueError as error:
            raise CharacterError(f"{name} holds something other than numbers in its data: {error}") from error
    columns: dict[str, Columns] = {}
    at = 0
    for element in elements:
        try:
            even = _read_even(body, element, at)
            columns[element.name], at = _read_uneven(body, element, at) if even is None else even
        except (ValueError, OverflowError, struct.error) as error:
            if element.name not in _USED and "vertex" in columns and ("face" in columns or "tristrips" in columns):
                break
            raise CharacterError(f"{name} is cut short or damaged in its '{element.name}' data") from error
    return columns, textures


def _header(data: bytes, name: str) -> tuple[bool, list[_Element], list[str], int]:
    """Whether the data is text, the elements, textures that comments name, and where the data begins."""
    end = data.find(b"end_header", 0, _MAX_HEADER)
    # Lines end in \n, \r\n or, as Rhino writes them, in \r alone: as the first one does.
    feed = b"\r" if data[3:4] == b"\r" and data[4:5] != b"\n" else b"\n"
    newline = data.find(feed, end) if end >= 0 else -1
    if not data.startswith(b"ply") or newline < 0:
        raise CharacterError(f"{name} is not a PLY file: its header is missing or has no end")
    order: str | None = ""
    elements: list[_Element] = []
    textures: list[str] = []
    for line in data[:end].decode("utf-8", errors="replace").splitlines()[1:]:
        words = line.split()
        try:
            if words[:1] == ["format"]:
                order = _BYTE_ORDERS[words[1]]
            elif words[:1] == ["element"]:
                elements.append(_Element(words[1], int(words[2]), ()))
                if elements[-1].rows < 0:
                    raise ValueError("negative count")
            elif words[:1] == ["property"]:
                is_list, kind = words[1] == "list", _TYPES[words[-2]]
                # All numbers of a text become float64.
                stored = np.dtype("<f8" if order is None else (order or "<") + kind)
                counted = stored if order is None else np.dtype((order or "<") + _TYPES[words[2]] if is_list else "u1")
                added = _Property(words[-1], kind, stored, counted if is_list else None)
                elements[-1] = replace(elements[-1], properties=(*elements[-1].properties, added))
            elif len(words) > 2 and words[0] == "comment" and words[1].lower() == "texturefile":
                textures.append(line.split(None, 2)[2].strip())
        except (IndexError, KeyError, ValueError) as error:
            raise CharacterError(f"{name} has a header line that cannot be understood: '{line[:80]}'") from error
    if order == "":
        raise CharacterError(f"{name} has no format line in its header")
    return order is None, elements, textures, newline + 1


def _read_even(body: bytes, element: _Element, at: int) -> tuple[Columns, int] | None:
    """An element and where the next begins, if all rows are laid out as the first; None where lists differ in length.

    Raises:
        ValueError: if the data ends before.
    """
    fields: list[tuple[str, np.dtype[Any], int]] = []
    end = at
    for k, prop in enumerate(element.properties):
        count = 1
        if prop.counted is not None:
            count = _count(np.frombuffer(body, prop.counted, 1, end)[0]) if element.rows else 0
            fields.append((f"count {k}", prop.counted, 1))
            end += prop.counted.itemsize
        fields.append((f"values {k}", prop.stored, count))
        end += count * prop.stored.itemsize
    if end > len(body) and element.rows:
        raise ValueError("past the end")
    row = np.dtype([(name, dtype, (count,)) for name, dtype, count in fields])
    if not row.itemsize * element.rows <= len(body) - at:
        return None
    memory.take(_VALUE_COST * element.rows * sum(count for _, _, count in fields))
    rows = np.frombuffer(body, row, element.rows, at) if element.rows else np.zeros(0, row)
    columns = {}
    for k, prop in enumerate(element.properties):
        values, counts = rows[f"values {k}"], None
        if prop.counted is not None:
            if (rows[f"count {k}"] != values.shape[1]).any():
                return None
            counts = np.full(element.rows, values.shape[1], np.int64)
        columns[prop.name] = Column(values.reshape(-1), counts, prop.kind)
    return columns, at + row.itemsize * element.rows


def _read_uneven(body: bytes, element: _Element, at: int) -> tuple[Columns, int]:
    """As `_read_even`, row by row."""
    smallest = sum((prop.counted or prop.stored).itemsize for prop in element.properties)
    if at + smallest * element.rows > len(body):
        raise ValueError("past the end")
    memory.ask(_UNEVEN_COST * element.rows * len(element.properties) + len(body))
    plan = []
    for prop in element.properties:
        reader = None
        if prop.counted is not None:
            # NumPy's long is 8 bytes where struct's standard one is 4.
            code = {"l": "q", "L": "Q"}.get(prop.counted.char, prop.counted.char)
            reader = struct.Struct(prop.counted.str[0].replace("|", "<") + code)
        plan.append((reader, prop.stored.itemsize, list[int](), list[int]()))
    for _ in range(element.rows):
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
    for prop, (_, size, starts, counts) in zip(element.properties, plan, strict=True):
        many = np.array(counts, np.int64)
        total = int(many.sum())
        memory.take(_VALUE_COST * total)
        step = np.arange(total) - np.repeat(np.cumsum(many) - many, many)
        places = np.repeat(np.array(starts, np.int64), many) + size * step
        values = data[places[:, None] + np.arange(size)].view(prop.stored)[:, 0]
        columns[prop.name] = Column(values, None if prop.counted is None else many, prop.kind)
    return columns, at


def _count(value: Any) -> int:
    count = int(value)
    if count < 0 or count != value:
        raise ValueError("a list has no such length")
    return count


def _indices(columns: Columns) -> Column | None:
    """The lists of vertices of faces or strips; None where there are none."""
    listed = [columns[name] for name in ("vertex_indices", "vertex_index") if name in columns]
    return next((column for column in listed if column.counts is not None and len(column.counts)), None)


def _of_strips(strips: Column | None) -> Column | None:
    """The triangles of strips, each of whose corners after the second makes one with the two before; -1 begins anew."""
    if strips is None or strips.counts is None:
        return None
    values, place = strips.values, np.arange(len(strips.values))
    begins = np.zeros(len(values) + 1, np.bool_)
    begins[np.concatenate([[0], np.cumsum(strips.counts)])] = True
    breaks = values == -1
    begins[1:] |= breaks
    begins[:-1] |= breaks
    since = place - np.maximum.accumulate(np.where(begins[:-1], place, 0))
    last = place[(since >= 2) & ~breaks]
    # Every other one is wound the other way round.
    odd = since[last] % 2
    corners = values[np.stack([last - 2 + odd, last - 1 - odd, last], axis=1)]
    apart = (corners != np.roll(corners, 1, axis=1)).all(axis=1)
    return Column(corners[apart].ravel(), np.full(int(apart.sum()), 3, np.int64), strips.kind)


def _stacked(columns: Columns, names: tuple[str, ...]) -> NDArray[np.float64] | None:
    """Scalar properties side by side, (N, len(names)); None if one is missing."""
    if any(name not in columns or columns[name].counts is not None for name in names):
        return None
    with np.errstate(invalid="ignore"):
        return np.stack([columns[name].values.astype(np.float64) for name in names], axis=1)


def _uv(vertex: Columns, face: Columns, sides: Ints, triangles: Ints, point: Ints) -> NDArray[np.float32] | None:
    """Texture coordinates of each corner with v down, (T, 3, 2); None where the file has none."""
    per_corner = face.get("texcoord")
    if per_corner is not None and per_corner.counts is not None and (per_corner.counts == 2 * sides).all():
        uv = per_corner.values.astype(np.float64).reshape(-1, 2)[triangles]
    else:
        per_vertex = next((found for names in _UV_NAMES if (found := _stacked(vertex, names)) is not None), None)
        if per_vertex is None:
            return None
        uv = per_vertex[point]
    with np.errstate(over="ignore"):
        return np.stack([uv[..., 0], 1.0 - uv[..., 1]], axis=-1).astype(np.float32)


def _colors(
    vertex: Columns, face: Columns, material: Columns, point: Ints, polygon: Ints
) -> NDArray[np.float32] | None:
    """Colours of each corner, (T, 3, 4), the first that there are, of several colours if any are; None without."""
    sides = np.repeat(polygon[:, None], 3, axis=1)
    every = [
        (rows, at)
        for columns, at in ((vertex, point), (face, sides))
        for rows in (_linear_colors(columns), _of_materials(columns, material))
        if rows is not None
    ]
    # Programs write white or grey for what they have no colours of.
    several = (found for found in every if len(found[0]) and np.ptp(found[0][:, :3], axis=0).any())
    rows, at = next(several, every[0] if every else (None, point))
    return None if rows is None else rows[at]


def _of_materials(columns: Columns, material: Columns) -> NDArray[np.float32] | None:
    """Linear RGB and opacity of the material of each row, (N, 4), white where it names none; None without materials."""
    colours, index = _linear_colors(material), _stacked(columns, ("material_index",))
    if colours is None or index is None:
        return None
    number = index[:, 0]
    known = (number >= 0) & (number < len(colours))
    rows = np.ones((len(number), 4), np.float32)
    rows[known] = colours[number[known].astype(np.int64)]
    return rows


def _linear_colors(columns: Columns) -> NDArray[np.float32] | None:
    """Linear RGB and opacity of each row, (N, 4)."""
    for names in _COLOUR_NAMES:
        rgb = _stacked(columns, names)
        if rgb is not None:
            linear = np.ones((len(rgb), 4), np.float32)
            linear[:, :3] = srgb_to_linear(rgb / _full_scale(columns[names[0]].kind, rgb))
            alpha = next((name for name in _ALPHA_NAMES if _stacked(columns, (name,)) is not None), None)
            if alpha is not None:
                opacity = columns[alpha].values.astype(np.float64)
                linear[:, 3] = np.clip(opacity / _full_scale(columns[alpha].kind, opacity), 0.0, 1.0)
            return linear
    return None


def _full_scale(kind: str, values: NDArray[np.float64]) -> float:
    """The value that means 1: the largest of a small unsigned type that it needs; floats tell by themselves."""
    if kind[0] == "f":
        return full_scale(values)
    return 65535.0 if kind == "u2" and values.max(initial=0.0) > 255 else 255.0


def _normals(vertex: Columns, point: Ints) -> NDArray[np.float32] | None:
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
        reason = "not every face has texture coordinates that can be read"
        left_out = f"{some(named)}, which the PLY names as texture, was left out: {reason}"
        return (Material(texture=override),), [left_out] if named else []
    warnings: list[str] = []
    materials = []
    for name in named or [""]:
        shown, path = name.replace("\\", "/").rpartition("/")[2], files.find(name)
        if name and path is None:
            warnings.append(f"texture {shown} {files.nowhere}")
        materials.append(Material(name=shown, texture=_decoded(files, path, warnings) or override))
    if any(material.texture is None for material in materials):
        image = _decoded(files, files.find_own(IMAGE_SUFFIXES), warnings)
        materials = [material if material.texture else replace(material, texture=image) for material in materials]
    return tuple(materials), list(dict.fromkeys(warnings))


def _decoded(files: SideFiles, path: Path | None, warnings: list[str]) -> Texture | None:
    try:
        return None if path is None else as_texture(load_texture(path, path.name, files.root))
    except CharacterError as error:
        warnings.append(str(error))
        return None
