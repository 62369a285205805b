"""The text of an OBJ file to arrays, a block of lines at a time rather than line by line."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.characters.words import floats, pieces
from specsia_build.errors import CharacterError

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

_SPACE, _NEWLINE, _SLASH, _MINUS = 32, 10, 47, 45
_MAX_DIGITS = 10
_WHITE = bytes.maketrans(b"\t\x0b\x0c\x00", b"    ")
_BYTE_COST, _LINE_COST, _WORD_COST, _INDEX_COST, _STATEMENT_COST = 5, 100, 24, 130, 400
"""Bytes of memory that parsing takes, measured, for each byte, line, word, index of a face, and name."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_LOOKED_AT = 400
_CONTINUED = re.compile(rb"(?m)^(?:v|vt|vn|f) (?:[^\n\\]*\\ *\n)+")
"""Lines of numbers that end in a backslash; comments and names may do so without meaning it."""


@dataclass(frozen=True)
class Statement:
    """A line that names something: keyword (``o``, ``g``, ``usemtl``, ``mtllib``), its rest, and the line's index."""

    keyword: str
    value: str
    line: int


@dataclass(frozen=True)
class ObjText:
    """What an OBJ file holds.

    Attributes:
        points: (V, 3) float64.
        point_colors: (V, 3) float64 as written after the coordinates, NaN where a vertex has none; or None.
        uv: (T, 2) float64 as written, v up.
        normals: (N, 3) float64 as written.
        corners: (C, 3) int64, each face corner's indices into points, uv and normals; -1 for none.
        lost: how many face corners name a texture coordinate or a normal that the file lacks; they have none.
        curved: how many free-form surfaces (``surf``) it has, of which nothing else is here.
        first: (F + 1,) int64, where each face's corners begin in `corners`.
        face_line: (F,) int64, the line of each face, for placing it among `statements`.
        statements: in file order.
    """

    points: NDArray[np.float64]
    point_colors: NDArray[np.float64] | None
    uv: NDArray[np.float64]
    normals: NDArray[np.float64]
    corners: Ints
    lost: int
    curved: int
    first: Ints
    face_line: Ints
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class _Lines:
    """The file's bytes, where each line starts and where its newline is."""

    name: str
    data: bytes
    starts: Ints
    ends: Ints

    def problem(self, line: int, what: str) -> CharacterError:
        return CharacterError(f"{self.name}, line {line + 1}: {what}")


@dataclass(frozen=True)
class _Block:
    """Lines of one keyword, the keyword blanked out; `line` holds each one's index in the file."""

    lines: _Lines
    data: bytes
    line: Ints


def parse_obj(data: bytes, name: str) -> ObjText:
    """Split an OBJ file into arrays.

    Args:
        data: the file.
        name: what to call it in an error.

    Raises:
        CharacterError: with the line number, if a number, an index or a face cannot be understood.
    """
    memory.ask(_BYTE_COST * len(data) + _LINE_COST * data.count(b"\n") + _WORD_COST * data.count(b" "))
    lines = _split(data, name)
    head = _head(lines)
    blank1, blank2 = head[:, 1] <= _SPACE, head[:, 2] <= _SPACE
    is_v = head[:, 0] == ord("v")
    at_v = np.flatnonzero(is_v & blank1)
    at_vt = np.flatnonzero(is_v & (head[:, 1] == ord("t")) & blank2)
    at_vn = np.flatnonzero(is_v & (head[:, 1] == ord("n")) & blank2)
    at_f = np.flatnonzero((head[:, 0] == ord("f")) & blank1)
    points, colors = _points(_block(lines, at_v, 1))
    corners, counts = _faces(_block(lines, at_f, 1), (at_v, at_vt, at_vn))
    # What the shape does not depend on costs no more than itself.
    lost = corners >= np.array([len(at_v), len(at_vt), len(at_vn)])
    corners[lost] = -1
    return ObjText(
        points=points,
        point_colors=colors,
        uv=_columns(_block(lines, at_vt, 2), 2),
        normals=_columns(_block(lines, at_vn, 2), 3),
        corners=corners,
        lost=int(np.count_nonzero(lost)),
        curved=int((head == np.frombuffer(b"sur", np.uint8)).all(axis=1).sum()),
        first=np.concatenate([[0], np.cumsum(counts)]),
        face_line=at_f,
        statements=_statements(lines, np.flatnonzero(np.isin(head[:, 0], list(b"ogum")))),
    )


def decode_text(data: bytes) -> str:
    """Text of a file: UTF-16 where it begins or reads so, else UTF-8, or Western European where it is not."""
    wide = _utf16(data)
    if wide is not None:
        return data.decode(wide, errors="replace")
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _utf16(data: bytes) -> str | None:
    """The name of the encoding of text of two bytes a character, which its mark or the zeros of its start tell."""
    if data.startswith(_UTF16):
        return "utf-16"
    start = data[:_LOOKED_AT]
    first, second = (4 * start[k::2].count(0) > len(start) for k in (0, 1))
    return None if first == second else "utf-16-be" if first else "utf-16-le"


def _split(data: bytes, name: str) -> _Lines:
    if _utf16(data) is not None:
        data = decode_text(data).encode()
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    data = data.translate(_WHITE)
    if data.startswith(b" ") or b"\n " in data:
        data = re.sub(rb"(?m)^ +", b"", data)
    if b"\\" in data:
        data = _CONTINUED.sub(lambda lines: re.sub(rb"\\ *\n", b" ", lines[0]), data)
    # The word for a face of before 1995.
    data = data.replace(b"\nfo ", b"\nf  ")
    data += b"\n"
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == _NEWLINE)
    return _Lines(name, data, np.concatenate([[0], ends[:-1] + 1]), ends)


def _head(lines: _Lines) -> Bytes:
    """The first three bytes of each line, (L, 3); newlines where it is shorter."""
    text = np.frombuffer(lines.data + b"\n\n", np.uint8)
    head: Bytes = text[lines.starts[:, None] + np.arange(3)]
    past = lines.starts[:, None] + np.arange(3) > lines.ends[:, None]
    head[past] = _NEWLINE
    return head


def _block(lines: _Lines, at: Ints, keyword: int) -> _Block:
    if len(at) == 0:
        return _Block(lines, b"", at)
    cuts = np.flatnonzero(np.diff(at) != 1)
    begins = lines.starts[at[np.concatenate([[0], cuts + 1])]].tolist()
    stops = lines.ends[at[np.concatenate([cuts, [len(at) - 1]])]].tolist()
    text = np.frombuffer(b"".join(lines.data[a : b + 1] for a, b in zip(begins, stops, strict=True)), np.uint8).copy()
    starts = np.concatenate([[0], np.flatnonzero(text == _NEWLINE)[:-1] + 1])
    for k in range(keyword):
        text[starts + k] = _SPACE
    data = text.tobytes()
    if b"#" in data:
        data = re.sub(rb"#[^\n]*", b"", data)
    return _Block(lines, data, at)


def _row_starts(text: Bytes) -> Ints:
    return np.concatenate([[0], np.flatnonzero(text == _NEWLINE)[:-1] + 1])


def _numbers(block: _Block, *, lenient: bool = False) -> tuple[NDArray[np.float64], Ints]:
    """All numbers of a block, NaN for a word that is none where that is `lenient`, and how many each line has."""
    if not block.data:
        return np.zeros(0), np.zeros(0, np.int64)
    text = np.frombuffer(block.data, np.uint8)
    if ((text < _SPACE) & (text != _NEWLINE)).any():
        raise CharacterError(f"{block.lines.name} is not an OBJ file: it holds control characters")
    solid = text > _SPACE
    begins = solid.copy()
    begins[1:] &= ~solid[:-1]
    counts = np.add.reduceat(begins.astype(np.int64), _row_starts(text))
    try:
        return floats(block.data), counts
    except ValueError:
        ends = np.cumsum(counts)
        values = np.full(int(counts.sum()), np.nan)
        for number, word in enumerate(word for piece in pieces(block.data) for word in piece.split()):
            try:
                values[number] = float(word)
            except ValueError as error:
                if lenient:
                    continue
                row = int(np.searchsorted(ends, number, side="right"))
                shown = decode_text(word[:40])
                raise block.lines.problem(int(block.line[row]), f"'{shown}' is not a number") from error
        return values, counts


def _columns(block: _Block, take: int) -> NDArray[np.float64]:
    """The first `take` numbers of each line, (L, take): 0 where there are fewer, NaN where one is no number."""
    values, counts = _numbers(block, lenient=True)
    at = (np.cumsum(counts) - counts)[:, None] + np.arange(take)
    present = np.arange(take) < counts[:, None]
    table = np.zeros(at.shape)
    table[present] = values[at[present]]
    return table


def _points(block: _Block) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    values, counts = _numbers(block)
    short = np.flatnonzero(counts < 3)
    if len(short):
        raise block.lines.problem(int(block.line[short[0]]), f"a vertex has {counts[short[0]]} numbers, not 3")
    first = np.cumsum(counts) - counts
    points = values[first[:, None] + np.arange(3)]
    coloured = counts >= 6
    if not coloured.any():
        return points, None
    begins = first[coloured] + 3
    # Of seven numbers the last is an opacity (x y z r g b a), or the fourth a weight (x y z w r g b), always 1.
    seven = counts[coloured] == 7
    fourth, last = values[begins[seven]], values[begins[seven] + 3]
    if len(last) and (fourth == 1).all() and (last != last[0]).any():
        begins[seven] += 1
    colors = np.full(points.shape, np.nan)
    colors[coloured] = values[begins[:, None] + np.arange(3)]
    return points, colors


def _statements(lines: _Lines, at: Ints) -> tuple[Statement, ...]:
    memory.take(_STATEMENT_COST * len(at))
    found = []
    for line in at.tolist():
        keyword, _, value = decode_text(lines.data[lines.starts[line] : lines.ends[line]]).partition(" ")
        if keyword in ("o", "g", "usemtl", "mtllib"):
            found.append(Statement(keyword, value.strip(), line))
    return tuple(found)


def _faces(block: _Block, declared: tuple[Ints, Ints, Ints]) -> tuple[Ints, Ints]:
    """Corners (C, 3) as indices from 0, -1 for none, and the number of corners of each face line."""
    if not block.data:
        return np.zeros((0, 3), np.int64), np.zeros(0, np.int64)
    data = block.data
    memory.ask(_INDEX_COST * (data.count(b" ") + data.count(b"/")))
    if b"//" in data:
        data = data.replace(b"//", b"/0/")
    if b"/ " in data or b"/\n" in data:
        data = data.replace(b"/ ", b"/0 ").replace(b"/\n", b"/0\n")
    text = np.frombuffer(data, np.uint8)
    rows = _row_starts(text)
    digit = (text >= 48) & (text <= 57)
    _check_face_bytes(block, text, digit, rows)

    edges = np.flatnonzero(np.diff(digit.view(np.int8)))
    # A face line begins with the blanked keyword and ends with a newline, so that no number touches either end.
    begins, stops = edges[::2] + 1, edges[1::2] + 1
    if len(begins) == 0:
        return np.zeros((0, 3), np.int64), np.zeros(len(rows), np.int64)
    values = _integers(block, text, begins, stops, rows)
    negative = text[begins - 1] == _MINUS
    values[negative] *= -1
    leads = text[begins - 1 - negative] != _SLASH
    first = np.flatnonzero(leads)
    per_corner = np.diff(np.concatenate([first, [len(values)]]))
    row = np.searchsorted(rows, begins[first], side="right") - 1
    if per_corner.max() > 3:
        raise block.lines.problem(int(block.line[row[per_corner.argmax()]]), "a face corner has more than 3 indices")

    corners = np.full((len(first), 3), -1, np.int64)
    for slot, (what, lines_before) in enumerate(zip(("vertex", "texture coordinate", "normal"), declared, strict=True)):
        has = np.flatnonzero(per_corner > slot)
        known = np.searchsorted(lines_before, block.line)[row[has]]
        corners[has, slot] = _resolve(block, values[first[has] + slot], known, len(lines_before), row[has], what, slot)
    return corners, np.bincount(row, minlength=len(rows))


def _check_face_bytes(block: _Block, text: Bytes, digit: NDArray[np.bool_], rows: Ints) -> None:
    """Only indices, slashes and signs in their places; else a `CharacterError` that names the line."""
    white = (text == _SPACE) | (text == _NEWLINE)
    slash, minus = text == _SLASH, text == _MINUS
    bad = ~(digit | white | slash | minus)
    # A slash follows an index and leads to one; a sign stands between a separator and an index.
    bad[1:] |= slash[1:] & ~digit[:-1]
    bad[:-1] |= slash[:-1] & ~(digit[1:] | minus[1:])
    bad[1:] |= minus[1:] & digit[:-1]
    bad[:-1] |= minus[:-1] & ~digit[1:]
    if bad.any():
        row = int(np.searchsorted(rows, int(bad.argmax()), side="right") - 1)
        raise block.lines.problem(int(block.line[row]), "a face is not made of indices such as 1, 1/2, 1//3 or 1/2/3")


def _integers(block: _Block, text: Bytes, begins: Ints, stops: Ints, rows: Ints) -> Ints:
    length = stops - begins
    if length.max() > _MAX_DIGITS:
        row = int(np.searchsorted(rows, begins[length.argmax()], side="right") - 1)
        raise block.lines.problem(int(block.line[row]), "a face index is too large")
    values = np.zeros(len(begins), np.int64)
    for k in range(int(length.max())):
        there = length > k
        digits = text[np.where(there, stops - 1 - k, 0)].astype(np.int64) - 48
        values += np.where(there, digits * 10**k, 0)
    return values


def _resolve(block: _Block, index: Ints, known: Ints, total: int, row: Ints, what: str, slot: int) -> Ints:
    """Indices from 1, or from the last one declared so far when negative, to indices from 0.

    A texture coordinate or normal that is not there becomes `total`.
    """
    resolved = np.where(index < 0, known + index, index - 1)
    bad = (resolved < 0) | (resolved >= total)
    if slot > 0:
        bad &= index != 0
    if slot > 0:
        return np.where(bad, total, resolved)
    if bad.any():
        k = int(bad.argmax())
        raise block.lines.problem(int(block.line[row[k]]), f"a face names {what} {index[k]}, the file has {total}")
    return resolved
