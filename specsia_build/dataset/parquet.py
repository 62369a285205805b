"""Parquet shards: assigning characters to shards, writing them, and reading rows in bounded memory."""

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain
from operator import index
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build import memory
from specsia_build.dataset.schema import (
    ALL_IMAGES,
    CLIP_COLUMNS,
    MOST_FRAMES,
    MOST_VIEWS,
    SCALAR_COLUMNS,
    Row,
    arrow_schema,
)
from specsia_build.errors import SpecsiaError, brief
from specsia_build.files.names import file_name
from specsia_build.files.writing import replacing

SHARD_BYTES, SHARD_LEAST = 500_000_000, 0.8
"""Most image bytes of a shard, unless one character has more; the share of that at which a shard may end."""

GROUP_BYTES = 2_000_000
"""Image bytes after which a row group ends with its character, about one at 512 px, for random access."""

MOST_GROUP_BYTES = 64_000_000
"""Most image bytes of a row group, even within a character; the Hub's viewer is quick up to 100 MB."""

_VALUE_BYTES, _MOST_ROWS = 256, 4096
"""Least memory to count for a value, as repeated ones take almost none in a file; most rows of a batch."""

_RANGES = {
    "view": (0, MOST_VIEWS - 1),
    "iou": (0.0, 1.0),
    "outline_px": (0, 16),
    "outline_grey": (0, 255),
    "frame": (0, MOST_FRAMES - 1),
    "time": (0.0, 1e9),
}
"""Minimum and maximum of the numbers that other modules compute with."""

_SCALARS = (*SCALAR_COLUMNS, *CLIP_COLUMNS)
_ARROW = {
    **{field.name: field.type for field in arrow_schema(_SCALARS)},
    **dict.fromkeys(("bbox_min", "bbox_max"), pa.list_(pa.float64())),
    "outline_rgb": pa.list_(pa.int32()),
    **dict.fromkeys(ALL_IMAGES, pa.binary()),
}
"""Arrow types that columns are cast to when they are read."""


def array_of(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Make the array that `pyarrow.array` makes of text, bytes, numbers, or fixed-size lists of these.

    Integers may not be None. `pyarrow.array` imports pandas, which takes longer than a small pack.
    """
    if pa.types.is_fixed_size_list(kind):
        if any(len(value) != kind.list_size for value in values):
            raise ValueError(f"not all lists have {kind.list_size} values")
        inner = array_of(list(chain.from_iterable(values)), kind.value_type)
        return pa.FixedSizeListArray.from_arrays(inner, type=kind)
    if pa.types.is_integer(kind):
        numbers = np.array([index(value) for value in values], kind.to_pandas_dtype())
        return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(numbers)])
    present = np.array([value is not None for value in values], np.bool_)
    nulls = len(values) - int(present.sum())
    valid = pa.py_buffer(np.packbits(present, bitorder="little")) if nulls else None
    if not (pa.types.is_string(kind) or pa.types.is_binary(kind)):
        floats = [0.0 if value is None else float(value) for value in values]
        numbers = np.array(floats, kind.to_pandas_dtype())
        return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(numbers)], nulls)
    encoded = [value.encode() if isinstance(value, str) else value or b"" for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    if ends[-1] > np.iinfo(np.int32).max:
        raise OverflowError(f"an array cannot hold {ends[-1]:,} bytes")
    data = [pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(kind, len(values), [valid, *data], nulls)


def table_of(rows: Sequence[Row], schema: pa.Schema, *, named: bool = True) -> pa.Table:
    """An Arrow table of rows; PNG bytes pass through as they are, and have a file name if `named`."""
    columns = []
    for field in schema:
        if field.name in ALL_IMAGES:
            data = array_of([row.images[field.name] for row in rows], pa.binary())
            files = [f"{row.scalars['uid']}_{field.name}.png" if named else None for row in rows]
            names = array_of(files, pa.string())
            columns.append(pa.StructArray.from_arrays([data, names], fields=list(field.type)))
        else:
            columns.append(array_of([row.scalars[field.name] for row in rows], field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def local_path(path: Path) -> str:
    """Absolute path for pyarrow, which reads a relative one like ``run:1/data`` as a URI."""
    return str(path.absolute())


def plan_shards(ids: Sequence[str], sizes: Sequence[int]) -> list[slice]:
    """Cut a sequence of characters of the given bytes into shards of up to `SHARD_BYTES`; at least one shard.

    A shard ends between `SHARD_LEAST` and all of `SHARD_BYTES`, before the id with the smallest hash there,
    so that a changed character moves few cuts after it and none before it.
    """
    before = [0, *accumulate(sizes)]
    cuts = [0]
    while before[-1] - before[cuts[-1]] > SHARD_BYTES:
        start, begun = cuts[-1], before[cuts[-1]]
        last = max(start + 1, bisect_right(before, begun + SHARD_BYTES) - 1)
        if last == len(ids):
            break
        first = min(last, max(start + 1, bisect_left(before, begun + SHARD_LEAST * SHARD_BYTES)))
        cuts.append(min(range(first, last + 1), key=lambda k: hashlib.sha256(ids[k].encode()).digest()))
    return [slice(a, b) for a, b in zip(cuts, [*cuts[1:], len(ids)], strict=True)]


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Group rows by whole characters, so that a row group has all views."""
    group: list[Row] = []
    filled, character = 0, ""
    for row in rows:
        size = sum(map(len, row.images.values()))
        before, character = character, row.scalars["uid"].rpartition("_")[0]
        if group and ((filled >= GROUP_BYTES and character != before) or filled + size > MOST_GROUP_BYTES):
            yield group
            group, filled = [], 0
        group.append(row)
        filled += size
    if group:
        yield group


def write_shard(path: Path, rows: Iterable[Row], schema: pa.Schema, *, named: bool = True) -> int:
    """Write a shard atomically; returns the number of rows. A character's views must be adjacent in `rows`.

    Unless `named`, the path of each image is null, as in the published set.
    As `datasets` does by default, it has a page index, and its pages are cut by content, so that the Hub
    deduplicates versions of a shard.
    """
    images = [name for name in schema.names if name in ALL_IMAGES]
    others = [name for name in schema.names if name not in images]
    compression = {f"{name}.{part}": "none" for name in images for part in ("bytes", "path")}
    lists = [name for name in others if pa.types.is_fixed_size_list(schema.field(name).type)]
    compression |= {f"{name}.list.element" if name in lists else name: "zstd" for name in others}
    count = 0
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(
            local_path(temporary),
            schema,
            compression=compression,
            use_dictionary=[name for name in others if name not in lists],
            write_statistics=["uid", "character_id", "view"],
            write_page_index=True,
            use_content_defined_chunking=True,
        ) as writer,
    ):
        for group in _groups(rows):
            writer.write_table(table_of(group, schema, named=named), row_group_size=len(group))
            count += len(group)
    return count


def stored_rows(path: Path) -> int | None:
    """Rows of a shard by its footer; None if it cannot be read."""
    try:
        return int(pq.read_metadata(local_path(path)).num_rows)
    except (OSError, pa.ArrowException):
        return None


def batches(
    opened: pq.ParquetFile,
    columns: Sequence[str] | None = None,
    groups: Iterable[int] | None = None,
    most: int = _MOST_ROWS,
) -> Iterator[pa.RecordBatch]:
    """Decode rows of an untrusted file in order, at most `most` in a batch and as many as memory allows.

    The cost of a row group is computed from the footer. As pages may hold more than the footer says, the
    operating system limits the process while it decodes, where it can. Raises pyarrow.ArrowException or
    OSError if the file is damaged or needs more than `memory.allowed()`.
    """
    footer, allowed = opened.metadata, memory.allowed()
    width = len(opened.schema_arrow) if columns is None else len(columns)
    for number in range(footer.num_row_groups) if groups is None else groups:
        # Asking a damaged footer about a column ends the process.
        group = footer.row_group(number)
        cost = max(group.total_byte_size, _VALUE_BYTES * width * group.num_rows)
        _check_cost(cost)
        # A value of a dictionary may stand in every row, and its buffer is doubled as it grows.
        rows = max(1, min(most, allowed // max(1, 2 * cost)))
        chosen = None if columns is None else list(columns)
        decoded = opened.iter_batches(rows, [number], chosen, use_threads=False)
        while True:
            with memory.held():
                batch = next(decoded, None)
            if batch is None:
                break
            _check_cost(batch.nbytes)
            yield batch


def table(
    opened: pq.ParquetFile, columns: Sequence[str] | None = None, groups: Iterable[int] | None = None
) -> pa.Table:
    """Decode rows as `batches` does, into one table."""
    decoded: list[pa.RecordBatch] = []
    for batch in batches(opened, columns, groups):
        decoded.append(batch)
        _check_cost(sum(part.nbytes for part in decoded))
    schema = opened.schema_arrow
    if columns is not None:
        schema = pa.schema([schema.field(name) for name in columns])
    return pa.Table.from_batches(decoded, decoded[0].schema if decoded else schema)


def checked_rows(batch: pa.RecordBatch | pa.Table, where: str) -> Iterator[dict[str, Any]]:
    """Checked rows of a batch; images as bytes, whether they are stored as such or as `datasets` does."""
    # Takes 0.1 s to import, which commands that read no row need not wait for.
    import pyarrow.compute as pc

    columns = {}
    for column in batch.schema:
        values = batch.column(column.name)
        if pa.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
            values = pc.struct_field(values, "bytes")
        columns[column.name] = values.cast(_ARROW.get(column.name, values.type)).to_pylist()
    ids = [name for name in ("uid", "character_id", "clip") if name in columns]
    ranges = [(name, *limits) for name, limits in _RANGES.items() if name in columns]
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(columns, values, strict=True))
        for name in ids:
            file_name(row[name] or "", f"{name} of a row of {where}")
        for name, least, most in ranges:
            value = row[name]
            if not least <= value <= most if value is not None else name in ("view", "frame", "time"):
                name_of_row = f"the row {brief(str(row.get('uid', '')), 80)} of {where}"
                raise SpecsiaError(f"{name_of_row} has {value} for {name}: it must be {least:g} to {most:g}")
        colour = row.get("outline_rgb")
        if colour is not None and not (len(colour) == 3 and all(level in range(256) for level in colour)):
            problem = f"a row of {where} has {brief(str(colour), 80)} for outline_rgb: it must be R, G, B"
            raise SpecsiaError(problem)
        yield row


def _check_cost(cost: int) -> None:
    if cost > memory.allowed():
        most = memory.format_size(memory.allowed())
        raise pa.ArrowInvalid(f"a row group takes {memory.format_size(cost)} of memory and may take {most}")
