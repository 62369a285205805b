"""Digests that let anyone check a dataset: of every file, and of every image."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build.dataset.arrays import array_of
from specsia_build.dataset.decoding import batches
from specsia_build.dataset.parquet import local_path
from specsia_build.dataset.schema import (
    BUILD_FILE,
    CARD,
    CHECKSUMS_FILE,
    IMAGE_COLUMNS,
    PARTS_FILE,
    RECIPE_FILE,
    SUMS_FILE,
    parse_shard_name,
)
from specsia_build.errors import SpecsiaError
from specsia_build.files.names import relative_name

COLUMNS = ("config", "uid", "column", "sha256")

_SUM = re.compile(r"([0-9a-f]{64}) [ *](.+)")

_BATCH = 10_000
"""Digests of images that are held at once, and in one row group."""


def write_checksums(folder: Path, digests: Iterable[tuple[str, str, str, str]]) -> None:
    """Write `checksums.parquet`: configuration, uid, image column and SHA-256 of the PNG bytes."""
    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    left = iter(digests)
    with pq.ParquetWriter(local_path(folder / CHECKSUMS_FILE), schema, compression="zstd") as writer:
        while batch := list(islice(left, _BATCH)):
            columns = [array_of(values, pa.string()) for values in zip(*batch, strict=True)]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def file_sums(folder: Path, known: Mapping[str, str] | None = None) -> dict[str, str]:
    """SHA-256 by relative path of every file below a dataset's folder but `SHA256SUMS` itself.

    Args:
        folder: of the dataset.
        known: sums of files that need not be read for them.
    """
    sums = dict(known or {})
    for path in (p for p in folder.rglob("*") if p.is_file() and p != folder / SUMS_FILE):
        name = path.relative_to(folder).as_posix()
        if name not in sums:
            with path.open("rb") as stream:
                sums[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return dict(sorted(sums.items()))


def write_sums(folder: Path, known: Mapping[str, str] | None = None) -> None:
    """Write `SHA256SUMS`, as `sha256sum -c` reads it; `known` as for `file_sums`."""
    text = "".join(f"{digest}  {name}\n" for name, digest in file_sums(folder, known).items())
    (folder / SUMS_FILE).write_text(text, encoding="utf-8")


def parse_sums(text: str) -> tuple[dict[str, str], list[str]]:
    """SHA-256 by relative path of a `SHA256SUMS`, and its lines that cannot be used.

    Those are no sums, name a file once more, or one that cannot be a file of the dataset.
    """
    found: dict[str, str] = {}
    unusable = []
    for line in text.split("\n"):
        line = line.removesuffix("\r")
        if not line:
            continue
        match = _SUM.fullmatch(line)
        if match is None or match[2] in found or not _is_name(match[2]):
            unusable.append(line)
        else:
            found[match[2]] = match[1]
    return found, unusable


def own_names(text: str) -> frozenset[str]:
    """What a `SHA256SUMS` lists, and itself, if this project wrote it, of a dataset or a recipe; else nothing."""
    listed, _ = parse_sums(text)
    dataset = {CARD, BUILD_FILE} <= listed.keys() and any(parse_shard_name(name, own=True) for name in listed)
    ours = dataset or listed.keys() >= {CARD, RECIPE_FILE, PARTS_FILE}
    return frozenset(listed) | {SUMS_FILE} if ours else frozenset()


def _is_name(text: str) -> bool:
    try:
        relative_name(text, "file")
    except SpecsiaError:
        return False
    return True


Key = tuple[str, str]
"""Configuration and uid of a row."""


def listed_rows(folder: Path) -> Iterator[tuple[Key, bytes]]:
    """Digests of each row's images in the order of `checksums.parquet`, which has those of a row together.

    Yields:
        The row, and SHA-256 of each image column's bytes one after another in the order of `IMAGE_COLUMNS`, 32 bytes
        each, zeros where none is listed.

    Raises:
        SpecsiaError: if the file cannot be read, or lists something else or something twice.
    """
    places = {name: index * 32 for index, name in enumerate(IMAGE_COLUMNS)}
    key, row = None, bytearray()
    try:
        with pq.ParquetFile(local_path(folder / CHECKSUMS_FILE)) as opened:
            for batch in batches(opened, COLUMNS):
                for config, uid, column, digest in zip(*(c.to_pylist() for c in batch.columns), strict=True):
                    if not (isinstance(config, str) and isinstance(uid, str)):
                        raise ValueError("a row has no configuration or no uid")
                    if key != (config, uid):
                        if key is not None:
                            yield key, bytes(row)
                        key, row = (config, uid), bytearray(32 * len(places))
                    at = places[column]
                    if any(row[at : at + 32]):
                        raise ValueError(f"{uid} has {column} twice")
                    row[at : at + 32] = bytes.fromhex(digest)
                    if len(row) != 32 * len(places):
                        raise ValueError(f"{digest!r} is no SHA-256")
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise SpecsiaError(f"does not hold the digests of images: {' '.join(str(error).split())}") from error
    if key is not None:
        yield key, bytes(row)


def read_checksums(folder: Path) -> dict[Key, bytes]:
    """What `listed_rows` gives, by row.

    Raises:
        SpecsiaError: as `listed_rows`.
    """
    return dict(listed_rows(folder))


class ListedImages:
    """What `checksums.parquet` lists, read as it is asked for: of what is asked for in its order nothing is held."""

    def __init__(self, folder: Path) -> None:
        """Look through the list of a dataset's folder, which must stay there.

        Raises:
            SpecsiaError: as `listed_rows`.
        """
        self._folder = folder
        self._rows: dict[str, Iterator[tuple[Key, bytes]]] = {}
        self._held: dict[Key, bytes] = {}
        for _ in listed_rows(folder):
            pass

    def take(self, config: str, uid: str) -> bytes | None:
        """Digests of a row as `listed_rows` gives them, once; None where none are left."""
        if config not in self._rows:
            self._rows[config] = (one for one in listed_rows(self._folder) if one[0][0] == config)
        while (config, uid) not in self._held:
            found = next(self._rows[config], None)
            if found is None:
                return None
            self._held[found[0]] = found[1]
        return self._held.pop((config, uid))

    def rest(self) -> Iterator[Key]:
        """Rows that were not taken."""
        yield from self._held
        for rows in self._rows.values():
            yield from (key for key, _ in rows)
        yield from (key for key, _ in listed_rows(self._folder) if key[0] not in self._rows)
