"""Characters that are one mesh file under several names, which no split should part."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from specsia_build.characters.character import Entry
from specsia_build.files.sources import source_digest

DigestsOf: TypeAlias = Callable[[Sequence[tuple[Path, Path]]], Iterable[str | None]]
"""Gives the SHA-256 of each of some files within their roots, None where one cannot be read."""


def _read(files: Sequence[tuple[Path, Path]]) -> Iterator[str | None]:
    return (source_digest(path, root) for path, root in files)


def same_files(entries: Iterable[Entry], digests: DigestsOf = _read) -> list[tuple[str, ...]]:
    """Ids of characters whose mesh files hold the same bytes, each such set in the order of `entries`.

    Only files of one size are read; 3DBiCar folders are passed over.

    Args:
        entries: of a source.
        digests: of files within their roots.
    """
    by_size: defaultdict[int, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.problem is None and entry.format != "3dbicar":
            try:
                by_size[entry.path.stat().st_size].append(entry)
            except OSError:
                continue  # Reading it says why.
    by_content: defaultdict[str, list[str]] = defaultdict(list)
    for alike in by_size.values():
        if len(alike) > 1:
            for entry, found in zip(alike, digests([(one.path, one.within) for one in alike]), strict=True):
                if found is not None:
                    by_content[found].append(entry.id)
    return [tuple(ids) for ids in by_content.values() if len(ids) > 1]
