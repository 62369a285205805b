"""One worker process: started on demand, limited in time, restarted after a fault, ended with all that it started."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from specsia_build.backends.placing import axes_matrix
from specsia_build.backends.upstream.processes import MAX_QUOTED, Program
from specsia_build.backends.upstream.worker import HEARTBEAT_SECONDS, INPUT, OOM, PROTOCOL
from specsia_build.errors import CharacterError, brief
from specsia_build.files.sources import open_source_file
from specsia_build.files.writing import remove_tree
from specsia_build.pool import Clock

MAX_LINE_BYTES = 2**20
"""Longest message; a longer line was printed by something else."""

_Text = Annotated[str, msgspec.Meta(max_length=200)]
_Texts = Annotated[dict[_Text, _Text], msgspec.Meta(max_length=100)]


class Frame(msgspec.Struct, frozen=True):
    """Frame of a worker's mesh files, see `Terms`; None where the worker does not state it."""

    axes: tuple[str, str, str] | None = None
    framing: Literal["kept", "free"] | None = None


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """Greeting once everything is loaded; versions of packages and revisions of weights are only logged."""

    protocol: int
    versions: _Texts = {}
    weights: _Texts = {}
    frame: Frame = Frame()


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """A sign of life."""


class Done(msgspec.Struct, frozen=True, tag="done"):
    """A mesh, and the seconds it took."""

    id: int
    mesh: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    seconds: Annotated[float, msgspec.Meta(ge=0, le=1e12)] = 0.0


class Failed(msgspec.Struct, frozen=True, tag="error"):
    """Why a picture, or the start if `id` is None, failed; `restart` if the worker must start anew."""

    id: int | None = None
    kind: str = "internal"
    message: str = "no reason given"
    restart: bool = False


_Message = Hello | Progress | Done | Failed
_Answer = TypeVar("_Answer", Hello, Done)


@dataclass(frozen=True)
class WorkerCommand:
    """How to start a worker.

    Attributes:
        name, hint: of the backend and what to do if it does not start, for messages.
        argv, cwd, env, log: see `Program`.
        settings: sent with the greeting.
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
    """Seconds to wait for the start, a picture, a sign of life, and a worker that leaves by itself.

    After `starts` failed starts in a row one more is tried each `rest` seconds.
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
    """Mesh file of a picture in the folder that the worker was given, the worker's answer, and its greeting."""

    mesh: Path
    done: Done
    hello: Hello


class _Fault(Exception):
    """One attempt failed: the reason completes "the worker ..."; `final` if another attempt is in vain."""

    def __init__(self, reason: str, *, restart: bool = True, final: bool = False) -> None:
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
        self._hello: Hello | None = None
        self._unread = b""
        self._failed_starts = self._number = 0
        self._failed_at, self._failure = 0.0, ""

    @property
    def pid(self) -> int | None:
        """Process id of the worker; None while there is none."""
        return None if self._program is None else self._program.process.pid

    def reconstruct(self, image: Path, folder: Path, seed: int) -> Made:
        """Reconstruct a picture; a failed attempt is repeated once.

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
                if self._program is None or self._program.process.poll() is not None:
                    self._start()
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

    def _start(self) -> None:
        self.kill()
        if self._failed_starts >= self._limits.starts and time.monotonic() - self._failed_at < self._limits.rest:
            raise _Fault(self._failure, final=True)
        try:
            self._hello = self._greet()
        except _Fault as fault:
            hint = f"; {self._command.hint}" if self._command.hint else ""
            self._failed_starts, self._failed_at, self._failure = (
                self._failed_starts + 1,
                time.monotonic(),
                f"{fault}{hint}",
            )
            raise _Fault(self._failure, final=fault.final) from fault
        self._failed_starts = 0

    def _greet(self) -> Hello:
        command = self._command
        self.starts += 1
        try:
            self._program = Program(command.argv, command.env, command.cwd, command.log, piped=True)
        except (OSError, ValueError) as error:
            raise _Fault(f"cannot be started: {error}") from error
        self._unread = b""
        heartbeat = min(HEARTBEAT_SECONDS, self._limits.heartbeat / 4)
        self._send({"type": "hello", "protocol": PROTOCOL, "heartbeat": heartbeat, "settings": dict(command.settings)})
        hello = self._wait(Hello, None, self._limits.start)
        if isinstance(hello, Failed):
            raise _Fault(f"does not start: {brief(hello.message, MAX_QUOTED)}")
        if hello.protocol != PROTOCOL:
            raise _Fault(f"speaks version {hello.protocol} of the protocol, not {PROTOCOL}", final=True)
        try:
            axes_matrix(hello.frame.axes or ("+x", "+y", "+z"))
        except ValueError as error:
            raise _Fault(f"states axes that are none: {brief(str(error), 80)}", final=True) from error
        return hello

    def _ask(self, image: Path, folder: Path, seed: int) -> Made:
        assert self._hello is not None
        self._number += 1
        request = {"id": self._number, "image": str(image), "folder": str(folder), "seed": seed}
        self._send({"type": "reconstruct", **request})
        answer = self._wait(Done, self._number, self._limits.item)
        if isinstance(answer, Failed):
            message, oom = brief(answer.message, MAX_QUOTED), answer.kind == OOM
            reason = f"ran out of memory ({message})" if oom else f"failed: {message}"
            raise _Fault(reason, restart=answer.restart or oom, final=answer.kind == INPUT)
        return Made(_mesh_in(folder, answer.mesh), answer, self._hello)

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._program is not None
        assert self._program.process.stdin is not None
        try:
            self._program.process.stdin.write(json.dumps(message).encode("ascii") + b"\n")
            self._program.process.stdin.flush()
        except OSError as error:
            raise _Fault(self._ending()) from error

    def _wait(self, kind: type[_Answer], number: int | None, seconds: float) -> _Answer | Failed:
        """Wait for an answer of a kind, or a failure, to the greeting (None) or to a numbered request."""
        clock = Clock()
        deadline = clock.now() + seconds
        # An interpreter may take long to come up, and is silent until the worker has read the greeting.
        silent_until = deadline if number is None else clock.now() + self._limits.heartbeat
        while True:
            now = clock.now()
            if now >= deadline:
                raise _Fault(f"gave no {'start' if number is None else 'answer'} within {seconds:g} seconds")
            if now >= silent_until:
                raise _Fault(f"gave no sign of life for {self._limits.heartbeat:g} seconds")
            for message in self._read(clock.left(min(deadline, silent_until))):
                silent_until = clock.now() + self._limits.heartbeat
                if isinstance(message, (kind, Failed)) and getattr(message, "id", None) == number:
                    return message

    def _read(self, seconds: float) -> Iterator[_Message]:
        """The messages that arrive next; none if nothing comes in time. Other lines are passed over."""
        assert self._program is not None
        assert self._program.process.stdout is not None
        # Looked at before reading, since what it wrote until then is read below.
        gone = self._program.process.poll() is not None
        poll = select.poll()
        poll.register(self._program.process.stdout, select.POLLIN)
        if not poll.poll(0 if gone else seconds * 1000):
            if gone:
                raise _Fault(self._ending())
            return
        data = os.read(self._program.process.stdout.fileno(), 1 << 16)
        if not data:
            raise _Fault(self._ending())
        *lines, self._unread = (self._unread + data).split(b"\n")
        if len(self._unread) > MAX_LINE_BYTES:
            self._unread = b""
        yield from filter(None, map(_parsed, lines))

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
        """Ask the worker to leave, then kill it. Can be called twice."""
        if self._program is not None and self._program.process.poll() is None:
            with contextlib.suppress(_Fault, subprocess.TimeoutExpired, OSError):
                self._send({"type": "shutdown"})
                self._program.process.wait(self._limits.stop)
        self.kill()


def _parsed(line: bytes) -> _Message | None:
    """The message of a line; None for any other line."""
    try:
        fields = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or fields.get("type") not in ("hello", "progress", "done", "error"):
        return None
    try:
        message: _Message = msgspec.convert(fields, _Message)
    except msgspec.ValidationError as error:
        raise _Fault(f"wrote a message that cannot be used: {brief(str(error), 80)}") from error
    return message


def _mesh_in(folder: Path, stated: str) -> Path:
    """The mesh that a worker names: a regular file, not empty, in the folder that it was given."""
    mesh = Path(os.path.abspath(folder / stated))  # noqa: PTH100  links are followed, and judged, where it is opened
    if folder.is_symlink() or not any(mesh.is_relative_to(root) for root in (folder, folder.resolve())):
        reason = f"its mesh {brief(stated, 80)} lies outside the folder that it was given"
        raise _Fault(f"is done, but {reason}", restart=False)
    try:
        with open_source_file(mesh, folder) as stream:
            empty = os.fstat(stream.fileno()).st_size == 0
    except FileNotFoundError:
        empty = True
    except (OSError, ValueError, CharacterError) as error:
        raise _Fault(f"is done, but {brief(str(error), MAX_QUOTED)}", restart=False) from error
    if empty:
        raise _Fault(f"is done, but there is no mesh {brief(mesh.name, 80)}", restart=False)
    return mesh
