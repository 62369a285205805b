"""Read Wavefront OBJ files, whose whole text is parsed in arrays, as files of a hundred megabytes are usual.

General readers merge vertices that differ in normals only, skip damaged lines silently, and follow names of
libraries and textures out of the folder.
"""

import io
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.arrays import Doubles, Mask
from specsia_build.characters import polygons
from specsia_build.characters.character import Entry, RawMesh
from specsia_build.characters.mtl import MaterialBuilder, MtlMaterial, decode_text, in_bytes
from specsia_build.characters.polygons import Ints
from specsia_build.characters.side_files import SideFiles
from specsia_build.errors import CharacterError
from specsia_build.jit import compiled
from specsia_build.rendering.mesh import Mesh

_SPACE, _NEWLINE, _HASH, _MINUS, _SLASH, _ZERO, _NINE = (ord(letter) for letter in " \n#-/09")
_CONTINUED = re.compile(rb"(?m)\\ *+\n *+(?![#\n]|(?:v[tnp]?|[flpsog]|usemtl|mtllib)(?: |$))", re.IGNORECASE)
_MOST_DIGITS = 18  # Digits of an index that fit into 64 bits

# Bytes of memory that parsing takes, measured, for each byte, line, word, index of a face, and name
_BYTE_COST = 5
_LINE_COST = 100
_WORD_COST = 24
_INDEX_COST = 80
_STATEMENT_COST = 400

_Statement = tuple[str, str, int]
"""A line of ``o``, ``g``, ``usemtl`` or ``mtllib``: its keyword, its rest, and its index."""


@dataclass(frozen=True)
class _ObjText:
    """Content of an OBJ file."""

    points: Doubles  # (V, 3)
    point_colors: Doubles | None  # (V, 3), as written after the coordinates; or None
    uv: Doubles  # (T, 2), v up; NaN where they are not numbers
    normals: Doubles  # (N, 3); NaN where they are not numbers
    corners: Ints  # (C, 3), each face corner's indices into points, uv and normals; -1 for none
    is_incomplete: bool  # Whether the file lacks a texture coordinate or normal that a corner names
    first: Ints  # (F + 1,), where each face's corners begin in `corners`
    face_line: Ints  # (F,), the line of each face, to place it among `statements`
    statements: list[_Statement]


def read_obj(entry: Entry, *, plain: bool = False) -> RawMesh:
    """Read an OBJ file with its material libraries and textures.

    Objects and groups are parts. Kd and vertex colours (``v x y z r g b``) are sRGB; textures replace them.
    A `plain` one has one material, with the entry's texture. Raises CharacterError if the file or the entry's
    texture cannot be read, or no face is left.
    """
    path, files = entry.path, SideFiles(entry.path, entry.within)
    text = _parse(files.read(path), path.name)
    if plain:
        text = replace(text, statements=[s for s in text.statements if s[0] in ("o", "g")])
    libraries = [name for keyword, name, _ in text.statements if keyword == "mtllib"]
    builder = MaterialBuilder(files, libraries, entry.texture)
    raw = _assemble(text, entry.drop, builder, path.name)
    return replace(raw, files=tuple(files.tried), warnings=tuple(files.warnings))


class _Lines:
    """Bytes of a file, where each line starts and where its newline is."""

    def __init__(self, data: bytes) -> None:
        data = in_bytes(data).replace(b"\t", b" ")
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\\" in data:
            # A backslash continues a line; before a line with a keyword it may be a folder's in a name.
            data = re.sub(rb"\\ *\n *(?=/)", b"", data)
            data = _CONTINUED.sub(b" ", data)
            data = re.sub(rb"(?m)^( *[vf][^\n]*?)\\ *$", rb"\1", data)
        if data.startswith(b" ") or b"\n " in data:
            data = re.sub(rb"(?m)^ +", b"", data)
        self.data = data + b"\n"
        self.ends = np.flatnonzero(np.frombuffer(self.data, np.uint8) == _NEWLINE)
        self.starts = np.concatenate([[0], self.ends[:-1] + 1])

    def block(self, at: Ints) -> bytes:
        """The lines `at`."""
        if not len(at):
            return b""
        cuts = np.flatnonzero(np.diff(at) != 1)
        begins = self.starts[at[np.append(0, cuts + 1)]].tolist()
        stops = self.ends[at[np.append(cuts, -1)]].tolist()
        return b"".join(self.data[a : b + 1] for a, b in zip(begins, stops, strict=True))

    def words(self, at: Ints) -> Ints:
        """Number of words of each of the lines `at`, (L,)."""
        if not len(at):
            return np.zeros(0, np.int64)
        block = self.block(at)
        if b"#" in block:
            block = re.sub(rb"#[^\n]*", lambda comment: b" " * len(comment[0]), block)
        text = np.frombuffer(block, np.uint8)
        begins = text > _SPACE
        begins[1:] &= text[:-1] <= _SPACE
        lengths = self.ends[at] + 1 - self.starts[at]
        return np.asarray(np.add.reduceat(begins, np.cumsum(lengths) - lengths, dtype=np.int64))

    def numbers(self, at: Ints, count: int) -> Doubles:
        """The first `count` numbers of lines, (L, count); a ValueError if one is missing or is none."""
        if not len(at):
            return np.zeros((0, count))
        columns = range(1, count + 1)
        return np.asarray(np.loadtxt(io.BytesIO(self.block(at)), usecols=columns, ndmin=2, encoding="latin1"))


def _parse(data: bytes, name: str) -> _ObjText:
    """Split an OBJ file into arrays; `name` is for errors."""
    memory.ask(_BYTE_COST * len(data) + _LINE_COST * data.count(b"\n") + _WORD_COST * data.count(b" "))
    lines = _Lines(data)
    # The first three bytes of each line; newlines where it is shorter.
    at = np.minimum(lines.starts[:, None] + (0, 1, 2), lines.ends[:, None])
    head = np.frombuffer(lines.data, np.uint8)[at]
    blank1, blank2 = head[:, 1] <= _SPACE, head[:, 2] <= _SPACE
    is_v = head[:, 0] == ord("v")
    at_v = np.flatnonzero(is_v & blank1)
    at_vt = np.flatnonzero(is_v & (head[:, 1] == ord("t")) & blank2)
    at_vn = np.flatnonzero(is_v & (head[:, 1] == ord("n")) & blank2)
    at_f = np.flatnonzero((head[:, 0] == ord("f")) & blank1)
    is_coloured = lines.words(at_v) >= 1 + 6
    try:
        vertices = lines.numbers(at_v, 3)
        corners, counts, is_incomplete = _faces(lines, at_f, (at_v, at_vt, at_vn))
    except ValueError as error:
        problem = f"{name} has vertices or faces that are damaged ({error}): export it again"
        raise CharacterError(problem) from error
    named = np.flatnonzero(np.isin(head[:, 0], list(b"ogumUM")))
    memory.take(_STATEMENT_COST * len(named))
    statements = []
    for line in named.tolist():
        keyword, _, value = decode_text(lines.data[lines.starts[line] : lines.ends[line]]).partition(" ")
        if keyword.lower() in ("o", "g", "usemtl", "mtllib"):
            statements.append((keyword.lower(), value.strip(), line))
    return _ObjText(
        points=vertices,
        point_colors=_colours(lines, at_v, is_coloured) if is_coloured.any() else None,
        uv=_attribute(lines, at_vt, 2),
        normals=_attribute(lines, at_vn, 3),
        corners=corners,
        is_incomplete=is_incomplete,
        first=np.concatenate([[0], np.cumsum(counts)]),
        face_line=at_f,
        statements=statements,
    )


def _colours(lines: _Lines, at: Ints, is_coloured: Mask) -> Doubles:
    """Colours (L, 3) of ``v`` lines; NaN where one states none, or if a line is damaged."""
    colours = np.full((len(at), 3), np.nan)
    colours[is_coloured] = _attribute(lines, at[is_coloured], 6)[:, 3:]
    return colours


def _attribute(lines: _Lines, at: Ints, count: int) -> Doubles:
    """Numbers of lines, (L, count); NaN if a line is damaged."""
    try:
        return lines.numbers(at, count)
    except ValueError:
        return np.full((len(at), count), np.nan)


def _faces(lines: _Lines, at: Ints, declared: tuple[Ints, Ints, Ints]) -> tuple[Ints, Ints, bool]:
    """Corners (C, 3) as indices from 0, -1 for none, number of corners of each face line, and if some lack.

    A missing texture coordinate or normal costs no more than itself. A ValueError for other damage of faces.
    """
    data = lines.block(at).replace(b"f", b" ")
    most = data.count(b" ")
    memory.ask(_INDEX_COST * most)
    corners, row = np.zeros((most, 3), np.int64), np.zeros(most, np.int64)
    count = _read_corners(np.frombuffer(data, np.uint8), corners, row)
    if count == -1:
        raise ValueError("not one to three indices a corner")
    corners = corners[:count]
    row = row[:count]
    lost = False
    for slot, lines_before in enumerate(declared):
        index = corners[:, slot]
        # Negative indices count from the last one declared so far; index 0 means none.
        below = np.flatnonzero(index < 0)
        resolved = index - 1
        resolved[below] = index[below] + np.searchsorted(lines_before, at[row[below]])
        missing = (resolved < 0) | (resolved >= len(lines_before))
        if slot == 0 and missing.any():
            problem = f"a face names vertex {index[missing.argmax()]}, the file has {len(lines_before)}"
            raise ValueError(problem)
        lost |= bool((missing & (index != 0)).any())
        corners[:, slot] = np.where(missing, -1, resolved)
    return corners, np.bincount(row, minlength=len(at)), lost


@compiled
def _read_corners(text: NDArray[np.uint8], corners: Ints, row: Ints) -> int:
    """Read corners of face lines, ``a``, ``a/b``, ``a//c`` or ``a/b/c`` each; 0 for an index that is absent.

    Fills corners (N, 3) and their lines (N,); returns their number, or -1 if something else is written.
    """
    count = line = at = 0
    while at < len(text):
        if text[at] == _HASH:
            while text[at] != _NEWLINE:
                at += 1
        if text[at] == _SPACE or text[at] == _NEWLINE:
            line += text[at] == _NEWLINE
            at += 1
            continue
        slot = 0
        while True:
            negative, start = text[at] == _MINUS, at
            at += negative
            while _ZERO <= text[at] <= _NINE:
                if at < start + _MOST_DIGITS:
                    corners[count, slot] = 10 * corners[count, slot] + text[at] - _ZERO
                at += 1
            if negative:
                if at == start + 1:
                    return -1
                corners[count, slot] *= -1
            if text[at] != _SLASH or slot == 2:
                break
            slot, at = slot + 1, at + 1
        if text[at] != _SPACE and text[at] != _NEWLINE:
            return -1
        # A space comes before each corner, so there is room.
        row[count] = line
        count += 1
    return count


def _assemble(text: _ObjText, drop: Collection[str], builder: MaterialBuilder, name: str) -> RawMesh:
    """The mesh of the faces that lie in none of the dropped parts."""
    part, part_names, material, material_names = _label_faces(text)
    dropped = [k for k, names in enumerate(part_names) if set(names) & set(drop)]
    kept = ~np.isin(part, dropped)
    triangles, face = polygons.triangulate(text.points, text.corners[:, 0], text.first, kept)
    if len(triangles) == 0:
        problem = f"{name} has no faces of three corners or more{' beside dropped parts' * bool(drop)}"
        raise CharacterError(problem)
    point, uv_at, normal_at = (text.corners[:, k][triangles] for k in range(3))
    used, slots = np.unique(material[face], return_inverse=True)
    face_material = slots.astype(np.int32)
    materials = builder.build_all([material_names[k] for k in used])
    textured = np.array([m.texture is not None for m in materials])
    if text.is_incomplete or ((uv_at < 0).any(axis=1) & textured[face_material]).any():
        sentence = f"{name} lacks some texture coordinates or normals of its faces"
        builder.files.warn("uv-missing", sentence, name)
    with np.errstate(over="ignore"):
        vertices = text.points.astype(np.float32)
    uv = colors = None
    if (uv_at >= 0).any():
        stated = [builder.stated(material_names[k]) or MtlMaterial("") for k in used]
        scale = np.array([material.scale for material in stated])
        offset = np.array([material.offset for material in stated])
        own = text.uv[uv_at] * scale[face_material][:, None] + offset[face_material][:, None]
        uv = polygons.image_uv(np.where((uv_at >= 0)[..., None], own, 0.0))
    if text.point_colors is not None:
        if not np.isfinite(text.point_colors[point]).all():
            builder.files.warn("unusable", f"{name} lacks colours of some vertices: they are white", name)
        colors = polygons.linear_colors(text.point_colors, polygons.full_scale(text.point_colors))[point]
    mesh = polygons.without_covered_colours(
        Mesh(vertices, point.astype(np.int32), materials, face_material, uv=uv, colors=colors)
    )
    if (normal_at >= 0).any():
        normals = np.where((normal_at >= 0)[..., None], polygons.unit_normals(text.normals)[normal_at], 0.0)
        mesh = polygons.with_flat_gaps(replace(mesh, normals=normals.astype(np.float32)))
    names = dict.fromkeys(name for keyword, name, _ in text.statements if keyword in ("o", "g") and name)
    return RawMesh(mesh, parts=tuple(names), part_names=part_names, face_part=part[face].astype(np.int32))


def _label_faces(text: _ObjText) -> tuple[Ints, tuple[tuple[str, ...], ...], Ints, tuple[str | None, ...]]:
    """Part of each face, names of parts (group, object), material of each face, names of materials."""
    part_lines, parts = list[int](), [tuple[str, ...]()]
    material_lines, materials = list[int](), list[str | None]([None])
    named = {"o": "", "g": ""}
    for keyword, value, line in text.statements:
        if keyword == "usemtl":
            material_lines.append(line)
            materials.append(value)
        elif keyword in named:
            named = {"o": value, "g": ""} if keyword == "o" else {**named, "g": value}
            part_lines.append(line)
            parts.append(tuple(dict.fromkeys(filter(None, (named["g"], named["o"])))))
    part, part_names = _numbered(parts)
    material, material_names = _numbered(materials)
    part = part[np.searchsorted(part_lines, text.face_line)]
    return part, part_names, material[np.searchsorted(material_lines, text.face_line)], material_names


def _numbered(labels: Sequence[Any]) -> tuple[Ints, tuple[Any, ...]]:
    """Number labels in the order of their first use: the number of each, (N,), and the different labels."""
    different = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    return np.array([different[label] for label in labels]), tuple(different)
