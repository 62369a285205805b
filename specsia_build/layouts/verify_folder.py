"""Check a folder of files, or a downloaded copy of one, before use or before it is pushed."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from specsia_build.dataset.licences import withheld
from specsia_build.dataset.places import leads_out, link_root, unfit
from specsia_build.dataset.reading import card_fields
from specsia_build.dataset.schema import CARD, FOREIGN, PARTS_FILE, RECORD_FILE, SPLITS_FILE, SUMS_FILE
from specsia_build.dataset.verify import files
from specsia_build.dataset.verify.report import Findings, Progress, Report
from specsia_build.dataset.verify.rows import extra_chunks
from specsia_build.errors import CharacterError, SpecsiaError, some
from specsia_build.files.records import MOST_JSON_BYTES, read_json
from specsia_build.files.sources import open_source_file
from specsia_build.layouts.card import Counts
from specsia_build.layouts.part import Written, read_parts
from specsia_build.pool import results

FOLDER_KIND = "specsia layout"  # Kind of `specsia.json`
OWN_FILES = (CARD, SPLITS_FILE, RECORD_FILE, PARTS_FILE, SUMS_FILE)
"""Files about all parts, in every folder of files."""

# Suffixes of files that are searched for paths of a machine
_TEXT_SUFFIXES = (".json", ".jsonl", ".md", ".txt", ".csv")
_BLOCK = 1 << 23
CheckPart = Callable[[Path, Written], Iterator[str]]


def folder_record(folder: Path) -> Mapping[str, Any] | None:
    """Content of `specsia.json` in a layout's folder; None for any other folder."""
    try:
        record = read_json(folder / RECORD_FILE) if _exists(folder, RECORD_FILE) else None
    except (SpecsiaError, OSError):
        return None
    return record if isinstance(record, dict) and record.get("kind") == FOLDER_KIND else None


def verify_folder(
    folder: Path, name: str, check: CheckPart | None, workers: int, progress: Progress
) -> Report:
    """Check a layout's folder: its files, sums, splits and licences, and each part by `check`, if any."""
    findings, counts = Findings(), Counts()
    for own_file in OWN_FILES:
        if not _exists(folder, own_file):
            findings.add("files", own_file, "is missing, or no file of this folder")
    sums = files.read_sums(_text(folder, SUMS_FILE), findings)
    of_parts = _count_parts(folder, counts, sums, findings)
    own = {name: digest for name, digest in sums.items() if name not in of_parts}
    for missing in sorted({*OWN_FILES} - {SUMS_FILE, *own}) if sums else ():
        findings.add("sums", missing, f"is not listed in {SUMS_FILE}")
    findings.merge(_check_files(folder, own))
    count, done = counts.total("parts"), 0
    progress(done, len(of_parts))
    parts = islice(read_parts(folder / PARTS_FILE), count) if count else iter(())
    calls = (partial(_check_part, folder, check, part) for part in parts)
    for checked, problems in results(calls, workers):
        findings.merge(problems)
        done += checked
        progress(done, len(of_parts))
    licenses = [license_ for license_, _ in counts.licenses.values()]
    try:
        if (text := _text(folder, CARD)) is not None:
            files.check_licences(card_fields(text), licenses, "parts", findings)
    except ValueError as error:
        findings.add("files", CARD, str(error))
    names = (path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir())
    present = {name.as_posix() for name in names if name.parts[0] not in FOREIGN}
    notes = []
    if unknown := sorted(present - of_parts - own.keys() - {*OWN_FILES}):
        notes.append(f"{some(unknown)}: of no part, so not checked")
    checks = ["files", "sums", "images"]
    if count:
        checks += ["splits", "licences"] if check is None else ["splits", "licences", "layout"]
    notes += [f"it {reason}" for reason in withheld(licenses)]
    verdicts = findings.verdicts(checks)
    characters = len(counts.characters)
    return Report(counts.total("frames"), characters, (name,), *verdicts, tuple(notes), unit="frames")


def _count_parts(folder: Path, counts: Counts, sums: Mapping[str, str], findings: Findings) -> set[str]:
    """Count all parts, compare them with the sums and the splits; returns the names of their files."""
    names: set[str] = set()
    if not _exists(folder, PARTS_FILE):
        return names
    frozen = files.read_splits(_text(folder, SPLITS_FILE), findings)
    try:
        for part in read_parts(folder / PARTS_FILE):
            planned = frozen and frozen.get(part.character, "no split")
            for split in (counts.characters.get(part.character), planned):
                if split not in (None, part.split):
                    findings.add("splits", part.character, f"is in {split} and in {part.split}")
            stated = (part.license, part.credit)
            if counts.licenses.get(part.character, stated) != stated:
                findings.add("licences", part.character, "has another licence or credit in another part")
            for name, (_, digest) in part.files.items():
                if sums and sums.get(name) != digest:
                    findings.add("sums", SUMS_FILE, f"does not list {name} where {PARTS_FILE} does")
            counts.add(part)
            names.update(part.files)
        if not counts.characters:
            findings.add("files", PARTS_FILE, "lists no part: there is nothing in this folder")
    except SpecsiaError as error:
        findings.add("files", PARTS_FILE, str(error))
    return names


def _exists(folder: Path, name: str) -> bool:
    return (folder / name).is_file() and not leads_out(folder, name)


def _text(folder: Path, name: str) -> str | None:
    return (folder / name).read_text(encoding="utf-8", errors="replace") if _exists(folder, name) else None


def _check_part(folder: Path, check: CheckPart | None, part: Written) -> tuple[int, Findings]:
    """Check the files of a part; returns how many it has."""
    findings = _check_files(folder, {name: digest for name, (_, digest) in part.files.items()})
    if check is None or "files" in findings.counts:
        return len(part.files), findings
    try:
        for problem in check(folder, part):
            findings.add("layout", part.key, str(problem))
    # Both the layout and the files may be a third party's.
    except Exception as error:
        findings.add("layout", part.key, f"cannot be checked: {type(error).__name__}: {error}")
    return len(part.files), findings


def _check_files(folder: Path, digests: Mapping[str, str]) -> Findings:
    """Compare files with their SHA-256, and search them for what no dataset may hold."""
    findings = Findings()
    for name, digest in digests.items():
        if (problem := unfit(folder, name)) is not None:
            findings.add("files", name, problem.removeprefix(f"{name} "))
            continue
        try:
            with open_source_file(folder / name, link_root(folder)) as stream:
                data = stream.read(MOST_JSON_BYTES)
                hashed = hashlib.sha256(data)
                while block := stream.read(_BLOCK):
                    hashed.update(block)
        except (CharacterError, OSError) as error:
            missing = isinstance(error, FileNotFoundError)
            findings.add("files", name, "is missing" if missing else f"cannot be read: {error}")
            continue
        files.check_sum(name, digest, hashed.hexdigest(), findings)
        suffix = Path(name).suffix.lower()
        if suffix in _TEXT_SUFFIXES and (path := files.machine_path(data.decode(errors="replace"))):
            findings.add("files", name, f"holds a path of a machine: {path}")
        if suffix == ".png" and (extra := extra_chunks(data)):
            findings.add("images", name, f"carries more than pixels: {', '.join(extra)}")
    return findings
