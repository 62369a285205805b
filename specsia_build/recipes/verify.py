"""Check a recipe's folder: its files by their sums, its splits and licences, and each part by the recipe itself.

A copy will do, as it is downloaded from a Hub: what the run knows of the parts is not asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from specsia_build.characters.formats import FORMATS
from specsia_build.dataset.front_matter import card_fields
from specsia_build.dataset.places import leads_out, link_root
from specsia_build.dataset.schema import CARD, FOREIGN, PARTS_FILE, RECIPE_FILE, SPLITS_FILE, SUMS_FILE
from specsia_build.dataset.verify.check import verify as verify_dataset
from specsia_build.dataset.verify.files import (
    check_licences,
    known_folders,
    licence_notes,
    machine_path,
    read_splits,
    read_sums,
)
from specsia_build.dataset.verify.pixels import extra_chunks
from specsia_build.dataset.verify.report import FILES, IMAGES, LAYOUT, LICENSES, SPLITS, SUMS, Findings, Report
from specsia_build.errors import CharacterError, SpecsiaError, brief, some
from specsia_build.files.records import MOST_JSON_BYTES, read_json
from specsia_build.files.sources import open_source_file
from specsia_build.pool import results
from specsia_build.recipes.card import KIND, Counts
from specsia_build.recipes.folder import OWN_FILES, STATE, hidden
from specsia_build.recipes.parts import read_parts
from specsia_build.recipes.recipe import Written
from specsia_build.recipes.registry import load_recipe

TEXTS = frozenset({".json", ".jsonl", ".md", ".txt", ".csv"})
"""Endings of files that are read for paths of a machine."""

_HASHED_AT_ONCE = 1 << 23

Progress = Callable[[int, int], None]


def verify(where: str, *, workers: int = 1, progress: Progress | None = None) -> Report:
    """Check a recipe's folder, or whatever dataset `dataset.verify` takes.

    Args:
        where: a folder; of a dataset also a URL or a Hub id.
        workers: processes; the report does not depend on it.
        progress: told what is done and what there is in all, rows or files, whenever some are done.

    Raises:
        UsageError: if there is no such folder.
        SpecsiaError: if it cannot be reached, or holds neither.
    """
    folder = Path(where)
    mark = mark_of(folder)
    if mark is not None:
        return _verify_recipe(folder, mark, workers, progress or (lambda done, total: None))
    try:
        return verify_dataset(where, workers=workers, progress=progress)
    except SpecsiaError as error:
        inner = sorted(path.parent.name for path in folder.glob(f"*/{RECIPE_FILE}") if mark_of(path.parent))
        if not inner or (folder / "dataset").is_dir():
            raise
        raise SpecsiaError(f"{folder} is a run: did you mean {folder / inner[0]}?") from error


def mark_of(folder: Path) -> Mapping[str, Any] | None:
    """What a recipe's folder says of itself; None of any other folder."""
    try:
        found = read_json(folder / RECIPE_FILE) if _is_there(folder, RECIPE_FILE) else None
    except (SpecsiaError, OSError):
        return None
    return found if isinstance(found, dict) and found.get("kind") == KIND else None


def _verify_recipe(folder: Path, mark: Mapping[str, Any], workers: int, progress: Progress) -> Report:
    findings = Findings()
    named = brief(str(mark.get("recipe")), 80)
    usable, notes = _usable(folder, named, mark.get("version"))
    walked = _walk(folder, findings)
    machine = known_folders(folder)
    check = partial(_check_files, folder, machine)
    calls: Iterator[tuple[Callable[[Any], Any], Any]] = (
        (partial(_check_part, folder, machine, named if usable else None), part)
        for part in islice(read_parts(folder), walked.parts)
    )
    done = 0
    findings.merge(check(walked.own))
    progress(done, walked.files)
    for files, found in results(calls, workers):
        findings.merge(found)
        done += files
        progress(done, walked.files)
    _check_splits(folder, walked, findings)
    _check_card(folder, walked, findings)
    strange = sorted(set(_below(folder)) - walked.names)
    if strange:
        notes.append(f"{some(strange)}: of no part, so not checked")
    for name in (name for name in strange if Path(name).suffix.lower() in FORMATS):
        findings.add(FILES, name, "is a 3D asset, which a dataset must not hold")
    of_parts = [SPLITS, LICENSES, *([LAYOUT] if usable else [])]
    checks = [FILES, SUMS, IMAGES, *(of_parts if walked.parts else [])]
    counts = walked.counts
    return Report(
        rows=sum(counts.frames.values()),
        characters=len(counts.characters),
        configs=(named,),
        checks=findings.results(checks),
        problems=findings.problems(checks),
        notes=(*notes, *licence_notes(_licenses(walked))),
        unit="frames",
    )


def _usable(folder: Path, name: str, version: Any) -> tuple[bool, list[str]]:
    """Whether the recipe that wrote a folder is the one that is installed here, and notes on what is in the way."""
    try:
        recipe = load_recipe(name)
    except SpecsiaError as error:
        return False, [f"the layout was not checked, as {error}"]
    if recipe.version == version:
        told = hidden(folder, recipe)
        return True, [] if told is None else [told]
    wrote = brief(str(version), 20)
    return False, [f"the layout was not checked: version {wrote} of {name} wrote it, and {recipe.version} is installed"]


@dataclass
class _Walked:
    """What `parts.jsonl` and `SHA256SUMS` list.

    Attributes:
        counts: of all parts.
        parts, files: how many there are.
        names: of all files.
        own: SHA-256 of those over all parts.
    """

    counts: Counts = field(default_factory=Counts)
    parts: int = 0
    files: int = 0
    names: set[str] = field(default_factory=set)
    own: dict[str, str] = field(default_factory=dict)


def _walk(folder: Path, findings: Findings) -> _Walked:
    """Read both lists and compare them."""
    walked = _Walked(names=set(OWN_FILES))
    for name in OWN_FILES:
        if not _is_there(folder, name):
            findings.add(FILES, name, "is missing, or no file of this folder")
    if not _is_there(folder, PARTS_FILE):
        return walked
    sums = read_sums(_text(folder, SUMS_FILE), findings)
    try:
        for part in read_parts(folder):
            _count(part, walked, findings)
            for name, (_, digest) in part.files.items():
                if sums is not None and sums.get(name) != digest:
                    findings.add(SUMS, SUMS_FILE, f"does not list {name} where {PARTS_FILE} does")
    except SpecsiaError as error:
        findings.add(FILES, PARTS_FILE, str(error))
        return walked
    if not walked.parts:
        findings.add(FILES, PARTS_FILE, "lists no part: there is nothing in this folder")
    if sums is not None:
        walked.own = {name: digest for name, digest in sums.items() if name not in walked.names or name in OWN_FILES}
        walked.names |= walked.own.keys()
        for name in sorted({*OWN_FILES} - {SUMS_FILE, *walked.own}):
            findings.add(SUMS, name, f"is not listed in {SUMS_FILE}")
    return walked


def _is_there(folder: Path, name: str) -> bool:
    return (folder / name).is_file() and not leads_out(folder, name)


def _text(folder: Path, name: str) -> str | None:
    return (folder / name).read_text(errors="replace") if _is_there(folder, name) else None


def _count(part: Written, walked: _Walked, findings: Findings) -> None:
    other = walked.counts.characters.get(part.character, part.split)
    if other != part.split:
        findings.add(SPLITS, part.character, f"is in {other} and in {part.split}")
    stated = walked.counts.licenses.get(part.character, (part.license, part.credit))
    if stated != (part.license, part.credit):
        findings.add(LICENSES, part.character, "has another licence or credit in another part")
    for name in part.files:
        if name in walked.names:
            findings.add(FILES, name, f"stands in {PARTS_FILE} twice")
    walked.counts.add(part)
    walked.names.update(part.files)
    walked.parts += 1
    walked.files += len(part.files)


def _check_part(folder: Path, machine: tuple[str, ...], recipe: str | None, part: Written) -> tuple[int, Findings]:
    """How many files a part has, and what is wrong with them."""
    findings = _check_files(folder, machine, {name: digest for name, (_, digest) in part.files.items()})
    if recipe is None or FILES in findings.counts:
        return len(part.files), findings
    try:
        for sentence in load_recipe(recipe).verify(folder, part):
            findings.add(LAYOUT, part.key, str(sentence))
    except (SpecsiaError, ValueError) as error:
        findings.add(LAYOUT, part.key, str(error))
    # A recipe may be a stranger's, and what it is given too.
    except Exception as error:
        findings.add(LAYOUT, part.key, f"cannot be checked: {type(error).__name__}: {error}")
    return len(part.files), findings


def _check_files(folder: Path, machine: tuple[str, ...], listed: Mapping[str, str]) -> Findings:
    """What is wrong with files as such, by their SHA-256."""
    findings = Findings()
    for name, digest in listed.items():
        if Path(name).suffix.lower() in FORMATS:
            findings.add(FILES, name, "is a 3D asset, which a dataset must not hold")
        if leads_out(folder, name):
            findings.add(FILES, name, "is a link that leads out of the dataset, so it is not read: copy the file")
            continue
        try:
            found, data = _read(folder, name)
        except FileNotFoundError:
            findings.add(FILES, name, "is missing")
            continue
        except (CharacterError, OSError) as error:
            findings.add(FILES, name, f"cannot be read: {error}")
            continue
        if found != digest:
            findings.add(SUMS, name, f"is not the file that {SUMS_FILE} lists: its content has changed")
        _check_content(name, data, machine, findings)
    return findings


def _read(folder: Path, name: str) -> tuple[str, bytes]:
    """SHA-256 of a file, and its beginning, which is all of it but for large ones."""
    with open_source_file(folder / name, link_root(folder)) as stream:
        data = stream.read(MOST_JSON_BYTES)
        found = hashlib.sha256(data)
        while part := stream.read(_HASHED_AT_ONCE):
            found.update(part)
    return found.hexdigest(), data


def _check_content(name: str, data: bytes, machine: tuple[str, ...], findings: Findings) -> None:
    suffix = Path(name).suffix.lower()
    if suffix in TEXTS and (path := machine_path(data.decode(errors="replace"), machine)):
        findings.add(FILES, name, f"holds a path of a machine: {path}")
    if suffix == ".png" and (more := extra_chunks(data)):
        findings.add(IMAGES, name, f"holds more than its pixels: {', '.join(more)}")


def _check_splits(folder: Path, walked: _Walked, findings: Findings) -> None:
    frozen = read_splits(_text(folder, SPLITS_FILE), findings)
    if frozen is None:
        return
    for character, split in walked.counts.characters.items():
        told = frozen.get(character, "no split")
        if told != split:
            findings.add(SPLITS, character, f"is in {split} by {PARTS_FILE}, in {told} by {SPLITS_FILE}")


def _check_card(folder: Path, walked: _Walked, findings: Findings) -> None:
    if not _is_there(folder, CARD):
        return
    try:
        fields = card_fields((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        findings.add(FILES, CARD, str(error))
        return
    check_licences(fields, _licenses(walked), "parts", findings)


def _licenses(walked: _Walked) -> list[str | None]:
    return [license_ for license_, _ in walked.counts.licenses.values()]


def _below(folder: Path) -> Iterator[str]:
    """Names of all files in a folder but for what the run keeps there and what a download adds."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if name.parts[0] not in (STATE, *FOREIGN) and not path.is_dir():
            yield name.as_posix()
