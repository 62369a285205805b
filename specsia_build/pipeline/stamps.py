"""What tells files and artefacts that are as they were from those that changed: their sizes and times of change."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from specsia_build.errors import CharacterError
from specsia_build.files.listing import searched
from specsia_build.files.sources import source_place
from specsia_build.pipeline.objects import Place, Remote
from specsia_build.pipeline.store import stamp_from, stamp_of


class Stamps:
    """What tells the artefacts of one run from those that lay in their places before.

    Of those behind a URL it is listed once, when it is first asked for, and then known from who changes them, so that
    each costs no request of its own.
    """

    def __init__(self, artefacts: Place) -> None:
        self.artefacts = artefacts
        self._prefix = f"{artefacts}/"
        self._listed: dict[str, str] | None = None

    def listed(self) -> dict[str, str]:
        """Of all artefacts behind a URL, by name below it."""
        if self._listed is None:
            assert isinstance(self.artefacts, Remote)
            self._listed = dict(self.artefacts.below())
        return self._listed

    def name(self, place: Place) -> str:
        """Of an artefact, as seen from the folder of all."""
        return str(place).removeprefix(self._prefix)

    def of(self, place: Place) -> str | None:
        """Of one artefact; None where there is none."""
        return self.listed().get(self.name(place)) if isinstance(place, Remote) else stamp_of(place)

    def in_order(self, names: Sequence[str]) -> list[str | None]:
        """Of some artefacts, by name."""
        if isinstance(self.artefacts, Remote):
            return [self.listed().get(name) for name in names]
        return [stamp_of(f"{self.artefacts}/{name}") for name in names]

    def beside(self, names: Sequence[str], seen: dict[str, str | None]) -> list[str | None]:
        """Of some artefacts, by name; what is `seen`, at first nothing, is of all in the folders that they lie in."""
        if isinstance(self.artefacts, Remote):
            return self.in_order(names)
        for name in names:
            if name not in seen:
                folder, slash, _ = name.rpartition("/")
                _list(f"{self.artefacts}/{folder}", folder + slash, seen)
                seen.setdefault(name, None)
        return [seen[name] for name in names]

    def changed(self, place: Place, stamp: str | None) -> None:
        """Hear of one that was written, or, where there is no stamp any more, removed."""
        if self._listed is not None and stamp is not None:
            self._listed[self.name(place)] = stamp
        elif self._listed is not None:
            self._listed.pop(self.name(place), None)


def source_stamp(path: Path, root: Path) -> str | None:
    """What changes whenever a source file does; None where there is none that may be read; see `source_place`."""
    try:
        return file_stamp(source_place(path, root))
    except FileNotFoundError:
        return searched(path)
    except (OSError, CharacterError):
        return None


def file_stamp(path: str | Path) -> str | None:
    """What changes whenever a file does, links followed, or what a search finds; None where there is none.

    Unpacking and copying may give a file the time that another of its size had, but not that of its inode's change.
    """
    try:
        found = os.stat(path)  # noqa: PTH116  a path object for each of a million names is slow
    except FileNotFoundError:
        return searched(path)
    except (OSError, ValueError):
        return None
    return f"{stamp_from(found)}:{found.st_ctime_ns}"


def _list(folder: str, prefix: str, stamps: dict[str, str | None]) -> None:
    """Take up the stamps of the files in a folder by name, after a prefix."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        # Names within an open folder are looked up faster than paths, and than by what `os.scandir` gives.
        for name in os.listdir(handle):  # noqa: PTH208
            try:
                stamps[prefix + name] = stamp_from(os.stat(name, dir_fd=handle))
            except OSError:
                continue  # It is as if it were not there.
    finally:
        os.close(handle)
