"""Programs in a session of their own, ended together with every process that they started."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import psutil

from specsia_build.errors import brief
from specsia_build.files.writing import writing
from specsia_build.memory import unlimited

MAX_LOG_BYTES = 20 * 2**20
"""Size of a log above which the next program begins a new one."""

MAX_QUOTED = 200
"""Characters of a program's last line that an error quotes."""

_MARK = "SPECSIA_PROCESS"
"""Environment variable by which a program's descendants are known, whatever their session and parent."""

_KILL_SECONDS = 10.0
_NOT_PASSED = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV")
"""Variables of this interpreter that would break another one."""

_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


def worker_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment for a program in another Python: this process's, less what belongs to its own, with `extra`."""
    own = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED}
    return {**own, "PYTHONUNBUFFERED": "1", **(extra or {})}


def _end_with_parent() -> None:
    """Have Linux kill this process when the thread that started it ends."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Program:
    """A running program.

    Attributes:
        process: its process, with its input, output and exit code.
        log: the file that its standard error goes to.
    """

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path | None = None,
        log: Path | None = None,
        *,
        piped: bool = False,
    ) -> None:
        """Start a program without a shell.

        Args:
            argv: program and arguments.
            env: all of its environment variables.
            cwd: working directory, by default this process's.
            log: file to append its prints to; a temporary one by default.
            piped: whether standard input and output are pipes; otherwise there is no input, and output is logged.

        Raises:
            OSError, ValueError: if it cannot be started.
            WriteError: if the log cannot be written.
        """
        self._mark = uuid.uuid4().hex
        self.log = _opened(log)
        try:
            with unlimited():
                self.process = subprocess.Popen(  # noqa: S603  the user's own settings name the program
                    list(argv),
                    cwd=cwd,
                    env={**env, _MARK: self._mark},
                    stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                    stdout=subprocess.PIPE if piped else self.log,
                    stderr=self.log,
                    start_new_session=True,
                    # A worker notices the end of its input instead.
                    preexec_fn=None if piped else _end_with_parent,
                )
        except BaseException:
            self.log.close()
            raise

    def last_line(self) -> str:
        """The last line of the log that is not blank, short and printable, or nothing."""
        size = os.fstat(self.log.fileno()).st_size
        end = os.pread(self.log.fileno(), 4096, max(0, size - 4096))
        lines = [line.strip() for line in end.decode(errors="replace").splitlines()]
        return next((brief(line, MAX_QUOTED) for line in reversed(lines) if line), "")

    def ending(self) -> str:
        """How the program ended, such as "ended with exit code 3; the last it printed: ..."."""
        code, last = self.process.returncode, self.last_line()
        if code is None:
            how = "closed its output"
        elif code >= 0:
            how = f"ended with exit code {code}"
        else:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            how = f"was killed by {name}{' (out of memory?)' if -code == signal.SIGKILL else ''}"
        return f"{how}; the last it printed: {last}" if last else how

    def end(self) -> None:
        """Kill the program and every process that it started. Can be called twice."""
        deadline = time.monotonic() + _KILL_SECONDS
        while (living := [p for p in psutil.process_iter() if self._started(p)]) and time.monotonic() < deadline:
            for process in living:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(living, timeout=0.5)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1.0)
        for stream in (self.process.stdin, self.process.stdout, self.log):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _started(self, process: psutil.Process) -> bool:
        """Whether a process is the program or descends from it, and runs."""
        # Other users' processes cannot be looked at, and any may end meanwhile.
        try:
            own = process.environ().get(_MARK) == self._mark or os.getsid(process.pid) == self.process.pid
            return own and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, OSError):
            return False


def _opened(log: Path | None) -> IO[bytes]:
    """Open a log for appending and reading."""
    if log is None:
        return tempfile.TemporaryFile()
    with writing(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
            log.unlink()
        return log.open("ab+")
