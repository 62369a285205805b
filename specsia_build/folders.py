"""Folders of the user, of the package, and of caches."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from specsia_build.errors import SpecsiaError
from specsia_build.files.writing import writing

UNUSED_DAYS = 30
"""Days after which an unused folder of a cache is removed."""

_DIGITS = frozenset("0123456789abcdef")

_used: dict[Path, int] = {}
"""Cache folders that this process uses, with an open descriptor that holds a shared lock until the process ends."""


def home() -> Path:
    """The user's home folder; `os.devnull`, below which nothing can be created, for a user without one."""
    # Path.home raises an error for them: containers run as numbers that the system does not know.
    path = os.path.expanduser("~")  # noqa: PTH111
    return Path(path if os.path.isabs(path) else os.devnull)  # noqa: PTH117


def homed() -> dict[str, str]:
    """This process's environment with `HOME` set, without which some programs crash, Blender among them."""
    return {"HOME": str(home()), **os.environ}


def expanded(path: str) -> Path:
    """Expand ``~`` in a path that a user gave; it stays if there is no such user."""
    return Path(os.path.expanduser(path))  # noqa: PTH111


def caches_home() -> Path:
    """Folder of the user's caches: `XDG_CACHE_HOME`, else ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache")


def user_cache() -> Path:
    """Folder of this package's caches."""
    return caches_home() / "specsia"


def shipped(name: str) -> Path:
    """A folder of the package, ``manifests`` or ``blender_scripts``: inside it or, in a checkout, beside it."""
    package = Path(__file__).resolve().parent
    return package / name if (package / name).is_dir() else package.parent / name


def private_folder(name: str) -> Path:
    """Create a folder in the temporary one that all processes of this user share and nobody else may enter.

    Raises:
        SpecsiaError: if others may enter it, or it cannot be created.
    """
    path = Path(tempfile.gettempdir()) / f"{name}-{os.getuid()}"
    with writing(path):
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise SpecsiaError(f"{path} is not yours alone, so nothing is kept there: remove it, or set TMPDIR")
    return path


def use(folder: Path) -> None:
    """Mark a folder of a cache as used now, and lock it against `prune` until this process ends."""
    if folder not in _used:
        # What cannot be marked cannot be removed either, on a read-only disk for instance.
        with suppress(OSError):
            _used[folder] = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            os.utime(folder)
            fcntl.flock(_used[folder], fcntl.LOCK_SH | fcntl.LOCK_NB)


def prune(cache: Path, most: int | None = None) -> list[Path]:
    """Remove folders of a cache that no process uses and nobody has used for `UNUSED_DAYS`.

    Args:
        cache: its folders have hexadecimal names; everything else in it is left alone.
        most: keep only so many folders, the last used ones.

    Returns:
        The removed folders.
    """
    with suppress(OSError):
        folders = [path for path in cache.iterdir() if set(path.name) <= _DIGITS and path.is_dir()]
        by_use = sorted(((path.stat().st_mtime, path) for path in folders), reverse=True)
        oldest = time.time() - UNUSED_DAYS * 86400
        surplus = {path for _, path in by_use[len(by_use) if most is None else most :]}
        return [path for used, path in by_use if (used < oldest or path in surplus) and _remove_unused(path)]
    return []


def _remove_unused(folder: Path) -> bool:
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()
    finally:
        os.close(handle)
