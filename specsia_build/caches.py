"""Folders of what can be made again: each marked as used, and removed once nobody has used it for long."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from specsia_build.errors import SpecsiaError
from specsia_build.files.locking import lock
from specsia_build.files.writing import writing

_DIGITS = frozenset("0123456789abcdef")

UNUSED_DAYS = 30
"""After which a folder of a cache is removed."""

_NEW = "new-"
"""What the name of a folder begins with until it is marked as used."""

_used: dict[Path, int] = {}
"""Folders that this process uses, each open for as long as it lives, which holds the lock."""


def private_folder(name: str) -> Path:
    """A folder below the temporary one that all processes of this user share and nobody else may enter.

    Raises:
        SpecsiaError: if somebody else may, or it cannot be made.
    """
    path = Path(tempfile.gettempdir()) / f"{name}-{os.getuid()}"
    with writing(path):
        path.mkdir(mode=0o700, exist_ok=True)
        facts = path.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
        raise SpecsiaError(f"{path} is not yours alone, so nothing is kept there: remove it, or set TMPDIR")
    return path


def use(folder: Path) -> None:
    """Mark a folder of a cache as used now, and by this process for as long as it lives."""
    if folder in _used:
        return
    # What cannot be marked, on a read-only disk say, cannot be removed either.
    with suppress(OSError):
        _used[folder] = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        lock(_used[folder], shared=True)
        os.utime(folder)


def new_folder(cache: Path, name: str) -> Path:
    """A new folder of a cache that this process uses, so that no other removes it however soon.

    Args:
        cache: where it is made.
        name: of it, of hexadecimal digits.
    """
    fresh = cache / f"{_NEW}{name}"
    fresh.mkdir()
    use(fresh)
    return fresh.rename(cache / name)


def prune(cache: Path, most: int | None = None) -> list[Path]:
    """Remove folders of a cache that no process uses and nobody has used for `UNUSED_DAYS`.

    Args:
        cache: its folders are named by hexadecimal digits and nothing else, or are what a killed `new_folder` has left;
            other things in it are left alone.
        most: folders that stay, the last used ones; None for all that are not too old.

    Returns:
        The folders that were removed.
    """
    with suppress(OSError):
        found = [p for p in cache.iterdir() if set(p.name.removeprefix(_NEW)) <= _DIGITS and p.is_dir()]
        by_use = sorted(((p.stat().st_mtime, p) for p in found), reverse=True)
        oldest = time.time() - UNUSED_DAYS * 86400
        whole = [p for _, p in by_use if not p.name.startswith(_NEW)]
        # One that is new may be about to be used.
        surplus = set(whole[len(whole) if most is None else most :])
        return [p for used, p in by_use if (used < oldest or p in surplus) and _removed(p)]
    return []


def _removed(folder: Path) -> bool:
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if folder in _used or not lock(handle):
            return False
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()
    finally:
        os.close(handle)
