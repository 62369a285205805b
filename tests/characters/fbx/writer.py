"""FBX files as text and as binary, of one tree of records, written by the format's description."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

VERSION = 7400

TICKS = 46186158000  # Units of time in a second

SQUARE = ((0, 0, 0), (2, 0, 0), (2, 0, 1), (0, 0, 1))
"""Corners of the mesh that `square` writes: two wide and one high, facing -Y."""


class Record(NamedTuple):
    """One record: its values (strings, bytes, integers, floats, or an array), and records within."""

    name: str
    values: tuple[Any, ...] = ()
    inner: Sequence[Record] = ()


def record(name: str, *values: Any, inner: Sequence[Record] = ()) -> Record:
    return Record(name, values, inner)


def properties(**values: Any) -> Record:
    """Properties of an object: numbers, or three of them."""
    listed = []
    for name, value in values.items():
        kind = "int" if isinstance(value, int) else "Vector3D" if isinstance(value, tuple) else "Number"
        parts = value if isinstance(value, tuple) else (value,)
        listed.append(record("P", name.replace("_", " "), kind, "", "A", *parts))
    return record("Properties70", inner=listed)


def thing(kind: str, number: int, name: str, sort: str, *inner: Record) -> Record:
    """An object of the scene; `kind` is Model, Geometry, Material, ..."""
    return record(kind, number, f"{kind}::{name}", sort, inner=inner)


def square(number: int, *layers: Record) -> Record:
    """A mesh of one quad, with a UV set that is its x and z, of one material."""
    uv = [
        record("Name", "map"),
        record("MappingInformationType", "ByPolygonVertex"),
        record("ReferenceInformationType", "Direct"),
        record("UV", np.array(SQUARE, float)[:, [0, 2]].ravel()),
    ]
    look = [
        record("MappingInformationType", "AllSame"),
        record("ReferenceInformationType", "IndexToDirect"),
        record("Materials", np.array([0])),
    ]
    return thing(
        "Geometry",
        number,
        "square",
        "Mesh",
        record("Vertices", np.array(SQUARE, float).ravel()),
        record("PolygonVertexIndex", np.array([0, 1, 2, -4])),
        record("LayerElementUV", 0, inner=uv),
        record("LayerElementMaterial", 0, inner=look),
        *layers,
    )


def scene(objects: Sequence[Record], links: Sequence[tuple[Any, ...]], **settings: Any) -> list[Record]:
    """A file of objects, and of links: (child, parent), with the name of a property where it is one's.

    Without `settings`, +Z is up and +Y to the back, and a unit is a metre.
    """
    own = {
        "UpAxis": 2, "UpAxisSign": 1, "FrontAxis": 1, "FrontAxisSign": -1, "CoordAxis": 0, "CoordAxisSign": 1,
        "UnitScaleFactor": 100.0, "TimeMode": 6, **settings,
    }  # fmt: skip
    pairs = [record("C", "OP" if link[2:] else "OO", *link) for link in links]
    return [
        record("FBXHeaderExtension", inner=[record("FBXVersion", VERSION)]),
        record("GlobalSettings", inner=[properties(**own)]),
        record("Objects", inner=objects),
        record("Connections", inner=pairs),
    ]


def model(number: int, name: str, *inner: Record, sort: str = "Mesh", **values: Any) -> Record:
    return thing("Model", number, name, sort, properties(**values), *inner)


def curve(number: int, values: Sequence[float], seconds: float = 0.5, begin: float = 0.0) -> Record:
    """Keys every so many seconds from `begin` on, linear between them."""
    count = len(values)
    times = ((begin + np.arange(count) * seconds) * TICKS).astype(np.int64)
    keys = [record("KeyTime", times), record("KeyValueFloat", np.array(values, float))]
    keys += [record("KeyAttrFlags", np.array([4])), record("KeyAttrDataFloat", np.zeros(4))]
    return thing("AnimationCurve", number, "", "", *keys, record("KeyAttrRefCount", np.array([count])))


def moving_square(objects: Sequence[Record] = (), links: Sequence[tuple[Any, ...]] = ()) -> list[Record]:
    """The square; its upper corners hang on a bone that rises by 2, and two blend shapes move its first.

    Further `objects` and `links` are added.
    """
    first = record("Indexes", np.array([0]))
    half, whole = ([first, record("Vertices", np.array([0.0, y, 0.0]))] for y in (-1.0, -4.0))
    weights = [record("Indexes", np.array([2, 3])), record("Weights", np.ones(2))]
    binds = [record(name, np.eye(4).ravel()) for name in ("Transform", "TransformLink")]
    still = [first, record("Weights", np.ones(1))]
    own = [
        *(square(1), model(2, "hero"), model(3, "Hips", sort="LimbNode"), model(4, "Head", sort="LimbNode")),
        thing("Deformer", 5, "skin", "Skin"),
        thing("Deformer", 6, "hips", "Cluster", *still, *binds),
        thing("Deformer", 7, "head", "Cluster", *weights, *binds),
        thing("Deformer", 8, "shapes", "BlendShape"),
        thing("Deformer", 9, "grown", "BlendShapeChannel", record("FullWeights", np.array([50.0, 100.0]))),
        *(thing("Geometry", 10, "half", "Shape", *half), thing("Geometry", 17, "whole", "Shape", *whole)),
        *(thing("AnimationStack", 11, "Rise", ""), thing("AnimationLayer", 12, "Base", "")),
        thing("AnimationCurveNode", 13, "T", "", properties(**{"d|Z": 0.0})),
        thing("AnimationCurveNode", 14, "DeformPercent", "", properties(DeformPercent=0.0)),
        *(curve(15, (0.0, 2.0)), curve(16, (0.0, 100.0))),
    ]
    pairs = [(1, 2), (2, 0), (3, 0), (4, 3), (5, 1), (6, 5), (7, 5), (3, 6), (4, 7), (8, 1), (9, 8), (10, 9)]
    pairs += [(17, 9), (12, 11), (13, 12), (14, 12)]
    moved = [(13, 4, "Lcl Translation"), (14, 9, "DeformPercent"), (15, 13, "d|Z"), (16, 14, "DeformPercent")]
    return scene([*own, *objects], [*pairs, *moved, *links])


def as_text(records: Sequence[Record]) -> bytes:
    return "\n".join([f"; FBX {VERSION}", *_lines(records)]).encode("utf-8", "surrogatepass")


def _lines(records: Sequence[Record]) -> list[str]:
    lines = []
    for name, values, inner in records:
        if values and isinstance(values[0], np.ndarray):
            numbers = ",".join(map(str, values[0].tolist()))
            lines.append(f"{name}: *{values[0].size} {{\na: {numbers}\n}}")
            continue
        written = ", ".join(map(_written, values))
        lines += [f"{name}: {written} {{", *_lines(inner), "}"] if inner else [f"{name}: {written}"]
    return lines


def _written(value: Any) -> str:
    text = base64.b64encode(value).decode() if isinstance(value, bytes) else value
    return f'"{text}"' if isinstance(text, str) else str(text)


def as_binary(records: Sequence[Record]) -> bytes:
    data = b"Kaydara FBX Binary  \0\x1a\0" + struct.pack("<I", VERSION)
    return data + _records(records, len(data)) + bytes(160)


def _records(records: Sequence[Record], start: int) -> bytes:
    data = b""
    for name, values, inner in records:
        stored = b"".join(map(_value, values))
        head = 13 + len(name) + len(stored)
        body = _records(inner, start + len(data) + head) if inner else b""
        end = start + len(data) + head + len(body)
        data += struct.pack("<IIIB", end, len(values), len(stored), len(name)) + name.encode() + stored + body
    return data + bytes(13)


def _value(value: Any) -> bytes:
    if isinstance(value, np.ndarray):
        kind = "d" if value.dtype.kind == "f" else "l" if value.max(initial=0) >= 1 << 31 else "i"
        packed = zlib.compress(value.astype({"d": "<f8", "l": "<i8", "i": "<i4"}[kind]).tobytes())
        return kind.encode() + struct.pack("<III", value.size, 1, len(packed)) + packed
    if isinstance(value, str):
        kind, _, name = value.rpartition("::")
        text = (f"{name}\0\1{kind}" if kind else value).encode("utf-8", "surrogatepass")
        return struct.pack("<cI", b"S", len(text)) + text
    if isinstance(value, bytes):
        return struct.pack("<cI", b"R", len(value)) + value
    return struct.pack("<cd", b"D", value) if isinstance(value, float) else struct.pack("<cq", b"L", value)
