"""Manifests: one JSON object per line, each a character."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, BinaryIO, Literal, TypeVar

import msgspec
from msgspec import Meta

from specsia_build.characters.bicar import is_bicar
from specsia_build.characters.character import AUTO, MOST_ID_BYTES, UNSETTLED, Entry, is_safe_id
from specsia_build.characters.formats import FORMATS, REFUSED
from specsia_build.errors import CharacterError, UsageError, brief
from specsia_build.files.listing import listing
from specsia_build.files.sources import open_source_file, other_content
from specsia_build.frame import front_rotation, signed_axis

MOST_BYTES = 2**30
"""Largest manifest that is read."""

MOST_LINES = 1_000_000
"""Of one manifest, blank ones not counted."""

MOST_LINE_BYTES = 2**18
"""Longest line that is understood; a path and a hundred part names take 4 kB."""

_Text = Annotated[str, Meta(pattern=r"\S")]


class _Line(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a line may say; `comment` may be anything, and nothing is made of it."""

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


class _Named(msgspec.Struct):
    """A line of which only the id counts."""

    id: Any = None


_UTF16 = (b"\xff\xfe", b"\xfe\xff")

_ABOVE = "put the manifest into a folder that holds the files"


L = TypeVar("L")


class _LineError(Exception):
    """What is wrong with a line, as the end of a sentence."""


def read_manifest(path: Path) -> tuple[Entry, ...]:
    """The characters of a ``.jsonl`` manifest, in its order.

    A line that cannot be used becomes an entry whose `problem` says why, under its own id where that can be used and
    else under ``line-{n}``. Blank lines are passed over.

    Raises:
        UsageError: if the file cannot be read, is not UTF-8 from its beginning, is one JSON document or something else,
            has no line, or too many.
    """
    try:
        with open_source_file(path, path.parent, MOST_BYTES) as stream:
            lines = list(_lines(stream, path.name))
    except OSError as error:
        raise UsageError(f"the manifest {path.name} cannot be read: {error.strerror or error}") from error
    except CharacterError as error:
        raise UsageError(f"the manifest {error}") from error
    if not lines:
        raise UsageError(f"the manifest {path.name} is empty: write one JSON object per line, with 'id' and 'path'")
    if lines[0][1].strip() == b"{" or lines[0][1].lstrip().startswith(b"["):
        raise UsageError(
            f"the manifest {path.name} is one JSON document: write each character's object on one line, with no list "
            "around them"
        )
    real = {path.parent: path.parent.resolve()}
    parsed = [_parse(path, n, line, real) for n, line in lines]
    first_use: dict[str, tuple[int, str]] = {}
    for n, entry in parsed:
        if entry.id:
            first_use.setdefault(entry.id.casefold(), (n, entry.id))
    return tuple(_settled(n, entry, first_use) for n, entry in parsed)


SUGGESTED = "suggested"
"""Beginning of the comment on each line of a manifest that `specsia characters --suggest` wrote."""


def is_manifest(path: Path, *, suggested: bool = False) -> bool:
    """Whether a file's first line that is not blank is one of a manifest; the rest is not read.

    Args:
        path: of the file.
        suggested: whether it must be one that `specsia characters --suggest` wrote.
    """
    with (
        contextlib.suppress(OSError, CharacterError, UsageError, _LineError),
        open_source_file(path, path.parent, MOST_BYTES) as stream,
    ):
        _, line = next(_lines(stream, path.name), (0, b""))
        comment = _decoded(line, _Line).comment
        return not suggested or str(comment).startswith(SUGGESTED)
    return False


def _lines(stream: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    """Number and content of each line that is not blank; of one that is too long the beginning."""
    count = 0
    for n, start in enumerate(iter(partial(stream.readline, MOST_LINE_BYTES + 1), b""), start=1):
        line = start
        while len(start) > MOST_LINE_BYTES and not start.endswith(b"\n"):
            start = stream.readline(MOST_LINE_BYTES + 1)
        if n == 1:
            if line.startswith(_UTF16):
                raise UsageError(f"the manifest {name} cannot be read: it is UTF-16; save it as UTF-8")
            line = line.removeprefix(b"\xef\xbb\xbf")
            if (said := other_content(line)) is not None:
                raise UsageError(f"the manifest {name} {said}")
        if not line.strip():
            continue
        count += 1
        if count > MOST_LINES:
            raise UsageError(f"the manifest {name} has more than {MOST_LINES:,} lines: split it")
        yield n, line


def _settled(line: int, entry: Entry, first_use: dict[str, tuple[int, str]]) -> Entry:
    """The entry with an id that no other has."""
    first, other = first_use.get(entry.id.casefold(), (line, entry.id))
    if entry.id and first == line:
        return entry
    used = f"is used on line {first} already" if other == entry.id else f"is '{other}' of line {first} but for its case"
    problem = entry.problem or f"line {line}: the id '{entry.id}' {used}"
    stand_in = f"line-{line}"
    while stand_in.casefold() in first_use:
        stand_in += "-"
    return Entry(id=stand_in, format=entry.format, path=entry.path, problem=problem)


def _parse(manifest: Path, number: int, line: bytes, real: dict[Path, Path]) -> tuple[int, Entry]:
    """The entry of a line; its id is empty where the line gives none that can be used."""
    try:
        if len(line) > MOST_LINE_BYTES:
            raise _LineError(f"it is longer than {MOST_LINE_BYTES // 2**10} kB")
        return number, _entry(manifest.parent, _decoded(line, _Line), real)
    except _LineError as error:
        named = None
        with contextlib.suppress(_LineError):
            named = _decoded(line, _Named).id
        usable = named if isinstance(named, str) and is_safe_id(named) else ""
        return number, Entry(id=usable, format="", path=manifest, problem=f"line {number}: {error}")


def _decoded(line: bytes, kind: type[L]) -> L:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _LineError(f"it is not an object that describes a character ({error})") from error


def _entry(folder: Path, line: _Line, real: dict[Path, Path]) -> Entry:
    _check(line)
    path = _inside(folder, line.path, "path", real)
    kind = _format(folder, path, line.path)
    usual = AUTO if kind in UNSETTLED else None
    return Entry(
        id=line.id,
        format=kind,
        path=path,
        texture=_file(folder, line.texture, "texture", real),
        up=line.up or usual,
        front=line.front or usual,
        sides=line.sides,
        pose=line.pose or "rest",
        drop=line.drop or (),
        drawing=_file(folder, line.drawing, "drawing", real),
        split=line.split,
        license=line.license,
        source=line.source,
        root=folder,
    )


def problem_of(values: Mapping[str, Any]) -> str | None:
    """What is wrong with what is said of a character, keys as in a manifest's line; None where nothing is."""
    try:
        _check(msgspec.convert({"id": "id", "path": "path", **values}, _Line))
    except (_LineError, msgspec.ValidationError) as error:
        return str(error)
    return None


def _check(line: _Line) -> None:
    """Check what the types of a line do not say."""
    if not is_safe_id(line.id):
        raise _LineError(
            f"the id '{brief(line.id, 60)}' may hold letters (in NFC), digits, '_' and '-' only, "
            f"{MOST_ID_BYTES} bytes at most"
        )
    try:
        if line.up not in (None, AUTO):
            signed_axis(line.up)
        if line.front not in (None, AUTO):
            front_rotation(line.front)
    except ValueError as error:
        raise _LineError(str(error)) from error


def _inside(folder: Path, text: str, key: str, real: dict[Path, Path]) -> Path:
    """The path a line gives, below the manifest's folder; `real` remembers where folders really lie."""
    if "\0" in text or PurePosixPath(text).is_absolute() or PureWindowsPath(text).anchor or PureWindowsPath(text).drive:
        raise _LineError(f"'{key}' must be relative to the manifest, not '{text[:200]}': {_ABOVE}")
    path = folder / text.replace("\\", "/")
    try:
        if path.name == ".." or path.is_symlink():
            place = path.resolve()
        else:
            if path.parent not in real:
                real[path.parent] = path.parent.resolve()
            place = real[path.parent] / path.name
    except (OSError, RuntimeError) as error:
        raise _LineError(f"'{key}' cannot be followed: '{text[:200]}'") from error
    if not place.is_relative_to(real[folder]):
        raise _LineError(f"'{key}' leads out of the manifest's folder, links followed: '{text[:200]}': {_ABOVE}")
    return path


def _mode(path: Path, missing: str) -> int:
    """What kind of file stands at a path, as `stat` says it.

    Raises:
        _LineError: if there is none that can be looked at; `missing` says that there is none at all.
    """
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _LineError(missing) from error
    except OSError as error:
        raise _LineError(f"{missing}: {error.strerror or error}") from error


def _file(folder: Path, text: str | None, key: str, real: dict[Path, Path]) -> Path | None:
    if text is None:
        return None
    path = _inside(folder, text, key, real)
    missing = f"there is no '{text[:200]}' for '{key}'"
    if not stat.S_ISREG(_mode(path, missing + _alike(folder, path))):
        raise _LineError(missing + ": it is no regular file")
    return path


def _alike(folder: Path, path: Path) -> str:
    """The end of a sentence on a file that is not there: the one that letter case or accents alone tell from it."""
    place = folder
    for part in path.relative_to(folder).parts:
        near = listing(place)
        name = part if part in near.names else next(iter(near.alike(part)), None)
        if name is None:
            return ""
        place /= name
    return "" if place == path else f": write '{place.relative_to(folder).as_posix()}', as the file is called"


def _format(folder: Path, path: Path, text: str) -> str:
    shown = text[:200]
    if stat.S_ISDIR(_mode(path, f"there is no '{shown}'{_alike(folder, path)}")):
        if is_bicar(path):
            return "3dbicar"
        raise _LineError(f"the folder '{shown}' has no tpose/m.obj")
    suffix = path.suffix.lower()
    if suffix in REFUSED:
        raise _LineError(f"'{shown}' {REFUSED[suffix]}")
    known = FORMATS.get(suffix)
    if known is None:
        raise _LineError(f"'{shown}' is of no known format: the suffixes are {' '.join(FORMATS)}")
    return known
