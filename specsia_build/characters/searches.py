"""Searches for files by name, such as images that a mesh file names without their folder.

Listings are cached while folders do not change: thousands of characters may share one.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from specsia_build.files.names import folded_name

ANYWHERE = "**"  # Last folder of a path: search the name below the folder above, see `searched`
BESIDE = "*"  # Last folder of a path: search the name in the folder above and below image folders in it

_OF_IMAGES = re.compile(r"texture|(^|[\W_])(tex|skins?|maps?|images?|materials?)($|[\W_])", re.IGNORECASE)
"""Names of image folders."""

MOST_FOLDERS = 1000  # Folders of a tree that are searched


@dataclass(frozen=True)
class Listing:
    """Sorted names in a folder, of files and folders, and of folders alone."""

    names: tuple[str, ...]
    folders: tuple[str, ...] = ()

    def alike(self, name: str) -> tuple[str, ...]:
        """Names that are equal once folded, in order."""
        return tuple(self._alike.get(folded_name(name), ()))

    @cached_property
    def _alike(self) -> Mapping[str, list[str]]:
        names: dict[str, list[str]] = {}
        for name in self.names:
            names.setdefault(folded_name(name), []).append(name)
        return names


def listing(folder: Path) -> Listing:
    """List a folder; empty if it cannot be read."""
    try:
        return _listed(folder, folder.stat().st_mtime_ns)
    except OSError:
        return Listing(())


@lru_cache(maxsize=2 * MOST_FOLDERS)
def _listed(folder: Path, _changed: int) -> Listing:
    with os.scandir(folder) as listed:
        entries = sorted(listed, key=lambda entry: entry.name)
    folders = tuple(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    return Listing(tuple(entry.name for entry in entries), folders)


def below(top: Path, name: str) -> list[Path]:
    """Files of a name in a folder's tree, in any letter case, nearest to the top first; no links followed."""
    paths, folders = list[Path](), [top]
    # The list grows while it is read: level by level.
    for folder in folders:
        near = listing(folder)
        paths += [folder / match for match in near.alike(name) if match not in near.folders]
        folders += [folder / subfolder for subfolder in near.folders[: MOST_FOLDERS - len(folders)]]
    return paths


def beside(folder: Path, name: str) -> list[Path]:
    """Files of a name in a folder, in any letter case, and those that `below` finds in its image folders."""
    near = listing(folder)
    paths = [folder / match for match in near.alike(name)]
    for subfolder in filter(_OF_IMAGES.search, near.folders):
        paths += below(folder / subfolder, name)
    return paths


def searched(path: str | Path) -> str | None:
    """What a search, FOLDER/`ANYWHERE` or `BESIDE`/NAME, finds, relative to FOLDER; else None."""
    search = Path(path)
    top, look = search.parent.parent, {ANYWHERE: below, BESIDE: beside}.get(search.parent.name)
    if look is None:
        return None
    return ", ".join(path.relative_to(top).as_posix() for path in look(top, search.name)) or None
