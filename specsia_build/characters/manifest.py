"""Manifests: one JSON object per line, each a character."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from specsia_build.characters.bicar import is_bicar
from specsia_build.characters.character import FORMATS, SPLITS, Entry, is_safe_id
from specsia_build.errors import UsageError
from specsia_build.frame import AXES, front_rotation

_TEXTS = ("id", "path", "texture", "up", "front", "pose", "drawing", "split", "license", "source")
_KEYS = (*_TEXTS, "drop")


class _LineError(Exception):
    """What is wrong with a line, as the end of a sentence."""


def read_manifest(path: Path) -> tuple[Entry, ...]:
    """The characters of a ``.jsonl`` manifest, in its order.

    A line that cannot be used becomes an entry whose `problem` says why, under its own id where that can be used and
    else under ``line-{n}``. Blank lines are passed over.

    Raises:
        UsageError: if the file cannot be read as text or has no line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"the manifest {path.name} cannot be read: {why}") from error
    lines = [(n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not lines:
        raise UsageError(f"the manifest {path.name} is empty: write one JSON object per line, with 'id' and 'path'")
    parsed = [_parse(path, n, line) for n, line in lines]
    first_use: dict[str, int] = {}
    for n, entry in parsed:
        if entry.id:
            first_use.setdefault(entry.id.casefold(), n)
    return tuple(_settled(n, entry, first_use) for n, entry in parsed)


def _settled(line: int, entry: Entry, first_use: dict[str, int]) -> Entry:
    """The entry with an id that no other has."""
    first = first_use.get(entry.id.casefold(), line)
    if entry.id and first == line:
        return entry
    problem = entry.problem or f"line {line}: the id '{entry.id}' is used on line {first} already"
    stand_in = f"line-{line}"
    while stand_in.casefold() in first_use:
        stand_in += "-"
    return Entry(id=stand_in, format=entry.format, path=entry.path, problem=problem)


def _parse(manifest: Path, number: int, line: str) -> tuple[int, Entry]:
    """The entry of a line; its id is empty where the line gives none that can be used."""
    values: dict[str, Any] = {}
    try:
        values = _object(line)
        return number, _entry(manifest.parent, values)
    except _LineError as error:
        named = values.get("id")
        usable = named if isinstance(named, str) and is_safe_id(named) else ""
        return number, Entry(id=usable, format="", path=manifest, problem=f"line {number}: {error}")


def _object(line: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise _LineError(f"the key '{twice}' is there twice")
        return dict(pairs)

    try:
        values = json.loads(line, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise _LineError(f"this is not JSON ({error.msg} at column {error.colno})") from error
    except (ValueError, RecursionError) as error:
        raise _LineError("this is not JSON that can be read") from error
    if not isinstance(values, dict):
        raise _LineError('this is not a JSON object, such as {"id": "hero", "path": "hero.glb"}')
    return {key: value for key, value in values.items() if value is not None}


def _entry(folder: Path, values: dict[str, Any]) -> Entry:
    _check_types(values)
    path = _inside(folder, values["path"], "path")
    if not path.exists():
        raise _LineError(f"there is no '{values['path']}'")
    return Entry(
        id=values["id"],
        format=_format(path, values["path"]),
        path=path,
        texture=_file(folder, values, "texture"),
        up=values.get("up"),
        front=values.get("front"),
        pose=values.get("pose", "rest"),
        drop=tuple(values.get("drop", ())),
        drawing=_file(folder, values, "drawing"),
        split=values.get("split"),
        license=values.get("license"),
        source=values.get("source"),
    )


def _check_types(values: dict[str, Any]) -> None:
    for key in values:
        if key not in _KEYS:
            raise _LineError(f"'{key}' is not a key: the keys are {', '.join(_KEYS)}")
    for key in ("id", "path"):
        if key not in values:
            raise _LineError(f"'{key}' is missing")
    for key in _TEXTS:
        if key in values and (not isinstance(values[key], str) or not values[key].strip()):
            raise _LineError(f"'{key}' must be a text, not {json.dumps(values[key])[:60]}")
    if not is_safe_id(values["id"]):
        raise _LineError(f"the id '{values['id'][:60]}' may hold letters, digits, '_' and '-' only, 180 bytes at most")
    drop = values.get("drop", [])
    if not isinstance(drop, list) or not all(isinstance(part, str) for part in drop):
        raise _LineError("'drop' must be a list of part names")
    if values.get("split", "train") not in SPLITS:
        raise _LineError(f"the split '{values['split']}' must be {', '.join(SPLITS[:-1])} or {SPLITS[-1]}")
    if values.get("up", "+z") not in AXES:
        raise _LineError(f"'up' is '{values['up']}': it must be one of {', '.join(AXES)}")
    try:
        front_rotation(values.get("front", "-y"))
    except ValueError as error:
        raise _LineError(str(error)) from error


def _inside(folder: Path, text: str, key: str) -> Path:
    """The path a line gives, below the manifest's folder."""
    if "\0" in text or PurePosixPath(text).is_absolute() or PureWindowsPath(text).anchor or PureWindowsPath(text).drive:
        raise _LineError(f"'{key}' must be relative to the manifest, not '{text[:200]}'")
    path = folder / text.replace("\\", "/")
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError) as error:
        raise _LineError(f"'{key}' cannot be followed: '{text[:200]}'") from error
    if not inside:
        raise _LineError(f"'{key}' leads out of the manifest's folder: '{text[:200]}'")
    return path


def _file(folder: Path, values: dict[str, Any], key: str) -> Path | None:
    if key not in values:
        return None
    path = _inside(folder, values[key], key)
    if not path.is_file():
        raise _LineError(f"there is no '{values[key]}' for '{key}'")
    return path


def _format(path: Path, text: str) -> str:
    if path.is_dir():
        if is_bicar(path):
            return "3dbicar"
        raise _LineError(f"the folder '{text}' has no tpose/m.obj")
    known = FORMATS.get(path.suffix.lower())
    if known is None:
        raise _LineError(f"'{text}' is of no known format: the suffixes are {' '.join(FORMATS)}")
    return known
