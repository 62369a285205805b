"""Characters that are one mesh file under several names, which no split should part."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from specsia_build.characters.character import Entry
from specsia_build.files.sources import source_digest

DigestsOf: TypeAlias = Callable[[Sequence[tuple[Path, Path]]], Iterable[str | None]]
"""Gives the SHA-256 of each of some files within their roots, None where one cannot be read."""


def _read(files: Sequence[tuple[Path, Path]]) -> Iterator[str | None]:
    """Of those files alone that are of one size with another, as the others are like none."""
    sizes = [_size(path) for path, _ in files]
    alike = Counter(sizes)
    for (path, root), size in zip(files, sizes, strict=True):
        yield source_digest(path, root) if size is not None and alike[size] > 1 else None


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None  # Reading it says why.


def same_files(entries: Iterable[Entry], digests: DigestsOf = _read) -> list[tuple[str, ...]]:
    """Ids of characters whose mesh files hold the same bytes, each such set in the order of `entries`.

    3DBiCar folders are passed over.

    Args:
        entries: of a source.
        digests: of files within their roots; by default those of one size are read.
    """
    single = [entry for entry in entries if entry.problem is None and entry.format != "3dbicar"]
    first, alike = dict[str, str](), defaultdict[str, list[str]](list)
    for entry, found in zip(single, digests([(one.path, one.within) for one in single]), strict=True):
        # Of a million files hardly one is like another, so that no list is made of one alone.
        if found is not None and first.setdefault(found, entry.id) != entry.id:
            alike[found].append(entry.id)
    return [(first[content], *ids) for content, ids in alike.items()]
