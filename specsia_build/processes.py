"""Programs in a session of their own, ended together with every process that they started."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import ceil
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import IO, Any

import psutil

from specsia_build.errors import brief
from specsia_build.files.records import MOST_JSON_BYTES
from specsia_build.files.writing import writing
from specsia_build.memory import unlimited
from specsia_build.pool import LOOK_SECONDS, how_ended

MAX_QUOTED = 200  # Characters of a program's last line that an error quotes
MAX_LINE_BYTES = 2**20  # Longest line that is read from a program's output at once
# Environment variable that marks a program's descendants, whatever their session and parent
_MARK = "SPECSIA_PROCESS"
_NOT_PASSED = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV")  # Would break another interpreter
_MOST_LINES = 64  # Lines that wait to be read; a program that writes more waits, so that memory is bounded

_KILL_SECONDS, _LEAVE_SECONDS = 10.0, 5.0
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


def worker_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment for a program in another Python: this one's without its Python's variables, and `extra`."""
    passed = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED}
    return {**passed, "PYTHONUNBUFFERED": "1", **(extra or {})}


def _end_with_parent() -> None:
    """Have Linux kill this process when the thread that started it ends."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Program:
    """A running program, started without a shell; prints are appended to a log, by default a temporary file.

    `lines` has what the program writes to a pipe, line by line, then None. Raises OSError or ValueError if it
    cannot be started, WriteError if the log cannot be written.

    Args:
        argv, env, cwd: as of `subprocess.Popen`.
        log: file for its standard error, and for its standard output unless it is piped.
        piped: whether standard input and output are pipes; otherwise there is no input.
        apart: whether `lines` come from a pipe whose number is added to `argv`, and prints go to the log.
    """

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path | None = None,
        log: Path | None = None,
        *,
        piped: bool,
        apart: bool = False,
    ) -> None:
        self._mark, self._log = uuid.uuid4().hex, _opened(log)
        own, theirs = os.pipe() if apart else (-1, -1)
        self.lines: Queue[bytes | None] = Queue(_MOST_LINES)
        try:
            with unlimited():
                self.process = subprocess.Popen(  # noqa: S603  the user's own settings name the program
                    [*argv, *([str(theirs)] if apart else [])],
                    cwd=cwd,
                    env={**env, _MARK: self._mark},
                    stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                    stdout=subprocess.PIPE if piped and not apart else self._log,
                    stderr=self._log,
                    pass_fds=(theirs,) if apart else (),
                    start_new_session=True,
                    # A program with pipes notices the end of its input instead.
                    preexec_fn=None if piped else _end_with_parent,
                )
        except BaseException:
            self._log.close()
            if apart:
                os.close(own)
            raise
        finally:
            if apart:
                os.close(theirs)
        stream = os.fdopen(own, "rb") if apart else self.process.stdout
        if stream is not None:
            most = MOST_JSON_BYTES if apart else MAX_LINE_BYTES
            Thread(target=self._listen, args=(stream, most), daemon=True).start()

    def _listen(self, stream: IO[bytes], most: int) -> None:
        with stream:
            while line := stream.readline(most):
                self.lines.put(line)
        self.lines.put(None)

    def send(self, message: Mapping[str, Any]) -> None:
        """Write a line of JSON to the program's input. Raises EOFError, saying how it ended, if it has."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message).encode("ascii") + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise EOFError(self.ending()) from error

    def receive(self, seconds: float) -> bytes:
        """The next of `lines`; TimeoutError after so many seconds, EOFError, saying how the program ended."""
        # Waits are counted, so that time while this process is stopped, as by Ctrl-Z, does not count.
        for number in range(ceil(seconds / LOOK_SECONDS)):
            # A process that the program left behind may hold its output open.
            gone = self.process.poll() is not None
            with suppress(Empty):
                line = self.lines.get(timeout=min(LOOK_SECONDS, seconds - number * LOOK_SECONDS))
                if line is not None:
                    return line
                gone = True
            if gone:
                raise EOFError(self.ending())
        raise TimeoutError

    def last_line(self) -> str:
        """The last line of the log that is not blank, short and printable, or nothing."""
        size = os.fstat(self._log.fileno()).st_size
        text = os.pread(self._log.fileno(), 4096, max(0, size - 4096)).decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return brief(lines[-1], MAX_QUOTED) if lines else ""

    def ending(self) -> str:
        """Describe how the program ended, such as "ended with exit code 3; the last it printed: ..."."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_LEAVE_SECONDS)
        code, last = self.process.returncode, self.last_line()
        how = "closed its output" if code is None else how_ended(code)
        how += " (out of memory?)" if code == -signal.SIGKILL else ""
        return f"{how}; the last it printed: {last}" if last else how

    def end(self) -> None:
        """Kill the program and every process that it started. Can be called twice."""
        deadline = time.monotonic() + _KILL_SECONDS
        while (living := list(filter(self._started, psutil.process_iter()))) and time.monotonic() < deadline:
            for process in living:
                with suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(living, timeout=0.5)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(1.0)
        # The listener may wait for room; it ends once it has seen the end of the output.
        with suppress(Empty):
            while self.lines.get(timeout=0.1) is not None:
                pass
        for stream in (self.process.stdin, self._log):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def _started(self, process: psutil.Process) -> bool:
        """Whether a process is the program or descends from it, and runs."""
        # Other users' processes cannot be inspected, and any may end meanwhile.
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
        return log.open("ab+")
