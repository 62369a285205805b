"""Worker processes, any of which may crash or hang without affecting the others; threads in order."""

import math
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from multiprocessing import forkserver, resource_tracker, util
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from operator import call
from typing import Any, TypeVar

from specsia_build.errors import SpecsiaError
from specsia_build.memory import format_size, limit_process

T = TypeVar("T")
R = TypeVar("R")

SERVED_SECONDS = 600.0  # Time after which a worker is replaced, to bound what libraries leak
LOOK_SECONDS = 1.0  # Longest wait before a look at a `Clock`
_MOST_SECONDS = 3.0  # Time between two looks at a `Clock` beyond which this process was stopped
_MOST_STARTS = 3  # Workers in a row that may end before they are ready
_GRACE_SECONDS = 5.0  # Time between SIGTERM and SIGKILL
_AHEAD = 4  # Results per worker that may wait for an earlier one

_SOCKET_PATH, _SOCKET_NAME = 104, len("/pymp-12345678/listener-12345678")
"""Largest path of a socket, and what multiprocessing adds to the temporary folder's, in bytes."""

_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

_READY, _DONE, _RAISED = range(3)  # Kinds of a worker's messages


class Clock:
    """Seconds that pass while this process runs, without those it was stopped for, as by Ctrl-Z."""

    def __init__(self) -> None:
        self._last, self._passed = time.monotonic(), 0.0

    def now(self) -> float:
        """Seconds since the start; a gap between two calls counts as `_MOST_SECONDS` at most."""
        before, self._last = self._last, time.monotonic()
        self._passed += min(self._last - before, _MOST_SECONDS)
        return self._passed


@dataclass(frozen=True)
class Lost:
    """An item without a result, because its worker crashed or ran out of time; `reason` is a sentence."""

    reason: str


Results = Generator[tuple[int, R | Lost], None, None]
"""Index and result of each item, in the order in which they end; closing it ends the workers."""


def never() -> bool:
    return False


def given_up(timeout: float) -> str:
    """Reason of an item that took longer than `timeout` seconds."""
    return f"it took longer than {timeout:g} seconds and was stopped: raise `timeout` if it only needs longer"


@contextmanager
def undisturbed() -> Iterator[None]:
    """Block SIGINT, so that processes that start in the block do not get a Ctrl-C before they ignore it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _interpreter_flags() -> list[str]:
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [*flags, *([] if sys.flags.safe_path else ["-P"])]


def _context(preload: Sequence[str]) -> BaseContext:
    # multiprocessing starts `python -c`, which would import modules from the current folder.
    setattr(util, "_args_from_interpreter_flags", _interpreter_flags)  # noqa: B010  a private name
    fits = len(os.fsencode(tempfile.gettempdir())) + _SOCKET_NAME < _SOCKET_PATH
    context = multiprocessing.get_context("forkserver" if fits else "spawn")
    if fits:
        context.set_forkserver_preload(list(preload))
        # Started with signals open, before the server, which would pass on the blocked ones.
        resource_tracker.ensure_running()
        with undisturbed():
            forkserver.ensure_running()
    return context


def _serve(pipe: Connection, memory: int | None) -> None:
    """Run a worker: receive the function, then item by item. It ends with its parent, however that ends."""
    if memory is not None:
        limit_process(memory)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()
    try:
        function = pipe.recv()
        pipe.send((_READY, None))
        while True:
            item = pipe.recv()
            try:
                result = _DONE, function(item)
            except Exception as error:
                result = _RAISED, _sendable(error)
            pipe.send(result)
    except (EOFError, ConnectionError):
        return


def _sendable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  its own bytes
    except Exception:
        return SpecsiaError(f"{type(error).__name__}: {error}")
    return error


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    ready: bool = False
    index: int | None = None
    deadline: float = math.inf
    born: float = field(default_factory=time.monotonic)

    def terminate(self) -> None:
        self.pipe.close()
        self.process.terminate()

    def join(self) -> None:
        """Wait for the process to end, and kill it if it does not."""
        self.process.join(_GRACE_SECONDS)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()


def how_ended(code: int) -> str:
    """``ended with exit code 3`` or ``was killed by SIGKILL``, by the exit code of a process."""
    if code >= 0:
        return f"ended with exit code {code}"
    names = {known.value: known.name for known in signal.Signals}
    return f"was killed by {names.get(-code, f'signal {-code}')}"


def _died(code: int, memory: int | None) -> str:
    limit = "" if memory is None else f", or that of --memory, {format_size(memory)}"
    cause = f": memory may have run out, the machine's{limit}" if code < 0 else ""
    return f"its worker process {how_ended(code)}{cause}"


@dataclass
class Pool:
    """Worker processes for one call."""

    workers: int  # How many at most
    timeout: float = math.inf  # Seconds after which an item is given up and its process killed
    memory: int | None = None  # Bytes that an item may use, or None for no limit; see `limit_process`
    preload: Sequence[str] = ()  # Modules to import once for all workers
    _active: dict[Any, _Worker] = field(default_factory=dict, init=False)
    _failed_starts: int = field(default=0, init=False)
    _clock: Clock = field(default_factory=Clock, init=False)

    def run(
        self,
        function: Callable[[T], R],
        items: Sequence[T],
        enough: Callable[[], bool] = never,
        pause: Callable[[], bool] = never,
    ) -> Results[R]:
        """Apply an importable function to every item; what it raises is raised here and ends the call.

        `enough` and `pause` are called before an item is handed out. Once `enough` is true, no other is, and
        the current ones are finished; while `pause` is, none is. Raises SpecsiaError if workers end early.
        """
        if not items:
            return
        for name in _THREAD_SETTINGS:
            os.environ.setdefault(name, "1")
        context, todo = _context(self.preload), deque(enumerate(items))
        try:
            while True:
                if enough():
                    todo.clear()
                if not pause():
                    self._fill(todo)
                    self._start_more(context, function, len(todo))
                busy = [worker.deadline for worker in self._active.values() if worker.index is not None]
                if not todo and not busy:
                    return
                patience = min(max(0.0, min(busy) - self._clock.now()), LOOK_SECONDS) if busy else None
                arrived = wait(list(self._active), patience)
                # Results that have arrived count before anyone is given up.
                now = self._clock.now()
                for pipe in arrived:
                    if (result := self._receive(self._active[pipe])) is not None:
                        yield result
                for worker in [w for w in self._active.values() if w.index is not None and w.deadline <= now]:
                    self._remove(worker)
                    assert worker.index is not None
                    yield worker.index, Lost(given_up(self.timeout))
        finally:
            for worker in self._active.values():
                worker.terminate()
            for worker in self._active.values():
                worker.join()

    def _fill(self, todo: deque[tuple[int, Any]]) -> None:
        """Give each idle worker an item."""
        for worker in [w for w in self._active.values() if w.ready and w.index is None]:
            if not todo:
                return
            if time.monotonic() - worker.born > SERVED_SECONDS:
                self._remove(worker)
                continue
            index, item = todo.popleft()
            try:
                worker.pipe.send(item)
            except BrokenPipeError:
                todo.appendleft((index, item))
                self._remove(worker)
            else:
                worker.index, worker.deadline = index, self._clock.now() + self.timeout

    def _start_more(self, context: BaseContext, function: Callable[..., Any], waiting: int) -> None:
        """Start workers if more items wait than workers are starting."""
        starting = sum(not worker.ready for worker in self._active.values())
        while len(self._active) < self.workers and starting < waiting:
            try:
                worker = self._start(context, function)
            except (OSError, EOFError) as error:
                # While others work there is time to try again.
                if self._active:
                    return
                self._count_failed_start(error)
            else:
                self._active[worker.pipe] = worker
                starting += 1

    def _start(self, context: BaseContext, function: Callable[..., Any]) -> _Worker:
        pipe, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self.memory), daemon=True)  # type: ignore[attr-defined]
        worker = _Worker(process, pipe)
        try:
            with theirs, undisturbed():
                process.start()
            pipe.send(function)
        except (OSError, EOFError):
            if process.pid is not None:
                worker.terminate()
                worker.join()
            raise
        return worker

    def _count_failed_start(self, error: Exception) -> None:
        self._failed_starts += 1
        if self._failed_starts == _MOST_STARTS:
            cause = "the machine may be out of memory or processes"
            raise SpecsiaError(f"worker processes end before they begin: {cause}") from error

    def _receive(self, worker: _Worker) -> tuple[int, Any] | None:
        """Result of a worker's item, if its message is one."""
        try:
            kind, content = worker.pipe.recv()
        except (EOFError, OSError) as error:
            self._remove(worker)
            if not worker.ready:
                self._count_failed_start(error)
            lost = Lost(_died(worker.process.exitcode, self.memory))
            return None if worker.index is None else (worker.index, lost)
        if kind == _RAISED:
            raise content
        if kind == _READY:
            worker.ready, self._failed_starts = True, 0
            return None
        assert worker.index is not None
        index, worker.index = worker.index, None
        return index, content

    def _remove(self, worker: _Worker) -> None:
        del self._active[worker.pipe]
        worker.terminate()
        worker.join()


def results(calls: Iterable[Callable[[], R]], workers: int) -> Generator[R, None, None]:
    """Results of calls, in order; computed here if `workers` is 1. Raises SpecsiaError if one is lost."""
    if workers <= 1:
        yield from map(call, calls)
        return
    waiting: dict[int, R] = {}
    turn = 0
    with closing(Pool(workers).run(call, list(calls), pause=lambda: len(waiting) > _AHEAD * workers)) as run:
        for index, result in run:
            if isinstance(result, Lost):
                raise SpecsiaError(f"a worker was lost: {result.reason}")
            waiting[index] = result
            while turn in waiting:
                yield waiting.pop(turn)
                turn += 1


def map_ahead(pool: Executor, function: Callable[[T], R], items: Iterable[T], most: int) -> Iterator[R]:
    """Apply a function to items in threads; yield results in order, with at most `most` computed ahead."""
    waiting = deque[Future[R]]()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
