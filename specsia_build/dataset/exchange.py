"""Replace a dataset by a finished one in a single step, so that nobody ever sees neither or half.

Of the old one only the files that its `SHA256SUMS` lists are removed; other files in its folder are kept.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
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
    # Its folders may be empty, where files are gone that lay in them.
    own |= {str(above) for name in own for above in Path(name).parents if _is_folder(folder / above)}
    return [name for name in listed_below(folder) if name not in own]


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def remove(folder: Path) -> list[str]:
    """Remove a dataset; returns the names of what is not of it and stays."""
    # The list comes last, so that after a removal that was killed it still tells what is the dataset's.
    for name in sorted(listed_names(folder), key=lambda name: name == SUMS_FILE):
        if not (folder / name).is_dir():
            (folder / name).unlink(missing_ok=True)
    remove_empty(folder)
    return listed_below(folder)


def _tidy_up(folder: Path) -> None:
    """Remove the dataset that was replaced; what is not of it lies in the new one already, or is moved there."""
    aside = _aside(folder)
    for name in remove(aside):
        old, new = aside / name, folder / name
        if not os.path.lexists(new):
            new.parent.mkdir(parents=True, exist_ok=True)
            old.replace(new)
        elif _is_folder(old):
            old.rmdir()
        else:
            old.unlink()
    remove_empty(aside)


def recover(folder: Path) -> None:
    """Finish what `put` was about to do when it was killed, or undo it where that took it two steps."""
    if not _aside(folder).is_dir():
        return
    if folder.exists():
        _tidy_up(folder)
    else:
        _aside(folder).replace(folder)


def _carry(old: Path, new: Path) -> None:
    """Put a file or empty folder that is not of the old dataset into the new one, by a hard link if there are any."""
    new.parent.mkdir(parents=True, exist_ok=True)
    if _is_folder(old):
        new.mkdir()
        return
    try:
        os.link(old, new, follow_symlinks=False)
    except OSError:
        shutil.copy2(old, new, follow_symlinks=False)


def _in_the_way(name: str, finished: Path) -> bool:
    """Whether a dataset has a file of this name, or in place of one of its folders."""
    above = (finished / parent for parent in Path(name).parents if parent != Path())
    return os.path.lexists(finished / name) or any(path.is_file() for path in above)


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
    if taken := [name for name in foreign if _in_the_way(name, finished)]:
        raise SpecsiaError(
            f"{folder} holds {some(taken)}, which its {SUMS_FILE} does not list, so the dataset does not replace it: "
            "move that elsewhere and give the same command again"
        )
    for name in foreign:
        _carry(folder / name, finished / name)
    if _swapped(finished, folder):
        finished.replace(_aside(folder))
    else:
        folder.replace(_aside(folder))
        finished.replace(folder)
    _tidy_up(folder)
    return foreign
