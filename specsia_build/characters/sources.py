"""Sources: where the characters of a build come from, and manifests, tables with a row for each."""

import os
import re
import stat
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PureWindowsPath
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from specsia_build.characters.bicar import BICAR_DRAWING, bicar_entry, is_bicar
from specsia_build.characters.character import (
    AUTO,
    MOST_ID_BYTES,
    UNSETTLED,
    Entry,
    Sample,
    id_order_key,
    is_unicode,
    safe_id,
    unused_id,
)
from specsia_build.characters.formats import FORMATS
from specsia_build.characters.samples import LICENSE, SAMPLES_VERSION, SOURCE
from specsia_build.characters.tables import TABLES, TableRow, rows_of
from specsia_build.errors import CharacterError, UsageError, brief, plural, some
from specsia_build.files.sources import open_source_file
from specsia_build.folders import RUN_MARK, expanded

MAX_SAMPLES = 100_000
MOST_WALKED = 5_000_000  # Files and folders of a source
DEFAULT_SAMPLE_SEED = 42

_KINDS = (
    "give sample:N (sample:24, say), a 3DBiCar folder, a mesh file or a folder of them, or a manifest "
    f"({' '.join(TABLES)})"
)
_SAMPLE = re.compile(r"sample:([0-9]{1,18})(?:@([0-9]{1,18}))?")


@dataclass(frozen=True)
class Source:
    """The characters of a build."""

    name: str  # For dataset cards, such as ``sample:24`` or a folder's base name; never a machine's path
    kind: str  # ``sample``, ``3dbicar``, ``file``, ``folder`` or ``manifest``
    # Sorted by `id_order_key`, ids unique; those that cannot be built have a problem
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()  # Sentences about what was skipped


def open_source(source: str, scratch: Path) -> Source:
    """Find the characters of a source, without reading them; raises UsageError if there is none.

    A source is ``sample:N`` or ``sample:N@SEED``, written to `scratch` when it is read, or the path of a
    3DBiCar folder (or one character of it), a mesh file, a folder of mesh files or a manifest.
    """
    if source.startswith("sample:"):
        return _samples(source, scratch)
    if "://" in source:
        raise UsageError(f"'{source}' is a URL, and characters are read from this machine: copy them here")
    path = expanded(source)
    name = Path(os.path.abspath(path)).name or "source"  # noqa: PTH100  a link's own name, not its target's
    try:
        if not is_unicode(str(path)):
            raise UsageError(f"the name of '{source}' is not UTF-8: rename it")
        if path.is_dir():
            return _folder(path, name)
        if not path.is_file():
            raise UsageError(f"there is no file or folder '{source}': {_KINDS}")
    except OSError as error:
        raise UsageError(f"'{source}' cannot be opened: {error.strerror or error}") from error
    suffix = path.suffix.lower()
    if suffix in TABLES:
        return Source(name, "manifest", _sorted(read_manifest(path)))
    if suffix not in FORMATS:
        raise UsageError(f"'{name}' is neither a mesh file ({' '.join(FORMATS)}) nor a manifest: {_KINDS}")
    return Source(name, "file", (_entry(None, path, safe_id(path.stem)),))


def _sorted(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=lambda entry: id_order_key(entry.id)))


def only_entry(source: str, scratch: Path) -> Entry:
    """The only character of a source, see `open_source`; raises UsageError if there are several."""
    entries = open_source(source, scratch).entries
    if len(entries) != 1:
        held = plural(len(entries), "character")
        raise UsageError(f"{source} holds {held}: name one mesh file, or give a manifest of one line")
    return entries[0]


def _samples(source: str, scratch: Path) -> Source:
    match = _SAMPLE.fullmatch(source)
    if match is None or not 1 <= (count := int(match[1])) <= MAX_SAMPLES:
        problem = f"'{source}' must be sample:N or sample:N@SEED, N from 1 to {MAX_SAMPLES}: sample:24, say"
        raise UsageError(problem)
    seed = DEFAULT_SAMPLE_SEED if match[2] is None else int(match[2])
    folder = scratch / f"sample-{seed}"
    common: dict[str, Any] = {"license": LICENSE, "source": SOURCE, "root": folder}
    common["sample"] = Sample(seed, SAMPLES_VERSION)
    paths = [folder / str(index) for index in range(count)]
    entries = tuple(Entry(p.name, "3dbicar", p, drawing=p / BICAR_DRAWING, **common) for p in paths)
    return Source(f"sample:{count}{'' if seed == DEFAULT_SAMPLE_SEED else f'@{seed}'}", "sample", entries)


def _folder(folder: Path, name: str) -> Source:
    """Find the characters of a folder: just 3DBiCar folders if some lie right in it, else also mesh files."""
    if is_bicar(folder):
        return Source(name, "3dbicar", (bicar_entry(folder, safe_id(name), folder),))
    meshes, posed = _walked(folder)
    bicars = [path for path in posed if is_bicar(path)]
    # A folder beside 3DBiCar characters is meant to be one, complete or not.
    paths = posed if any(path.parent == folder for path in bicars) else [*meshes, *bicars]
    if not paths:
        what = f"'{name}' holds no character ({' '.join(FORMATS)} or 3DBiCar)"
        problem = f"the folder {what}{' but a run' if (folder / RUN_MARK).is_file() else ''}: {_KINDS}"
        raise UsageError(problem)
    manifests = sorted(folder.glob("*.jsonl"))
    notes = [f"{path.name} was not read: give it in the folder's place" for path in manifests]
    entries, unread = _identified(folder, paths)
    if unread:
        notes.append(f"of one name only the most complete format is read, and not {some(unread)}")
    kind = "folder" if meshes and paths is not posed else "3dbicar"
    return Source(name, kind, _sorted(entries), tuple(notes))


def _walked(top: Path) -> tuple[list[Path], list[Path]]:
    """Mesh files, and folders that hold a ``tpose``, below a folder; not in hidden ones, runs and links."""

    def refuse(error: OSError) -> None:
        raise UsageError(f"the folder {error.filename} cannot be read: {error.strerror}; make it readable")

    meshes: list[Path] = []
    posed: list[Path] = []
    suffixes, walked = tuple(FORMATS), 0
    for parent, subfolders, names in os.walk(top, onerror=refuse):
        folder = Path(parent)
        walked += 1 + len(names)
        if walked > MOST_WALKED:
            problem = f"the folder '{top.name}' holds more than {MOST_WALKED:,} files: name one below it"
            raise UsageError(problem)
        is_posed = folder != top and "tpose" in subfolders
        if is_posed:
            posed.append(folder)
        if (is_posed and is_bicar(folder)) or (folder != top and RUN_MARK in names):
            subfolders.clear()
            continue
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        shown = [name for name in sorted(names) if name.lower().endswith(suffixes) and name[0] != "."]
        meshes += [folder / name for name in shown]
    return meshes, posed


def _identified(top: Path, files: list[Path]) -> tuple[list[Entry], list[str]]:
    """An entry for each character, ids unique whatever the letter case, and names of files that are left out.

    The id is the stem, or the path below `top` if characters of several folders share a stem. Of files that
    differ in their suffix alone the most complete format is the character.
    """
    rank = {suffix: k for k, suffix in enumerate(FORMATS)}
    groups = defaultdict[tuple[Path, str], list[Path]](list)
    for file in files:
        stem = file.stem if file.suffix.lower() in FORMATS else file.name
        groups[file.parent, stem].append(file)
    shared = Counter(safe_id(stem).casefold() for _, stem in groups)
    taken: set[str] = set()
    entries: list[Entry] = []
    unread: list[str] = []
    for (folder, stem), same in groups.items():
        chosen, *others = sorted(same, key=lambda file: (rank.get(file.suffix.lower(), -1), file.name))
        parts = folder.relative_to(top).parts if shared[safe_id(stem).casefold()] > 1 else ()
        entries.append(_entry(top, chosen, unused_id(safe_id("_".join((*parts, stem))), taken)))
        unread += [file.name for file in others]
    return entries, unread


def _entry(root: Path | None, path: Path, character_id: str) -> Entry:
    kind, problem = FORMATS.get(path.suffix.lower(), ""), None
    if not is_unicode(str(path)):
        problem = f"{path.relative_to(root or path.parent)} is a path that is not UTF-8: rename it"
    elif not kind:
        return bicar_entry(path, character_id, root)
    usual = AUTO if kind in UNSETTLED else None
    return Entry(character_id, kind, path, up=usual, front=usual, problem=problem, root=root)


_MOST_BYTES, _MOST_ROWS = 2**29, 1_000_000  # Of a manifest
_Text = Annotated[str, Meta(pattern=r"\S")]


class _Line(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    id: _Text
    path: _Text
    texture: _Text | None = None
    up: Literal["+x", "-x", "+y", "-y", "+z", "-z", "auto"] | None = None
    front: Literal["+x", "-x", "+y", "-y", "auto"] | None = None
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


def read_manifest(path: Path) -> tuple[Entry, ...]:
    """Read the characters of a manifest, in its order; its suffix is one of `TABLES`.

    A row that cannot be used becomes an entry with a `problem`, under its own id if possible and else under
    ``line-{n}``. Numbers are taken as ids, too. Raises UsageError if the file cannot be read or is too long,
    or no row of it has an id.
    """
    folders = {path.parent: path.parent.resolve()}
    try:
        with open_source_file(path, path.parent, _MOST_BYTES) as stream:
            data = stream.read()
        rows = list(islice(rows_of(data, path.suffix.lower()), _MOST_ROWS + 1))
    except OSError as error:
        raise UsageError(f"the manifest {path.name} cannot be read: {error.strerror or error}") from error
    except CharacterError as error:
        raise UsageError(f"the manifest {error}") from error
    except UsageError as error:
        raise UsageError(f"the manifest {path.name} {error}") from error
    if len(rows) > _MOST_ROWS:
        raise UsageError(f"the manifest {path.name} has more than {_MOST_ROWS:,} lines: split it")
    parsed = [(row.where, _parse(path, row, folders)) for row in rows]
    if not any(entry.id for _, entry in parsed):
        problems = some([str(entry.problem) for _, entry in parsed]) or "it has none"
        raise UsageError(f"no line of the manifest {path.name} has an 'id' that can be used: {problems}")
    taken = {entry.id.casefold() for _, entry in parsed}
    first_use: dict[str, str] = {}
    entries = []
    for where, entry in parsed:
        first = first_use.setdefault(entry.id.casefold(), where)
        if not entry.id or first != where:
            problem = entry.problem or f"{where}: the id '{entry.id}' is used on {first} already"
            new_id = unused_id(where.replace(" ", "-"), taken)
            entry = msgspec.structs.replace(entry, id=new_id, problem=problem)
        entries.append(entry)
    return tuple(entries)


def _parse(manifest: Path, row: TableRow, folders: dict[Path, Path]) -> Entry:
    """The entry of a row; its id is empty if the row has none that can be used."""
    stated = row.values.get("id")
    if isinstance(stated, int | float) and not isinstance(stated, bool) and stated == stated // 1:
        stated = str(int(stated))
    problem = row.problem
    try:
        if problem is None:
            named = {**row.values, "id": stated} if "id" in row.values else row.values
            return _listed(manifest.parent, msgspec.convert(named, _Line), folders)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        problem = str(error)
    usable = stated if isinstance(stated, str) and safe_id(stated) == stated else ""
    return Entry(id=usable, format="", path=manifest, problem=f"{row.where}: {problem}")


def _listed(folder: Path, line: _Line, folders: dict[Path, Path]) -> Entry:
    path, mode = _inside(folder, line.path, "path", folders)
    kind = FORMATS.get(path.suffix.lower(), "")
    if stat.S_ISDIR(mode):
        if not is_bicar(path):
            raise ValueError(f"the folder '{path.name}' has no tpose/m.obj")
        kind = "3dbicar"
    elif not kind:
        problem = f"'{path.name}' is of a format that is not read ({' '.join(FORMATS)} are): export it as GLB"
        raise ValueError(problem)
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
    # What is absolute on any system has an anchor on Windows.
    if "\0" in text or PureWindowsPath(text).anchor:
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
