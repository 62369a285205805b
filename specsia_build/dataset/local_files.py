"""The files of a packed dataset, read and compared with `SHA256SUMS` before anything leaves the machine."""

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

_KINDS = frozenset({".parquet", ".json", ".jsonl", ".md", ".txt"})
_NAMES = frozenset({schema.SUMS_FILE, schema.TEASER, "LICENSE", "NOTICE"})
"""Suffixes and names of files that may be in a dataset; others must not be pushed."""

_VERSION = re.compile(r"\d[\w.+-]{0,80}", re.ASCII)
_BLOCK = 1 << 20


@dataclass(frozen=True)
class LocalFile:
    """One file to push: its relative name, and the SHA-256 and git SHA-1 by which the Hub knows its content."""

    name: str
    path: Path
    size: int
    sha256: str
    blob: str


def read_local(folder: Path, advance: Callable[[int], None] = lambda _: None) -> tuple[LocalFile, ...]:
    """Read the files of a complete dataset, sorted by name.

    Args:
        folder: of the dataset.
        advance: called with the bytes that have been read.

    Raises:
        UsageError: if there is no such folder, or no dataset in it.
        SpecsiaError: if a file is missing, has changed, or is no part of a dataset.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder: give a packed dataset, such as DIR/dataset")
    sums, names = listed(folder), schema.own_files(folder)
    problems = [problem for name in names if (problem := unfit(folder, name))]
    for name in names:
        if Path(name).suffix.lower() not in _KINDS and name not in _NAMES:
            problems.append(f"{name} is no part of a dataset")
        elif name not in sums and name != schema.SUMS_FILE:
            problems.append(f"{name} is not listed in {schema.SUMS_FILE}")
    problems += [f"{name} is missing" for name in sums if name not in names]
    if schema.CARD not in sums or not any(name.startswith(f"{schema.DATA}/") for name in sums):
        problems.append(f"{schema.SUMS_FILE} lists no {schema.CARD} or no {schema.DATA}/")
    refuse(folder, problems)
    return read_files(folder, names, sums, advance)


def read_files(
    folder: Path, names: Sequence[str], sums: Mapping[str, str], advance: Callable[[int], None]
) -> tuple[LocalFile, ...]:
    """Read files of a folder and compare them with their sums.

    Raises:
        SpecsiaError: if one cannot be read or has changed.
    """

    def read(name: str) -> LocalFile:
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

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        files = tuple(pool.map(read, names))
    changed = [file.name for file in files if sums.get(file.name, file.sha256) != file.sha256]
    refuse(folder, [f"{name} has changed since it was packed" for name in changed])
    return files


def listed(folder: Path) -> dict[str, str]:
    """SHA-256 by name of `SHA256SUMS`.

    Raises:
        UsageError: if there is no such list.
        SpecsiaError: if it cannot be read or used.
    """
    try:
        sums, unusable = parse_sums((folder / schema.SUMS_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        inner = sorted(path.parent for path in folder.glob(f"*/{schema.SUMS_FILE}"))
        meant = folder / "dataset" if folder / "dataset" in inner else next(iter(inner), None)
        advice = f"did you mean {meant}?" if meant else "run `specsia build --stage pack`, which writes it last"
        where = spelled(folder)
        raise UsageError(f"{where} is no complete dataset, as it has no {schema.SUMS_FILE}: {advice}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SpecsiaError(f"{folder / schema.SUMS_FILE} cannot be read: {error}") from error
    refuse(folder, [f"{schema.SUMS_FILE} has a line that cannot be used: {brief(line, 80)!r}" for line in unusable])
    return sums


def unfit(folder: Path, name: str) -> str | None:
    """Why a file must not leave this machine; None if it may."""
    if leads_out(folder, name):
        return f"{name} is a link that leads out of the dataset"
    if Path(name).suffix.lower() in FORMATS:
        return f"{name} is a 3D asset, which a dataset must not hold"
    return None


def refuse(folder: Path, problems: Sequence[str]) -> None:
    """Raise SpecsiaError with the first problems, if there are any."""
    if problems:
        more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise SpecsiaError(f"{folder} is not what was packed: {'; '.join(problems[:3])}{more}: pack it again")


def version_tag(folder: Path, record_file: str = schema.BUILD_FILE) -> str:
    """Tag of the version of specsia that made a folder; of this version if its record does not say.

    Raises:
        SpecsiaError: if the record states something else.
    """
    record = read_json(folder / record_file) if (folder / record_file).is_file() else {}
    stated = record.get("specsia", __version__) if isinstance(record, dict) else None
    if not isinstance(stated, str) or not _VERSION.fullmatch(stated):
        raise SpecsiaError(f"{folder / record_file} does not state the version of specsia that wrote it")
    return f"v{stated}"
