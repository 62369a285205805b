"""One worker process: started on demand, watched, restarted after a fault, ended with all that it started."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from specsia_build.backends.placing import axes_matrix
from specsia_build.backends.upstream.messages import BadMessageError, Done, Failed, Hello, MessageReader
from specsia_build.backends.upstream.processes import LAST_CHARACTERS, Program
from specsia_build.backends.upstream.worker import HEARTBEAT_SECONDS, INPUT, OOM, PROTOCOL
from specsia_build.errors import CharacterError, brief
from specsia_build.files.sources import open_source_file
from specsia_build.files.writing import remove_tree
from specsia_build.pool import Clock

_Answer = TypeVar("_Answer", Hello, Done)


@dataclass(frozen=True)
class WorkerCommand:
    """How to start a worker.

    Attributes:
        name: of the backend, for messages.
        argv: program and arguments.
        settings: sent with the greeting.
        cwd: working directory.
        env: all of its environment variables.
        log: file that its prints are appended to, or None.
        hint: what to do if it does not start.
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
        starts: failed starts in a row after which pictures are given up without another.
        rest: after which one more start is tried then.
    """

    start: float = 600.0
    item: float = 1800.0
    heartbeat: float = 60.0
    stop: float = 5.0
    starts: int = 3
    rest: float = 60.0

    @property
    def patience(self) -> float:
        """The longest that one picture can take: two attempts, each with a start."""
        return 2 * (self.start + self.item + self.stop) + self.start


@dataclass(frozen=True)
class Made:
    """What a worker made of a picture.

    Attributes:
        mesh: the file, a regular one in the folder that the worker was given.
        done: the worker's answer.
        hello: its greeting.
    """

    mesh: Path
    done: Done
    hello: Hello


class _Fault(Exception):
    """One attempt failed: the reason completes "the worker ..."; `final` if another attempt is in vain."""

    def __init__(self, reason: str, *, restart: bool, final: bool = False) -> None:
        super().__init__(reason)
        self.restart, self.final = restart, final


class Supervisor:
    """One worker, started when it is first needed.

    Attributes:
        starts: how often it was started.
    """

    def __init__(self, command: WorkerCommand, limits: Limits | None = None) -> None:
        self.starts = 0
        self._command, self._limits = command, limits or Limits()
        self._program: Program | None = None
        self._reader = MessageReader(-1)
        self._hello: Hello | None = None
        self._failed_starts = self._number = 0
        self._given_up_at, self._why_not = 0.0, ""

    @property
    def pid(self) -> int | None:
        """Process id of the worker; None while there is none."""
        return None if self._program is None else self._program.process.pid

    def reconstruct(self, image: Path, folder: Path, seed: int) -> Made:
        """Have a picture done; a failed attempt is repeated once.

        Args:
            image: RGBA file.
            folder: for the mesh and what belongs to it; the worker makes it. What a failed attempt left is removed.
            seed: the only source of randomness.

        Raises:
            CharacterError: if both attempts failed, or another one would be in vain.
        """
        reasons: list[str] = []
        for _ in range(2):
            try:
                self._ensure_started()
                return self._ask(image, folder, seed)
            except _Fault as fault:
                if fault.restart:
                    self.kill()
                remove_tree(folder)
                reasons.append(str(fault))
                if fault.final:
                    break
        first, last = reasons[0], reasons[-1]
        before = "" if len(reasons) == 1 else ", twice" if first == last else f" (before that it {first})"
        log = f"; its log is {self._command.log}" if self._command.log else ""
        raise CharacterError(f"the worker of {self._command.name} {last}{before}{log}")

    def _ensure_started(self) -> None:
        if self._program is not None and self._program.process.poll() is None:
            return
        self.kill()
        if self._failed_starts >= self._limits.starts and time.monotonic() - self._given_up_at < self._limits.rest:
            raise _Fault(self._why_not, restart=False, final=True)
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
        try:
            self._program = Program(command.argv, command.env, command.cwd, command.log, piped=True)
        except (OSError, ValueError) as error:
            raise _Fault(f"cannot be started: {error}", restart=True) from error
        assert self._program.process.stdout is not None
        self._reader = MessageReader(self._program.process.stdout.fileno())
        heartbeat = min(HEARTBEAT_SECONDS, self._limits.heartbeat / 4)
        self._send({"type": "hello", "protocol": PROTOCOL, "heartbeat": heartbeat, "settings": dict(command.settings)})
        hello = self._wait(Hello, None, self._limits.start)
        if isinstance(hello, Failed):
            raise _Fault(f"does not start: {brief(hello.message, LAST_CHARACTERS)}", restart=True)
        if hello.protocol != PROTOCOL:
            raise _Fault(f"speaks version {hello.protocol} of the protocol, not {PROTOCOL}", restart=True, final=True)
        try:
            axes_matrix(hello.frame.axes or ("+x", "+y", "+z"))
        except ValueError as error:
            raise _Fault(f"states axes that are none: {brief(str(error), 80)}", restart=True, final=True) from error
        self._hello = hello

    def _ask(self, image: Path, folder: Path, seed: int) -> Made:
        assert self._hello is not None
        self._number += 1
        request = {"id": self._number, "image": str(image), "folder": str(folder), "seed": seed}
        self._send({"type": "reconstruct", **request})
        answer = self._wait(Done, self._number, self._limits.item)
        if isinstance(answer, Failed):
            said, oom = brief(answer.message, LAST_CHARACTERS), answer.kind == OOM
            words = f"ran out of memory ({said})" if oom else f"failed: {said}"
            raise _Fault(words, restart=answer.restart or oom, final=answer.kind == INPUT)
        return Made(_mesh_in(folder, answer.mesh), answer, self._hello)

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._program is not None
        assert self._program.process.stdin is not None
        try:
            self._program.process.stdin.write(json.dumps(message).encode("ascii") + b"\n")
            self._program.process.stdin.flush()
        except OSError as error:
            raise _Fault(self._ending(), restart=True) from error

    def _wait(self, kind: type[_Answer], number: int | None, seconds: float) -> _Answer | Failed:
        """The next answer of a kind, or the failure in its place, to the greeting (None) or to a numbered request."""
        assert self._program is not None
        clock = Clock()
        deadline = clock.now() + seconds
        # An interpreter may take long to come up, and is silent until the worker has read the greeting.
        silent_until = deadline if number is None else clock.now() + self._limits.heartbeat
        while True:
            now = clock.now()
            if now >= deadline:
                what = "start" if number is None else "answer"
                raise _Fault(f"gave no {what} within {seconds:g} seconds", restart=True)
            if now >= silent_until:
                raise _Fault(f"gave no sign of life for {self._limits.heartbeat:g} seconds", restart=True)
            # Looked at before reading: what it wrote until then is read once more below.
            gone = self._program.process.poll() is not None
            try:
                for message in self._reader.read(clock.left(min(deadline, silent_until))):
                    silent_until = clock.now() + self._limits.heartbeat
                    if isinstance(message, (kind, Failed)) and getattr(message, "id", None) == number:
                        return message
            except BadMessageError as error:
                raise _Fault(str(error), restart=True) from error
            if self._reader.ended or (gone and not self._reader.waiting()):
                raise _Fault(self._ending(), restart=True)

    def _ending(self) -> str:
        """How the worker ended, or that it closed its output while it lives on."""
        assert self._program is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._program.process.wait(self._limits.stop)
        return self._program.ending()

    def kill(self) -> None:
        """End the worker with all that it started, at once."""
        if self._program is not None:
            self._program.end()
            self._program = None

    def close(self) -> None:
        """Ask the worker to leave, and see to it. Closing twice is no fault."""
        if self._program is not None and self._program.process.poll() is None:
            with contextlib.suppress(_Fault, subprocess.TimeoutExpired, OSError):
                self._send({"type": "shutdown"})
                self._program.process.wait(self._limits.stop)
        self.kill()


def _mesh_in(folder: Path, stated: str) -> Path:
    """The mesh that a worker names: a regular file, not empty, in the folder that it was given."""
    mesh = Path(os.path.abspath(folder / stated))  # noqa: PTH100  links are followed, and judged, where it is opened
    said = "said that it was done, but"
    if folder.is_symlink() or not any(mesh.is_relative_to(root) for root in (folder, folder.resolve())):
        raise _Fault(f"{said} its mesh {brief(stated, 80)} lies outside the folder that it was given", restart=False)
    try:
        with open_source_file(mesh, folder) as stream:
            empty = os.fstat(stream.fileno()).st_size == 0
    except FileNotFoundError:
        empty = True
    except (OSError, ValueError, CharacterError) as error:
        raise _Fault(f"{said} {brief(str(error), LAST_CHARACTERS)}", restart=False) from error
    if empty:
        raise _Fault(f"{said} there is no mesh {brief(mesh.name, 80)}", restart=False)
    return mesh
