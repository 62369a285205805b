"""Manifests: one JSON object per line, each a character."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, BinaryIO, Literal

import msgspec
from msgspec import Meta

from specsia_build.characters.bicar import is_bicar
from specsia_build.characters.character import AUTO, MOST_ID_BYTES, UNSETTLED, Entry, safe_id, unused_id
from specsia_build.characters.formats import FORMATS
from specsia_build.errors import CharacterError, UsageError, brief
from specsia_build.files.sources import open_source_file, other_content
from specsia_build.frame import front_rotation, signed_axis

MOST_BYTES, MOST_LINES = 2**29, 1_000_000
"""Size of a manifest, and its lines that are not blank."""

SUGGESTED = "suggested"
"""Beginning of the comments in a manifest that `specsia characters --suggest` wrote."""

_NOT_LINES = (b"\xff\xfe", b"\xfe\xff", b"[")
"""Beginnings of UTF-16 and of a JSON list."""

_Text = Annotated[str, Meta(pattern=r"\S")]


class _Line(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    id: _Text
    path: _Text
    texture: _Text | None = None
    up: _Text | None = None
    front: _Text | None = None
    sides: Literal["both", "front"] | None = None
    pose: _Text | None = None
    drawing: _Text | None = None
    split: Literal["train", "validation", "test"] | None = None
    license: _Text | None = None
    source: _Text | None = None
    drop: tuple[str, ...] | None = None
    comment: Any = None

    def __post_init__(self) -> None:
        if safe_id(self.id) != self.id:
            allowed = f"letters (in NFC), digits, '_' and '-' only, {MOST_ID_BYTES} bytes at most"
            raise ValueError(f"the id '{brief(self.id, 60)}' may hold {allowed}")
        if self.up not in (None, AUTO):
            signed_axis(self.up)
        if self.front not in (None, AUTO):
            front_rotation(self.front)


_LINE_ERRORS = (msgspec.MsgspecError, ValueError, RecursionError)
"""Errors of a line that does not describe a character."""


def read_manifest(path: Path) -> tuple[Entry, ...]:
    """Read the characters of a ``.jsonl`` manifest, in its order.

    A line that cannot be used becomes an entry with a `problem`, under its own id if possible and else under
    ``line-{n}``. Blank lines are skipped.

    Raises:
        UsageError: if the file cannot be read, does not begin as UTF-8 lines of JSON, is empty or too long.
    """
    folders = {path.parent: path.parent.resolve()}
    try:
        with open_source_file(path, path.parent, MOST_BYTES) as stream:
            parsed = [(number, _parse(path, number, line, folders)) for number, line in _lines(stream, path.name)]
    except OSError as error:
        raise UsageError(f"the manifest {path.name} cannot be read: {error.strerror or error}") from error
    except CharacterError as error:
        raise UsageError(f"the manifest {error}") from error
    if not parsed:
        raise UsageError(f"the manifest {path.name} is empty: write one JSON object per line, with 'id' and 'path'")
    taken = {entry.id.casefold() for _, entry in parsed}
    first_use: dict[str, int] = {}
    entries = []
    for number, entry in parsed:
        first = first_use.setdefault(entry.id.casefold(), number)
        if not entry.id or first != number:
            problem = entry.problem or f"line {number}: the id '{entry.id}' is used on line {first} already"
            entry = msgspec.structs.replace(entry, id=unused_id(f"line-{number}", taken), problem=problem)
        entries.append(entry)
    return tuple(entries)


def is_manifest(path: Path, *, suggested: bool = False) -> bool:
    """Whether the first line of a file that is not blank is one of a manifest, or of a `suggested` one."""
    with (
        contextlib.suppress(OSError, CharacterError, UsageError, *_LINE_ERRORS),
        open_source_file(path, path.parent, MOST_BYTES) as stream,
    ):
        _, line = next(_lines(stream, path.name), (0, b""))
        comment = msgspec.json.decode(line, type=_Line).comment
        return not suggested or str(comment).startswith(SUGGESTED)
    return False


def _lines(stream: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    """Number and content of each line that is not blank."""
    count = 0
    for n, stored in enumerate(stream, start=1):
        line = stored.removeprefix(b"\xef\xbb\xbf") if n == 1 else stored
        if not line.strip():
            continue
        count += 1
        if count == 1 and (line.lstrip().startswith(_NOT_LINES) or line.strip() == b"{"):
            raise UsageError(f"the manifest {name} cannot be read: write one JSON object per line, in UTF-8")
        if count == 1 and (content := other_content(line)) is not None:
            raise UsageError(f"the manifest {name} {content}")
        if count > MOST_LINES:
            raise UsageError(f"the manifest {name} has more than {MOST_LINES:,} lines: split it")
        yield n, line


def _parse(manifest: Path, number: int, line: bytes, folders: dict[Path, Path]) -> Entry:
    """The entry of a line; its id is empty if the line has none that can be used."""
    try:
        return _entry(manifest.parent, msgspec.json.decode(line, type=_Line), folders)
    except _LINE_ERRORS as error:
        character_id: object = ""
        with contextlib.suppress(*_LINE_ERRORS):
            character_id = msgspec.json.decode(line, type=dict[str, Any]).get("id")
        usable = character_id if isinstance(character_id, str) and safe_id(character_id) == character_id else ""
        return Entry(id=usable, format="", path=manifest, problem=f"line {number}: {error}")


def _entry(folder: Path, line: _Line, folders: dict[Path, Path]) -> Entry:
    path, mode = _inside(folder, line.path, "path", folders)
    kind = FORMATS.get(path.suffix.lower(), "")
    if stat.S_ISDIR(mode):
        if not is_bicar(path):
            raise ValueError(f"the folder '{path.name}' has no tpose/m.obj")
        kind = "3dbicar"
    elif not kind:
        raise ValueError(f"'{path.name}' is of a format that is not read ({' '.join(FORMATS)} are): export it as GLB")
    stated = {key: value for key, value in msgspec.structs.asdict(line).items() if value is not None}
    stated |= {"path": path, "format": kind, "root": folder}
    for key in (key for key in ("texture", "drawing") if key in stated):
        text = stated[key]
        stated[key], image_mode = _inside(folder, text, key, folders)
        if not stat.S_ISREG(image_mode):
            raise ValueError(f"'{text[:200]}' for '{key}' is not a regular file")
    stated.pop("comment", None)
    usual = {"up": AUTO, "front": AUTO} if kind in UNSETTLED else {}
    return Entry(**usual | stated)


def problem_of(values: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the keys and values of a manifest's line, or None."""
    try:
        msgspec.convert({"id": "id", "path": "path", **values}, _Line)
    except msgspec.ValidationError as error:
        return str(error)
    return None


def _inside(folder: Path, text: str, key: str, folders: dict[Path, Path]) -> tuple[Path, int]:
    """Path and mode of an existing file or folder below the manifest's; `folders` caches resolved ones."""
    if "\0" in text or PurePosixPath(text).is_absolute() or PureWindowsPath(text).anchor:
        raise ValueError(f"'{key}' must be relative to the manifest, not '{text[:200]}'")
    path = folder / text.replace("\\", "/")
    try:
        if path.name == ".." or path.is_symlink():
            place = path.resolve()
        else:
            if path.parent not in folders:
                folders[path.parent] = path.parent.resolve()
            place = folders[path.parent] / path.name
        if not place.is_relative_to(folders[folder]):
            raise ValueError(f"'{key}' leads out of the manifest's folder, links followed: '{text[:200]}'")
        return path, path.stat().st_mode
    except (OSError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"there is no '{text[:200]}' for '{key}': {why}") from error
