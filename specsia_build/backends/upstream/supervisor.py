"""One worker process: started on demand, limited in time, restarted after a fault, ended with all that it started."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any, Literal, TypeVar

import msgspec

from specsia_build.backends.placing import axes_matrix
from specsia_build.backends.upstream.processes import MAX_QUOTED, Program
from specsia_build.backends.upstream.worker import INPUT, OOM, PROTOCOL
from specsia_build.errors import CharacterError, brief
from specsia_build.files.sources import is_file
from specsia_build.files.writing import remove_tree
from specsia_build.pool import Clock

MOST_STARTS = 3
"""Failed starts in a row after which no other is tried."""

STOP_SECONDS = 5.0
"""Time for a worker to leave by itself."""


class Frame(msgspec.Struct, frozen=True):
    """Frame of a worker's mesh files, see `Terms`; None where the worker does not state it."""

    axes: tuple[str, str, str] | None = None
    framing: Literal["kept", "free"] | None = None


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """Greeting once everything is loaded; versions of packages and revisions of weights are only logged."""

    protocol: int
    versions: dict[str, str] = {}
    weights: dict[str, str] = {}
    frame: Frame = Frame()


class Done(msgspec.Struct, frozen=True, tag="done"):
    """A mesh file."""

    id: int
    mesh: str


class Failed(msgspec.Struct, frozen=True, tag="error"):
    """Why a picture, or the start if `id` is None, failed; `restart` if the worker must start anew."""

    id: int | None = None
    kind: str = "internal"
    message: str = "no reason given"
    restart: bool = False


_Answer = TypeVar("_Answer", Hello, Done)


@dataclass(frozen=True)
class WorkerCommand:
    """How to start a worker and how long to wait for it.

    Attributes:
        name, hint: name of the backend and advice if it does not start, for messages.
        argv, cwd, env, log: see `Program`.
        settings: sent with the greeting.
        start, item: limits in seconds for the start and for a picture.
    """

    name: str
    argv: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    log: Path | None = None
    hint: str = ""
    start: float = 600.0
    item: float = 1800.0


class AttemptError(Exception):
    """One attempt failed; the message completes "the worker ...".

    Attributes:
        restart: whether the worker must be started anew.
        final: whether another attempt would be in vain.
    """

    def __init__(self, message: str, *, restart: bool = True, final: bool = False) -> None:
        super().__init__(message)
        self.restart, self.final = restart, final


class Supervisor:
    """One worker, started when it is first needed.

    Attributes:
        starts: how often it was started.
        hello: its last greeting; None before the first.
    """

    def __init__(self, command: WorkerCommand) -> None:
        self.starts = 0
        self.hello: Hello | None = None
        self._command = command
        self._program: Program | None = None
        self._failed_starts = self._number = 0
        self._failure = ""

    def reconstruct(self, image: Path, folder: Path, seed: int) -> Path:
        """Reconstruct a picture and return the mesh file; a failed attempt is repeated once.

        Args:
            image: RGBA file.
            folder: for the mesh and its files; the worker creates it. What a failed attempt left is removed.
            seed: the only source of randomness.

        Raises:
            CharacterError: if both attempts failed, or another one would be in vain.
        """
        reasons: list[str] = []
        for _ in range(2):
            try:
                program = self._program
                if program is None or program.process.poll() is not None:
                    program = self._start()
                return self._ask(program, image, folder, seed)
            except AttemptError as error:
                if error.restart:
                    self.kill()
                remove_tree(folder)
                reasons.append(str(error))
                if error.final:
                    break
        first, last = reasons[0], reasons[-1]
        before = "" if len(reasons) == 1 else ", twice" if first == last else f" (before that it {first})"
        log = f"; its log is {self._command.log}" if self._command.log else ""
        raise CharacterError(f"the worker of {self._command.name} {last}{before}{log}")

    def kill(self) -> None:
        """End the worker with all that it started, at once."""
        if self._program is not None:
            self._program.end()
            self._program = None

    def close(self) -> None:
        """Ask the worker to leave, then kill it. Can be called twice."""
        if self._program is not None:
            with suppress(AttemptError, subprocess.TimeoutExpired):
                _send(self._program, {"type": "shutdown"})
                self._program.process.wait(STOP_SECONDS)
        self.kill()

    def _start(self) -> Program:
        self.kill()
        if self._failed_starts >= MOST_STARTS:
            raise AttemptError(self._failure, final=True)
        self.starts += 1
        command = self._command
        try:
            self._program = Program(command.argv, command.env, command.cwd, command.log, piped=True)
            self.hello = _greet(self._program, command)
        except (OSError, ValueError, AttemptError) as error:
            self._failed_starts += 1
            reason = str(error) if isinstance(error, AttemptError) else f"cannot be started: {error}"
            self._failure = f"{reason}; {command.hint}" if command.hint else reason
            raise AttemptError(self._failure) from error
        self._failed_starts = 0
        return self._program

    def _ask(self, program: Program, image: Path, folder: Path, seed: int) -> Path:
        self._number += 1
        request = {"id": self._number, "image": str(image), "folder": str(folder), "seed": seed}
        _send(program, {"type": "reconstruct", **request})
        answer = _wait(program, Done, self._number, self._command.item)
        if isinstance(answer, Failed):
            message, oom = brief(answer.message, MAX_QUOTED), answer.kind == OOM
            reason = f"ran out of memory ({message})" if oom else f"failed: {message}"
            raise AttemptError(reason, restart=answer.restart or oom, final=answer.kind == INPUT)
        mesh = folder / answer.mesh
        with suppress(OSError, ValueError):
            if mesh.resolve().is_relative_to(folder.resolve()) and is_file(mesh):
                return mesh
        raise AttemptError(f"is done, but there is no mesh {brief(answer.mesh, 80)} in its folder", restart=False)


def _greet(program: Program, command: WorkerCommand) -> Hello:
    _send(program, {"type": "hello", "protocol": PROTOCOL, "settings": dict(command.settings)})
    hello = _wait(program, Hello, None, command.start)
    if isinstance(hello, Failed):
        raise AttemptError(f"does not start: {brief(hello.message, MAX_QUOTED)}")
    if hello.protocol != PROTOCOL:
        raise AttemptError(f"speaks version {hello.protocol} of the protocol, not {PROTOCOL}")
    try:
        axes_matrix(hello.frame.axes or ("+x", "+y", "+z"))
    except ValueError as error:
        raise AttemptError(f"states axes that are none: {brief(str(error), 80)}") from error
    return hello


def _send(program: Program, message: Mapping[str, Any]) -> None:
    assert program.process.stdin is not None
    try:
        program.process.stdin.write(json.dumps(message).encode("ascii") + b"\n")
        program.process.stdin.flush()
    except OSError as error:
        raise AttemptError(_ending(program)) from error


def _wait(program: Program, kind: type[_Answer], number: int | None, seconds: float) -> _Answer | Failed:
    """Wait for an answer of a kind, or a failure, to the greeting (None) or to a numbered request."""
    clock = Clock()
    deadline = clock.now() + seconds
    while clock.now() < deadline:
        # A process that the worker left behind may hold its output open.
        gone = program.process.poll() is not None
        try:
            line = program.lines.get(timeout=clock.left(deadline))
        except Empty:
            line = None if gone else b""
        if line is None:
            raise AttemptError(_ending(program))
        message = _parsed(line)
        if isinstance(message, (kind, Failed)) and getattr(message, "id", None) == number:
            return message
    raise AttemptError(f"gave no {'start' if number is None else 'answer'} within {seconds:g} seconds")


def _ending(program: Program) -> str:
    """How the worker ended, or that it closed its output while it lives on."""
    with suppress(subprocess.TimeoutExpired):
        program.process.wait(STOP_SECONDS)
    return program.ending()


def _parsed(line: bytes) -> Hello | Done | Failed | None:
    """The message of a line; None for any other line."""
    try:
        fields = msgspec.json.decode(line)
        if fields["type"] not in ("hello", "done", "error"):
            return None
    except (ValueError, RecursionError, TypeError, KeyError):
        return None
    try:
        message: Hello | Done | Failed = msgspec.convert(fields, Hello | Done | Failed)
    except msgspec.ValidationError as error:
        raise AttemptError(f"wrote a message that cannot be used: {brief(str(error), 80)}") from error
    return message
