"""Manifests: one JSON object per line, each a character."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, BinaryIO

from specsia_build.characters.bicar import is_bicar
from specsia_build.characters.character import AUTO, MOST_ID_BYTES, SPLITS, UNSETTLED, Entry, is_safe_id, is_unicode
from specsia_build.characters.doubts.sides import BOTH, SIDES
from specsia_build.characters.formats import FORMATS, REFUSED
from specsia_build.errors import CharacterError, UsageError, brief
from specsia_build.files.content import other_content
from specsia_build.files.listing import listing
from specsia_build.files.sources import open_source_file
from specsia_build.frame import AXES, front_rotation, signed_axis

MOST_BYTES = 2**30
"""Largest manifest that is read."""

MOST_LINES = 1_000_000
"""Of one manifest, blank ones not counted."""

MOST_LINE_BYTES = 2**18
"""Longest line that is understood; a path and a hundred part names take 4 kB."""

_TEXTS = ("id", "path", "texture", "up", "front", "sides", "pose", "drawing", "split", "license", "source")
_KEYS = (*_TEXTS, "drop", "comment")
"""What a line may say; `comment` may be anything, and nothing is made of it."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff")

_ABOVE = "put the manifest into a folder that holds the files"


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
        values = _object(line)
        if suggested and not str(values.get("comment", "")).startswith(SUGGESTED):
            return False
        return isinstance(values.get("id"), str) and isinstance(values.get("path"), str) and values.keys() <= {*_KEYS}
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
    values: dict[str, Any] = {}
    try:
        values = _object(line)
        return number, _entry(manifest.parent, values, real)
    except _LineError as error:
        named = values.get("id")
        usable = named if isinstance(named, str) and is_safe_id(named) else ""
        return number, Entry(id=usable, format="", path=manifest, problem=f"line {number}: {error}")


def _object(line: bytes) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
            raise _LineError(f"the key '{brief(twice, 60)}' is there twice")
        return values

    if len(line) > MOST_LINE_BYTES:
        raise _LineError(f"it is longer than {MOST_LINE_BYTES // 2**10} kB")
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise _LineError(f"this is not UTF-8 text (byte {error.start + 1})") from error
    try:
        values = json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise _LineError(f"this is not JSON ({error.msg} at column {error.colno})") from error
    except (ValueError, RecursionError) as error:
        raise _LineError("this is not JSON that can be read") from error
    if not isinstance(values, dict):
        raise _LineError('this is not a JSON object, such as {"id": "hero", "path": "hero.glb"}')
    return {key: value for key, value in values.items() if value is not None}


def _entry(folder: Path, values: dict[str, Any], real: dict[Path, Path]) -> Entry:
    _check_types(values)
    path = _inside(folder, values["path"], "path", real)
    kind = _format(folder, path, values["path"])
    usual = AUTO if kind in UNSETTLED else None
    return Entry(
        id=values["id"],
        format=kind,
        path=path,
        texture=_file(folder, values, "texture", real),
        up=values.get("up", usual),
        front=values.get("front", usual),
        sides=values.get("sides"),
        pose=values.get("pose", "rest"),
        drop=tuple(values.get("drop", ())),
        drawing=_file(folder, values, "drawing", real),
        split=values.get("split"),
        license=values.get("license"),
        source=values.get("source"),
        root=folder,
    )


def problem_of(values: Mapping[str, Any]) -> str | None:
    """What is wrong with what is said of a character, keys as in a manifest's line; None where nothing is."""
    try:
        _check_types({"id": "id", "path": "path", **values})
    except _LineError as error:
        return str(error)
    return None


def _check_types(values: Mapping[str, Any]) -> None:
    for key in values:
        if key not in _KEYS:
            raise _LineError(f"'{brief(key, 60)}' is not a key: the keys are {', '.join(_KEYS)}")
    for key in ("id", "path"):
        if key not in values:
            raise _LineError(f"'{key}' is missing")
    for key in _TEXTS:
        if key in values and (not isinstance(values[key], str) or not values[key].strip()):
            raise _LineError(f"'{key}' must be a text, not {json.dumps(values[key], default=str)[:60]}")
        if key != "id" and key in values and not is_unicode(values[key]):
            raise _LineError(f"'{key}' holds half of a character pair, which no text can: '{brief(values[key], 60)}'")
    if not is_safe_id(values["id"]):
        composed = unicodedata.normalize("NFC", values["id"])
        if is_safe_id(composed):
            raise _LineError(f"the id '{brief(composed, 60)}' has accents apart from their letters: write it in NFC")
        raise _LineError(
            f"the id '{brief(values['id'], 60)}' may hold letters, digits, '_' and '-' only, "
            f"{MOST_ID_BYTES} bytes at most"
        )
    drop = values.get("drop", [])
    if not isinstance(drop, list) or not all(isinstance(part, str) and is_unicode(part) for part in drop):
        raise _LineError("'drop' must be a list of part names")
    if values.get("split", "train") not in SPLITS:
        raise _LineError(f"the split '{values['split']}' must be {', '.join(SPLITS[:-1])} or {SPLITS[-1]}")
    try:
        if (up := values.get("up", AUTO)) != AUTO:
            signed_axis(up)
    except ValueError as error:
        raise _LineError(f"'up' is '{values['up']}': it must be one of {', '.join(AXES)}, or {AUTO}") from error
    if values.get("sides", BOTH) not in SIDES:
        raise _LineError(f"'sides' is '{values['sides']}': it must be {' or '.join(SIDES)}")
    try:
        if (front := values.get("front", AUTO)) != AUTO:
            front_rotation(front)
    except ValueError as error:
        raise _LineError(str(error)) from error


def _inside(folder: Path, text: str, key: str, real: dict[Path, Path]) -> Path:
    """The path a line gives, below the manifest's folder; `real` remembers where folders really lie."""
    if "\0" in text or PurePosixPath(text).is_absolute() or PureWindowsPath(text).anchor or PureWindowsPath(text).drive:
        below = "\0" not in text and Path(text).is_relative_to(folder.absolute())
        how = f"write '{Path(text).relative_to(folder.absolute()).as_posix()}'" if below else _ABOVE
        raise _LineError(f"'{key}' must be relative to the manifest, not '{text[:200]}': {how}")
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
        linked = Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder))  # noqa: PTH100  links are not followed
        how = ", through a link: put the manifest beside the files, or the files here" if linked else f": {_ABOVE}"
        raise _LineError(f"'{key}' leads out of the manifest's folder: '{text[:200]}'{how}")
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


def _file(folder: Path, values: dict[str, Any], key: str, real: dict[Path, Path]) -> Path | None:
    if key not in values:
        return None
    path = _inside(folder, values[key], key, real)
    missing = f"there is no '{values[key][:200]}' for '{key}'"
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
