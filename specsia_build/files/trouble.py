"""What the system has against writing, in sentences."""

from __future__ import annotations

import errno
import shutil
import tempfile
from pathlib import Path

from specsia_build.errors import WriteError
from specsia_build.files.names import is_temporary

AGAIN = "give the same command again; it goes on from here"


def cannot_write(path: Path, error: OSError, needed: int | None = None) -> WriteError:
    """Why a file could not be written, with what to do.

    Args:
        path: of the file; one that the error names is told instead.
        error: what the system said.
        needed: bytes that were to be written, where that is known.
    """
    if isinstance(error.filename, str) and not is_temporary(Path(error.filename).name):
        path = Path(error.filename)
    go_on = f"and {AGAIN}"
    full = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "your quota is used up"}.get(error.errno or 0)
    if full is not None:
        return WriteError(f"{full}, so {path} could not be written{_room(path, needed)}: make room {go_on}")
    if error.errno == errno.EFBIG:
        return WriteError(f"{path} would be larger than a file may be here: raise that limit (ulimit -f) {go_on}")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return WriteError(f"{path} may not be written ({error.strerror}): make its folder writable, or name another")
    if error.errno in (errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
        return WriteError(f"{path} cannot be written because a folder or file stands in its way: move that elsewhere")
    return WriteError(f"{path} could not be written: {error.strerror or error}")


def write_trouble(error: BaseException) -> WriteError | None:
    """What an error, or what led to it, says of a place that cannot be written; None if it is about something else.

    Such a place is nobody's fault whose turn it is: what comes next would fail likewise.
    """
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, WriteError):
            return found
        if isinstance(found, OSError) and found.errno in (errno.ENOSPC, errno.EDQUOT):
            if isinstance(found.filename, str):
                return cannot_write(Path(found.filename), found)
            aside = Path(tempfile.gettempdir())
            return WriteError(
                f"a disk is full, so what is printed or kept aside in {aside} could not be written"
                f"{_room(aside / 'x', None)}: make room and {AGAIN}"
            )
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
