"""Putting a finished folder in the place of an old one in a single step, so that nobody ever sees neither or half."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from pathlib import Path

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


def _old(folder: Path) -> Path:
    return folder.with_name(folder.name + ".old")


def recover(folder: Path) -> None:
    """Bring back a folder that `put` was about to replace when it was killed, where that took it two steps."""
    if not folder.exists() and _old(folder).exists():
        _old(folder).replace(folder)


def put(finished: Path, folder: Path) -> None:
    """Let a finished folder take the place of another, which is removed; both are in the same parent folder.

    Killed at any instant it leaves the old folder or the finished one under that name. Where the file system cannot
    exchange folders, the old one may be left aside for a moment; `recover` brings it back.
    """
    old = _old(folder)
    shutil.rmtree(old, ignore_errors=True)
    if not folder.exists():
        finished.replace(folder)
        return
    if _swapped(finished, folder):
        finished.replace(old)
    else:
        folder.replace(old)
        finished.replace(folder)
    shutil.rmtree(old, ignore_errors=True)
