"""What a folder lists: read once while it does not change, or each of its characters would cost a list of all."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

_SETTLED = 2 * 10**9
"""Nanoseconds after which a folder's time tells each further change of it: the coarsest times are FAT's, of 2 s."""


@dataclass(frozen=True)
class Listing:
    """The names in a folder.

    Attributes:
        names: in order, of files and folders alike.
    """

    names: tuple[str, ...]

    def alike(self, name: str) -> tuple[str, ...]:
        """The names that are this one as `folded` has them, in order."""
        return tuple(self._alike.get(folded(name), ()))

    @cached_property
    def _alike(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in self.names:
            found.setdefault(folded(name), []).append(name)
        return found


def folded(name: str) -> str:
    """A name whatever its letter case, and whether its accents are letters of their own."""
    return unicodedata.normalize("NFC", name).casefold()


def listing(folder: Path) -> Listing:
    """What is in a folder now; nothing where there is no folder, or none that one may look into."""
    try:
        changed = folder.stat().st_mtime_ns
        if time.time_ns() - changed < _SETTLED:
            return _read(folder)
        return _settled(folder, changed)
    except OSError:
        return Listing(())


@lru_cache(maxsize=256)
def _settled(folder: Path, _: int) -> Listing:
    return _read(folder)


def _read(folder: Path) -> Listing:
    return Listing(tuple(sorted(path.name for path in folder.iterdir())))
