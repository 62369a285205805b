"""Replace a dataset by a finished one in a single step, so that nobody ever sees neither or half.

Of the old one only the files that its `SHA256SUMS` lists are removed; whatever else lies in it is kept.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Collection
from pathlib import Path

from specsia_build.dataset.checksums import parse_sums
from specsia_build.dataset.schema import SUMS_FILE
from specsia_build.errors import SpecsiaError, some
from specsia_build.ownership import listed_below, remove_empty

_AT_FDCWD = -100
_EXCHANGE = 2
"""`RENAME_EXCHANGE` of Linux and `RENAME_SWAP` of macOS alike."""


def _swapped(one: Path, two: Path) -> bool:
    """Exchange two folders in one step; False where the system or the file system cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    first, second = os.fsencode(one), os.fsencode(two)
    try:
        if sys.platform == "darwin":
            return bool(libc.renamex_np(first, second, _EXCHANGE) == 0)
        return bool(libc.renameat2(_AT_FDCWD, first, _AT_FDCWD, second, _EXCHANGE) == 0)
    except AttributeError:
        return False


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.replaced")


def listed_names(folder: Path) -> set[str]:
    """Names of the files that a dataset's `SHA256SUMS` lists, and itself; none without one."""
    try:
        listed, _ = parse_sums((folder / SUMS_FILE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return set()
    return {SUMS_FILE, *listed}


def foreign_names(folder: Path) -> list[str]:
    """Names of what lies in a dataset's folder and is not of the dataset, in order."""
    own = listed_names(folder)
    # Empty ones, where files are gone that lay in them.
    folders = {str(above) for name in own for above in Path(name).parents}
    return [name for name in listed_below(folder) if name not in own and not _is_folder_of(name, folder, folders)]


def _is_folder_of(name: str, folder: Path, folders: Collection[str]) -> bool:
    return name in folders and (folder / name).is_dir() and not (folder / name).is_symlink()


def remove(folder: Path) -> list[str]:
    """Remove a dataset; returns the names of what is not of it and stays."""
    own = listed_names(folder)
    # Last of all, so that what is left of a removal that was killed still tells what is the dataset's.
    for name in sorted(own, key=lambda name: name == SUMS_FILE):
        if not (folder / name).is_dir():
            (folder / name).unlink(missing_ok=True)
    remove_empty(folder)
    return listed_below(folder)


def _tidy_up(folder: Path) -> None:
    """Remove the dataset that was replaced; what is not of it lies in the new one already, or is moved there."""
    aside = _aside(folder)
    for name in remove(aside):
        if os.path.lexists(folder / name):
            _unlink(aside / name)
        else:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (aside / name).replace(folder / name)
    remove_empty(aside)


def _unlink(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink()


def recover(folder: Path) -> None:
    """Finish what `put` was about to do when it was killed, or undo it where that took it two steps."""
    if not _aside(folder).is_dir():
        return
    if folder.exists():
        _tidy_up(folder)
    else:
        _aside(folder).replace(folder)


def _carry(name: str, old: Path, new: Path) -> None:
    """Put a file that is not of the old dataset into the new one, by a hard link if there are any."""
    (new / name).parent.mkdir(parents=True, exist_ok=True)
    if (old / name).is_dir() and not (old / name).is_symlink():
        (new / name).mkdir()
        return
    try:
        os.link(old / name, new / name, follow_symlinks=False)
    except OSError:
        shutil.copy2(old / name, new / name, follow_symlinks=False)


def _in_the_way(name: str, finished: Path) -> bool:
    """Whether a dataset has a file of this name, or in place of one of its folders."""
    return os.path.lexists(finished / name) or any(
        (finished / above).is_file() for above in Path(name).parents if above != Path()
    )


def put(finished: Path, folder: Path) -> list[str]:
    """Replace a dataset by a finished one in the same parent folder; a kill leaves one of the two under that name.

    If the file system cannot exchange folders, the old one is aside for a moment, from where `recover` brings it back.

    Returns:
        Names of files that are not of the old dataset, which are kept.

    Raises:
        SpecsiaError: if such a file has the name of one of the finished dataset's; nothing is changed then.
    """
    recover(folder)
    if not folder.exists():
        finished.replace(folder)
        return []
    foreign = foreign_names(folder)
    taken = [name for name in foreign if _in_the_way(name, finished)]
    if taken:
        raise SpecsiaError(
            f"{folder} holds {some(taken)}, which its {SUMS_FILE} does not list, so the dataset does not replace it: "
            "move that elsewhere and give the same command again"
        )
    for name in foreign:
        _carry(name, folder, finished)
    if _swapped(finished, folder):
        finished.replace(_aside(folder))
    else:
        folder.replace(_aside(folder))
        finished.replace(folder)
    _tidy_up(folder)
    return foreign
