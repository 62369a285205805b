"""Rows of parquet files that strangers wrote, decoded in bounded memory; nothing else decodes a shard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build import memory

_VALUE_BYTES = 256
"""Of a value that a row group names, at least: encoded by runs it takes next to nothing of the file."""

_MOST_ROWS = 4096


def batches(
    opened: pq.ParquetFile,
    columns: Sequence[str] | None = None,
    groups: Iterable[int] | None = None,
    most: int = _MOST_ROWS,
) -> Iterator[pa.RecordBatch]:
    """Rows in order, so many at once as their memory allows.

    What a row group costs is reckoned from the footer before it is decoded. Pages may hold more than the footer says,
    so that the system holds the process besides while it decodes, where it can.

    Args:
        opened: to decode.
        columns: to decode; None for all.
        groups: numbers of row groups; None for all.
        most: rows of a batch.

    Raises:
        pyarrow.ArrowException, OSError: if the file is damaged, or costs more than `memory.allowed()`.
    """
    footer, allowed = opened.metadata, memory.allowed()
    for number in range(footer.num_row_groups) if groups is None else groups:
        cost = _cost(footer.row_group(number), len(opened.schema_arrow) if columns is None else len(columns))
        if cost > allowed:
            raise _too_much(f"row group {number}", cost)
        # A value that stands once in a dictionary may stand in every row, and what holds them is doubled as it grows.
        rows = max(1, min(most, allowed // max(1, 2 * cost)))
        found = opened.iter_batches(rows, [number], None if columns is None else list(columns), use_threads=False)
        while True:
            with memory.held():
                batch = next(found, None)
            if batch is None:
                break
            if batch.nbytes > allowed:
                raise _too_much(f"row group {number}", batch.nbytes)
            yield batch


def table(
    opened: pq.ParquetFile, columns: Sequence[str] | None = None, groups: Iterable[int] | None = None
) -> pa.Table:
    """Rows as `batches` gives them, all at once.

    Raises:
        pyarrow.ArrowException, OSError: as `batches`.
    """
    kept: list[pa.RecordBatch] = []
    taken = 0
    for batch in batches(opened, columns, groups):
        kept.append(batch)
        taken += batch.nbytes
        if taken > memory.allowed():
            raise _too_much("what is read of it", taken)
    schema = opened.schema_arrow
    if columns is not None:
        schema = pa.schema([schema.field(name) for name in columns])
    return pa.Table.from_batches(kept, kept[0].schema if kept else schema)


def _cost(group: pq.RowGroupMetaData, columns: int) -> int:
    # Nothing is asked of a column: of a damaged footer that ends the process.
    return max(int(group.total_byte_size), _VALUE_BYTES * columns * int(group.num_rows))


def _too_much(what: str, cost: int) -> pa.ArrowInvalid:
    return pa.ArrowInvalid(f"{what} takes {memory.shown(cost)} of memory and may take {memory.shown(memory.allowed())}")
