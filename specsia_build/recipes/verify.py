"""Check a recipe's folder: its files by their sums, its splits and licences, and each part by the recipe itself.

A downloaded copy will do: what the run knows of the parts is not read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from specsia_build.characters.formats import FORMATS
from specsia_build.dataset.front_matter import card_fields
from specsia_build.dataset.places import leads_out, link_root
from specsia_build.dataset.schema import CARD, FOREIGN, PARTS_FILE, RECIPE_FILE, SPLITS_FILE, SUMS_FILE
from specsia_build.dataset.verify import files
from specsia_build.dataset.verify.check import verify as verify_dataset
from specsia_build.dataset.verify.pixels import extra_chunks
from specsia_build.dataset.verify.report import Check, Findings, Report
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
        progress: called with the rows or files that are done and the number of all.

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
    """Content of a recipe folder's `specsia.json`; None of any other folder."""
    try:
        mark = read_json(folder / RECIPE_FILE) if _is_there(folder, RECIPE_FILE) else None
    except (SpecsiaError, OSError):
        return None
    return mark if isinstance(mark, dict) and mark.get("kind") == KIND else None


def _verify_recipe(folder: Path, mark: Mapping[str, Any], workers: int, progress: Progress) -> Report:
    findings, counts, machine = Findings(), Counts(), files.known_folders(folder)
    for name in OWN_FILES:
        if not _is_there(folder, name):
            findings.add("files", name, "is missing, or no file of this folder")
    name = brief(str(mark.get("recipe")), 80)
    usable, notes = _usable(folder, name, mark.get("version"))
    sums = files.read_sums(_text(folder, SUMS_FILE), findings)
    listed = _count_parts(folder, counts, sums, findings)
    own = {other: digest for other, digest in sums.items() if other not in listed}
    for other in sorted({*OWN_FILES} - {SUMS_FILE, *own}) if sums else ():
        findings.add("sums", other, f"is not listed in {SUMS_FILE}")
    count, total, done = sum(counts.parts.values()), len(listed), 0
    findings.merge(_check_files(folder, machine, own))
    progress(done, total)
    check = partial(_check_part, folder, machine, name if usable else None)
    calls: Iterator[tuple[Callable[[Any], Any], Any]] = (
        (check, part) for part in (islice(read_parts(folder), count) if count else ())
    )
    for checked, found in results(calls, workers):
        findings.merge(found)
        done += checked
        progress(done, total)
    licenses = [license_ for license_, _ in counts.licenses.values()]
    _check_splits(folder, counts, findings)
    try:
        if (text := _text(folder, CARD)) is not None:
            files.check_licences(card_fields(text), licenses, "parts", findings)
    except ValueError as error:
        findings.add("files", CARD, str(error))
    if unknown := sorted(set(_below(folder)) - listed - own.keys() - {*OWN_FILES}):
        notes.append(f"{some(unknown)}: of no part, so not checked")
    for other in unknown:
        if Path(other).suffix.lower() in FORMATS:
            findings.add("files", other, "is a 3D asset, which a dataset must not hold")
    checks: list[Check] = ["files", "sums", "images"]
    if count:
        checks += ["splits", "licences", "layout"] if usable else ["splits", "licences"]
    return Report(
        rows=sum(counts.frames.values()),
        characters=len(counts.characters),
        configs=(name,),
        checks=findings.results(checks),
        problems=findings.problems(checks),
        notes=(*notes, *files.licence_notes(licenses)),
        unit="frames",
    )


def _usable(folder: Path, name: str, version: Any) -> tuple[bool, list[str]]:
    """Whether the recipe that wrote a folder is the one that is installed here, and notes on what is in the way."""
    try:
        recipe = load_recipe(name)
    except SpecsiaError as error:
        return False, [f"the layout was not checked, as {error}"]
    if recipe.version == version:
        note = hidden(folder, recipe)
        return True, [] if note is None else [note]
    wrote = brief(str(version), 20)
    return False, [f"the layout was not checked: version {wrote} of {name} wrote it, and {recipe.version} is installed"]


def _count_parts(folder: Path, counts: Counts, sums: Mapping[str, str], findings: Findings) -> set[str]:
    """Count all parts, compare them with the sums and with each other; returns the names of their files."""
    listed: set[str] = set()
    if not _is_there(folder, PARTS_FILE):
        return listed
    try:
        for part in read_parts(folder):
            if counts.characters.get(part.character, part.split) != part.split:
                findings.add("splits", part.character, f"is in {counts.characters[part.character]} and in {part.split}")
            stated = (part.license, part.credit)
            if counts.licenses.get(part.character, stated) != stated:
                findings.add("licences", part.character, "has another licence or credit in another part")
            for name, (_, digest) in part.files.items():
                if sums and sums.get(name) != digest:
                    findings.add("sums", SUMS_FILE, f"does not list {name} where {PARTS_FILE} does")
            counts.add(part)
            listed.update(part.files)
    except SpecsiaError as error:
        findings.add("files", PARTS_FILE, str(error))
    else:
        if not counts.parts:
            findings.add("files", PARTS_FILE, "lists no part: there is nothing in this folder")
    return listed


def _is_there(folder: Path, name: str) -> bool:
    return (folder / name).is_file() and not leads_out(folder, name)


def _text(folder: Path, name: str) -> str | None:
    return (folder / name).read_text(encoding="utf-8", errors="replace") if _is_there(folder, name) else None


def _check_part(folder: Path, machine: tuple[str, ...], recipe: str | None, part: Written) -> tuple[int, Findings]:
    """Check a part's files and its layout; returns how many files it has."""
    findings = _check_files(folder, machine, {name: digest for name, (_, digest) in part.files.items()})
    if recipe is None or "files" in findings.counts:
        return len(part.files), findings
    try:
        for sentence in load_recipe(recipe).verify(folder, part):
            findings.add("layout", part.key, str(sentence))
    except (SpecsiaError, ValueError) as error:
        findings.add("layout", part.key, str(error))
    # A recipe may be a third party's, and its input too.
    except Exception as error:
        findings.add("layout", part.key, f"cannot be checked: {type(error).__name__}: {error}")
    return len(part.files), findings


def _check_files(folder: Path, machine: tuple[str, ...], listed: Mapping[str, str]) -> Findings:
    """Check files by their SHA-256, and for what no file of a dataset may hold."""
    findings = Findings()
    for name, digest in listed.items():
        suffix = Path(name).suffix.lower()
        if suffix in FORMATS:
            findings.add("files", name, "is a 3D asset, which a dataset must not hold")
        if leads_out(folder, name):
            findings.add("files", name, "is a link that leads out of the dataset, so it is not read: copy the file")
            continue
        try:
            actual, data = _read(folder, name)
        except FileNotFoundError:
            findings.add("files", name, "is missing")
            continue
        except (CharacterError, OSError) as error:
            findings.add("files", name, f"cannot be read: {error}")
            continue
        files.check_sum(name, digest, actual, findings)
        if suffix in TEXTS and (path := files.machine_path(data.decode(errors="replace"), machine)):
            findings.add("files", name, f"holds a path of a machine: {path}")
        if suffix == ".png" and (more := extra_chunks(data)):
            findings.add("images", name, f"holds more than its pixels: {', '.join(more)}")
    return findings


def _read(folder: Path, name: str) -> tuple[str, bytes]:
    """SHA-256 of a file, and its first `MOST_JSON_BYTES`."""
    with open_source_file(folder / name, link_root(folder)) as stream:
        data = stream.read(MOST_JSON_BYTES)
        digest = hashlib.sha256(data)
        while block := stream.read(_HASHED_AT_ONCE):
            digest.update(block)
    return digest.hexdigest(), data


def _check_splits(folder: Path, counts: Counts, findings: Findings) -> None:
    frozen = files.read_splits(_text(folder, SPLITS_FILE), findings)
    for character, split in counts.characters.items() if frozen is not None else ():
        stated = (frozen or {}).get(character, "no split")
        if stated != split:
            findings.add("splits", character, f"is in {split} by {PARTS_FILE}, in {stated} by {SPLITS_FILE}")


def _below(folder: Path) -> Iterator[str]:
    """Names of all files in a folder but those that the run keeps there and those that a download adds."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if name.parts[0] not in (STATE, *FOREIGN) and not path.is_dir():
            yield name.as_posix()
