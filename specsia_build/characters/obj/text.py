"""The text of an OBJ file to arrays, all lines of a keyword at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.characters.attributes import numbers
from specsia_build.errors import CharacterError

Ints = NDArray[np.int64]

_SPACE, _NEWLINE = 32, 10
_WHITE = bytes.maketrans(b"\t\x0b\x0c\x00", b"    ")
_BYTE_COST, _LINE_COST, _WORD_COST, _INDEX_COST, _STATEMENT_COST = 5, 100, 24, 130, 400
"""Bytes of memory that parsing takes, measured, for each byte, line, word, index of a face, and name."""
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
        uv: (T, 2) float64 as written, v up; NaN where they are no numbers.
        normals: (N, 3) float64 as written; NaN where they are no numbers.
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

    def words(self, line: int) -> list[bytes]:
        """The words after a line's keyword."""
        return self.data[self.starts[line] : self.ends[line]].partition(b"#")[0].split()[1:]

    def block(self, at: Ints, keyword: int) -> bytes:
        """Lines at some indices, their keyword of so many bytes and their comments blanked out."""
        if len(at) == 0:
            return b""
        cuts = np.flatnonzero(np.diff(at) != 1)
        begins = self.starts[at[np.concatenate([[0], cuts + 1])]].tolist()
        stops = self.ends[at[np.concatenate([cuts, [len(at) - 1]])]].tolist()
        joined = b"".join(self.data[a : b + 1] for a, b in zip(begins, stops, strict=True))
        text = np.frombuffer(joined, np.uint8).copy()
        rows = _row_starts(text)
        for k in range(keyword):
            text[rows + k] = _SPACE
        data = text.tobytes()
        return re.sub(rb"#[^\n]*", b"", data) if b"#" in data else data

    def damaged(self, at: Ints, is_sound: Callable[[Sequence[bytes]], bool]) -> CharacterError:
        """The error that names the first of some lines whose words are not sound."""
        for line in at.tolist():
            try:
                if is_sound(self.words(line)):
                    continue
            except ValueError:
                pass
            text = decode_text(self.data[self.starts[line] : self.ends[line]][:60])
            return CharacterError(f"{self.name}, line {line + 1}: '{text}' is damaged")
        return CharacterError(f"{self.name} is not an OBJ file that can be read")


def parse_obj(data: bytes, name: str) -> ObjText:
    """Split an OBJ file into arrays.

    Args:
        data: the file.
        name: what to call it in an error.
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
    points, colors = _points(lines, at_v)
    corners, counts = _faces(lines, at_f, (at_v, at_vt, at_vn))
    # A texture coordinate or normal that is not there costs no more than itself.
    lost = corners >= np.array([len(at_v), len(at_vt), len(at_vn)])
    corners[lost] = -1
    return ObjText(
        points=points,
        point_colors=colors,
        uv=_columns(lines, at_vt, 2),
        normals=_columns(lines, at_vn, 3),
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
    """The encoding of text of two bytes a character, as its mark or the zeros of its start say; None of other text."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
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
    data = data.replace(b"\nfo ", b"\nf  ") + b"\n"
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == _NEWLINE)
    return _Lines(name, data, np.concatenate([[0], ends[:-1] + 1]), ends)


def _head(lines: _Lines) -> NDArray[np.uint8]:
    """The first three bytes of each line, (L, 3); newlines where it is shorter."""
    text = np.frombuffer(lines.data + b"\n\n", np.uint8)
    at = lines.starts[:, None] + np.arange(3)
    return np.where(at > lines.ends[:, None], np.uint8(_NEWLINE), text[at])


def _row_starts(text: NDArray[np.uint8]) -> Ints:
    return np.concatenate([[0], np.flatnonzero(text == _NEWLINE)[:-1] + 1])


def _word_starts(text: NDArray[np.uint8]) -> NDArray[np.bool_]:
    solid = text > _SPACE
    begins = solid.copy()
    begins[1:] &= ~solid[:-1]
    return begins


def _table(data: bytes) -> tuple[NDArray[np.float64], Ints]:
    """All numbers of a block of lines, and how many each line has; ValueError if a word is no number."""
    if not data:
        return np.zeros(0), np.zeros(0, np.int64)
    text = np.frombuffer(data, np.uint8)
    counts = np.add.reduceat(_word_starts(text).astype(np.int64), _row_starts(text))
    values = numbers(data)
    if len(values) != counts.sum():
        raise ValueError("words are not numbers")
    return values, counts


def _columns(lines: _Lines, at: Ints, take: int) -> NDArray[np.float64]:
    """The first `take` numbers of lines, (L, take): 0 where there are fewer, NaN if any word is no number."""
    try:
        values, counts = _table(lines.block(at, 2))
    except ValueError:
        return np.full((len(at), take), np.nan)
    places = (np.cumsum(counts) - counts)[:, None] + np.arange(take)
    present = np.arange(take) < counts[:, None]
    table = np.zeros(places.shape)
    table[present] = values[places[present]]
    return table


def _points(lines: _Lines, at: Ints) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    try:
        values, counts = _table(lines.block(at, 1))
        if (counts < 3).any():
            raise ValueError("too few numbers")
    except ValueError as error:
        raise lines.damaged(at, lambda words: len([*map(float, words)]) >= 3) from error
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


def _faces(lines: _Lines, at: Ints, declared: tuple[Ints, Ints, Ints]) -> tuple[Ints, Ints]:
    """Corners (C, 3) as indices from 0, -1 for none, and the number of corners of each face line."""
    data = lines.block(at, 1)
    memory.ask(_INDEX_COST * (data.count(b" ") + data.count(b"/")))
    if b"/" in data:
        data = data.replace(b"//", b"/0/").replace(b"/ ", b"/0 ").replace(b"/\n", b"/0\n")
    text = np.frombuffer(data, np.uint8)
    begins = np.flatnonzero(_word_starts(text))
    if len(begins) == 0:
        return np.zeros((0, 3), np.int64), np.zeros(len(at), np.int64)
    slashes = np.searchsorted(begins, np.flatnonzero(text == ord("/")), side="right") - 1
    per_corner = 1 + np.bincount(slashes, minlength=len(begins))
    try:
        values = numbers(data.replace(b"/", b" "), np.int64)
        if len(values) != per_corner.sum() or per_corner.max() > 3:
            raise ValueError("not one to three indices each")
    except ValueError as error:
        raise lines.damaged(at, _are_corners) from error
    first = np.cumsum(per_corner) - per_corner
    row = np.searchsorted(_row_starts(text), begins, side="right") - 1
    corners = np.full((len(begins), 3), -1, np.int64)
    for slot, lines_before in enumerate(declared):
        has = np.flatnonzero(per_corner > slot)
        index, total = values[first[has] + slot], len(lines_before)
        # Negative indices count from the last one declared so far.
        known = np.searchsorted(lines_before, at)[row[has]]
        resolved = np.where(index < 0, known + index, index - 1)
        missing = (resolved < 0) | (resolved >= total)
        if slot == 0 and missing.any():
            k = int(missing.argmax())
            line = int(at[row[has[k]]]) + 1
            raise CharacterError(f"{lines.name}, line {line}: a face names vertex {index[k]}, the file has {total}")
        # Index 0 means none.
        corners[has, slot] = np.where(missing, np.where(index == 0, -1, total), resolved)
    return corners, np.bincount(row, minlength=len(at))


def _are_corners(words: Sequence[bytes]) -> bool:
    return all(word[:1] != b"/" and len([int(index or 0) for index in word.split(b"/")]) <= 3 for word in words)
