"""Defer SIGINT and SIGTERM to the end of a training step, so that its checkpoint is written."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_NOTICE = b"specsia: stopping after this step; once more does not wait for it\n"


@contextmanager
def deferred() -> Iterator[Callable[[], bool]]:
    """Defer the first SIGINT or SIGTERM to the end of the block; the second acts at once.

    Signals that are ignored, and those outside the main thread, are left alone.

    Yields:
        A function that returns whether a signal is deferred.
    """
    received: list[int] = []
    kinds = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = {kind: signal.getsignal(kind) for kind in kinds if signal.getsignal(kind) not in (signal.SIG_IGN, None)}

    def restore() -> None:
        for kind, handler in before.items():
            signal.signal(kind, handler)

    def handle(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        restore()
        # `print` could be interrupted while it holds its lock.
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _NOTICE)

    for kind in before:
        signal.signal(kind, handle)
    try:
        yield lambda: bool(received)
    finally:
        restore()
    if received:
        signal.raise_signal(received[0])
