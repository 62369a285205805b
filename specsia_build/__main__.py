"""Entry point of `specsia` and `python -m specsia_build`, which handles Ctrl-C while the commands are imported."""

from __future__ import annotations

import os
import signal
from types import FrameType

_INTERRUPTED = 130

_NOT_BEGUN = b"specsia: stopped before it began\n"


def _end(_number: int, _frame: FrameType | None) -> None:
    os.write(2, _NOT_BEGUN)
    os._exit(_INTERRUPTED)


def main() -> None:
    """Run the command of this process's arguments."""
    # Signals that the parent had ignored, as nohup does, stay ignored.
    kinds = [kind for kind in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(kind) != signal.SIG_IGN]
    before = {kind: signal.signal(kind, _end) for kind in kinds}
    from specsia_build.cli import main as run

    for kind, handler in before.items():
        signal.signal(kind, handler)
    run()


if __name__ == "__main__":
    main()
