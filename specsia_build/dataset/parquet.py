"""Parquet shards: written under a temporary name, read back, renamed."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build.dataset.schema import IMAGE_COLUMNS, Row, table_of
from specsia_build.errors import SpecsiaError, plural
from specsia_build.files.writing import replacing

if TYPE_CHECKING:
    from hashlib import _Hash

SHARD_BYTES = 500_000_000
"""Most image bytes of a shard, unless one character alone has more."""

SHARD_LEAST = 0.8
"""Share of `SHARD_BYTES` from which a shard may end."""

GROUP_BYTES = 2_000_000
"""Image bytes from which a row group ends with its character: one character at 512 pixels, quick to open at random."""

MOST_GROUP_BYTES = 64_000_000
"""Image bytes that a row group may hold, even if it ends within a character; far below the Hub viewer's limit."""


def local_path(path: Path) -> str:
    """A file's path for pyarrow, which takes a relative one like ``run:1/data`` for a URI."""
    return str(path.absolute())


def plan_shards(ids: Sequence[str], sizes: Sequence[int]) -> list[slice]:
    """Cut characters of so many bytes into runs of at most `SHARD_BYTES`; at least one run.

    A shard ends between `SHARD_LEAST` and all of `SHARD_BYTES`, before the id there whose hash is the smallest. So
    where a character grows, comes or goes, the cuts after it soon are where they were, and those before it always.
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


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Row groups: whole characters, so that a reader of a group sees all views."""
    batch: list[Row] = []
    filled, character = 0, ""
    for row in rows:
        size = sum(map(len, row.images.values()))
        before, character = character, row.scalars["uid"].rpartition("_")[0]
        if batch and ((filled >= GROUP_BYTES and character != before) or filled + size > MOST_GROUP_BYTES):
            yield batch
            batch, filled = [], 0
        batch.append(row)
        filled += size
    if batch:
        yield batch


class _Digested:
    """A file that is written once from its beginning to its end, and hashed on the way."""

    closed = False

    def __init__(self, stream: BinaryIO, digest: _Hash) -> None:
        self._stream, self._digest = stream, digest

    def write(self, data: Any) -> int:
        self._digest.update(data)
        return self._stream.write(data)

    def tell(self) -> int:
        return self._stream.tell()

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        """Whoever opened the stream closes it."""


def write_shard(
    path: Path, rows: Iterable[Row], schema: pa.Schema, digest: _Hash | None = None, needed: int | None = None
) -> int:
    """Write one shard whole or not at all; returns the number of rows.

    Args:
        path: of the shard.
        rows: in their order; views of a character stand together.
        schema: of the table.
        digest: fed with the bytes of the file, so that it need not be read again for its sum.
        needed: bytes that are to be written in all, told where the disk is full.

    Raises:
        SpecsiaError: if what was written cannot be read back.
    """
    columns = schema.names
    compression = {name: "none" if name in IMAGE_COLUMNS else "zstd" for name in columns}
    count = 0
    with replacing(path, needed) as temporary:
        with (
            temporary.open("wb") as stream,
            pq.ParquetWriter(
                _Digested(stream, digest or hashlib.sha256()),
                schema,
                compression={_leaf(name): kind for name, kind in compression.items()} | _image_leaves(),
                use_dictionary=[c for c in columns if c not in IMAGE_COLUMNS and not c.startswith("bbox")],
                write_statistics=["uid", "character_id", "view"],
            ) as writer,
        ):
            for batch in _batches(rows):
                writer.write_table(table_of(batch, schema), row_group_size=len(batch))
                count += len(batch)
        read_back = pq.read_metadata(local_path(temporary)).num_rows
        if read_back != count:
            raise SpecsiaError(
                f"{path.name} was written with {plural(count, 'row')} but reads back with {read_back}: check the disk"
            )
    return count


def stored_rows(path: Path) -> int | None:
    """Rows of a shard by its footer, which is read once while the file stays as it is; None where none can be read."""
    try:
        seen = path.stat()
    except OSError:
        return None
    return _stored_rows(path, seen.st_ino, seen.st_size, seen.st_mtime_ns)


@lru_cache(maxsize=1 << 16)
def _stored_rows(path: Path, *_: int) -> int | None:
    try:
        return int(pq.read_metadata(local_path(path)).num_rows)
    except (OSError, pa.ArrowException):
        return None


def _leaf(name: str) -> str:
    return f"{name}.list.element" if name.startswith("bbox") else name


def _image_leaves() -> dict[str, str]:
    return {f"{name}.{part}": "none" for name in IMAGE_COLUMNS for part in ("bytes", "path")}
