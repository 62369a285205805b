"""Write one part of a layout, in any process."""

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from specsia_build.dataset.schema import TEASER
from specsia_build.errors import CharacterError, DamagedError, SpecsiaError, WriteError, brief
from specsia_build.files.digests import file_digest, sha256
from specsia_build.files.names import relative_name, temporary_beside
from specsia_build.files.records import parse_json
from specsia_build.files.writing import link_or_copy, remove_tree, write_bytes, writing
from specsia_build.layouts.part import Part, Written, part_of
from specsia_build.layouts.registry import load_layout
from specsia_build.layouts.verify_folder import OWN_FILES

RECORDS = ".parts"  # Folder of the parts' records while they are collected


@dataclass(frozen=True)
class PartTask:
    """A part to write or to link, by any process that sees the folders and what the part loads."""

    layout: str  # Its name
    part: Part
    fingerprint: str
    into: Path  # The folder in which parts are collected
    # The finished folder, and where the part's record begins in the target's state; None if it has no part
    # with the same fingerprint
    old: tuple[Path, Path, int] | None


class NotWritten(NamedTuple):
    """Reason why a part was not written: its pictures do not suit the layout, or the layout failed."""

    reason: str
    suits: bool


class PartDone(NamedTuple):
    """Whether a part was kept as it was, or why it was not written."""

    kept: bool
    missed: NotWritten | None = None


def collected_part(record: Path) -> Written | None:
    """The part of a record in a folder of parts; None if there is none, or a file has another size."""
    folder = record.parent.parent
    try:
        part = part_of(parse_json(record.read_bytes(), record.name), record.name)
        sizes = {name: (folder / name).stat().st_size for name in part.files}
    except (OSError, SpecsiaError):
        return None
    return part if all(size == part.files[name][0] for name, size in sizes.items()) else None


def write_part(task: PartTask) -> PartDone:
    """Write a part, or link an undamaged one. Raises WriteError, and what loading its pictures raises."""
    # A key may hold a separator.
    record = task.into / RECORDS / f"{sha256(task.part.key.encode())[:32]}.json"
    if collected_part(record) is not None or _link(task, record):
        return PartDone(True)
    layout = load_layout(task.layout)
    temporary = temporary_beside(record)
    try:
        with writing(task.into):
            temporary.mkdir(parents=True)
            facts = layout.write(task.part, temporary)
            files = dict(_files(temporary))
            part = _written(task, files, facts)
            _move(temporary, task.into, files)
            write_bytes(record, record_line(part))
    except (WriteError, DamagedError):
        raise
    # Third-party layouts may raise anything; the other parts are still written.
    except Exception as error:
        return PartDone(False, _reason(task, error))
    finally:
        remove_tree(temporary)
    return PartDone(False)


def _reason(task: PartTask, error: Exception) -> NotWritten:
    if isinstance(error, CharacterError):
        return NotWritten(str(error), suits=False)
    why = str(error) if isinstance(error, SpecsiaError) else f"{type(error).__name__}: {error}"
    return NotWritten(f"the layout {task.layout} cannot write {task.part.key}: {brief(why)}", suits=True)


def record_line(part: Written, without: Collection[str] = ()) -> bytes:
    """The record of a part as a line of JSON, without some of its fields."""
    record = {name: value for name, value in asdict(part).items() if name not in without}
    return (json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _link(task: PartTask, record: Path) -> bool:
    """Link a part's files from the finished folder, if it has them and they are undamaged."""
    if task.old is None:
        return False
    folder, state, start = task.old
    with state.open("rb") as stream:
        stream.seek(start)
        old = part_of(parse_json(stream.readline(), state.name), state.name)
    if any(file_digest(folder / name) != digest for name, (_, digest) in old.files.items()):
        return False
    # The number of shards is in the name of each.
    names = {name: name.replace(old.key, task.part.key) for name in old.files}
    for name, new in names.items():
        (task.into / new).parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(folder / name, task.into / new)
    files = {names[name]: file for name, file in old.files.items()}
    write_bytes(record, record_line(_written(task, files, old.facts)))
    return True


def _written(task: PartTask, files: Mapping[str, tuple[int, str]], facts: Mapping[str, Any]) -> Written:
    """Make the record of a part; SpecsiaError if the layout broke its contract."""
    part, first = task.part, task.part.members[0]
    of_one = len({member.character for member in part.members}) == 1
    whose = (first.character, first.license, first.credit) if of_one else ("", None, None)
    if not files:
        raise SpecsiaError("it wrote no file; one that cannot take a part raises CharacterError")
    ids = tuple(member.id for member in part.members)
    written = Written(part.key, whose[0], part.split, ids, *whose[1:], files, facts, task.fingerprint)
    try:
        json.dumps(facts, allow_nan=False)
        return part_of(asdict(written), part.key)
    except (TypeError, ValueError) as error:
        raise SpecsiaError(f"it gives facts that are not JSON: {error}") from error


def _move(temporary: Path, into: Path, names: Collection[str]) -> None:
    """Move all files of a part, or none if another part has one of their names."""
    if taken := [name for name in names if os.path.lexists(into / name)]:
        raise SpecsiaError(f"it wrote {taken[0]}, as another part did")
    for name in names:
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        (temporary / name).replace(into / name)


def _files(temporary: Path) -> Iterator[tuple[str, tuple[int, str]]]:
    """Name, size and SHA-256 of every file that a layout wrote, in order."""
    paths = [Path(top, name) for top, folders, files in os.walk(temporary) for name in (*folders, *files)]
    for path in sorted(path for path in paths if path.is_symlink() or not path.is_dir()):
        name = path.relative_to(temporary).as_posix()
        relative_name(name, "file")
        if name in (*OWN_FILES, TEASER) or path.is_symlink() or not path.is_file():
            raise SpecsiaError(f"it wrote {name}, which is a reserved name or no regular file")
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        yield name, (path.stat().st_size, digest)
