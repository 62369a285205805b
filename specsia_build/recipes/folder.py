"""The folder of a recipe: which part wrote which file, so that a run goes on where it was and touches nobody else's.

A part is written aside and moved into place file by file. What it has there is on record before it is, so that a run
that is killed half-way finds its own files again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from specsia_build.dataset.schema import CARD, PARTS_FILE, RECIPE_FILE, SPLITS_FILE, SUMS_FILE, TEASER
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.files.names import pattern_note, relative_name, temporary_beside
from specsia_build.files.records import read_json
from specsia_build.files.writing import remove_tree, write_bytes, writing
from specsia_build.recipes.parts import part_of
from specsia_build.recipes.recipe import Recipe, Written

STATE = ".specsia"
"""What is known of the parts; of no use to readers."""

_PARTS, _NEW = "parts", "new"

KIND = "specsia part"

OWN_FILES = (CARD, SPLITS_FILE, RECIPE_FILE, PARTS_FILE, SUMS_FILE)
"""What lies over all parts, whatever the recipe."""

Files = Mapping[str, tuple[int, str]]
"""Bytes and SHA-256 by name."""

Write = Callable[[Path], Mapping[str, Any]]


def record_path(folder: Path, key: str) -> Path:
    """Where a part's record lies."""
    return folder / STATE / _PARTS / f"{key}.json"


def record_of(folder: Path, key: str) -> Written | None:
    """What is on record of a part; None where that is nothing that we wrote."""
    found = _record(folder, key)
    return None if found is None or not found.get("whole") else part_of(found)


def _record(folder: Path, key: str) -> Mapping[str, Any] | None:
    try:
        found = read_json(record_path(folder, key))
    except (SpecsiaError, OSError):
        return None
    return found if isinstance(found, dict) and found.get("kind") == KIND and "files" in found else None


def _put_on_record(folder: Path, written: Written, *, whole: bool) -> None:
    record = {"kind": KIND, "whole": whole, **vars(written)}
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"
    write_bytes(record_path(folder, written.key), text.encode())


def is_written(folder: Path, key: str, mark: str) -> bool:
    """Whether a part is there as it would be written, every file of it."""
    found = record_of(folder, key)
    if found is None or found.mark != mark:
        return False
    try:
        return all((folder / name).stat().st_size == size for name, (size, _) in found.files.items())
    except OSError:
        return False


def place(folder: Path, key: str, write: Write, on_record: Callable[[Files, Mapping[str, Any]], Written]) -> None:
    """Write a part and move it into place, over what it had there before.

    Args:
        folder: of the recipe.
        key: the part's.
        write: writes its files into an empty folder and gives facts.
        on_record: what is to be known of it, by its files and facts.

    Raises:
        UsageError: if a file that the part did not write is in the place of one of its own.
        SpecsiaError: if it writes nothing, a link, a name that no part may have, or gives facts that are no JSON.
        CharacterError: as `write` raises it.
        WriteError: if they cannot be written.
    """
    before = _record(folder, key)
    own = set() if before is None else set(before["files"])
    aside = temporary_beside(folder / STATE / _NEW / key)
    with writing(folder):
        aside.mkdir(parents=True)
        try:
            facts = write(aside)
            files = dict(_files(aside))
            for name in files:
                if name not in own and os.path.lexists(f"{folder}/{name}"):
                    raise UsageError(f"{folder / name} is no file of this part of specsia's: move it away")
            made = on_record(files, facts)
            _check(made)
            gone = dict.fromkeys(own - files.keys(), (0, ""))
            _put_on_record(folder, replace(made, files={**gone, **files}), whole=False)
            for parent in {Path(name).parent for name in files}:
                (folder / parent).mkdir(parents=True, exist_ok=True)
            for name in files:
                (aside / name).replace(folder / name)
            _remove(folder, gone)
            _put_on_record(folder, made, whole=True)
        finally:
            remove_tree(aside)


def _check(made: Written) -> None:
    if not made.files:
        raise SpecsiaError("it wrote no file; one that cannot take a part raises CharacterError")
    try:
        json.dumps(made.facts, allow_nan=False)
        part_of(vars(made))
    except (TypeError, ValueError) as error:
        raise SpecsiaError(f"it gives facts that are no JSON: {error}") from error


def _files(aside: Path) -> Iterator[tuple[str, tuple[int, str]]]:
    """Name, bytes and SHA-256 of every file that a recipe wrote, in order."""
    paths = [Path(top, name) for top, folders, files in os.walk(aside) for name in (*folders, *files)]
    for path in sorted(path for path in paths if path.is_symlink() or not path.is_dir()):
        name = path.relative_to(aside).as_posix()
        relative_name(name, "file")
        if name in (*OWN_FILES, TEASER):
            raise SpecsiaError(f"it wrote {name} of a part, which is the name of a file over all parts")
        if path.is_symlink() or not path.is_file():
            raise SpecsiaError(f"it wrote {name}, which is no file but a link or the like")
        data = path.read_bytes()
        yield name, (len(data), hashlib.sha256(data).hexdigest())


def keys(folder: Path) -> list[str]:
    """Keys of the parts on record, in order."""
    return sorted(path.stem for path in (folder / STATE / _PARTS).glob("*.json"))


def remove_part(folder: Path, key: str) -> None:
    """Remove a part's files, the folders that they leave empty, and its record."""
    found = _record(folder, key)
    if found is not None:
        _remove(folder, found["files"])
    with suppress(OSError):
        record_path(folder, key).unlink()


def _remove(folder: Path, names: Mapping[str, Any]) -> None:
    for name in names:
        relative_name(name, "file")
        with suppress(OSError):
            (folder / name).unlink()
    for parent in sorted({above for name in names for above in Path(name).parents} - {Path()}, reverse=True):
        with suppress(OSError):
            (folder / parent).rmdir()


def hidden(folder: Path, recipe: Recipe) -> str | None:
    """A sentence where a recipe's reader takes the path of a folder that is there for a pattern, and so finds none."""
    return pattern_note(folder, f"readers of {recipe.name} take") if recipe.by_pattern else None


def strangers(folder: Path, parts: Iterable[Written], own: Collection[str]) -> list[str]:
    """Names right in a recipe's folder that are of none of its parts, nor of files with names among `own`."""
    names = chain(own, (name for part in parts for name in part.files))
    ours = {STATE, *(Path(name).parts[0] for name in names)}
    return sorted(path.name for path in folder.iterdir() if path.name not in ours)
