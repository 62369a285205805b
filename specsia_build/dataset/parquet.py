"""Parquet shards: how characters are cut into them, writing whole or not at all, and reading in bounded memory."""

from __future__ import annotations

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
from specsia_build.dataset.schema import IMAGE_COLUMNS, Row
from specsia_build.files.writing import replacing

SHARD_BYTES, SHARD_LEAST = 500_000_000, 0.8
"""Most image bytes of a shard, unless one character alone has more, and the share of it from which one may end."""

GROUP_BYTES = 2_000_000
"""Image bytes from which a row group ends with its character: one character at 512 pixels, quick to open at random."""

MOST_GROUP_BYTES = 64_000_000
"""Most image bytes of a row group, even within a character; below the 100 MB up to which the Hub's viewer is quick."""

_VALUE_BYTES, _MOST_ROWS = 256, 4096
"""Least memory of a value that a footer names, as repeated values take almost no room in a file; and rows that are
decoded at once."""


def array_of(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """The array that `pyarrow.array` makes of text, bytes, numbers, or lists of a fixed number of these.

    Only text and bytes may be None. `pyarrow.array` imports pandas first, which takes longer than packing a small run.
    """
    if pa.types.is_fixed_size_list(kind):
        if any(len(value) != kind.list_size for value in values):
            raise ValueError(f"not all lists have {kind.list_size} values")
        inner = array_of(list(chain.from_iterable(values)), kind.value_type)
        return pa.FixedSizeListArray.from_arrays(inner, type=kind)
    if not (pa.types.is_string(kind) or pa.types.is_binary(kind)):
        convert = index if pa.types.is_integer(kind) else float
        numbers = np.array([convert(value) for value in values], kind.to_pandas_dtype())
        return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(numbers)])
    known = np.array([value is not None for value in values], np.bool_)
    nulls = len(values) - int(known.sum())
    encoded = [value.encode() if isinstance(value, str) else value or b"" for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    if ends[-1] > np.iinfo(np.int32).max:
        raise OverflowError(f"an array cannot hold {ends[-1]:,} bytes")
    valid = pa.py_buffer(np.packbits(known, bitorder="little")) if nulls else None
    data = [pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(kind, len(values), [valid, *data], nulls)


def table_of(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    """An Arrow table of rows; PNG bytes pass through as they are."""
    columns = []
    for field in schema:
        if field.name in IMAGE_COLUMNS:
            data = array_of([row.images[field.name] for row in rows], pa.binary())
            names = array_of([f"{row.scalars['uid']}_{field.name}.png" for row in rows], pa.string())
            columns.append(pa.StructArray.from_arrays([data, names], fields=list(field.type)))
        else:
            columns.append(array_of([row.scalars[field.name] for row in rows], field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def local_path(path: Path) -> str:
    """A file's path for pyarrow, which takes a relative one like ``run:1/data`` for a URI."""
    return str(path.absolute())


def plan_shards(ids: Sequence[str], sizes: Sequence[int]) -> list[slice]:
    """Cut characters of the given bytes into runs of at most `SHARD_BYTES`; at least one run.

    A shard ends between `SHARD_LEAST` and all of `SHARD_BYTES`, before the id there whose hash is the smallest, so that
    a character that changes moves few cuts after it and none before.
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
    """Row groups: whole characters, so that a reader of a group sees all views."""
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


def write_shard(path: Path, rows: Iterable[Row], schema: pa.Schema) -> int:
    """Write one shard whole or not at all; returns the number of rows. Views of a character stand together in `rows`.

    As `datasets` does by default, it has a page index, and its pages are cut by content, so that the Hub's storage
    shares what two versions of a shard have in common.
    """
    images = [name for name in schema.names if name in IMAGE_COLUMNS]
    others = [name for name in schema.names if name not in images]
    compression = {f"{name}.{part}": "none" for name in images for part in ("bytes", "path")}
    compression |= {f"{name}.list.element" if name.startswith("bbox") else name: "zstd" for name in others}
    count = 0
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(
            local_path(temporary),
            schema,
            compression=compression,
            use_dictionary=[name for name in others if not name.startswith("bbox")],
            write_statistics=["uid", "character_id", "view"],
            write_page_index=True,
            use_content_defined_chunking=True,
        ) as writer,
    ):
        for group in _groups(rows):
            writer.write_table(table_of(group, schema), row_group_size=len(group))
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
    """Decode rows of a stranger's file in order, at most `most` in a batch, as many as memory allows.

    The cost of a row group is computed from the footer. Pages may hold more than the footer says, so the operating
    system limits the process while it decodes, where it can. Raises pyarrow.ArrowException or OSError if the file is
    damaged, or costs more than `memory.allowed()`.
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
        decoded = opened.iter_batches(rows, [number], None if columns is None else list(columns), use_threads=False)
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
    """Rows as `batches` decodes them, as one table."""
    decoded: list[pa.RecordBatch] = []
    for batch in batches(opened, columns, groups):
        decoded.append(batch)
        _check_cost(sum(each.nbytes for each in decoded))
    schema = opened.schema_arrow
    if columns is not None:
        schema = pa.schema([schema.field(name) for name in columns])
    return pa.Table.from_batches(decoded, decoded[0].schema if decoded else schema)


def _check_cost(cost: int) -> None:
    if cost > memory.allowed():
        most = memory.shown(memory.allowed())
        raise pa.ArrowInvalid(f"a row group takes {memory.shown(cost)} of memory and may take {most}")
