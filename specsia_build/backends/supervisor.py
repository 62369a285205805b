"""Keeps one worker process at work: starts it, watches it, starts it again, and says what went wrong."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from specsia_build.backends.messages import MessageReader, write_message
from specsia_build.backends.worker import HEARTBEAT_SECONDS, INPUT, INTERNAL, OOM, PROTOCOL
from specsia_build.errors import CharacterError

MAX_LOG_BYTES = 20 * 2**20
"""A log larger than this is begun anew with the next start."""

_NOT_FOR_WORKERS = (
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "VIRTUAL_ENV",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


@dataclass(frozen=True)
class WorkerCommand:
    """How to start a worker.

    Attributes:
        name: of the backend, for messages.
        argv: program and arguments.
        settings: sent with the greeting.
        cwd: working directory.
        env: variables on top of this process's, less those that belong to its Python environment.
        log: file that everything the worker prints goes to, or None for nowhere.
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
        mesh: the file.
        seconds: as the worker measured.
        peak_mb: largest resident memory, peak_gpu_mb: largest device memory; None where it did not say.
        hello: the worker's greeting.
    """

    mesh: Path
    seconds: float
    peak_mb: float | None
    peak_gpu_mb: float | None
    hello: Mapping[str, Any]


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
        self._process: subprocess.Popen[bytes] | None = None
        self._reader = MessageReader()
        self._hello: Mapping[str, Any] = {}
        self._log: IO[bytes] | None = None
        self._faults = 0
        self._failed_starts = 0
        self._given_up_at = 0.0
        self._why_not = ""
        self._number = 0

    @property
    def pid(self) -> int | None:
        """Process id of the worker, None while there is none."""
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
                    shutil.rmtree(left, ignore_errors=True)
                reasons.append(str(fault))
                if fault.final:
                    break
            else:
                self._faults = 0
                return made
        raise CharacterError(_sentence(self._command, reasons))

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
        self._log = _open_log(command.log)
        self.starts += 1
        try:
            self._process = subprocess.Popen(  # noqa: S603  the user's own settings name the program
                list(command.argv),
                cwd=command.cwd,
                env=worker_environment(command.env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                start_new_session=True,
            )
        except OSError as error:
            raise _Fault(f"cannot be started: {error}", restart=True) from error
        assert self._process.stdout is not None
        self._reader = MessageReader(self._process.stdout.fileno(), garbage=self._log)
        greeting = {"protocol": PROTOCOL, "heartbeat": min(HEARTBEAT_SECONDS, self._limits.heartbeat / 4)}
        self._send({"type": "hello", "settings": dict(command.settings), **greeting})
        hello = self._wait(None, self._limits.start, "start")
        if hello["type"] != "hello":
            raise _Fault(f"does not start: {hello.get('message', 'it answered without a greeting')}", restart=True)
        if hello.get("protocol") != PROTOCOL:
            found = hello.get("protocol")
            raise _Fault(f"speaks version {found} of the protocol, not {PROTOCOL}", restart=True, final=True)
        self._hello = hello

    def _ask(self, image: Path, folder: Path, seed: int, settings: Mapping[str, Any]) -> Made:
        self._number += 1
        request = {"id": self._number, "image": str(image), "folder": str(folder), "seed": seed}
        self._send({"type": "reconstruct", "settings": dict(settings), **request})
        answer = self._wait(self._number, self._limits.item, "answer")
        if answer["type"] == "error":
            kind, said = answer.get("kind", INTERNAL), str(answer.get("message", "without a word"))
            restart = kind == OOM or bool(answer.get("restart"))
            words = f"ran out of memory ({said})" if kind == OOM else f"failed: {said}"
            raise _Fault(words, restart=restart, final=kind == INPUT)
        mesh = Path(str(answer.get("mesh", "")))
        if not mesh.is_file() or mesh.stat().st_size == 0:
            raise _Fault(f"said that it was done, but there is no mesh {mesh.name or 'named'}", restart=False)
        seconds = _number(answer, "seconds") or 0.0
        return Made(mesh, seconds, _number(answer, "peak_mb"), _number(answer, "peak_gpu_mb"), self._hello)

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            write_message(self._process.stdin, message)
        except OSError as error:
            raise _Fault(self._ending(), restart=True) from error

    def _wait(self, number: int | None, seconds: float, what: str) -> dict[str, Any]:
        """The next message that answers: to the greeting if `number` is None, else to that request."""
        deadline = time.monotonic() + seconds
        # An interpreter may take long to come up, and is silent until the worker has read the greeting.
        silent_until = deadline if number is None else time.monotonic() + self._limits.heartbeat
        while True:
            now = time.monotonic()
            if now >= deadline:
                raise _Fault(f"gave no {what} within {seconds:g} seconds", restart=True)
            if now >= silent_until:
                raise _Fault(f"gave no sign of life for {self._limits.heartbeat:g} seconds", restart=True)
            # Looked at before reading: what it wrote until then is read once more below.
            gone = self._process is None or self._process.poll() is not None
            for message in self._reader.read(min(deadline - now, silent_until - now, 0.5)):
                silent_until = time.monotonic() + self._limits.heartbeat
                kind = message["type"]
                if (number is None and kind in ("hello", "error")) or (
                    number is not None and kind in ("done", "error") and message.get("id") == number
                ):
                    return message
            if self._reader.ended or (gone and not self._reader.waiting()):
                raise _Fault(self._ending(), restart=True)

    def _ending(self) -> str:
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self._limits.stop)
        code = self._process.returncode
        last = _last_line(self._command.log)
        words = f"; the last it printed: {last}" if last else ""
        if code is None:
            return f"closed its output{words}"
        if code >= 0:
            return f"ended with exit code {code}{words}"
        name = signal.Signals(-code).name
        return f"was killed by {name}{' (out of memory?)' if name == 'SIGKILL' else ''}{words}"

    def kill(self) -> None:
        """End the worker with all that it started, at once."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
        if self._log is not None:
            self._log.close()
            self._log = None

    def close(self) -> None:
        """Ask the worker to leave, and see to it. Closing twice is no fault."""
        process = self._process
        if process is not None and process.poll() is None:
            with contextlib.suppress(_Fault, subprocess.TimeoutExpired):
                self._send({"type": "shutdown"})
                process.wait(self._limits.stop)
        self.kill()

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _number(message: Mapping[str, Any], key: str) -> float | None:
    value = message.get(key)
    return float(value) if isinstance(value, int | float) else None


def _sentence(command: WorkerCommand, reasons: list[str]) -> str:
    """Why a picture was given up."""
    last = reasons[-1]
    twice = ""
    if len(reasons) == 2:
        twice = ", twice" if reasons[0] == last else f" (before that it {reasons[0]})"
    log = "" if command.log is None else f"; its prints are in {command.log}"
    return f"the worker of {command.name} {last}{twice}{log}"


def worker_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's variables without those of its Python environment, and some more."""
    own = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_WORKERS}
    return {**own, "PYTHONUNBUFFERED": "1", **extra}


def _open_log(path: Path | None) -> IO[bytes]:
    if path is None:
        return Path(os.devnull).open("wb")
    path.parent.mkdir(parents=True, exist_ok=True)
    large = path.is_file() and path.stat().st_size > MAX_LOG_BYTES
    return path.open("wb" if large else "ab")


def _last_line(path: Path | None) -> str:
    if path is None or not path.is_file():
        return ""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 4000))
        lines = [line.strip() for line in stream.read().decode(errors="replace").splitlines()]
    return next((line[:300] for line in reversed(lines) if line), "")
