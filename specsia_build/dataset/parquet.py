"""Parquet shards: written under a temporary name, read back, renamed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build.dataset.schema import COLUMNS, IMAGE_COLUMNS, Row, table_of
from specsia_build.errors import SpecsiaError

SHARD_BYTES = 500_000_000
"""Image bytes from which a new shard is begun."""

GROUP_ROWS = 50
"""Most rows of a row group: about 15 MB at 512 pixels, far below the Hub viewer's limit and quick to open at random."""

GROUP_BYTES = 64_000_000
"""Image bytes that a row group of large pictures may hold."""


def plan_shards(sizes: Sequence[int]) -> list[slice]:
    """Cut a sequence of items of so many bytes into runs of at most about `SHARD_BYTES`; at least one run."""
    cuts, filled = [0], 0
    for index, size in enumerate(sizes):
        if filled and filled + size > SHARD_BYTES:
            cuts.append(index)
            filled = 0
        filled += size
    return [slice(a, b) for a, b in zip(cuts, [*cuts[1:], len(sizes)], strict=True)]


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    filled = 0
    for row in rows:
        size = sum(map(len, row.images.values()))
        if batch and (len(batch) == GROUP_ROWS or filled + size > GROUP_BYTES):
            yield batch
            batch, filled = [], 0
        batch.append(row)
        filled += size
    if batch:
        yield batch


def write_shard(path: Path, rows: Iterable[Row], schema: pa.Schema) -> int:
    """Write one shard whole or not at all; returns the number of rows.

    Raises:
        SpecsiaError: if what was written cannot be read back.
    """
    temporary = path.with_name(path.name + ".tmp")
    compression = {name: "none" if name in IMAGE_COLUMNS else "zstd" for name in COLUMNS}
    count = 0
    with pq.ParquetWriter(
        temporary,
        schema,
        compression={_leaf(name): kind for name, kind in compression.items()} | _image_leaves(),
        use_dictionary=[c for c in COLUMNS if c not in IMAGE_COLUMNS and not c.startswith("bbox")],
        write_statistics=["uid", "character_id", "view"],
    ) as writer:
        for batch in _batches(rows):
            writer.write_table(table_of(batch, schema), row_group_size=GROUP_ROWS)
            count += len(batch)
    read_back = pq.read_metadata(temporary).num_rows
    if read_back != count:
        raise SpecsiaError(f"{path.name} was written with {count} rows but reads back with {read_back}: check the disk")
    temporary.replace(path)
    return count


def _leaf(name: str) -> str:
    return f"{name}.list.element" if name.startswith("bbox") else name


def _image_leaves() -> dict[str, str]:
    return {f"{name}.{part}": "none" for name in IMAGE_COLUMNS for part in ("bytes", "path")}
