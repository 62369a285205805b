"""Sources: where the characters of a build come from."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from specsia_build.characters.bicar import DRAWING, bicar_entry, is_bicar
from specsia_build.characters.character import AUTO, UNSETTLED, Entry, Sample, id_order_key, is_unicode, safe_id
from specsia_build.characters.formats import FORMATS, REFUSED
from specsia_build.characters.images import IMAGE_SUFFIXES
from specsia_build.characters.manifest import is_manifest, read_manifest
from specsia_build.characters.samples import LICENSE, SOURCE, VERSION
from specsia_build.errors import UsageError, plural, some
from specsia_build.files.sources import is_folder
from specsia_build.folders import expanded
from specsia_build.ownership import RUN_MARK

MAX_SAMPLES = 100_000

MOST_WALKED = 5_000_000
"""Files and folders of a source."""

DEFAULT_SAMPLE_SEED = 42

_KINDS = "give sample:N (sample:24, say), a 3DBiCar folder, a mesh file or a folder of them, or a .jsonl manifest"
_IN_3D = "a dataset is made of characters in 3D"
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
    """Find the characters of a source, without reading them.

    Args:
        source: ``sample:N`` or ``sample:N@SEED``, or the path of a 3DBiCar folder (or one character of it), a mesh
            file, a folder of mesh files or a ``.jsonl`` manifest.
        scratch: where procedural samples are written when they are read.

    Raises:
        UsageError: if there is no such source or it holds nothing.
    """
    if source.startswith("sample:"):
        return _samples(source, scratch)
    if "://" in source:
        raise UsageError(f"'{source}' is a URL, and characters are read from this machine: copy them here")
    path = expanded(source)
    name = Path(os.path.abspath(path)).name or "source"  # noqa: PTH100  a link's own name, not its target's
    try:
        if not is_unicode(str(path)):
            raise UsageError(f"the name of '{source}' is not UTF-8: rename it, or the folder that is so named")
        if path.is_dir():
            return _suggested(path, name) or _folder(path, name)
        if not path.is_file():
            what = f"'{source}' is neither a regular file nor a folder" if path.exists() else f"there is no '{source}'"
            raise UsageError(f"{what}: {_KINDS}")
    except OSError as error:
        raise UsageError(f"'{source}' cannot be opened: {error.strerror or error}") from error
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        return Source(name, "manifest", _sorted(read_manifest(path)))
    if suffix in IMAGE_SUFFIXES:
        raise UsageError(f"'{name}' is a picture, and {_IN_3D}: {_KINDS}")
    if suffix not in FORMATS and suffix not in REFUSED:
        raise UsageError(f"'{name}' is neither a mesh file ({' '.join(FORMATS)}) nor a .jsonl manifest: {_KINDS}")
    return Source(name, "file", (_of_file(safe_id(path.stem), path, suffix),))


def _sorted(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=lambda entry: id_order_key(entry.id)))


def _samples(source: str, scratch: Path) -> Source:
    match = _SAMPLE.fullmatch(source)
    count = int(match[1]) if match else 0
    if match is None or not 1 <= count <= MAX_SAMPLES:
        raise UsageError(f"'{source}' must be sample:N or sample:N@SEED, N from 1 to {MAX_SAMPLES}: sample:24, say")
    seed = DEFAULT_SAMPLE_SEED if match[2] is None else int(match[2])
    folder = scratch / f"sample-{seed}"
    entries = [
        Entry(
            id=str(index),
            format="3dbicar",
            path=folder / str(index),
            drawing=folder / str(index) / DRAWING,
            license=LICENSE,
            source=SOURCE,
            root=folder,
            sample=Sample(seed, VERSION),
        )
        for index in range(count)
    ]
    name = f"sample:{count}" if seed == DEFAULT_SAMPLE_SEED else f"sample:{count}@{seed}"
    return Source(name, "sample", tuple(entries))


def _folder(folder: Path, name: str) -> Source:
    if is_bicar(folder):
        return Source(name, "3dbicar", (bicar_entry(folder, safe_id(name), folder),))
    unread = _manifests(folder)
    notes = [f"{some(unread)} was not read: give it in the folder's place to build its characters"] if unread else []
    children = _subfolders(folder)
    if any(is_bicar(child) for child in children):
        found = [_Found(folder, child.name, child.name, "") for child in children if _looks_bicar(child)]
        return Source(name, "3dbicar", _sorted(_identified(folder, found)), tuple(notes))
    meshes, refused, links = _meshes(folder)
    found = meshes or refused
    if not meshes and (folder / RUN_MARK).is_file():
        raise UsageError(
            f"'{name}' is the folder of a run, and holds none of the characters that it was made of: {_KINDS}"
        )
    if not found:
        lacking = f"the folder '{name}' holds no character ({' '.join(FORMATS)} or 3DBiCar)"
        pictured = any(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.iterdir())
        raise UsageError(f"{lacking} but pictures, and {_IN_3D}: {_KINDS}" if pictured else f"{lacking}: {_KINDS}")
    kind = "3dbicar" if all(not one.suffix for one in found) else "folder"
    known = {one.stem.casefold() for one in meshes}
    others = [one.name for one in refused if meshes and one.stem.casefold() not in known]
    notes += [f"{plural(len(others), 'file')} of other formats passed over: {some(others)}"] if others else []
    notes += [f"links to folders are not followed: {some(links)}"] if links else []
    return Source(name, kind, _sorted(_identified(folder, found)), tuple(notes))


def _manifests(folder: Path, *, suggested: bool = False) -> list[str]:
    """Names of the manifests in a folder, or of those that `--suggest` wrote."""
    with os.scandir(folder) as listed:
        names = sorted(one.name for one in listed if one.name.lower().endswith(".jsonl") and one.name[0] != ".")
    return [name for name in names if is_manifest(folder / name, suggested=suggested)]


def _suggested(folder: Path, name: str) -> Source | None:
    """The characters of a folder with a manifest that `specsia characters --suggest` wrote; None without one."""
    names = _manifests(folder, suggested=True)
    if not names:
        return None
    if len(names) > 1:
        raise UsageError(f"'{name}' holds several manifests ({some(names)}): give the one that is meant as the source")
    notes = (f"{name} is read through its manifest {names[0]}",)
    return Source(name, "manifest", _sorted(read_manifest(folder / names[0])), notes)


class _Found(msgspec.Struct, frozen=True, gc=False):
    """A mesh file, or the folder of a 3DBiCar character, whose suffix is empty; paths would be slow for a million."""

    parent: Path
    name: str
    stem: str
    suffix: str


def _subfolders(folder: Path) -> list[Path]:
    """Subfolders that are not hidden, and links to folders, in order."""
    with os.scandir(folder) as listed:
        visible = [entry for entry in listed if not entry.name.startswith(".")]
    return sorted(
        Path(entry.path)
        for entry in visible
        if (is_folder(Path(entry.path)) if entry.is_symlink() else entry.is_dir(follow_symlinks=False))
    )


def _looks_bicar(folder: Path) -> bool:
    """Whether a folder beside 3DBiCar characters is meant to be one, complete or not."""
    return folder.name.isdecimal() or is_folder(folder / "tpose")


def _meshes(top: Path) -> tuple[list[_Found], list[_Found], list[str]]:
    """Mesh files and 3DBiCar folders below a folder, files that are `REFUSED`, and links to folders.

    Hidden folders and runs are skipped.
    """

    def refuse(error: OSError) -> None:
        raise UsageError(f"the folder {error.filename} cannot be read: {error.strerror}; make it readable")

    found: list[_Found] = []
    refused: list[_Found] = []
    links: list[str] = []
    walked = 0
    for parent, subfolders, names in os.walk(top, onerror=refuse):
        folder = Path(parent)
        walked += 1 + len(names)
        if walked > MOST_WALKED:
            raise UsageError(f"the folder '{top.name}' holds more than {MOST_WALKED:,} files: name one below it")
        is_character = folder != top and is_bicar(folder)
        if is_character:
            found.append(_Found(folder.parent, folder.name, folder.name, ""))
        if is_character or (folder != top and RUN_MARK in names):
            subfolders.clear()
            continue
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        links += [name for name in subfolders if (folder / name).is_symlink()]
        for name in sorted(names):
            stem, dot, suffix = name.rpartition(".")
            suffix = f"{dot}{suffix.lower()}"
            if (suffix in FORMATS or suffix in REFUSED) and not name.startswith("."):
                (found if suffix in FORMATS else refused).append(_Found(folder, name, stem, suffix))
    return found, refused, links


def _identified(top: Path, found: list[_Found]) -> list[Entry]:
    """An entry for each mesh file or 3DBiCar folder, ids unique whatever the letter case.

    The id is the stem, or the path below `top` if characters of several folders share a stem. Of files that differ in
    their suffix alone the most complete format is the character; the others have a problem.
    """
    rank = {suffix: k for k, suffix in enumerate(FORMATS)}
    by_place: dict[tuple[str, str], list[_Found]] = {}
    for one in found:
        by_place.setdefault((str(one.parent), one.stem), []).append(one)
    chosen = [min(same, key=lambda one: (rank.get(one.suffix, -1), one.name)) for same in by_place.values()]
    ids = [safe_id(one.stem) for one in chosen]
    shared = Counter(map(str.casefold, ids))
    taken: set[str] = set()
    entries: list[Entry] = []
    for one, character_id in zip(chosen, ids, strict=True):
        if shared[character_id.casefold()] > 1:
            character_id = safe_id("_".join((*one.parent.relative_to(top).parts, one.stem)))
        entries.append(_entry(top, one, _unused(character_id, taken)))
    for winner, entry, same in zip(chosen, list(entries), by_place.values(), strict=True):
        for one in same:
            if one is not winner:
                double = _unused(f"{entry.id}_{one.suffix[1:]}", taken)
                problem = f"{one.name} has the same name as {winner.name}: keep one, or list both in a manifest"
                entries.append(msgspec.structs.replace(_entry(top, one, double), problem=problem))
    return entries


def _entry(top: Path, found: _Found, character_id: str) -> Entry:
    path = found.parent / found.name
    if not is_unicode(str(path)):
        problem = f"{path.relative_to(top)} has a name that is not UTF-8: rename it"
        return Entry(character_id, FORMATS.get(found.suffix, "3dbicar"), path, problem=problem, root=top)
    return _of_file(character_id, path, found.suffix, top) if found.suffix else bicar_entry(path, character_id, top)


def _of_file(character_id: str, path: Path, suffix: str, root: Path | None = None) -> Entry:
    if suffix in REFUSED:
        return Entry(character_id, "", path, problem=f"{path.name} {REFUSED[suffix]}", root=root)
    kind = FORMATS[suffix]
    usual = AUTO if kind in UNSETTLED else None
    return Entry(character_id, kind, path, up=usual, front=usual, root=root)


def _unused(wanted: str, taken: set[str]) -> str:
    """`wanted`, or that with the first number from 2 that makes it unique; it is taken from now on."""
    number, character_id = 2, wanted
    while character_id.casefold() in taken:
        character_id, number = f"{wanted}_{number}", number + 1
    taken.add(character_id.casefold())
    return character_id
