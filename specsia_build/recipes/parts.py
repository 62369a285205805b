"""What a recipe's folder says of its parts to everybody: a line of `parts.jsonl` for each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from specsia_build.dataset.schema import PARTS_FILE, SPLITS
from specsia_build.errors import SpecsiaError, brief
from specsia_build.files.names import file_name, relative_name
from specsia_build.files.records import MOST_JSON_BYTES, parse_json
from specsia_build.recipes.recipe import Written

_DIGEST = re.compile(r"[0-9a-f]{64}")


def line_of(part: Written) -> bytes:
    """A part's line: all that is on record of it but its mark, which only the run that made it can use."""
    found = asdict(part)
    del found["mark"]
    return (json.dumps(found, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def read_parts(folder: Path) -> Iterator[Written]:
    """The parts of a recipe's folder, in order, one in memory at a time.

    Raises:
        SpecsiaError: with what is wrong with the file, from its name on.
    """
    try:
        with (folder / PARTS_FILE).open("rb") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(MOST_JSON_BYTES + 1), b""), 1):
                what = f"line {number} of {PARTS_FILE}"
                yield part_of(parse_json(line, what), what)
    except OSError as error:
        raise SpecsiaError(f"{PARTS_FILE} cannot be read: {error.strerror or error}") from error


def part_of(found: Any, what: str = "the record of a part") -> Written:
    """A part as a record of it says; `what` names that in messages.

    Raises:
        SpecsiaError: if it is no record of one.
    """
    try:
        part = msgspec.convert(found, Written)
        _check(part)
    except (SpecsiaError, ValueError) as error:
        raise SpecsiaError(f"{what} is no record of a part: {brief(str(error), 160)}") from error
    return part


def _check(part: Written) -> None:
    file_name(part.key, "key")
    if part.split not in SPLITS:
        raise ValueError(f"there is no split {part.split!r}")
    for name, (_, digest) in part.files.items():
        relative_name(name, "file")
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"it gives no size and SHA-256 of {name}")
    counts = [part.facts.get(name, 0) for name in ("frames", "left_out")]
    if not all(type(count) is int and count >= 0 for count in counts):
        raise ValueError("its facts are none")
