"""`SHA256SUMS`: SHA-256 of every file of a dataset."""

import hashlib
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from specsia_build.dataset import schema
from specsia_build.errors import SpecsiaError
from specsia_build.files.names import relative_name


def hash_files(
    folder: Path, names: Sequence[str], advance: Callable[[int], None] = lambda _: None
) -> dict[str, str]:
    """SHA-256 of files by relative path; `advance` is called with the number of bytes read."""

    def read(name: str) -> str:
        try:
            with (folder / name).open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
                advance(stream.tell())
                return digest
        except OSError as error:
            raise SpecsiaError(f"{folder / name} cannot be read: {error.strerror}") from error

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(names, pool.map(read, names), strict=True))


def parse_sums(text: str) -> tuple[dict[str, str], list[str]]:
    """Parse a `SHA256SUMS`: SHA-256 by relative path, and lines malformed, repeated or of an unsafe name."""
    sums: dict[str, str] = {}
    unusable = []
    for line in filter(None, text.replace("\r\n", "\n").split("\n")):
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line)
        try:
            name = str(relative_name(match[2] if match else "", "file"))
        except SpecsiaError:
            name = ""
        if match and name and name not in sums:
            sums[name] = match[1]
        else:
            unusable.append(line)
    return sums, unusable


def own_names(text: str) -> frozenset[str]:
    """Names in a `SHA256SUMS`, and its own; empty unless specsia wrote it."""
    sums, _ = parse_sums(text)
    shards = any(schema.parse_shard_name(name, own=True) for name in sums)
    dataset = shards and {schema.CARD, schema.BUILD_FILE} <= sums.keys()
    files = {schema.CARD, schema.RECORD_FILE, schema.PARTS_FILE} <= sums.keys()
    return frozenset({*sums, schema.SUMS_FILE}) if dataset or files else frozenset()
