"""Read Wavefront OBJ files.

The whole text is parsed in arrays, since files of a hundred megabytes are usual. General readers merge vertices that
differ in normals only, skip damaged lines silently, and follow names of libraries and textures out of the folder.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.characters import polygons
from specsia_build.characters.character import Entry, RawMesh
from specsia_build.characters.mtl import MaterialBuilder, decode_text
from specsia_build.characters.polygons import Ints
from specsia_build.characters.side_files import SideFiles
from specsia_build.errors import CharacterError
from specsia_build.rendering.mesh import Mesh

_SPACE, _NEWLINE = 32, 10
_BYTE_COST, _LINE_COST, _WORD_COST, _INDEX_COST, _STATEMENT_COST = 5, 100, 24, 130, 400
"""Bytes of memory that parsing takes, measured, for each byte, line, word, index of a face, and name."""


_Statement = tuple[str, str, int]
"""A line of ``o``, ``g``, ``usemtl`` or ``mtllib``: its keyword, its rest, and its index."""


@dataclass(frozen=True)
class _ObjText:
    """Content of an OBJ file.

    Attributes:
        points: (V, 3), with colours (V, 3) as written after the coordinates, NaN where a vertex has none; or None.
        uv, normals: (T, 2), v up, and (N, 3); NaN where they are not numbers.
        corners: (C, 3), each face corner's indices into points, uv and normals; -1 for none.
        is_incomplete: whether the file lacks a texture coordinate or normal that a corner names.
        first: (F + 1,), where each face's corners begin in `corners`.
        face_line: (F,), the line of each face, to place it among `statements`.
    """

    points: NDArray[np.float64]
    point_colors: NDArray[np.float64] | None
    uv: NDArray[np.float64]
    normals: NDArray[np.float64]
    corners: Ints
    is_incomplete: bool
    first: Ints
    face_line: Ints
    statements: list[_Statement]


def read_obj(entry: Entry, *, plain: bool = False) -> RawMesh:
    """Read an OBJ file with its material libraries and textures.

    Objects and groups are the parts. Kd and vertex colours (``v x y z r g b``) are sRGB-encoded; a texture replaces
    them. Where a texture or the library is missing, an image named like the OBJ is used.

    A `plain` one has one material, with the entry's texture.

    Raises:
        CharacterError: if the file or the entry's texture cannot be read, or no face is left.
    """
    path, files = entry.path, SideFiles(entry.path, entry.within)
    text = _parse(files.read(path), path.name)
    if plain:
        text = replace(text, statements=[s for s in text.statements if s[0] in ("o", "g")])
    libraries = [name for keyword, name, _ in text.statements if keyword == "mtllib"]
    own_image = len(text.uv) > 0 and text.point_colors is None and not plain
    builder = MaterialBuilder(files, libraries, entry.texture, own_image)
    raw = _assemble(text, entry.drop, builder, path.name)
    return replace(raw, files=tuple(files.tried), warnings=tuple(files.warnings))


class _Lines:
    """Bytes of a file, where each line starts and where its newline is."""

    def __init__(self, data: bytes) -> None:
        data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\t", b" ")
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if data.startswith(b" ") or b"\n " in data:
            data = re.sub(rb"(?m)^ +", b"", data)
        self.data = data + b"\n"
        self.ends = np.flatnonzero(np.frombuffer(self.data, np.uint8) == _NEWLINE)
        self.starts = np.concatenate([[0], self.ends[:-1] + 1])

    def block(self, at: Ints, keyword: int) -> bytes:
        """The lines `at`, their keyword of `keyword` bytes and their comments blanked out."""
        if len(at) == 0:
            return b""
        cuts = np.flatnonzero(np.diff(at) != 1)
        begins = self.starts[at[np.concatenate([[0], cuts + 1])]].tolist()
        stops = self.ends[at[np.concatenate([cuts, [len(at) - 1]])]].tolist()
        text = bytearray().join(self.data[a : b + 1] for a, b in zip(begins, stops, strict=True))
        array = np.frombuffer(text, np.uint8)
        rows = _row_starts(array)
        for k in range(keyword):
            array[rows + k] = _SPACE
        data = bytes(text)
        return re.sub(rb"#[^\n]*", b"", data) if b"#" in data else data


def _parse(data: bytes, name: str) -> _ObjText:
    """Split an OBJ file into arrays; `name` is for errors."""
    memory.ask(_BYTE_COST * len(data) + _LINE_COST * data.count(b"\n") + _WORD_COST * data.count(b" "))
    lines = _Lines(data)
    # The first three bytes of each line; newlines where it is shorter.
    at = lines.starts[:, None] + np.arange(3)
    head = np.frombuffer(lines.data + b"\n\n", np.uint8)[at]
    head[at > lines.ends[:, None]] = _NEWLINE
    blank1, blank2 = head[:, 1] <= _SPACE, head[:, 2] <= _SPACE
    is_v = head[:, 0] == ord("v")
    at_v = np.flatnonzero(is_v & blank1)
    at_vt = np.flatnonzero(is_v & (head[:, 1] == ord("t")) & blank2)
    at_vn = np.flatnonzero(is_v & (head[:, 1] == ord("n")) & blank2)
    at_f = np.flatnonzero((head[:, 0] == ord("f")) & blank1)
    try:
        vertices, numbered = _rows(lines, at_v, 1, 6, np.nan)
        if (numbered < 3).any():
            raise ValueError("too few numbers")
        corners, counts, is_incomplete = _faces(lines, at_f, (at_v, at_vt, at_vn))
    except ValueError as error:
        raise CharacterError(f"{name} has vertices or faces that are damaged ({error}): export it again") from error
    coloured = numbered >= 6
    named = np.flatnonzero(np.isin(head[:, 0], list(b"ogum")))
    memory.take(_STATEMENT_COST * len(named))
    statements = []
    for line in named.tolist():
        keyword, _, value = decode_text(lines.data[lines.starts[line] : lines.ends[line]]).partition(" ")
        if keyword in ("o", "g", "usemtl", "mtllib"):
            statements.append((keyword, value.strip(), line))
    return _ObjText(
        points=vertices[:, :3],
        point_colors=np.where(coloured[:, None], vertices[:, 3:], np.nan) if coloured.any() else None,
        uv=_attribute(lines, at_vt, 2),
        normals=_attribute(lines, at_vn, 3),
        corners=corners,
        is_incomplete=is_incomplete,
        first=np.concatenate([[0], np.cumsum(counts)]),
        face_line=at_f,
        statements=statements,
    )


def _row_starts(text: NDArray[np.uint8]) -> Ints:
    return np.concatenate([[0], np.flatnonzero(text == _NEWLINE)[:-1] + 1])


def _word_starts(text: NDArray[np.uint8]) -> NDArray[np.bool_]:
    solid = text > _SPACE
    begins = solid.copy()
    begins[1:] &= ~solid[:-1]
    return begins


def _rows(lines: _Lines, at: Ints, keyword: int, take: int, fill: float) -> tuple[NDArray[np.float64], Ints]:
    """The first `take` numbers of lines, (L, take), else `fill`, and their number; a ValueError if a word is none."""
    data = lines.block(at, keyword)
    if not data:
        return np.zeros((0, take)), np.zeros(0, np.int64)
    text = np.frombuffer(data, np.uint8)
    counts = np.add.reduceat(_word_starts(text).astype(np.int64), _row_starts(text))
    values = polygons.numbers(data)
    if len(values) != counts.sum():
        raise ValueError("words are not numbers")
    table = np.full((len(counts), take), fill)
    if (counts == counts[0]).all():
        table[:, : counts[0]] = values.reshape(len(counts), -1)[:, :take]
        return table, counts
    places = (np.cumsum(counts) - counts)[:, None] + np.arange(take)
    present = np.arange(take) < counts[:, None]
    table[present] = values[places[present]]
    return table, counts


def _attribute(lines: _Lines, at: Ints, take: int) -> NDArray[np.float64]:
    """Numbers of ``vt`` or ``vn`` lines, (L, take): 0 where there are fewer, NaN if any word is not a number."""
    try:
        return _rows(lines, at, 2, take, 0.0)[0]
    except ValueError:
        return np.full((len(at), take), np.nan)


def _faces(lines: _Lines, at: Ints, declared: tuple[Ints, Ints, Ints]) -> tuple[Ints, Ints, bool]:
    """Corners (C, 3) as indices from 0, -1 for none, the number of corners of each face line, and whether some lack.

    A missing texture coordinate or normal costs no more than itself. A ValueError if the faces are damaged otherwise.
    """
    data = lines.block(at, 1)
    memory.ask(_INDEX_COST * (data.count(b" ") + data.count(b"/")))
    if b"/" in data:
        data = data.replace(b"//", b"/0/").replace(b"/ ", b"/0 ").replace(b"/\n", b"/0\n")
    text = np.frombuffer(data, np.uint8)
    begins = np.flatnonzero(_word_starts(text))
    if len(begins) == 0:
        return np.zeros((0, 3), np.int64), np.zeros(len(at), np.int64), False
    slashes = np.searchsorted(begins, np.flatnonzero(text == ord("/")), side="right") - 1
    per_corner = 1 + np.bincount(slashes, minlength=len(begins))
    values = polygons.numbers(data.replace(b"/", b" "), np.int64)
    if len(values) != per_corner.sum() or per_corner.max() > 3:
        raise ValueError("not one to three indices a corner")
    first = np.cumsum(per_corner) - per_corner
    row = np.searchsorted(_row_starts(text), begins, side="right") - 1
    corners, lost = np.full((len(begins), 3), -1, np.int64), False
    for slot, lines_before in enumerate(declared):
        has = np.flatnonzero(per_corner > slot)
        index, total = values[first[has] + slot], len(lines_before)
        # Negative indices count from the last one declared so far; index 0 means none.
        known = np.searchsorted(lines_before, at)[row[has]]
        resolved = np.where(index < 0, known + index, index - 1)
        missing = (resolved < 0) | (resolved >= total)
        if slot == 0 and missing.any():
            raise ValueError(f"a face names vertex {index[missing.argmax()]}, the file has {total}")
        corners[has, slot] = np.where(missing, -1, resolved)
        lost |= bool((missing & (index != 0)).any())
    return corners, np.bincount(row, minlength=len(at)), lost


def _assemble(text: _ObjText, drop: Collection[str], builder: MaterialBuilder, name: str) -> RawMesh:
    """The mesh of the faces that lie in none of the dropped parts."""
    part, part_names, material, material_names = _label_faces(text)
    dropped = [k for k, names in enumerate(part_names) if set(names) & set(drop)]
    triangles, face = polygons.triangulate(text.points, text.corners[:, 0], text.first, ~np.isin(part, dropped))
    if len(triangles) == 0:
        raise CharacterError(f"{name} has no faces of three corners or more{' beside dropped parts' * bool(drop)}")
    point, uv_at, normal_at = (text.corners[:, k][triangles] for k in range(3))
    used, slots = np.unique(material[face], return_inverse=True)
    face_material = slots.astype(np.int32)
    materials = builder.build_all([material_names[k] for k in used])
    textured = np.array([m.texture is not None for m in materials])
    if text.is_incomplete or ((uv_at < 0).any(axis=1) & textured[face_material]).any():
        builder.files.warn(f"{name} lacks some texture coordinates or normals of its faces")
    with np.errstate(over="ignore"):
        vertices = text.points.astype(np.float32)
    uv = colors = None
    if len(text.uv) and (uv_at >= 0).any():
        uv = polygons.image_uv(np.where((uv_at >= 0)[..., None], text.uv[uv_at], 0.0))
    if text.point_colors is not None:
        colors = polygons.linear_colors(text.point_colors, polygons.full_scale(text.point_colors))[point]
    mesh = polygons.without_covered_colours(
        Mesh(vertices, point.astype(np.int32), materials, face_material, uv=uv, colors=colors)
    )
    if len(text.normals) and (normal_at >= 0).any():
        normals = np.where((normal_at >= 0)[..., None], polygons.unit_normals(text.normals)[normal_at], 0.0)
        mesh = polygons.with_flat_gaps(replace(mesh, normals=normals.astype(np.float32)))
    names = dict.fromkeys(name for keyword, name, _ in text.statements if keyword in ("o", "g") and name)
    return RawMesh(mesh, parts=tuple(names), part_names=part_names, face_part=part[face].astype(np.int32))


def _label_faces(text: _ObjText) -> tuple[Ints, tuple[tuple[str, ...], ...], Ints, tuple[str | None, ...]]:
    """Part of each face, names of each part (its group's and its object's), material of each face, and its name."""
    parts: dict[tuple[str, ...], int] = {(): 0}
    materials: dict[str | None, int] = {None: 0}
    part_at, material_at = [(-1, 0)], [(-1, 0)]
    named = {"o": "", "g": ""}
    for keyword, value, line in text.statements:
        if keyword == "usemtl":
            material_at.append((line, materials.setdefault(value, len(materials))))
        elif keyword in named:
            named = {"o": value, "g": ""} if keyword == "o" else {**named, "g": value}
            names = tuple(dict.fromkeys(filter(None, (named["g"], named["o"]))))
            part_at.append((line, parts.setdefault(names, len(parts))))
    part, material = (
        np.array(labels)[np.searchsorted(np.array(lines), text.face_line) - 1]
        for lines, labels in (zip(*pairs, strict=True) for pairs in (part_at, material_at))
    )
    return part, tuple(parts), material, tuple(materials)
