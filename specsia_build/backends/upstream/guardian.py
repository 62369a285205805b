"""Runs a program, and ends with it, or with whoever started the guardian, everything that the program has started.

Run as ``python guardian.py DESCRIPTOR PROGRAM [ARGUMENT]...`` with the reading end of a pipe as DESCRIPTOR: as soon as
nobody holds the writing end, or the guardian's parent is gone, or the program has ended, every process that came from
the program is killed. On Linux that holds whatever groups, sessions and parents those have given themselves, because
the guardian adopts whoever loses its parent; elsewhere it holds for the program's own process group.

It ends as the program did, with the same exit code or by the same signal. It needs the standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

CANNOT_START = 127
"""Exit code where the program cannot be run, as shells have it; standard error says why."""

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LOOK_MS = 500
_PATIENCE_SECONDS = 5.0
_ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _start(command: Sequence[str]) -> int:
    """Start the program in a session of its own; returns its process id."""
    guardian = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guardian:
            os._exit(1)
        for number in (*_ENDINGS, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        # A limit that somebody set to this process's own work would end a program that reserves memory for a GPU.
        for limit in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
            resource.setrlimit(limit, (resource.getrlimit(limit)[1],) * 2)
        os.execvp(command[0], list(command))  # noqa: S606  the user's own settings name the program
    except OSError as error:
        os.write(2, f"{command[0]} cannot be started: {error.strerror}\n".encode(errors="replace"))
    finally:
        os._exit(CANNOT_START)


def _reap(program: int) -> int | None:
    """Take note of children that have ended; how the program did, as negative signal or exit code, None if it lives."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0] != 0:
            if ended[0] == program:
                code = os.waitstatus_to_exitcode(ended[1])
    return code


def _descendants() -> list[int]:
    """Every process that came from this one, as Linux lists them."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            # It may end before it is looked at.
            with contextlib.suppress(OSError):
                parent = int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1])
                children.setdefault(parent, []).append(int(folder.name))
    found = [os.getpid()]
    for pid in found:
        found += children.get(pid, [])
    return found[1:]


def _end_all(program: int, code: int | None) -> int | None:
    """Kill whatever came from the program; how the program itself ended."""
    if not Path("/proc/self/stat").exists():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(program, signal.SIGKILL)
        return code
    until = time.monotonic() + _PATIENCE_SECONDS
    while (living := _descendants()) and time.monotonic() < until:
        for pid in living:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)
        ended = _reap(program)
        code = ended if code is None else code
    return code


def _watch(control: int, program: int) -> int | None:
    """Wait until it is time to end; how the program ended, None if it lives."""
    wake, woken = os.pipe()
    for descriptor in (wake, woken):
        os.set_blocking(descriptor, False)
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    for number in _ENDINGS:
        signal.signal(number, note)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    parent = os.getppid()
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(wake, select.POLLIN)
    while (code := _reap(program)) is None:
        ready = [descriptor for descriptor, _ in poll.poll(_LOOK_MS)]
        if control in ready or asked or os.getppid() != parent:
            break
        if wake in ready:
            os.read(wake, 4096)
    return code


def main(arguments: Sequence[str]) -> None:
    """Command line: DESCRIPTOR PROGRAM [ARGUMENT]..."""
    control = int(arguments[0])
    os.set_inheritable(control, False)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    program = _start(arguments[1:])
    # Its input and output are the program's alone: the end of one must be the end of the other.
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    code = _end_all(program, _watch(control, program))
    if code is None or code >= 0:
        os._exit(code or 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)


if __name__ == "__main__":
    main(sys.argv[1:])
