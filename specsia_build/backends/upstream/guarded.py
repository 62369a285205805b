"""A program under a guardian: whatever it starts ends with it, and it ends with this process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from specsia_build.backends.upstream import guardian
from specsia_build.memory import unlimited

_GUARDIAN = Path(guardian.__file__)

_PATIENCE_SECONDS = 10.0
"""For a guardian to end all that a program started; longer than the guardian itself tries."""

_MARK = "SPECSIA_GUARDED"
"""Environment variable by which a program and all that it started are known, should it kill its guardian."""


@dataclass
class Guarded:
    """A running program.

    Attributes:
        process: its guardian, with its input, output and exit code.
    """

    process: subprocess.Popen[bytes]
    _control: int
    _mark: str

    def end(self) -> None:
        """End the program with all that it started, at once. Ending twice is no fault."""
        if self._control < 0:
            return
        os.close(self._control)
        self._control = -1
        # A program may have stopped its guardian.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            self.process.send_signal(signal.SIGCONT)
        try:
            self.process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        if self.process.returncode < 0:
            _end_marked(self._mark)


def _marked(mark: str) -> list[int]:
    """Processes that bear the mark, as Linux lists them; none elsewhere."""
    wanted, found = f"{_MARK}={mark}".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        # It may be another user's, or end before it is looked at.
        with contextlib.suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def _end_marked(mark: str) -> None:
    """Kill what a guardian that was killed itself has left."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while (living := _marked(mark)) and time.monotonic() < until:
        for pid in living:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)


def start(
    argv: Sequence[str], cwd: Path | None, env: Mapping[str, str], stdin: int, stdout: int, stderr: int
) -> Guarded:
    """Start a program without a shell.

    Args:
        argv: program and arguments.
        cwd: working directory, by default this process's.
        env: all of its environment variables.
        stdin, stdout, stderr: as `subprocess.Popen` takes them.

    Raises:
        OSError, ValueError: if its guardian cannot be started.
    """
    ours, control = os.pipe()
    mark = uuid.uuid4().hex
    try:
        with unlimited():
            process = subprocess.Popen(  # noqa: S603  the user's own settings name the program
                [sys.executable, "-I", "-S", str(_GUARDIAN), str(ours), *argv],
                cwd=cwd,
                env={**env, _MARK: mark},
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=(ours,),
                start_new_session=True,
            )
    except BaseException:
        os.close(control)
        raise
    finally:
        os.close(ours)
    return Guarded(process, control, mark)


def ending(code: int, last: str) -> str:
    """How a program ended: "ended with exit code 3; the last it printed: ..."."""
    words = f"; the last it printed: {last}" if last else ""
    if code >= 0:
        return f"ended with exit code {code}{words}"
    return f"was killed by {_signal_name(-code)}{' (out of memory?)' if code == -signal.SIGKILL else ''}{words}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
