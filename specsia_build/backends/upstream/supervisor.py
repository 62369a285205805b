"""One worker process: started on demand, limited in time, restarted after a fault, ended with children."""

import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from specsia_build.backends.upstream.worker import INPUT
from specsia_build.errors import CharacterError, brief
from specsia_build.files.sources import is_file
from specsia_build.files.writing import remove_tree
from specsia_build.processes import MAX_QUOTED, Program

MOST_STARTS = 3  # Failed starts in a row after which no other is tried
STOP_SECONDS = 5.0  # Time for a worker to leave by itself


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """The worker has loaded its models."""


class Done(msgspec.Struct, frozen=True, tag="done"):
    mesh: str


class Failed(msgspec.Struct, frozen=True, tag="error"):
    """Why a picture, or the start, failed."""

    kind: str = "internal"
    message: str = "no reason given"


class WorkerError(Exception):
    """The worker is of no more use; the message completes "the worker ..."."""


@dataclass
class Supervisor:
    """One worker, started when it is first needed."""

    name: str
    argv: tuple[str, ...]  # See `Program`
    settings: Mapping[str, Any]  # Sent with the greeting
    env: Mapping[str, str]  # See `Program`
    hint: str  # Advice for messages if it does not start
    start: float  # Limit in seconds for the start
    item: float  # Limit in seconds for a picture
    cwd: Path | None = None  # See `Program`
    log: Path | None = None  # See `Program`
    starts: int = field(default=0, init=False)  # How often it was started
    _program: Program | None = field(default=None, init=False)
    _failed_starts: int = field(default=0, init=False)
    _failure: str = field(default="", init=False)

    def reconstruct(self, image: Path, folder: Path, seed: int) -> Path:
        """Reconstruct an RGBA file; returns the mesh file. A CharacterError if it or the worker fails."""
        try:
            program = self._started()
            program.send({"type": "reconstruct", "image": str(image), "folder": str(folder), "seed": seed})
            answer = _receive(program, Done | Failed, self.item)
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
        log = f"; its log is {self.log}" if self.log else ""
        raise CharacterError(f"the worker of {self.name} {reason}{log}")

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
        try:
            self._program = program = Program(self.argv, self.env, self.cwd, self.log, piped=True)
            program.send({"type": "hello", "settings": dict(self.settings)})
            hello = _receive(program, Hello | Failed, self.start)
            if isinstance(hello, Failed):
                raise WorkerError(brief(hello.message, MAX_QUOTED))
        except (OSError, EOFError, ValueError, WorkerError) as error:
            self._failed_starts += 1
            self._failure = f"does not start: {error}; {self.hint}"
            raise WorkerError(self._failure) from error
        self._failed_starts = 0
        return program


def _receive(program: Program, kind: Any, seconds: float) -> Any:
    """Wait for an answer, of a kind for `msgspec`."""
    try:
        return msgspec.json.decode(program.receive(seconds), type=kind)
    except TimeoutError:
        raise WorkerError(f"gave no answer within {seconds:g} seconds") from None
    except (ValueError, RecursionError) as error:
        raise WorkerError(f"wrote a line that is not a message: {brief(str(error), 80)}") from error
