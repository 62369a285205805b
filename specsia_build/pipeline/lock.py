"""Keeping a second build out of a run's folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.files.writing import writing
from specsia_build.pipeline.layout import RunLayout


class BusyError(UsageError):
    """Another build is at work in a run's folder."""


@contextmanager
def locked(layout: RunLayout) -> Iterator[Callable[[], None]]:
    """Keep a second build out of a run's folder, which is made, for as long as the context lasts.

    Returns:
        A function that raises a SpecsiaError once the folder was removed or moved; it is called at the end, too.

    Raises:
        BusyError: if another build is at work there.
        SpecsiaError: if the folder was removed or moved meanwhile.
        WriteError: if the folder cannot be written.
    """
    with writing(layout.lock):
        layout.lock.parent.mkdir(parents=True, exist_ok=True)
        lock = _acquired(layout)
    # What is written after a folder was removed makes it anew: an open handle tells the two apart.
    handle = os.open(layout.lock.parent, os.O_RDONLY | os.O_CLOEXEC)

    def see() -> None:
        with suppress(FileNotFoundError, NotADirectoryError):
            if os.path.samestat(layout.lock.parent.stat(), os.fstat(handle)):
                return
        raise SpecsiaError(
            f"{layout.root} was removed or moved while this build was at work in it: delete what was written there "
            "since, then give the same command again"
        )

    try:
        yield see
    except Exception:
        see()
        raise
    else:
        see()
    finally:
        os.close(handle)
        with suppress(OSError):
            lock.release()


def _acquired(layout: RunLayout) -> BaseFileLock:
    lock: BaseFileLock = FileLock(layout.lock, timeout=0)
    try:
        lock.acquire()
    except NotImplementedError:
        # A file system without locks: a file that is there while a build is.
        lock = SoftFileLock(layout.lock.with_name("lock-file"), timeout=0)
    except Timeout as error:
        raise _busy(layout) from error
    if not lock.is_locked:
        try:
            lock.acquire()
        except Timeout as error:
            raise _busy(layout, f"; if none is, delete {lock.lock_file}") from error
    return lock


def _busy(layout: RunLayout, more: str = "") -> BusyError:
    return BusyError(f"another build is at work in {layout.root}: wait for it, or use another --out{more}")
