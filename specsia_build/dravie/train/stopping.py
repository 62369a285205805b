"""A wish to stop that waits for the end of a step, so that what was learnt until then is kept."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_WAITING = b"specsia: stopping after this step; once more does not wait for it\n"


@contextmanager
def waiting() -> Iterator[Callable[[], bool]]:
    """Within the block the first SIGINT or SIGTERM waits, which is told; the second does at once what both did before.

    What waits is sent again where the block ends. Signals that are ignored, and those of other threads than the main
    one, are left alone.

    Yields:
        Whether one waits.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        if len(asked) == 1:
            os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _WAITING)
        else:
            signal.signal(number, before[signal.Signals(number)])
            signal.raise_signal(number)

    kinds = [signal.SIGINT, signal.SIGTERM]
    before = {kind: signal.getsignal(kind) for kind in kinds if signal.getsignal(kind) not in (signal.SIG_IGN, None)}
    for kind in before:
        signal.signal(kind, handle)
    try:
        yield lambda: bool(asked)
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
        if len(asked) == 1:
            signal.raise_signal(asked[0])
