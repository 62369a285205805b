"""SIGINT and SIGTERM end a command once; later signals do not disturb its clean-up."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_STOPPING = b"specsia: stopping; once more ends it at once\n"


@contextmanager
def stoppable(code: int) -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into a KeyboardInterrupt; the third exits with `code`."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = 0

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise KeyboardInterrupt
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _STOPPING)
        if asked > 2:
            os._exit(code)

    # Whoever started this process may have had it ignore one, as nohup does.
    kinds = [kind for kind in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(kind) != signal.SIG_IGN]
    before = {kind: signal.signal(kind, handle) for kind in kinds}
    try:
        yield
    finally:
        if not asked:
            for kind, handler in before.items():
                signal.signal(kind, handler)
        atexit.register(_ignore, kinds)


def _ignore(kinds: list[signal.Signals]) -> None:
    for kind in kinds:
        signal.signal(kind, signal.SIG_IGN)
