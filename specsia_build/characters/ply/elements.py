"""The elements of a PLY file as columns, text or binary of either byte order, lists of mixed lengths included.

Written by hand, as `plyfile` reads text and mixed lists row by row in Python, and allocates what a header promises.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.characters.words import floats
from specsia_build.errors import CharacterError

Ints = NDArray[np.int64]

_KINDS = {"i1": "char", "u1": "uchar", "i2": "short", "u2": "ushort", "i4": "int", "u4": "uint", "f4": "float"}
_TYPES = {
    **{name: kind for kind, name in _KINDS.items()},
    **{f"{word}{8 * size}": f"{word[0]}{size}" for word in ("int", "uint") for size in (1, 2, 4, 8)},
    "float16": "f2",
    "float32": "f4",
    "float64": "f8",
    "double": "f8",
}
_BYTE_ORDERS = {"ascii": None, "binary_little_endian": "<", "binary_big_endian": ">"}
_USED = frozenset({"vertex", "face", "tristrips", "material"})
"""Elements that decide a picture; a fault in another one, behind them, costs nothing."""

_MAX_HEADER = 1 << 20
_NUMBER_COST, _UNEVEN_COST, _VALUE_COST = 16, 110, 16
"""Bytes of memory, measured, for a number of a text file, a property of a row whose lists differ, and a value kept."""


@dataclass(frozen=True)
class Column:
    """A property of all rows: `values` in row order, `counts` how many each row has (None: one each).

    `kind` is the declared type, such as ``u1`` or ``f4``; the values of a text file are float64 all the same.
    """

    values: NDArray[Any]
    counts: Ints | None
    kind: str


@dataclass(frozen=True)
class PlyFile:
    """Columns by element and property, and the textures that comments name."""

    elements: dict[str, dict[str, Column]]
    textures: tuple[str, ...]


@dataclass(frozen=True)
class _Property:
    name: str
    kind: str
    count_kind: str | None = None


@dataclass(frozen=True)
class _Element:
    name: str
    rows: int
    properties: tuple[_Property, ...]


def parse_ply(data: bytes, name: str) -> PlyFile:
    """Split a PLY file into columns.

    Raises:
        CharacterError: if its header cannot be understood or its data is shorter than the header says.
    """
    order, elements, textures, offset = _header(data, name)
    if order is None:
        memory.take(_NUMBER_COST * (1 + (len(data) - offset) // 2))
        try:
            body = _Body(floats(data[offset:]), None)
        except ValueError as error:
            raise CharacterError(f"{name} holds something other than numbers in its data: {error}") from error
    else:
        body = _Body(np.frombuffer(data, np.uint8, offset=offset), order)
    columns: dict[str, dict[str, Column]] = {}
    at = 0
    for element in elements:
        try:
            columns[element.name], at = _read_element(body, element, at)
        except (IndexError, ValueError, OverflowError, struct.error) as error:
            if element.name not in _USED and "vertex" in columns and ("face" in columns or "tristrips" in columns):
                break
            raise CharacterError(f"{name} is cut short or damaged in its '{element.name}' data") from error
    return PlyFile(columns, textures)


def _header(data: bytes, name: str) -> tuple[str | None, list[_Element], tuple[str, ...], int]:
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
                last = elements.pop()
                kinds = (_TYPES[words[3]], _TYPES[words[2]]) if words[1] == "list" else (_TYPES[words[1]],)
                made = _Property(words[4 if words[1] == "list" else 2], *kinds)
                elements.append(_Element(last.name, last.rows, (*last.properties, made)))
            elif len(words) > 2 and words[0] == "comment" and words[1].lower() == "texturefile":
                textures.append(line.split(None, 2)[2].strip())
        except (IndexError, KeyError, ValueError) as error:
            raise CharacterError(f"{name} has a header line that cannot be understood: '{line[:80]}'") from error
    if order == "":
        raise CharacterError(f"{name} has no format line in its header")
    return order, elements, tuple(textures), newline + 1


@dataclass(frozen=True)
class _Body:
    """Data after the header: bytes of a byte order, or the numbers of a text file, each one item long."""

    items: NDArray[np.uint8] | NDArray[np.float64]
    order: str | None

    def size(self, kind: str) -> int:
        return 1 if self.order is None else np.dtype(kind).itemsize

    def strided(self, kind: str, at: int, stride: int, rows: int, count: int) -> NDArray[Any]:
        """`count` values in each of `rows` rows, `stride` items apart, (rows, count)."""
        size = self.size(kind)
        if rows == 0 or count == 0:
            return np.zeros((rows, count), kind)
        if at + stride * (rows - 1) + size * count > len(self.items):
            raise IndexError("past the end")
        dtype = np.dtype(np.float64) if self.order is None else np.dtype(self.order + kind)
        unit = dtype.itemsize if self.order is None else 1
        strides = (stride * unit, size * unit)
        return np.ndarray((rows, count), dtype, self.items, at * unit, strides).astype(dtype.newbyteorder("="))

    def gathered(self, kind: str, starts: Ints, counts: Ints) -> NDArray[Any]:
        """`counts` values from each of `starts`, one after the other."""
        size = self.size(kind)
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        at = np.repeat(starts, counts) + within * size
        if self.order is None:
            return np.take(self.items, at)
        dtype = np.dtype(self.order + kind)
        packed = np.ascontiguousarray(self.items[at[:, None] + np.arange(size)])
        values: NDArray[Any] = packed.view(dtype).reshape(-1).astype(dtype.newbyteorder("="))
        return values


def _read_element(body: _Body, element: _Element, at: int) -> tuple[dict[str, Column], int]:
    if element.rows == 0 or not element.properties:
        none = np.zeros(0, np.int64)
        empty = {p.name: Column(none, None if p.count_kind is None else none, p.kind) for p in element.properties}
        return empty, at
    smallest = sum(body.size(p.count_kind or p.kind) for p in element.properties)
    if at + smallest * element.rows > len(body.items):
        raise IndexError("past the end")
    return _read_even(body, element, at) or _read_uneven(body, element, at)


def _read_even(body: _Body, element: _Element, at: int) -> tuple[dict[str, Column], int] | None:
    """The element if every row is laid out as its first; None where lists differ in length."""
    layout: list[tuple[_Property, int, int]] = []
    offset = at
    for prop in element.properties:
        count = 1
        if prop.count_kind is not None:
            count = _count(body.strided(prop.count_kind, offset, 0, 1, 1)[0, 0])
            offset += body.size(prop.count_kind)
        layout.append((prop, offset - at, count))
        offset += count * body.size(prop.kind)
    stride = offset - at
    if at + stride * element.rows > len(body.items):
        return None
    columns = {}
    for prop, inside, count in layout:
        counts = None
        if prop.count_kind is not None:
            before = at + inside - body.size(prop.count_kind)
            if (body.strided(prop.count_kind, before, stride, element.rows, 1) != count).any():
                return None
            counts = np.full(element.rows, count, np.int64)
        memory.take(_VALUE_COST * element.rows * (count + 1))
        values = body.strided(prop.kind, at + inside, stride, element.rows, count)
        columns[prop.name] = Column(values.reshape(-1), counts, prop.kind)
    return columns, at + stride * element.rows


def _read_uneven(body: _Body, element: _Element, at: int) -> tuple[dict[str, Column], int]:
    memory.ask(_UNEVEN_COST * element.rows * len(element.properties) + body.items.nbytes)
    data, unit = body.items.tobytes(), 8 if body.order is None else 1
    plan = []
    for prop in element.properties:
        # numpy's long is 8 bytes where struct's standard one is 4.
        code = {"l": "q", "L": "Q"}.get(char := np.dtype(prop.count_kind or "u1").char, char)
        reader = struct.Struct("=d" if body.order is None else body.order + code).unpack_from
        head = 0 if prop.count_kind is None else body.size(prop.count_kind)
        plan.append((reader if head else None, head, body.size(prop.kind), list[int](), list[int]()))
    for _ in range(element.rows):
        for read, head, size, starts, counts in plan:
            count = 1 if read is None else _count(read(data, at * unit)[0])
            starts.append(at + head)
            counts.append(count)
            at += head + count * size
        if at > len(body.items):
            raise IndexError("past the end")
    columns = {}
    for prop, (*_, starts, counts) in zip(element.properties, plan, strict=True):
        many = np.array(counts, np.int64)
        values = body.gathered(prop.kind, np.array(starts, np.int64), many)
        columns[prop.name] = Column(values, None if prop.count_kind is None else many, prop.kind)
    return columns, at


def _count(value: Any) -> int:
    count = int(value)
    if count < 0 or count != value:
        raise ValueError("a list has no such length")
    return count
