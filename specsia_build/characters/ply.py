"""Read Stanford PLY files as meshes.

Parsed here, as general readers allocate what a header promises, or misread lists of mixed lengths, or slowly.
"""

import struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.animation.joint_names import words_of
from specsia_build.arrays import Doubles, Floats
from specsia_build.characters import polygons
from specsia_build.characters.character import Entry, RawMesh
from specsia_build.characters.mtl import MaterialBuilder, MtlMaterial, base_name
from specsia_build.characters.polygons import Ints
from specsia_build.characters.side_files import SideFiles
from specsia_build.errors import CharacterError
from specsia_build.rendering.mesh import Mesh

_TYPES = {"char": "b", "uchar": "B", "short": "h", "ushort": "H", "int": "i", "uint": "I"}
_TYPES |= {"float": "f", "double": "d", "float32": "f", "float64": "d"}
_TYPES |= {"int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I"}
"""Codes of the types, which `struct` and NumPy share."""

_BYTE_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_MAX_HEADER = 1 << 20
_TEXT_COST = 8  # Bytes of memory, measured, for a byte of a text file's numbers
_UNEVEN_COST = 110  # The same for a property of a row whose lists differ
_VALUE_COST = 16  # The same for a value kept
_UV_NAMES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"), ("texture_s", "texture_t"))
_CORNERS = ("vertex_indices", "vertex_index", "vertex_indexes", "vertices", "indices")
_CHANNELS = {"red": 0, "r": 0, "green": 1, "g": 1, "blue": 2, "b": 2, "alpha": 3, "a": 3, "opacity": 3}
"""Last words of names of colours: ``diffuse_red``, ``R``."""

_COLOURS = frozenset({"rgb", "rgba", "color", "colour", "colors", "colours"})  # Names of lists of channels
_NOT_BASE = frozenset({"ambient", "specular", "emissive", "emission"})  # Words of colours of other kinds


class _Property(NamedTuple):
    """A property: its values' type as stored, that of its list's length (None: scalar), and as declared."""

    name: str
    value: str
    length: struct.Struct | None
    code: str


class _Column(NamedTuple):
    """Values of a property of all rows, how many each row has (None: scalar), and their declared type."""

    values: NDArray[Any]
    counts: Ints | None
    code: str = "i"


_Columns = dict[str, _Column]


def read_ply(entry: Entry) -> RawMesh:
    """Read a PLY file, text or binary.

    Colours of vertices or faces are sRGB-encoded; their opacity is kept, but the material is opaque. Strips
    of triangles are read where there are no faces. Texture coordinates of face corners or vertices have v up;
    the texture is that of the first ``comment TextureFile`` line, else the entry's. A PLY has no parts to
    drop. Raises CharacterError if the file or the entry's texture cannot be read, or it has no faces.
    """
    path, files = entry.path, SideFiles(entry.path, entry.within)
    elements, textures = _parse(files.read(path), path.name)
    vertex, face = elements.get("vertex", {}), elements.get("face", {})
    points = _stacked(vertex, ("x", "y", "z"))
    lists = _corners(face)
    if lists is None and (strips := _corners(elements.get("tristrips", {}))) is not None:
        lists = _triangles(*strips, path.name)
    if points is None or lists is None or not (lists[1] >= 3).any():
        raise CharacterError(f"{path.name} has no faces, so there is no surface to draw: export it as a mesh")
    corners, sides = lists
    if not ((corners >= 0) & (corners < len(points))).all():
        raise CharacterError(f"{path.name} has faces that name vertices it does not have")
    corners = corners.astype(np.int64)
    first = np.concatenate([[0], np.cumsum(sides)])
    triangles, polygon = polygons.triangulate(points, corners, first, np.ones(len(sides), dtype=bool))
    point = corners[triangles]
    uv = _uv(vertex, face, sides, triangles, point)
    builder = MaterialBuilder(files, (), entry.texture)
    if len(textures) > (uv is not None):
        sentence = "names textures that were left out: one is drawn, where it has texture coordinates"
        files.warn("not-read", f"{path.name} {sentence}", path.name)
    name = textures[0] if textures and uv is not None else None
    if name is not None:
        builder.library[name] = MtlMaterial(base_name(name), texture=name)
    normals = _stacked(vertex, ("nx", "ny", "nz"))
    unit = None if normals is None else polygons.unit_normals(normals)[point].astype(np.float32)
    colors = _corner_colors(vertex, face, point, polygon)
    with np.errstate(over="ignore"):
        vertices = points.astype(np.float32)
    mesh = Mesh(
        vertices=vertices,
        faces=point.astype(np.int32),
        materials=builder.build_all([name]),
        face_material=np.zeros(len(polygon), np.int32),
        uv=uv,
        colors=colors,
        normals=unit if unit is not None and unit.any(axis=2).all() else None,
    )
    mesh = polygons.without_covered_colours(mesh)
    return RawMesh(mesh, "+z", "-y", files=tuple(files.tried), warnings=tuple(files.warnings))


def _parse(data: bytes, name: str) -> tuple[dict[str, _Columns], list[str]]:
    """Columns by element and property, and the textures that comments name."""
    columns: dict[str, _Columns] = {}
    elements: list[tuple[str, int, list[_Property]]] = []
    textures: list[str] = []
    try:
        end = data.index(b"end_header", 0, _MAX_HEADER)
        lines = [line.split() for line in data[:end].decode("utf-8", errors="replace").splitlines()]
        order = _BYTE_ORDERS[next(words[1] for words in lines if words[:1] == ["format"])]
        for words in lines if lines[0] == ["ply"] else []:
            if words[:1] == ["element"]:
                elements.append((words[1], max(0, int(words[2])), []))
            elif words[:1] == ["property"]:
                # All numbers of a text become float64.
                is_list = words[1] == "list"
                codes = (_TYPES[words[-2]], _TYPES[words[2 if is_list else 1]])
                value, count = (order + code if order else "<d" for code in codes)
                length = struct.Struct(count) if is_list else None
                elements[-1][2].append(_Property(words[-1], value, length, codes[0]))
            elif len(words) > 2 and words[0] == "comment" and words[1].lower() == "texturefile":
                textures.append(" ".join(words[2:]))
        # Rhino ends lines in \r alone.
        newline = b"\n" if b"\n" in data[:end] else b"\r"
        body, at = data[data.index(newline, end) + 1 :], 0
        if not order:
            memory.take(_TEXT_COST * len(body))
            body = np.asarray(polygons.numbers(body), "<f8").tobytes()
        for element, rows, properties in elements:
            columns[element], at = _even(body, rows, properties, at) or _uneven(body, rows, properties, at)
    except (LookupError, ValueError, StopIteration, OverflowError, struct.error) as error:
        # A fault behind vertices and faces costs nothing.
        if "vertex" not in columns or columns.keys().isdisjoint({"face", "tristrips"}):
            problem = f"{name} is not a PLY file, cut short or damaged: export it again"
            raise CharacterError(problem) from error
    return columns, textures


def _even(body: bytes, rows: int, properties: list[_Property], at: int) -> tuple[_Columns, int] | None:
    """Columns of an element with rows laid out as the first, and where it ends; None if lists differ."""
    fields: list[tuple[str, str, tuple[int]]] = []
    end = at
    for k, prop in enumerate(properties):
        count = 1
        if prop.length is not None:
            count = _length(prop.length, body, end) if rows else 0
            fields.append((f"count {k}", prop.length.format, (1,)))
            end += prop.length.size
        fields.append((f"values {k}", prop.value, (count,)))
        end += count * struct.calcsize(prop.value)
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
        columns[prop.name] = _Column(values.ravel(), counts, prop.code)
    return columns, at + row.itemsize * rows


def _uneven(body: bytes, rows: int, properties: list[_Property], at: int) -> tuple[_Columns, int]:
    """Read as `_even` does, row by row; a ValueError if the file is cut short."""
    least = sum(prop.length.size if prop.length else struct.calcsize(prop.value) for prop in properties)
    if at + rows * least > len(body):
        raise ValueError("cut short")
    memory.ask(_UNEVEN_COST * rows * len(properties) + len(body))
    plan = [(prop, struct.calcsize(prop.value), list[bytes](), list[int]()) for prop in properties]
    for _ in range(rows):
        for prop, size, pieces, counts in plan:
            count = 1
            if prop.length is not None:
                count = _length(prop.length, body, at)
                at += prop.length.size
            pieces.append(body[at : at + count * size])
            counts.append(count)
            at += count * size
        if at > len(body):
            raise ValueError("cut short")
    columns = {}
    for prop, _, pieces, counts in plan:
        memory.take(_VALUE_COST * sum(counts))
        values, many = np.frombuffer(b"".join(pieces), prop.value), np.array(counts, np.int64)
        columns[prop.name] = _Column(values, None if prop.length is None else many, prop.code)
    return columns, at


def _length(reader: struct.Struct, body: bytes, at: int) -> int:
    """The length of a list, which is a number of any type."""
    (value,) = reader.unpack_from(body, at)
    if value < 0 or int(value) != value:
        raise ValueError(f"a list has {value} values")
    return int(value)


def _stacked(columns: _Columns, names: tuple[str, ...]) -> Doubles | None:
    """Scalar properties side by side, (N, len(names)); None if one is missing."""
    if any(name not in columns or columns[name].counts is not None for name in names):
        return None
    with np.errstate(invalid="ignore"):
        return np.stack([columns[name].values.astype(np.float64) for name in names], axis=1)


def _uv(vertex: _Columns, face: _Columns, sides: Ints, triangles: Ints, point: Ints) -> Floats | None:
    """Texture coordinates of each corner with v down, (T, 3, 2); None where the file has none."""
    per_corner = face.get("texcoord")
    if per_corner is not None and per_corner.counts is not None and (per_corner.counts == 2 * sides).all():
        uv = per_corner.values.astype(np.float64).reshape(-1, 2)[triangles]
    else:
        tables = [table for names in _UV_NAMES if (table := _stacked(vertex, names)) is not None]
        if not tables:
            return None
        uv = tables[0][point]
    return polygons.image_uv(uv)


def _corners(columns: _Columns) -> tuple[NDArray[Any], Ints] | None:
    """The lists of vertices of an element, one behind the other, and how long each is; None without any."""
    column = next((columns[name] for name in _CORNERS if name in columns), None)
    if column is None or column.counts is None or not len(column.values):
        return None
    return column.values, column.counts


def _triangles(strips: NDArray[Any], counts: Ints, name: str) -> tuple[Ints, Ints]:
    """Strips as triangles; a strip ends with its list, or at -1. Those of equal corners join strips."""
    memory.ask(polygons.TRIANGLE_COST * len(strips))
    if not np.isfinite(strips).all():
        raise CharacterError(f"{name} has triangle strips that are damaged: export it again")
    corners, place = strips.astype(np.int64), np.arange(len(strips))
    begins = np.zeros(len(corners), np.bool_)
    starts = np.cumsum(counts) - counts
    begins[starts[counts > 0]] = True
    begins[1:] |= corners[:-1] == -1
    begin = np.maximum.accumulate(place * begins)
    first = np.flatnonzero((begin[:-2] == begin[2:]) & (corners[2:] != -1))
    odd = (first - begin[first]) % 2
    made = corners[np.stack([first, first + 1 + odd, first + 2 - odd], axis=1)]
    a, b, c = made.T
    made = made[(a != b) & (b != c) & (c != a)]
    return made.ravel(), np.full(len(made), 3, np.int64)


def _corner_colors(vertex: _Columns, face: _Columns, point: Ints, polygon: Ints) -> Floats | None:
    """Linear RGB and opacity of corners, (T, 3, 4): of vertices, or where these are all alike of faces."""
    of_vertices, of_faces = _colors(vertex), _colors(face)
    is_plain = of_vertices is None or not np.ptp(of_vertices, axis=0).any()
    if of_faces is not None and is_plain:
        return np.repeat(of_faces[polygon][:, None], 3, axis=1)
    return None if of_vertices is None else of_vertices[point]


def _colors(columns: _Columns) -> Floats | None:
    """Linear RGB and opacity of each row, (N, 4), by what names and types mean; None without colours."""
    groups: dict[tuple[str, ...], dict[int, _Column]] = {}
    for name, column in columns.items():
        *before, last = words_of(name) or ("",)
        if column.counts is None and last in _CHANNELS:
            groups.setdefault(tuple(before), {})[_CHANNELS[last]] = column
        elif column.counts is not None and last in _COLOURS and set(column.counts.tolist()) in ({3}, {4}):
            rows = column.values.reshape(len(column.counts), -1)
            groups[(*before, last)] = {k: column._replace(values=rows[:, k]) for k in range(rows.shape[1])}
    whole = [before for before, channels in groups.items() if {0, 1, 2} <= channels.keys()]
    if not whole:
        return None
    channels = groups[min(whole, key=lambda before: (not _NOT_BASE.isdisjoint(before), len(before)))]
    linear = polygons.linear_colors(_display([channels[k] for k in range(3)]), 1.0)
    opacity = channels.get(3, groups.get((), {}).get(3))
    if opacity is not None:
        linear[:, 3] = np.clip(_display([opacity])[:, 0], 0.0, 1.0)
    return linear


def _display(columns: list[_Column]) -> Doubles:
    """Values side by side, (N, len(columns)), full at 1, by their type and the largest value."""
    values = np.stack([column.values.astype(np.float64) for column in columns], axis=1)
    code = columns[0].code
    if code in "fd":
        return values / polygons.full_scale(values)
    if code in "bB":
        return values % 256 / 255
    most = np.max(values, initial=0.0, where=np.isfinite(values))
    full = [np.iinfo(kind).max for kind in (np.uint8, np.uint16, np.uint32)]
    return np.asarray(values / full[np.searchsorted(full[:2], most)])
