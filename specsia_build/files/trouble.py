"""What the system has against writing, in sentences."""

from __future__ import annotations

import errno
import shutil
import tempfile
from pathlib import Path

from specsia_build.errors import WriteError
from specsia_build.files.names import is_temporary

AGAIN = "give the same command again; it goes on from here"


_FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "your quota is used up"}


def cannot_write(path: Path, error: OSError, needed: int | None = None) -> WriteError:
    """Why a file could not be written, with what to do.

    Args:
        path: of the file; one that the error names is told instead.
        error: what the system said.
        needed: bytes that were to be written, where that is known.
    """
    if isinstance(error.filename, str) and not is_temporary(Path(error.filename).name):
        path = Path(error.filename)
    if (full := _FULL.get(error.errno or 0)) is not None:
        return WriteError(f"{full}, so {path} could not be written{_room(path, needed)}: make room and {AGAIN}")
    if error.errno in (errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
        return WriteError(f"{path} cannot be written because a folder or file stands in its way: move that elsewhere")
    why = error.strerror or error
    return WriteError(f"{path} could not be written ({why}): let its folder be written, and {AGAIN}")


def write_trouble(error: BaseException) -> WriteError | None:
    """What an error, or what led to it, says of a place that cannot be written; None if it is about something else.

    Such a place is nobody's fault whose turn it is: what comes next would fail likewise.
    """
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, WriteError):
            return found
        if isinstance(found, OSError) and found.errno in _FULL:
            # Without a name it is what is printed, or kept aside.
            return cannot_write(Path(tempfile.gettempdir()) / "a file", found)
        found = found.__cause__ or found.__context__
    return None


def _room(path: Path, needed: int | None) -> str:
    for folder in path.parents:
        try:
            free = f"{_amount(shutil.disk_usage(folder).free)} free"
        except OSError:
            continue
        return f" ({free})" if needed is None else f" ({_amount(needed)} needed, {free})"
    return ""


def _amount(size: int) -> str:
    return f"{size / 2**10:,.1f} kB" if size < 2**20 else f"{size / 2**20:,.1f} MB"
