"""Keeping a second build out of a run's folder."""

from __future__ import annotations

import json
import os
import platform
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.files.locking import lock
from specsia_build.files.records import parse_json
from specsia_build.files.writing import writing
from specsia_build.pipeline.layout import RunLayout

BEAT_SECONDS = 5.0
"""How often a lease is renewed."""

STALE_SECONDS = 60.0
"""A lease that is not renewed for so long is of a build that was killed."""


class BusyError(UsageError):
    """Another build is at work in a run's folder."""


@contextmanager
def locked(
    layout: RunLayout, say: Callable[[str], None], pause: Callable[[float], None] = time.sleep
) -> Iterator[Callable[[], None]]:
    """Keep a second build out of a run's folder for as long as the context lasts, and see that it stays there.

    The system's lock of a file does it. Where the file system has none, a lease does: a small file that says who builds
    and is renewed while they do.

    Args:
        layout: of the run; its folder is made.
        say: shows a line to the user.
        pause: waits for so many seconds.

    Returns:
        What raises a SpecsiaError once the folder was removed or moved; it is asked at the end, too.

    Raises:
        BusyError: if another build is at work there.
        SpecsiaError: if the folder was removed or moved meanwhile.
        WriteError: if the folder cannot be written.
    """
    with writing(layout.lock):
        layout.lock.parent.mkdir(parents=True, exist_ok=True)
        stream = layout.lock.open("w")
    with stream:
        with writing(layout.lock):
            held = lock(stream)
        if held is False:
            raise _busy(layout)
        if not held:
            say(f"the file system of {layout.root} has no locks: {layout.lease.name} keeps other builds out instead")
        with nullcontext() if held else _leased(layout, say, pause):
            yield from _staying(layout, stream.fileno())


def _staying(layout: RunLayout, descriptor: int) -> Iterator[Callable[[], None]]:
    """What `locked` gives, asked at the end of the block.

    What is written after a folder was removed makes it anew, so that only its lock tells.
    """

    def see() -> None:
        with suppress(FileNotFoundError, NotADirectoryError):
            if os.path.samestat(layout.lock.stat(), os.fstat(descriptor)):
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
    see()


def _busy(layout: RunLayout, who: str = "") -> BusyError:
    return BusyError(f"another build{who} is at work in {layout.root}: wait for it, or use another --out")


@contextmanager
def _leased(layout: RunLayout, say: Callable[[str], None], pause: Callable[[float], None]) -> Iterator[None]:
    mine = secrets.token_hex(8)
    while not _created(layout.lease, mine):
        _outlast(layout, say, pause)
    done, lost = threading.Event(), threading.Event()

    def renew() -> None:
        beat = 0
        while not done.wait(BEAT_SECONDS):
            beat += 1
            # A renewal that fails is tried again; if others took over in the meantime, that is seen then.
            with suppress(OSError):
                if not _renewed(layout.lease, mine, beat):
                    lost.set()
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                    return

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    except KeyboardInterrupt as error:
        if not lost.is_set():
            raise
        raise SpecsiaError(
            f"another build took over {layout.root}, because this one had not renewed {layout.lease.name} for "
            f"{STALE_SECONDS:g} s: wait for that one"
        ) from error
    finally:
        done.set()
        thread.join()
        with writing(layout.lease):
            if not lost.is_set():
                layout.lease.unlink(missing_ok=True)


def _content(mine: str, beat: int) -> bytes:
    return json.dumps({"host": platform.node(), "process": os.getpid(), "key": mine, "beat": f"{beat:09d}"}).encode()


def _created(lease: Path, mine: str) -> bool:
    with writing(lease):
        try:
            with lease.open("xb") as stream:
                stream.write(_content(mine, 0))
        except FileExistsError:
            return False
        except OSError:
            lease.unlink(missing_ok=True)
            raise
    return True


def _renewed(lease: Path, mine: str, beat: int) -> bool:
    """Renew a lease in place, which needs no room; False where it is not ours any more."""
    try:
        with lease.open("r+b") as stream:
            if mine.encode() not in stream.read():
                return False
            stream.seek(0)
            stream.write(_content(mine, beat))
    except FileNotFoundError:
        return False
    return True


def _read(lease: Path) -> bytes | None:
    with writing(lease):
        try:
            return lease.read_bytes()
        except FileNotFoundError:
            return None


def _holder(seen: bytes) -> str:
    try:
        found = parse_json(seen, "it")
        return f" (process {found['process']} on {found['host']})"
    except (SpecsiaError, KeyError, TypeError):
        return ""


def _outlast(layout: RunLayout, say: Callable[[str], None], pause: Callable[[float], None]) -> None:
    """Watch another's lease until it is gone or stale, and remove it then. Clocks of machines differ, so none is read.

    Raises:
        BusyError: if it is renewed.
    """
    seen = _read(layout.lease)
    if seen is None:
        return
    who = _holder(seen)
    say(f"{layout.lease} is another build's{who}: seeing for {STALE_SECONDS:g} s whether that is still at work")
    for _ in range(int(STALE_SECONDS / BEAT_SECONDS)):
        pause(BEAT_SECONDS)
        now = _read(layout.lease)
        if now is None:
            return
        if now != seen:
            raise _busy(layout, who)
    with writing(layout.lease):
        aside = layout.lease.with_name(f".{secrets.token_hex(8)}.tmp")
        with suppress(FileNotFoundError):
            layout.lease.rename(aside)
            mistaken = aside.read_bytes() != seen
            if mistaken:
                # A third build was faster, and this is its lease.
                os.link(aside, layout.lease)
            aside.unlink()
            if mistaken:
                raise _busy(layout)
    say(f"it has not been renewed for {STALE_SECONDS:g} s: its build was killed, and this one goes on")
