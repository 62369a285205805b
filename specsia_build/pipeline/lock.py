"""Keeping a second build out of a run's folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from filelock import FileLock, Timeout

from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.files.writing import writing
from specsia_build.pipeline.layout import RunLayout


@contextmanager
def locked(layout: RunLayout) -> Iterator[Callable[[], None]]:
    """Keep a second build out of a run's folder, which is made, for as long as the context lasts.

    Returns:
        A function that raises a SpecsiaError once the folder was removed or moved; it is called at the end, too.

    Raises:
        UsageError: if another build is at work there.
        SpecsiaError: if the folder was removed or moved meanwhile.
        WriteError: if the folder cannot be written.
    """
    lock, existed = FileLock(layout.lock, timeout=0), layout.root.exists()
    with writing(layout.lock):
        layout.lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout as error:
            raise UsageError(
                f"another build is at work in {layout.root}: wait for it, or use another --out; if there is none, "
                f"delete {layout.lock}"
            ) from error
    # What is written after a folder was removed makes it anew: an open handle tells the two apart.
    handle = os.open(layout.lock.parent, os.O_RDONLY | os.O_CLOEXEC)

    def check() -> None:
        with suppress(FileNotFoundError, NotADirectoryError):
            if os.path.samestat(layout.lock.parent.stat(), os.fstat(handle)):
                return
        raise SpecsiaError(
            f"{layout.root} was removed or moved while this build was at work in it: delete what was written there "
            "since, then give the same command again"
        )

    try:
        yield check
    except Exception:
        check()
        raise
    else:
        check()
    finally:
        os.close(handle)
        with suppress(OSError):
            lock.release()
            # A build that was refused leaves nothing.
            if not layout.mark.exists():
                for path in (layout.lock, layout.index):
                    path.unlink(missing_ok=True)
                layout.lock.parent.rmdir()
                if not existed:
                    layout.root.rmdir()
