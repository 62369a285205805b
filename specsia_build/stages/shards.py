"""One shard of a dataset: what it takes to make it, in any process."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build.dataset import schema
from specsia_build.dataset.parquet import batches, local_path, write_shard
from specsia_build.stages.artefact import file_digest
from specsia_build.stages.members import row_facts
from specsia_build.stages.stage import Earlier

Load = Callable[[str, str], Earlier]
"""Gives what the stages before pack made, as they made it, by id of a member and backend name."""


@dataclass(frozen=True)
class ShardTask:
    """A shard to be made, by any process that sees its folder and the artefacts.

    Attributes:
        path: where it goes; the folder is there.
        backend: name of that which made the pictures.
        members: ids, in order.
        bytes: of its images.
        schema: of the table.
        old: path and SHA-256 of a shard that holds the same, None where there is none.
    """

    path: Path
    backend: str
    members: tuple[str, ...]
    bytes: int
    schema: pa.Schema
    old: tuple[Path, str] | None


@dataclass(frozen=True)
class Made:
    """A shard that is there.

    Attributes:
        digest: SHA-256 of the file.
        kept: whether it was there before.
        images: of each row its uid, and the SHA-256 of its images one after another in the order of their columns.
    """

    digest: str
    kept: bool
    images: Sequence[tuple[str, bytes]]


MakeShards = Callable[[Sequence[ShardTask]], Generator[tuple[int, Made], None, None]]
"""Makes shards; gives the number of each and what was made as it ends, in whatever order. Closed, it writes no more."""


def _rows(task: ShardTask, load: Load, images: list[tuple[str, bytes]]) -> Iterator[schema.Row]:
    """Rows of a shard; `images` is told what `Made` has of them."""
    for one in task.members:
        parts = load(one, task.backend)
        files = {stage.name: part.files for stage, part in parts.items()}
        for scalars, origin in row_facts(one, task.backend, {stage: part.meta for stage, part in parts.items()}):
            digests = "".join(origin[column][2] for column in schema.IMAGE_COLUMNS)
            images.append((scalars["uid"], bytes.fromhex(digests)))
            yield schema.Row(scalars, {column: files[stage][file] for column, (stage, file, _) in origin.items()})


def _images_in(shard: Path) -> Iterator[tuple[str, bytes]]:
    """What `Made` has of the images of a shard that is there."""
    with pq.ParquetFile(local_path(shard)) as opened:
        for batch in batches(opened, ["uid", *schema.IMAGE_COLUMNS]):
            for row in batch.to_pylist():
                digests = (hashlib.sha256(row[column]["bytes"]).digest() for column in schema.IMAGE_COLUMNS)
                yield row["uid"], b"".join(digests)


def make_shard(task: ShardTask, load: Load) -> Made:
    """Write a shard, or keep one that holds the same where that is whole.

    Raises:
        WriteError: if it cannot be written.
        SpecsiaError: if it cannot be read back, or as `load` raises it.
    """
    if task.old is not None and file_digest(task.old[0]) == task.old[1]:
        try:
            os.link(task.old[0], task.path)
        except OSError:
            shutil.copyfile(task.old[0], task.path)
        return Made(task.old[1], True, list(_images_in(task.path)))
    images: list[tuple[str, bytes]] = []
    write_shard(task.path, _rows(task, load, images), task.schema)
    return Made(file_digest(task.path) or "", False, images)


def made_here(load: Load) -> MakeShards:
    """Makes shards one after the other in this process."""
    return lambda tasks: ((number, make_shard(task, load)) for number, task in enumerate(tasks))
