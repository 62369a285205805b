"""Check a recipe's folder, or a downloaded copy of one, before use or before it is pushed."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from specsia_build.dataset.licences import licence_problems, withheld
from specsia_build.dataset.places import leads_out, link_root
from specsia_build.dataset.push import LocalDataset, check_files, listed_sums, unfit
from specsia_build.dataset.reading import card_fields
from specsia_build.dataset.schema import CARD, FOREIGN, PARTS_FILE, RECIPE_FILE, SPLITS_FILE, SUMS_FILE
from specsia_build.dataset.verify import files
from specsia_build.dataset.verify.check import verify as verify_dataset
from specsia_build.dataset.verify.report import Findings, Report
from specsia_build.dataset.verify.rows import extra_chunks
from specsia_build.errors import CharacterError, SpecsiaError, brief, some
from specsia_build.files.records import MOST_JSON_BYTES, read_json
from specsia_build.files.sources import open_source_file
from specsia_build.pool import results
from specsia_build.recipes.folder import KIND, OWN_FILES, STATE, Counts, read_parts
from specsia_build.recipes.recipe import Written, load_recipe

TEXT_SUFFIXES = (
    ".json",
    ".jsonl",
    ".md",
    ".txt",
    ".csv",
)  # Suffixes of files that are searched for paths of a machine

MOST_ENTRIES, MOST_FILES = 10_000, 100_000
"""The Hub's limit of entries in a folder, and its recommended limit of files in a repository."""

_BLOCK = 1 << 23

Progress = Callable[[int, int], None]


def verify(where: str, *, workers: int = 1, progress: Progress = lambda done, total: None) -> Report:
    """Check a recipe's folder, or any dataset that `dataset.verify` takes, which may be a URL or a Hub id.

    Args:
        where: the folder or dataset.
        workers: number of processes, on which the report does not depend.
        progress: called with the rows or files that are done and the number of all.
    """
    folder = Path(where)
    record = folder_facts(folder)
    if record is not None:
        return _verify_recipe(folder, record, workers, progress)
    try:
        return verify_dataset(where, workers=workers, progress=progress)
    except SpecsiaError as error:
        inner = sorted(
            path.parent.name for path in folder.glob(f"*/{RECIPE_FILE}") if folder_facts(path.parent)
        )
        if not inner or (folder / "dataset").is_dir():
            raise
        raise SpecsiaError(f"{folder} is a run: did you mean {folder / inner[0]}?") from error


def folder_facts(folder: Path) -> Mapping[str, Any] | None:
    """Content of `specsia.json` in a recipe's folder; None for any other folder."""
    try:
        record = read_json(folder / RECIPE_FILE) if _exists(folder, RECIPE_FILE) else None
    except (SpecsiaError, OSError):
        return None
    return record if isinstance(record, dict) and record.get("kind") == KIND else None


def _verify_recipe(folder: Path, record: Mapping[str, Any], workers: int, progress: Progress) -> Report:
    findings, counts = Findings(), Counts()
    for name in OWN_FILES:
        if not _exists(folder, name):
            findings.add("files", name, "is missing, or no file of this folder")
    name, version, usable, notes = (
        brief(str(record.get("recipe")), 80),
        record.get("version"),
        False,
        list[str](),
    )
    try:
        recipe = load_recipe(name)
        if recipe.version != version:
            raise SpecsiaError(f"version {brief(str(version), 20)} of {name} wrote it, not {recipe.version}")
        usable = True
    except SpecsiaError as error:
        notes = [f"the layout was not checked: {error}"]
    sums = files.read_sums(_text(folder, SUMS_FILE), findings)
    of_parts = _count_parts(folder, counts, sums, findings)
    own = {name: digest for name, digest in sums.items() if name not in of_parts}
    for missing in sorted({*OWN_FILES} - {SUMS_FILE, *own}) if sums else ():
        findings.add("sums", missing, f"is not listed in {SUMS_FILE}")
    findings.merge(_check_files(folder, own))
    count, done = counts.total("parts"), 0
    progress(done, len(of_parts))
    check = partial(_check_part, folder, name if usable else None)
    calls = (partial(check, part) for part in (islice(read_parts(folder), count) if count else ()))
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
    present = {name.as_posix() for name in names if name.parts[0] not in (STATE, *FOREIGN)}
    if unknown := sorted(present - of_parts - own.keys() - {*OWN_FILES}):
        notes.append(f"{some(unknown)}: of no part, so not checked")
    checks: list[str] = ["files", "sums", "images"]
    if count:
        checks += ["splits", "licences", "layout"] if usable else ["splits", "licences"]
    notes += [f"it {reason}" for reason in withheld(licenses)]
    verdicts = findings.verdicts(checks)
    return Report(
        counts.total("frames"), len(counts.characters), (name,), *verdicts, tuple(notes), unit="frames"
    )


def _count_parts(folder: Path, counts: Counts, sums: Mapping[str, str], findings: Findings) -> set[str]:
    """Count all parts, compare them with the sums and the splits; returns the names of their files."""
    names: set[str] = set()
    if not _exists(folder, PARTS_FILE):
        return names
    frozen = files.read_splits(_text(folder, SPLITS_FILE), findings)
    try:
        for part in read_parts(folder):
            for split in (
                counts.characters.get(part.character),
                frozen and frozen.get(part.character, "no split"),
            ):
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


def _check_part(folder: Path, recipe: str | None, part: Written) -> tuple[int, Findings]:
    """Check the files of a part and, if the recipe is given, its layout; returns how many files it has."""
    findings = _check_files(folder, {name: digest for name, (_, digest) in part.files.items()})
    if recipe is None or "files" in findings.counts:
        return len(part.files), findings
    try:
        for problem in load_recipe(recipe).verify(folder, part):
            findings.add("layout", part.key, str(problem))
    # Both the recipe and the files may be a third party's.
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
        if suffix in TEXT_SUFFIXES and (path := files.machine_path(data.decode(errors="replace"))):
            findings.add("files", name, f"holds a path of a machine: {path}")
        if suffix == ".png" and (extra := extra_chunks(data)):
            findings.add("images", name, f"carries more than pixels: {', '.join(extra)}")
    return findings


def read_recipe(folder: Path, advance: Callable[[int], None]) -> LocalDataset:
    """Read the files to push, those that `SHA256SUMS` of a recipe's folder lists; `advance` gets the bytes
    read.

    Raises SpecsiaError if a file is missing, has changed or must not be pushed, or there are more than the
    Hub takes.
    """
    sums = listed_sums(folder)
    names = sorted({*sums, SUMS_FILE})
    problems = [f"{name} is not listed in {SUMS_FILE}" for name in OWN_FILES if name not in names]
    most = max(Counter(PurePosixPath(name).parent for name in names).values())
    if len(names) > MOST_FILES or most > MOST_ENTRIES:
        raise SpecsiaError(
            f"{folder} holds {len(names):,} files, up to {most:,} in one folder, where the Hub takes "
            f"{MOST_FILES:,} and {MOST_ENTRIES:,}: pack it with `tar` and send that with `hf upload`, or "
            "make fewer frames"
        )
    return check_files(folder, names, sums, problems, advance)


def licences_against(folder: Path) -> tuple[str, ...]:
    """A clause for each licence of a recipe's characters that forbids making the folder public."""
    licenses = {(part.character, part.license) for part in read_parts(folder)}
    return licence_problems(Counter(name for _, name in licenses), "character")
