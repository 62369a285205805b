"""Digests that let anyone check a dataset: of every file, and of every image."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build.dataset.schema import CHECKSUMS_FILE, SUMS_FILE

COLUMNS = ("config", "uid", "column", "sha256")


def write_checksums(folder: Path, digests: Iterable[tuple[str, str, str, str]]) -> None:
    """Write `checksums.parquet`: configuration, uid, image column and SHA-256 of the PNG bytes."""
    columns = list(zip(*digests, strict=True)) or [(), (), (), ()]
    table = pa.table({name: pa.array(values, pa.string()) for name, values in zip(COLUMNS, columns, strict=True)})
    pq.write_table(table, folder / CHECKSUMS_FILE, compression="zstd")


def file_sums(folder: Path) -> dict[str, str]:
    """SHA-256 by relative path of every file below a dataset's folder but `SHA256SUMS` itself."""
    sums = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != SUMS_FILE):
        with path.open("rb") as stream:
            sums[path.relative_to(folder).as_posix()] = hashlib.file_digest(stream, "sha256").hexdigest()
    return sums


def write_sums(folder: Path) -> None:
    """Write `SHA256SUMS`, as `sha256sum -c` reads it."""
    text = "".join(f"{digest}  {name}\n" for name, digest in file_sums(folder).items())
    (folder / SUMS_FILE).write_text(text, encoding="utf-8")
