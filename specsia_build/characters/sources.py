"""Sources: where the characters of a build come from."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from specsia_build.characters.bicar import DRAWING, bicar_entry, is_bicar
from specsia_build.characters.character import (
    AUTO,
    UNSETTLED,
    Entry,
    Sample,
    id_order_key,
    is_unicode,
    safe_id,
    unused_id,
)
from specsia_build.characters.formats import FORMATS
from specsia_build.characters.manifest import is_manifest, read_manifest
from specsia_build.characters.samples import LICENSE, SOURCE, VERSION
from specsia_build.errors import UsageError, some
from specsia_build.files.sources import is_folder
from specsia_build.folders import RUN_MARK, expanded

MAX_SAMPLES = 100_000

MOST_WALKED = 5_000_000
"""Files and folders of a source."""

DEFAULT_SAMPLE_SEED = 42

_KINDS = "give sample:N (sample:24, say), a 3DBiCar folder, a mesh file or a folder of them, or a .jsonl manifest"
_SAMPLE = re.compile(r"sample:([0-9]{1,18})(?:@([0-9]{1,18}))?")


@dataclass(frozen=True)
class Source:
    """The characters of a build.

    Attributes:
        name: for dataset cards, such as ``sample:24`` or a folder's base name; never a machine's path.
        kind: ``sample``, ``3dbicar``, ``file``, ``folder`` or ``manifest``.
        entries: sorted by `id_order_key`, ids unique; those that cannot be built have a problem.
        notes: sentences about what was skipped.
    """

    name: str
    kind: str
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()


def open_source(source: str, scratch: Path) -> Source:
    """Find the characters of a source, without reading them; raises UsageError if there is none.

    A source is ``sample:N`` or ``sample:N@SEED``, written to `scratch` when it is read, or the path of a 3DBiCar folder
    (or one character of it), a mesh file, a folder of mesh files or a ``.jsonl`` manifest.
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
    if suffix == ".jsonl":
        return Source(name, "manifest", _sorted(read_manifest(path)))
    if suffix not in FORMATS:
        raise UsageError(f"'{name}' is neither a mesh file ({' '.join(FORMATS)}) nor a .jsonl manifest: {_KINDS}")
    return Source(name, "file", (_entry(None, path, safe_id(path.stem)),))


def _sorted(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=lambda entry: id_order_key(entry.id)))


def _samples(source: str, scratch: Path) -> Source:
    match = _SAMPLE.fullmatch(source)
    count = int(match[1]) if match else 0
    if match is None or not 1 <= count <= MAX_SAMPLES:
        raise UsageError(f"'{source}' must be sample:N or sample:N@SEED, N from 1 to {MAX_SAMPLES}: sample:24, say")
    seed = DEFAULT_SAMPLE_SEED if match[2] is None else int(match[2])
    folder = scratch / f"sample-{seed}"
    common: dict[str, Any] = {"license": LICENSE, "source": SOURCE, "root": folder, "sample": Sample(seed, VERSION)}
    paths = [folder / str(index) for index in range(count)]
    entries = tuple(Entry(path.name, "3dbicar", path, drawing=path / DRAWING, **common) for path in paths)
    return Source(f"sample:{count}{'' if seed == DEFAULT_SAMPLE_SEED else f'@{seed}'}", "sample", entries)


def _folder(folder: Path, name: str) -> Source:
    """Find the characters of a folder: through its manifest if `--suggest` wrote it, else its meshes."""
    if is_bicar(folder):
        return Source(name, "3dbicar", (bicar_entry(folder, safe_id(name), folder),))
    with os.scandir(folder) as listed:
        visible = sorted((entry for entry in listed if entry.name[0] != "."), key=lambda entry: entry.name)
    manifests = [Path(entry.path) for entry in visible if entry.name.lower().endswith(".jsonl")]
    suggested = [manifest for manifest in manifests if is_manifest(manifest, suggested=True)]
    if len(suggested) > 1:
        raise UsageError(f"'{name}' holds several manifests ({some([m.name for m in suggested])}): give one of them")
    if suggested:
        note = f"{name} is read through its manifest {suggested[0].name}"
        return Source(name, "manifest", _sorted(read_manifest(suggested[0])), (note,))
    notes = [f"{m.name} was not read: give it in the folder's place" for m in manifests if is_manifest(m)]
    # Of a million files none is looked up.
    entries = (e for e in visible if e.is_dir(follow_symlinks=False) or e.is_symlink())
    children = [child for child in map(Path, entries) if is_folder(child)]
    if any(is_bicar(child) for child in children):
        # A folder beside 3DBiCar characters is meant to be one, complete or not.
        files = [child for child in children if child.name.isdecimal() or is_folder(child / "tpose")]
        kind = "3dbicar"
    else:
        files, links = _meshes(folder)
        if not files:
            what = f"'{name}' holds no character ({' '.join(FORMATS)} or 3DBiCar)"
            raise UsageError(f"the folder {what}{' but a run' if (folder / RUN_MARK).is_file() else ''}: {_KINDS}")
        if links:
            notes.append(f"links to folders are not followed: {some(links)}")
        kind = "folder" if any(_stem(file) != file.name for file in files) else "3dbicar"
    return Source(name, kind, _sorted(_identified(folder, files)), tuple(notes))


def _stem(path: Path) -> str:
    """The name of a mesh file without its suffix, or that of a 3DBiCar folder."""
    return path.stem if path.suffix.lower() in FORMATS else path.name


def _meshes(top: Path) -> tuple[list[Path], list[str]]:
    """Mesh files and 3DBiCar folders below a folder, and links to folders.

    Hidden folders and runs are skipped.
    """

    def refuse(error: OSError) -> None:
        raise UsageError(f"the folder {error.filename} cannot be read: {error.strerror}; make it readable")

    meshes: list[Path] = []
    links: list[str] = []
    walked = 0
    for parent, subfolders, names in os.walk(top, onerror=refuse):
        folder = Path(parent)
        walked += 1 + len(names)
        if walked > MOST_WALKED:
            raise UsageError(f"the folder '{top.name}' holds more than {MOST_WALKED:,} files: name one below it")
        is_character = folder != top and is_bicar(folder)
        if is_character:
            meshes.append(folder)
        if is_character or (folder != top and RUN_MARK in names):
            subfolders.clear()
            continue
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        links += [name for name in subfolders if (folder / name).is_symlink()]
        suffixes = tuple(FORMATS)
        meshes += [folder / name for name in sorted(names) if name.lower().endswith(suffixes) and name[0] != "."]
    return meshes, links


def _identified(top: Path, files: list[Path]) -> list[Entry]:
    """An entry for each mesh file or 3DBiCar folder, ids unique whatever the letter case.

    The id is the stem, or the path below `top` if characters of several folders share a stem. Of files that differ in
    their suffix alone the most complete format is the character; the others have a problem.
    """
    rank = {suffix: k for k, suffix in enumerate(FORMATS)}
    groups = defaultdict[tuple[Path, str], list[Path]](list)
    for file in files:
        groups[file.parent, _stem(file)].append(file)
    shared = Counter(safe_id(stem).casefold() for _, stem in groups)
    taken: set[str] = set()
    entries: list[Entry] = []
    doubles: list[tuple[Path, Entry]] = []
    for (folder, stem), same in groups.items():
        chosen, *others = sorted(same, key=lambda file: (rank.get(file.suffix.lower(), -1), file.name))
        parts = folder.relative_to(top).parts if shared[safe_id(stem).casefold()] > 1 else ()
        entries.append(_entry(top, chosen, unused_id(safe_id("_".join((*parts, stem))), taken)))
        doubles += [(other, entries[-1]) for other in others]
    for other, first in doubles:
        double = _entry(top, other, unused_id(f"{first.id}_{other.suffix[1:].lower()}", taken))
        problem = f"{other.name} has the same name as {first.path.name}: keep one, or list both in a manifest"
        entries.append(msgspec.structs.replace(double, problem=problem))
    return entries


def _entry(root: Path | None, path: Path, character_id: str) -> Entry:
    kind, problem = FORMATS.get(path.suffix.lower(), ""), None
    if not is_unicode(str(path)):
        problem = f"{path.relative_to(root or path.parent)} is a path that is not UTF-8: rename it"
    elif not kind:
        return bicar_entry(path, character_id, root)
    usual = AUTO if kind in UNSETTLED else None
    return Entry(character_id, kind, path, up=usual, front=usual, problem=problem, root=root)
