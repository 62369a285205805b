"""SHA-256 of every file of a dataset, in `SHA256SUMS`, and of every image, in `checksums.parquet`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build.dataset import schema
from specsia_build.dataset.parquet import array_of, batches, local_path
from specsia_build.dataset.places import Place, read_errors
from specsia_build.errors import SpecsiaError
from specsia_build.files.names import relative_name

COLUMNS = ("config", "uid", "column", "sha256")

_SUM = re.compile(r"([0-9a-f]{64}) [ *](.+)")

_BATCH = 10_000
"""Digests of images that are held at once, and in one row group."""

_OFFSETS = {name: index * 32 for index, name in enumerate(schema.IMAGE_COLUMNS)}

Key = tuple[str, str]
"""Configuration and uid of a row."""


def file_sums(folder: Path, known: Mapping[str, str] | None = None) -> dict[str, str]:
    """SHA-256 by relative path of every file of a dataset but `SHA256SUMS`; those that are `known` are not read."""
    sums = dict(known or {})
    for path in (p for p in folder.rglob("*") if p.is_file() and p != folder / schema.SUMS_FILE):
        name = path.relative_to(folder).as_posix()
        if name not in sums:
            with path.open("rb") as stream:
                sums[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return dict(sorted(sums.items()))


def write_sums(folder: Path, known: Mapping[str, str] | None = None) -> None:
    """Write `SHA256SUMS`, as `sha256sum -c` reads it; `known` as for `file_sums`."""
    text = "".join(f"{digest}  {name}\n" for name, digest in file_sums(folder, known).items())
    (folder / schema.SUMS_FILE).write_text(text, encoding="utf-8")


def parse_sums(text: str) -> tuple[dict[str, str], list[str]]:
    """SHA-256 by relative path of a `SHA256SUMS`, and the lines that are no sum, a repetition, or no file's name."""
    sums: dict[str, str] = {}
    unusable = []
    for line in (line.removesuffix("\r") for line in text.split("\n")):
        match = _SUM.fullmatch(line)
        if match is not None and match[2] not in sums and _is_name(match[2]):
            sums[match[2]] = match[1]
        elif line:
            unusable.append(line)
    return sums, unusable


def _is_name(text: str) -> bool:
    try:
        relative_name(text, "file")
    except SpecsiaError:
        return False
    return True


def own_names(text: str) -> frozenset[str]:
    """Files that a `SHA256SUMS` of this project lists, and itself; nothing if it is another's."""
    listed, _ = parse_sums(text)
    shards = any(schema.parse_shard_name(name, own=True) for name in listed)
    dataset = shards and {schema.CARD, schema.BUILD_FILE} <= listed.keys()
    recipe = {schema.CARD, schema.RECIPE_FILE, schema.PARTS_FILE} <= listed.keys()
    return frozenset({*listed, schema.SUMS_FILE}) if dataset or recipe else frozenset()


def write_checksums(folder: Path, digests: Iterable[tuple[str, str, str, str]]) -> None:
    """Write `checksums.parquet`: configuration, uid, image column and SHA-256 of the PNG bytes."""
    arrow = pa.schema([(name, pa.string()) for name in COLUMNS])
    left = iter(digests)
    with pq.ParquetWriter(local_path(folder / schema.CHECKSUMS_FILE), arrow, compression="zstd") as writer:
        while batch := list(islice(left, _BATCH)):
            columns = [array_of(values, pa.string()) for values in zip(*batch, strict=True)]
            writer.write_table(pa.Table.from_arrays(columns, schema=arrow))


def read_checksums(place: Place) -> Iterator[tuple[Key, bytes]]:
    """Digests of each row's images in the order of `checksums.parquet`, which has those of a row together.

    Yields:
        The row, and the SHA-256 of each image column in the order of `IMAGE_COLUMNS`, 32 bytes each, zeros if none is
        listed.

    Raises:
        SpecsiaError: if the file cannot be read, or lists something else or something twice.
    """
    key, row = None, bytearray()
    try:
        with place.open(schema.CHECKSUMS_FILE) as stream, pq.ParquetFile(stream) as opened:
            for batch in batches(opened, COLUMNS):
                for config, uid, column, digest in zip(*(c.to_pylist() for c in batch.columns), strict=True):
                    if key != (config, uid):
                        if key is not None:
                            yield key, bytes(row)
                        key, row = (config + "", uid + ""), bytearray(32 * len(_OFFSETS))
                    at, data = _OFFSETS[column], bytes.fromhex(digest)
                    if len(data) != 32 or any(row[at : at + 32]):
                        raise ValueError(f"{uid} has {column} twice, or {digest!r} is no SHA-256")
                    row[at : at + 32] = data
    except (*read_errors(), pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise SpecsiaError(f"does not hold the digests of images: {' '.join(str(error).split())}") from error
    if key is not None:
        yield key, bytes(row)


class ImageSums:
    """Digests of `checksums.parquet` by row; those that are asked for in their order are not held."""

    def __init__(self, place: Place) -> None:
        self._left = read_checksums(place)
        self._held: dict[Key, bytes] = {}

    def take(self, key: Key) -> bytes | None:
        """Digests of a row as `read_checksums` gives them, once; None if none are left.

        Raises:
            SpecsiaError: as `read_checksums`.
        """
        while key not in self._held:
            row = next(self._left, None)
            if row is None:
                return None
            self._held[row[0]] = row[1]
        return self._held.pop(key)

    def rest(self) -> Iterator[Key]:
        """Rows that were not taken.

        Raises:
            SpecsiaError: as `read_checksums`.
        """
        yield from self._held
        yield from (key for key, _ in self._left)
