"""What is pushed: the files of a packed dataset, found whole before anything leaves the machine."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from specsia_build import __version__
from specsia_build.characters.formats import FORMATS
from specsia_build.dataset import schema
from specsia_build.dataset.checksums import parse_sums
from specsia_build.dataset.places import leads_out
from specsia_build.errors import SpecsiaError, UsageError, brief, spelled
from specsia_build.files.records import read_json

KINDS = frozenset({".parquet", ".json", ".jsonl", ".md", ".txt"})
"""Suffixes of a dataset's files; whatever else lies in its folder has no business on the Hub."""

NAMES = frozenset({schema.SUMS_FILE, schema.TEASER, "LICENSE", "NOTICE"})

_VERSION = re.compile(r"\d[\w.+-]{0,80}", re.ASCII)

_MOST_NAMED = 3
_BLOCK = 1 << 20


@dataclass(frozen=True)
class LocalFile:
    """One file of a dataset.

    Attributes:
        name: relative to the dataset, with `/`.
        path: on this machine.
        size: bytes.
        sha256: of the content, as LFS has it.
        blob: SHA-1 of its git object, which a Hub states of a file outside of LFS.
    """

    name: str
    path: Path
    size: int
    sha256: str
    blob: str


def read_local(folder: Path, advance: Callable[[int], None] = lambda _: None) -> tuple[LocalFile, ...]:
    """The files of a complete dataset, sorted by name, each read and found to be what `SHA256SUMS` lists.

    Args:
        folder: of the dataset.
        advance: called with the bytes that have been read.

    Raises:
        UsageError: if there is no such folder.
        SpecsiaError: if a file is missing, has changed, or is no part of a dataset.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder: give a packed dataset, such as DIR/dataset")
    sums = listed(folder)
    names = schema.own_files(folder)
    problems = [problem for name in names if (problem := _alien(folder, name, sums))]
    problems += [f"{name} is missing" for name in sums if name not in names]
    if schema.CARD not in sums or not any(name.startswith(f"{schema.DATA}/") for name in sums):
        problems.append(f"{schema.SUMS_FILE} lists no {schema.CARD} or no {schema.DATA}/")
    refuse(folder, problems)
    return read_files(folder, names, sums, advance)


def read_files(
    folder: Path, names: Sequence[str], sums: Mapping[str, str], advance: Callable[[int], None]
) -> tuple[LocalFile, ...]:
    """Files of a folder, each read and found to be what its sums list.

    Raises:
        SpecsiaError: if one cannot be read or has changed.
    """
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        files = tuple(pool.map(lambda name: _read(folder, name, advance), names))
    changed = [file.name for file in files if sums.get(file.name, file.sha256) != file.sha256]
    refuse(folder, [f"{name} has changed since it was packed" for name in changed])
    return files


def version_tag(folder: Path, record_file: str = schema.BUILD_FILE) -> str:
    """Tag of the version of specsia that made a folder; that of this one where its record does not say."""
    try:
        record = read_json(folder / record_file)
    except FileNotFoundError:
        record = {}
    stated = record.get("specsia", __version__) if isinstance(record, dict) else None
    if not isinstance(stated, str) or not _VERSION.fullmatch(stated):
        raise SpecsiaError(f"{folder / record_file} does not state the version of specsia that wrote it")
    return f"v{stated}"


def listed(folder: Path) -> dict[str, str]:
    """SHA-256 by name, as the dataset lists them.

    Raises:
        SpecsiaError: if there is no such list, or a line of it cannot be used.
    """
    try:
        sums, unusable = parse_sums((folder / schema.SUMS_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        inner = sorted(path.parent for path in folder.glob(f"*/{schema.SUMS_FILE}"))
        meant = folder / "dataset" if folder / "dataset" in inner else next(iter(inner), None)
        advice = f"did you mean {meant}?" if meant else "run `specsia build --stage pack`, which writes it last"
        raise UsageError(
            f"{spelled(folder)} is no complete dataset, as it has no {schema.SUMS_FILE}: {advice}"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SpecsiaError(f"{folder / schema.SUMS_FILE} cannot be read: {error}") from error
    refuse(folder, [f"{schema.SUMS_FILE} has a line that cannot be used: {brief(line, 80)!r}" for line in unusable])
    return sums


def _alien(folder: Path, name: str, sums: dict[str, str]) -> str | None:
    if (problem := unfit(folder, name)) is not None:
        return problem
    if Path(name).suffix.lower() not in KINDS and name not in NAMES:
        return f"{name} is no part of a dataset"
    if name not in sums and name != schema.SUMS_FILE:
        return f"{name} is not listed in {schema.SUMS_FILE}"
    return None


def unfit(folder: Path, name: str) -> str | None:
    """Why a file must not leave this machine, whatever it is part of; None where it may."""
    if leads_out(folder, name):
        return f"{name} is a link that leads out of the dataset"
    if Path(name).suffix.lower() in FORMATS:
        return f"{name} is a 3D asset, which a dataset must not hold"
    return None


def refuse(folder: Path, problems: Sequence[str]) -> None:
    """See that nothing was found that stands against a push.

    Raises:
        SpecsiaError: with the first problems, if there are any.
    """
    if problems:
        more = f" and {len(problems) - _MOST_NAMED} more" if len(problems) > _MOST_NAMED else ""
        raise SpecsiaError(
            f"{folder} is not the dataset that was packed: {'; '.join(problems[:_MOST_NAMED])}{more}; mend it or pack "
            "it again before it is pushed"
        )


def _read(folder: Path, name: str, advance: Callable[[int], None]) -> LocalFile:
    path = folder / name
    try:
        size = path.stat().st_size
        whole, blob = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                whole.update(block)
                blob.update(block)
                advance(len(block))
    except OSError as error:
        raise SpecsiaError(f"{path} cannot be read: {error.strerror}") from error
    return LocalFile(name, path, size, whole.hexdigest(), blob.hexdigest())
