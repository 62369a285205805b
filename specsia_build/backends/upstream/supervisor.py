"""One worker process: started on demand, limited in time, restarted after a fault, ended with all that it started."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from specsia_build.backends.placing import axes_matrix
from specsia_build.backends.upstream.worker import INPUT, PROTOCOL
from specsia_build.errors import CharacterError, brief
from specsia_build.files.sources import is_file
from specsia_build.files.writing import remove_tree
from specsia_build.pool import Clock
from specsia_build.processes import MAX_QUOTED, Program

MOST_STARTS = 3  # Failed starts in a row after which no other is tried
STOP_SECONDS = 5.0  # Time for a worker to leave by itself


class Frame(msgspec.Struct, frozen=True):
    """Frame of a worker's mesh files, see `Terms`; None where the worker does not state it."""

    axes: tuple[str, str, str] | None = None
    framing: Literal["kept", "free"] | None = None


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    protocol: int
    frame: Frame = Frame()


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """A sign of life, which is ignored."""


class Done(msgspec.Struct, frozen=True, tag="done"):
    id: int
    mesh: str


class Failed(msgspec.Struct, frozen=True, tag="error"):
    """Why a picture, or the start if `id` is None, failed."""

    id: int | None = None
    kind: str = "internal"
    message: str = "no reason given"


_Answer = TypeVar("_Answer", Hello, Done)


@dataclass(frozen=True)
class WorkerCommand:
    """How to start a worker, see `Program`; `hint` is advice for messages if it does not start.

    `settings` are sent with the greeting; `start` and `item` are limits in seconds for the start and for a picture.
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


class WorkerError(Exception):
    """The worker is of no more use; the message completes "the worker ..."."""


class Supervisor:
    """One worker, started when it is first needed; `starts` counts how often, `frame` is that of its mesh files."""

    def __init__(self, command: WorkerCommand) -> None:
        self.starts = 0
        self.frame = Frame()
        self._command = command
        self._program: Program | None = None
        self._failed_starts = self._number = 0
        self._failure = ""

    def reconstruct(self, image: Path, folder: Path, seed: int) -> Path:
        """Reconstruct an RGBA file and return the mesh file, in a folder that the worker creates.

        Raises:
            CharacterError: if the picture cannot be done, or the worker failed, which is then restarted.
        """
        command = self._command
        self._number += 1
        request = {"id": self._number, "image": str(image), "folder": str(folder), "seed": seed}
        try:
            program = self._started()
            program.send({"type": "reconstruct", **request})
            answer = _wait(program, Done, self._number, command.item)
            if isinstance(answer, Done):
                mesh = folder / answer.mesh
                with suppress(OSError, ValueError):
                    if mesh.resolve().is_relative_to(folder.resolve()) and is_file(mesh):
                        return mesh
                raise WorkerError(f"is done, but there is no mesh {brief(answer.mesh, 80)} in its folder")
            reason = f"failed: {brief(answer.message, MAX_QUOTED)}"
            if answer.kind != INPUT:
                self.kill()
        except (WorkerError, EOFError) as error:
            self.kill()
            reason = str(error)
        remove_tree(folder)
        log = f"; its log is {command.log}" if command.log else ""
        raise CharacterError(f"the worker of {command.name} {reason}{log}")

    def kill(self) -> None:
        """End the worker with all that it started, at once."""
        if self._program is not None:
            self._program.end()
            self._program = None

    def close(self) -> None:
        """Ask the worker to leave, then kill it. Can be called twice."""
        if self._program is not None:
            with suppress(EOFError, subprocess.TimeoutExpired):
                self._program.send({"type": "shutdown"})
                self._program.process.wait(STOP_SECONDS)
        self.kill()

    def _started(self) -> Program:
        if self._program is not None and self._program.process.poll() is None:
            return self._program
        self.kill()
        if self._failed_starts >= MOST_STARTS:
            raise WorkerError(self._failure)
        self.starts += 1
        command = self._command
        try:
            self._program = program = Program(command.argv, command.env, command.cwd, command.log, piped=True)
            program.send({"type": "hello", "protocol": PROTOCOL, "settings": dict(command.settings)})
            hello = _wait(program, Hello, None, command.start)
            if isinstance(hello, Failed):
                raise WorkerError(brief(hello.message, MAX_QUOTED))
            if hello.protocol != PROTOCOL:
                raise WorkerError(f"it speaks version {hello.protocol} of the protocol, not {PROTOCOL}")
            # A ValueError if these are not axes.
            axes_matrix(hello.frame.axes or ("+x", "+y", "+z"))
        except (OSError, EOFError, ValueError, WorkerError) as error:
            self._failed_starts += 1
            self._failure = f"does not start: {error}; {command.hint}"
            raise WorkerError(self._failure) from error
        self._failed_starts, self.frame = 0, hello.frame
        return program


def _wait(program: Program, kind: type[_Answer], number: int | None, seconds: float) -> _Answer | Failed:
    """Wait for an answer of a kind, or a failure, to the greeting (None) or to a numbered request."""
    clock = Clock()
    deadline = clock.now() + seconds
    while True:
        try:
            line = program.receive(clock, deadline)
        except TimeoutError:
            raise WorkerError(f"gave no answer within {seconds:g} seconds") from None
        except EOFError as error:
            raise WorkerError(str(error)) from error
        try:
            message = msgspec.json.decode(line, type=Hello | Progress | Done | Failed)
        except (ValueError, RecursionError) as error:
            raise WorkerError(f"wrote a line that is not a message: {brief(str(error), 80)}") from error
        if isinstance(message, (kind, Failed)) and getattr(message, "id", None) == number:
            return message
