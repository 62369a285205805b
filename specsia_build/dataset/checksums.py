"""Digests that let anyone check a dataset: of every file, and of every image."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build.dataset.schema import CHECKSUMS_FILE, IMAGE_COLUMNS, SUMS_FILE
from specsia_build.errors import SpecsiaError

COLUMNS = ("config", "uid", "column", "sha256")


def write_checksums(folder: Path, digests: Iterable[tuple[str, str, str, str]]) -> None:
    """Write `checksums.parquet`: configuration, uid, image column and SHA-256 of the PNG bytes."""
    columns = list(zip(*digests, strict=True)) or [(), (), (), ()]
    table = pa.table({name: pa.array(values, pa.string()) for name, values in zip(COLUMNS, columns, strict=True)})
    pq.write_table(table, folder / CHECKSUMS_FILE, compression="zstd")


def file_sums(folder: Path) -> dict[str, str]:
    """SHA-256 by relative path of every file below a dataset's folder but `SHA256SUMS` itself."""
    sums = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p != folder / SUMS_FILE):
        with path.open("rb") as stream:
            sums[path.relative_to(folder).as_posix()] = hashlib.file_digest(stream, "sha256").hexdigest()
    return sums


def write_sums(folder: Path) -> None:
    """Write `SHA256SUMS`, as `sha256sum -c` reads it."""
    text = "".join(f"{digest}  {name}\n" for name, digest in file_sums(folder).items())
    (folder / SUMS_FILE).write_text(text, encoding="utf-8")


def read_checksums(folder: Path) -> dict[tuple[str, str], bytes]:
    """Digests of every row's images, by configuration and uid, from `checksums.parquet`.

    Returns:
        SHA-256 of each image column's bytes one after another in the order of `IMAGE_COLUMNS`, 32 bytes each, zeros
        where none is listed.

    Raises:
        SpecsiaError: if the file cannot be read, or lists something else or something twice.
    """
    places = {name: index * 32 for index, name in enumerate(IMAGE_COLUMNS)}
    found: dict[tuple[str, str], bytearray] = {}
    try:
        with pq.ParquetFile(folder / CHECKSUMS_FILE) as opened:
            for batch in opened.iter_batches(columns=list(COLUMNS)):
                for config, uid, column, digest in zip(*(c.to_pylist() for c in batch.columns), strict=True):
                    row, at = found.setdefault((config, uid), bytearray(32 * len(places))), places[column]
                    if any(row[at : at + 32]):
                        raise ValueError(f"{uid} has {column} twice")
                    row[at : at + 32] = bytes.fromhex(digest)
                    if len(row) != 32 * len(places):
                        raise ValueError(f"{digest!r} is no SHA-256")
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise SpecsiaError(f"does not hold the digests of images: {' '.join(str(error).split())}") from error
    return {key: bytes(row) for key, row in found.items()}
