"""The folder of a recipe: which part wrote which file, so that a run resumes and leaves other people's files alone.

A part is written into a temporary folder and moved into place file by file. Its record is written first, so that a run
that was killed in between recognises its own files.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from specsia_build.dataset.schema import CARD, PARTS_FILE, RECIPE_FILE, SPLITS, SPLITS_FILE, SUMS_FILE, TEASER
from specsia_build.errors import SpecsiaError, UsageError, brief
from specsia_build.files.names import file_name, pattern_note, relative_name, temporary_beside
from specsia_build.files.records import MOST_JSON_BYTES, parse_json, read_json
from specsia_build.files.writing import remove_tree, write_bytes, writing
from specsia_build.recipes.recipe import Recipe, Written

STATE = ".specsia"
"""Folder with the run's records of parts; of no use to readers."""

KIND = "specsia part"

OWN_FILES = (CARD, SPLITS_FILE, RECIPE_FILE, PARTS_FILE, SUMS_FILE)
"""Files about all parts, in the folder of every recipe."""

Files = Mapping[str, tuple[int, str]]
"""Size in bytes and SHA-256 by name."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


def line_of(part: Written) -> bytes:
    """Line of `parts.jsonl` for a part, without its fingerprint, which only the run can use."""
    record = asdict(part)
    del record["mark"]
    return (json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def read_parts(folder: Path) -> Iterator[Written]:
    """Read the parts of a recipe's folder from `parts.jsonl`, one at a time.

    Raises:
        SpecsiaError: if the file cannot be read or a line is no record of a part.
    """
    try:
        with (folder / PARTS_FILE).open("rb") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(MOST_JSON_BYTES + 1), b""), 1):
                where = f"line {number} of {PARTS_FILE}"
                yield part_of(parse_json(line, where), where)
    except OSError as error:
        raise SpecsiaError(f"{PARTS_FILE} cannot be read: {error.strerror or error}") from error


def part_of(record: Any, where: str = "the record of a part") -> Written:
    """Convert and check the record of a part; `where` names it in messages.

    Raises:
        SpecsiaError: if it is no record of a part.
    """
    try:
        part = msgspec.convert(record, Written)
        file_name(part.key, "key")
        for name in part.files:
            relative_name(name, "file")
        counts = [part.facts.get(name, 0) for name in ("frames", "left_out")]
        if (
            part.split not in SPLITS
            or not all(_DIGEST.fullmatch(digest) for _, digest in part.files.values())
            or not all(type(count) is int and count >= 0 for count in counts)
        ):
            raise ValueError("its split, its checksums or its facts are invalid")
    except (SpecsiaError, ValueError) as error:
        raise SpecsiaError(f"{where} is no record of a part: {brief(str(error), 160)}") from error
    return part


def _record_path(folder: Path, key: str) -> Path:
    return folder / STATE / "parts" / f"{key}.json"


def _record(folder: Path, key: str) -> Mapping[str, Any] | None:
    try:
        record = read_json(_record_path(folder, key))
    except (SpecsiaError, OSError):
        return None
    return record if isinstance(record, dict) and record.get("kind") == KIND and "files" in record else None


def _write_record(folder: Path, written: Written, *, whole: bool) -> None:
    record = {"kind": KIND, "whole": whole, **vars(written)}
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"
    write_bytes(_record_path(folder, written.key), text.encode())


def record_of(folder: Path, key: str) -> Written | None:
    """Record of a part that was written completely, else None."""
    record = _record(folder, key)
    return None if record is None or not record.get("whole") else part_of(record)


def is_written(folder: Path, key: str, mark: str) -> bool:
    """Whether a part has that fingerprint and all its files exist in their sizes."""
    record = record_of(folder, key)
    if record is None or record.mark != mark:
        return False
    try:
        return all((folder / name).stat().st_size == size for name, (size, _) in record.files.items())
    except OSError:
        return False


def keys(folder: Path) -> list[str]:
    """Keys of the parts on record, sorted."""
    return sorted(path.stem for path in (folder / STATE / "parts").glob("*.json"))


def place(
    folder: Path,
    key: str,
    write: Callable[[Path], Mapping[str, Any]],
    record_of_files: Callable[[Files, Mapping[str, Any]], Written],
) -> None:
    """Write a part and move it into place, over its earlier files.

    Args:
        folder: of the recipe.
        key: of the part.
        write: writes the files into an empty folder and returns facts.
        record_of_files: returns the record for these files and facts.

    Raises:
        UsageError: if a file that is not the part's own has the name of one of its files.
        SpecsiaError: if `write` writes nothing, a link or a reserved name, or its facts are no JSON.
        CharacterError: from `write`.
        WriteError: if the files cannot be written.
    """
    before = _record(folder, key)
    own = set() if before is None else set(before["files"])
    temporary = temporary_beside(folder / STATE / "new" / key)
    with writing(folder):
        temporary.mkdir(parents=True)
        try:
            facts = write(temporary)
            files = dict(_files(temporary))
            for name in files:
                if name not in own and os.path.lexists(f"{folder}/{name}"):
                    raise UsageError(f"{folder / name} is no file of this part of specsia's: move it away")
            written = record_of_files(files, facts)
            _check(written)
            gone = dict.fromkeys(own - files.keys(), (0, ""))
            _write_record(folder, replace(written, files={**gone, **files}), whole=False)
            for parent in {Path(name).parent for name in files}:
                (folder / parent).mkdir(parents=True, exist_ok=True)
            for name in files:
                (temporary / name).replace(folder / name)
            _remove(folder, gone)
            _write_record(folder, written, whole=True)
        finally:
            remove_tree(temporary)


def _check(written: Written) -> None:
    if not written.files:
        raise SpecsiaError("it wrote no file; one that cannot take a part raises CharacterError")
    try:
        json.dumps(written.facts, allow_nan=False)
        part_of(vars(written))
    except (TypeError, ValueError) as error:
        raise SpecsiaError(f"it gives facts that are no JSON: {error}") from error


def _files(temporary: Path) -> Iterator[tuple[str, tuple[int, str]]]:
    """Name, size and SHA-256 of every file that a recipe wrote, in order."""
    paths = [Path(top, name) for top, folders, files in os.walk(temporary) for name in (*folders, *files)]
    for path in sorted(path for path in paths if path.is_symlink() or not path.is_dir()):
        name = path.relative_to(temporary).as_posix()
        relative_name(name, "file")
        if name in (*OWN_FILES, TEASER) or path.is_symlink() or not path.is_file():
            raise SpecsiaError(f"it wrote {name}, which is a reserved name or no regular file")
        data = path.read_bytes()
        yield name, (len(data), hashlib.sha256(data).hexdigest())


def remove_part(folder: Path, key: str) -> None:
    """Remove the files of a part, folders that become empty, and its record."""
    record = _record(folder, key)
    if record is not None:
        _remove(folder, record["files"])
    with suppress(OSError):
        _record_path(folder, key).unlink()


def _remove(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        relative_name(name, "file")
        with suppress(OSError):
            (folder / name).unlink()
    for parent in sorted({above for name in names for above in Path(name).parents} - {Path()}, reverse=True):
        with suppress(OSError):
            (folder / parent).rmdir()


def hidden(folder: Path, recipe: Recipe) -> str | None:
    """A warning if the recipe's reader globs and the path of an existing folder is a pattern, else None."""
    return pattern_note(folder, f"readers of {recipe.name} take") if recipe.by_pattern else None


def strangers(folder: Path, parts: Iterable[Written], own: Collection[str]) -> list[str]:
    """Entries of a recipe's folder that belong neither to its parts nor to the files `own`."""
    names = chain(own, (name for part in parts for name in part.files))
    known = {STATE, *(Path(name).parts[0] for name in names)}
    return sorted(path.name for path in folder.iterdir() if path.name not in known)
