"""Keeps one worker process at work: starts it, watches it, starts it again, and says what went wrong."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from specsia_build.backends.upstream import guarded
from specsia_build.backends.upstream.bounded_log import BoundedLog
from specsia_build.backends.upstream.messages import (
    BadMessage,
    Hello,
    MessageReader,
    answers,
    read_done,
    read_failed,
    read_hello,
    write_message,
)
from specsia_build.backends.upstream.worker import HEARTBEAT_SECONDS, INPUT, OOM, PROTOCOL
from specsia_build.clock import Clock
from specsia_build.errors import CharacterError, brief
from specsia_build.files.sources import open_source_file
from specsia_build.files.writing import remove_tree

_MOST_SAID = 200
"""Characters of what a worker says or prints that a reason quotes; the rest is in its log."""


@dataclass(frozen=True)
class WorkerCommand:
    """How to start a worker.

    Attributes:
        name: of the backend, for messages.
        argv: program and arguments.
        settings: sent with the greeting.
        cwd: working directory.
        env: all of its environment variables.
        log: file that the worker's prints go to, the last of them where they are many, or None for nowhere.
        hint: sentence on what to do if it does not start.
    """

    name: str
    argv: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    log: Path | None = None
    hint: str = ""


@dataclass(frozen=True)
class Limits:
    """How long to wait, all in seconds.

    Attributes:
        start: for the greeting, which comes when everything is loaded.
        item: for one picture.
        heartbeat: between two signs of life.
        stop: for a worker to leave by itself.
        delay: before the second start in a row; doubled with every further one. The first is at once.
        longest_delay: no wait is longer.
        starts: starts in a row that may fail before pictures are given up without another try.
        rest: after which one more start is tried then.
    """

    start: float = 600.0
    item: float = 1800.0
    heartbeat: float = 60.0
    stop: float = 5.0
    delay: float = 1.0
    longest_delay: float = 60.0
    starts: int = 3
    rest: float = 60.0

    @property
    def patience(self) -> float:
        """The longest that one picture can take: two attempts, each with a start."""
        return 2 * (self.start + self.item + self.longest_delay + self.stop) + self.start


@dataclass(frozen=True)
class Made:
    """What a worker made of a picture.

    Attributes:
        mesh: the file, a regular one in the folder that the worker was given.
        seconds: as the worker measured.
        peak_mb: largest resident memory, peak_gpu_mb: largest device memory; None where it did not say.
        hello: the worker's greeting.
    """

    mesh: Path
    seconds: float
    peak_mb: float | None
    peak_gpu_mb: float | None
    hello: Hello


class _Fault(Exception):
    """One attempt failed: `reason` completes "the worker ..."; `final` if another attempt is in vain."""

    def __init__(self, reason: str, *, restart: bool, final: bool = False) -> None:
        super().__init__(reason)
        self.restart, self.final = restart, final


class Supervisor:
    """One worker, started when it is first needed.

    Attributes:
        starts: how often it was started.
    """

    def __init__(
        self,
        command: WorkerCommand,
        limits: Limits | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.starts = 0
        self._command, self._limits, self._sleep = command, limits or Limits(), sleep
        self._guarded: guarded.Guarded | None = None
        self._reader = MessageReader()
        self._hello: Hello | None = None
        self._log: BoundedLog | None = None
        self._faults = 0
        self._failed_starts = 0
        self._given_up_at = 0.0
        self._why_not = ""
        self._number = 0

    @property
    def _process(self) -> subprocess.Popen[bytes] | None:
        return None if self._guarded is None else self._guarded.process

    @property
    def pid(self) -> int | None:
        """Process id of the worker's guardian, with which the worker ends; None while there is none."""
        return None if self._process is None else self._process.pid

    def reconstruct(self, image: Path, folder: Path, seed: int, settings: Mapping[str, Any] | None = None) -> Made:
        """Have a picture done; what fails is tried once more.

        Args:
            image: RGBA file.
            folder: where the worker puts the mesh and what belongs to it; it makes the folder. What a failed attempt
                left there, or in the folder beside it with ``.part`` at its end, is removed.
            seed: the only source of randomness.
            settings: of this picture.

        Raises:
            CharacterError: if both attempts failed, or another one would be in vain.
        """
        reasons: list[str] = []
        for _ in range(2):
            try:
                self._ensure_started()
                made = self._ask(image, folder, seed, settings or {})
            except _Fault as fault:
                if fault.restart:
                    self.kill()
                    self._faults += 1
                for left in (folder, folder.with_name(f"{folder.name}.part")):
                    remove_tree(left)
                reasons.append(str(fault))
                if fault.final:
                    break
            else:
                self._faults = 0
                return made
        raise CharacterError(_sentence(self._command, reasons, self._log))

    def _ensure_started(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self.kill()
        if self._failed_starts >= self._limits.starts and time.monotonic() - self._given_up_at < self._limits.rest:
            raise _Fault(self._why_not, restart=False, final=True)
        if self._faults > 1:
            self._sleep(min(self._limits.delay * 2 ** (self._faults - 2), self._limits.longest_delay))
        try:
            self._start()
        except _Fault as fault:
            self._failed_starts += 1
            hint = f"; {self._command.hint}" if self._command.hint else ""
            self._given_up_at, self._why_not = time.monotonic(), f"{fault}{hint}"
            raise _Fault(self._why_not, restart=True, final=fault.final) from fault
        self._failed_starts = 0

    def _start(self) -> None:
        command = self._command
        self.starts += 1
        self._log = BoundedLog(command.log)
        try:
            self._guarded = guarded.start(
                command.argv, command.cwd, command.env, subprocess.PIPE, subprocess.PIPE, self._log.pipe
            )
        except (OSError, ValueError) as error:
            raise _Fault(f"cannot be started: {error}", restart=True) from error
        output = self._guarded.process.stdout
        assert output is not None
        self._reader = MessageReader(output.fileno(), garbage=self._log.write)
        greeting = {"protocol": PROTOCOL, "heartbeat": min(HEARTBEAT_SECONDS, self._limits.heartbeat / 4)}
        self._send({"type": "hello", "settings": dict(command.settings), **greeting})
        message = self._wait(None, self._limits.start, "start")
        if message["type"] == "error":
            raise _Fault(f"does not start: {self._said(read_failed(message).message)}", restart=True)
        try:
            self._hello = read_hello(message)
        except BadMessage as error:
            raise _Fault(str(error), restart=True, final=True) from error
        if self._hello.protocol != PROTOCOL:
            found = brief(str(self._hello.protocol), 20)
            raise _Fault(f"speaks version {found} of the protocol, not {PROTOCOL}", restart=True, final=True)

    def _ask(self, image: Path, folder: Path, seed: int, settings: Mapping[str, Any]) -> Made:
        self._number += 1
        request = {"id": self._number, "image": str(image), "folder": str(folder), "seed": seed}
        self._send({"type": "reconstruct", "settings": dict(settings), **request})
        answer = self._wait(self._number, self._limits.item, "answer")
        if answer["type"] == "error":
            failed = read_failed(answer)
            said = self._said(failed.message)
            words = f"ran out of memory ({said})" if failed.kind == OOM else f"failed: {said}"
            raise _Fault(words, restart=failed.restart or failed.kind == OOM, final=failed.kind == INPUT)
        try:
            done = read_done(answer)
        except BadMessage as error:
            raise _Fault(str(error), restart=False) from error
        assert self._hello is not None
        return Made(_mesh_in(folder, done.mesh), done.seconds, done.peak_mb, done.peak_gpu_mb, self._hello)

    def _said(self, text: str) -> str:
        """What the worker says, short enough for a reason; in its log it is whole."""
        short = brief(text, _MOST_SAID)
        if short != text and self._log is not None:
            self._log.write(text.encode(errors="backslashreplace") + b"\n")
        return short

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            write_message(self._process.stdin, message)
        except OSError as error:
            raise _Fault(self._ending("input"), restart=True) from error

    def _wait(self, number: int | None, seconds: float, what: str) -> dict[str, Any]:
        """The next message that answers: to the greeting if `number` is None, else to that request."""
        self._reader.refused = ""
        clock = Clock()
        deadline = clock.now() + seconds
        # An interpreter may take long to come up, and is silent until the worker has read the greeting.
        silent_until = deadline if number is None else clock.now() + self._limits.heartbeat
        while True:
            now = clock.now()
            if now >= deadline:
                odd = f"; it wrote what is no message: {self._reader.refused}" if self._reader.refused else ""
                raise _Fault(f"gave no {what} within {seconds:g} seconds{odd}", restart=True)
            if now >= silent_until:
                raise _Fault(f"gave no sign of life for {self._limits.heartbeat:g} seconds", restart=True)
            # Looked at before reading: what it wrote until then is read once more below.
            gone = self._process is None or self._process.poll() is not None
            for message in self._reader.read(clock.left(min(deadline, silent_until))):
                silent_until = clock.now() + self._limits.heartbeat
                kind = message["type"]
                if (number is None and kind in ("hello", "error")) or (
                    number is not None and kind in ("done", "error") and answers(message, number)
                ):
                    return message
            if self._reader.ended or (gone and not self._reader.waiting()):
                raise _Fault(self._ending("output"), restart=True)

    def _ending(self, closed: str) -> str:
        """How the worker ended, or what of it is `closed` while it lives on."""
        assert self._process is not None
        assert self._log is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self._limits.stop)
        self._log.close()
        code = self._process.returncode
        last = self._log.last_line(_MOST_SAID)
        if code is None:
            return f"closed its {closed}" + (f"; the last it printed: {last}" if last else "")
        return guarded.ending(code, last)

    def kill(self) -> None:
        """End the worker with all that it started, at once."""
        if self._guarded is not None:
            self._guarded.end()
            self._guarded = None
        if self._log is not None:
            self._log.close()

    def close(self) -> None:
        """Ask the worker to leave, and see to it. Closing twice is no fault."""
        process = self._process
        if process is not None and process.poll() is None:
            with contextlib.suppress(_Fault, subprocess.TimeoutExpired):
                self._send({"type": "shutdown"})
                if process.stdin is not None:
                    process.stdin.close()
                process.wait(self._limits.stop)
        self.kill()

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _mesh_in(folder: Path, stated: str) -> Path:
    """The mesh that a worker names, seen to be a regular file of the folder that it was given."""
    mesh = Path(os.path.abspath(folder / stated))  # noqa: PTH100  links are followed, and judged, where it is opened
    try:
        if folder.is_symlink() or not any(mesh.is_relative_to(root) for root in (folder, folder.resolve())):
            raise CharacterError(f"the mesh {brief(stated, _MOST_SAID)} lies outside the folder that it was given")
        with open_source_file(mesh, folder) as stream:
            empty = os.fstat(stream.fileno()).st_size == 0
    except FileNotFoundError:
        empty = True
    except (OSError, CharacterError) as error:
        raise _Fault(f"said that it was done, but {brief(str(error), _MOST_SAID)}", restart=False) from error
    if empty:
        name = brief(mesh.name, _MOST_SAID)
        raise _Fault(f"said that it was done, but there is no mesh {name or 'named'}", restart=False)
    return mesh


def _sentence(command: WorkerCommand, reasons: list[str], log: BoundedLog | None) -> str:
    """Why a picture was given up."""
    last = reasons[-1]
    twice = ""
    if len(reasons) == 2:
        twice = ", twice" if reasons[0] == last else f" (before that it {reasons[0]})"
    prints = ""
    if log is not None and log.path is not None:
        prints = f"; its prints are in {log.path}" if log.problem is None else f"; its prints are lost: {log.problem}"
    return f"the worker of {command.name} {last}{twice}{prints}"
