"""Characters that are one mesh file under several names, which no split should part."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from specsia_build.characters.character import Entry
from specsia_build.files.sources import source_digest


def same_files(
    entries: Iterable[Entry], digest: Callable[[Path, Path], str | None] = source_digest
) -> list[tuple[str, ...]]:
    """Ids of characters whose mesh files hold the same bytes, each such set in the order of `entries`.

    Only files of one size are read; 3DBiCar folders are passed over.

    Args:
        entries: of a source.
        digest: of a file within its root, None where it cannot be read.
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
        for entry in alike if len(alike) > 1 else ():
            if (found := digest(entry.path, entry.within)) is not None:
                by_content[found].append(entry.id)
    return [tuple(ids) for ids in by_content.values() if len(ids) > 1]
