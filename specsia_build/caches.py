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


def prune(cache: Path, most: int | None = None) -> list[Path]:
    """Remove folders of a cache that no process uses and nobody has used for `UNUSED_DAYS`.

    Args:
        cache: its folders are named by hexadecimal digits; other things in it are left alone.
        most: folders that stay, the last used ones; None for all that are not too old.

    Returns:
        The folders that were removed.
    """
    with suppress(OSError):
        found = [path for path in cache.iterdir() if set(path.name) <= _DIGITS and path.is_dir()]
        by_use = sorted(((path.stat().st_mtime, path) for path in found), reverse=True)
        oldest = time.time() - UNUSED_DAYS * 86400
        surplus = {path for _, path in by_use[len(by_use) if most is None else most :]}
        return [path for used, path in by_use if (used < oldest or path in surplus) and _removed(path)]
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
