"""Defer SIGINT and SIGTERM to the end of a training step, so that what was learnt until then is kept."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_DEFERRED = b"specsia: stopping after this step; once more does not wait for it\n"


@contextmanager
def deferred() -> Iterator[Callable[[], bool]]:
    """Defer the first SIGINT or SIGTERM to the end of the block; the second acts at once.

    Signals that are ignored, and those outside the main thread, are left alone.

    Yields:
        Whether one is deferred.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    received: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _DEFERRED)
        else:
            signal.signal(number, before[signal.Signals(number)])
            signal.raise_signal(number)

    kinds = [signal.SIGINT, signal.SIGTERM]
    before = {kind: signal.getsignal(kind) for kind in kinds if signal.getsignal(kind) not in (signal.SIG_IGN, None)}
    for kind in before:
        signal.signal(kind, handle)
    try:
        yield lambda: bool(received)
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
        if len(received) == 1:
            signal.raise_signal(received[0])
