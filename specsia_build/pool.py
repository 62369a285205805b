"""Worker processes of this machine, any of which may crash or hang without taking the others along."""

from __future__ import annotations

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
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from multiprocessing import forkserver, resource_tracker, util
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from typing import Any, TypeVar

from specsia_build.clock import Clock
from specsia_build.errors import SpecsiaError
from specsia_build.memory import limit_process, shown

T = TypeVar("T")
R = TypeVar("R")

ITEMS_PER_PROCESS = 500
"""Items after which a worker is replaced, so that what a library leaks stays bounded."""

LEAST_SECONDS = 60.0
"""Time that a worker serves at least, so that one with short items is not replaced all the time."""

_MOST_STARTS = 3
"""Workers in a row that may end before they have begun."""

_GRACE_SECONDS = 5.0
"""Time that a worker has to end after SIGTERM."""

_AHEAD = 4
"""Results per worker that may wait for an earlier one."""

_SOCKET_PATH, _SOCKET_NAME = 104, len("/pymp-12345678/listener-12345678")
"""Bytes that a socket's path may have on any system, and what multiprocessing adds to the temporary folder's."""

_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

_READY, _DONE, _RAISED = range(3)


@dataclass(frozen=True)
class Lost:
    """An item without a result, because its worker crashed or ran out of time; `reason` is a sentence."""

    reason: str


Results = Generator[tuple[int, R | Lost], None, None]
"""Index and result of each item in the order in which they end; closing it ends the workers."""


def never() -> bool:
    """Of a call all of whose items are wanted."""
    return False


def given_up(timeout: float) -> str:
    """Reason of an item that took longer than `timeout` seconds."""
    return f"it was given up after {timeout:g} seconds: raise `timeout` if it only needs longer"


def start_method() -> str:
    """How workers begin: forked from a server that loads modules once or, where its socket cannot be, each anew."""
    fits = len(os.fsencode(tempfile.gettempdir())) + _SOCKET_NAME < _SOCKET_PATH
    return "forkserver" if fits and "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


@contextmanager
def undisturbed() -> Iterator[None]:
    """Block SIGINT, so that what begins here gets no Ctrl-C before it ignores it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _interpreter_flags() -> list[str]:
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [*flags, *([] if sys.flags.safe_path else ["-P"])]


def _context(preload: Sequence[str]) -> BaseContext:
    # What multiprocessing starts by `python -c` would import modules from the current folder, which may be anybody's.
    setattr(util, "_args_from_interpreter_flags", _interpreter_flags)  # noqa: B010  a private name
    context = multiprocessing.get_context(start_method())
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload(list(preload))
        # It begins without Ctrl-C by itself, and lets that through for what begins after it.
        resource_tracker.ensure_running()
        with undisturbed():
            forkserver.ensure_running()
    return context


def _serve(pipe: Connection, memory: int | None) -> None:
    """Serve as a worker: the function comes first, then one item at a time. Ends with the parent, however that ends."""
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
        error = SpecsiaError(f"{type(error).__name__}: {error}")
    return error


@dataclass
class _Worker:
    """A process, the pipe to it, and the item that it is at."""

    process: Any
    pipe: Connection
    ready: bool = False
    index: int | None = None
    deadline: float = math.inf
    left: int = ITEMS_PER_PROCESS
    born: float = field(default_factory=time.monotonic)

    def end(self) -> None:
        self.pipe.close()
        self.process.terminate()

    def ended(self) -> None:
        """Wait for the process, and kill it if need be."""
        self.process.join(_GRACE_SECONDS)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()


def _died(code: int | None, memory: int | None) -> str:
    if code is None or code >= 0:
        return f"its worker process ended unexpectedly with exit code {code}"
    limit = "" if memory is None else f", or that of --memory, {shown(memory)}"
    known = -code in {one.value for one in signal.Signals}
    name = signal.Signals(-code).name if known else f"signal {-code}"
    return f"its worker process was killed by {name}: memory may have run out, the machine's{limit}"


@dataclass
class Pool:
    """Worker processes of one kind.

    Attributes:
        workers: how many at most.
        timeout: seconds after which an item is given up and its process killed.
        memory: bytes that an item may cost, or None for no limit; see `limit_process`.
        preload: modules to import once for all workers.
    """

    workers: int
    timeout: float = math.inf
    memory: int | None = None
    preload: Sequence[str] = ()

    def run(
        self,
        function: Callable[[T], R],
        items: Sequence[T],
        enough: Callable[[], bool] = never,
        pause: Callable[[], bool] = never,
    ) -> Results[R]:
        """Apply an importable function to every item.

        Args:
            function: what it raises is raised here and ends the call.
            items: picklable.
            enough: asked before an item is handed out; once true no other is, and those at work are finished.
            pause: asked likewise; while true no other is handed out.

        Raises:
            SpecsiaError: if no worker lives long enough to begin.
        """
        if not items:
            return
        for name in _THREAD_SETTINGS:
            os.environ.setdefault(name, "1")
        call = _Call(self, function, items, _context(self.preload))
        try:
            yield from call.results(enough, pause)
        finally:
            for worker in call.workers.values():
                worker.end()
            for worker in call.workers.values():
                worker.ended()

    def in_order(self, function: Callable[[T], R], items: Sequence[T]) -> Generator[R, None, None]:
        """Yield results in the order of the items; computed here where there is one worker.

        Raises:
            SpecsiaError: if a worker is lost.
        """
        if self.workers <= 1:
            yield from map(function, items)
            return
        waiting: dict[int, R] = {}
        turn = 0
        with closing(self.run(function, items, pause=lambda: len(waiting) > _AHEAD * self.workers)) as results:
            for index, result in results:
                if isinstance(result, Lost):
                    raise SpecsiaError(f"a worker was lost: {result.reason}")
                waiting[index] = result
                while turn in waiting:
                    yield waiting.pop(turn)
                    turn += 1


class _Call:
    """The workers and the waiting items of one call."""

    def __init__(self, pool: Pool, function: Callable[..., Any], items: Sequence[Any], context: BaseContext) -> None:
        self.pool, self.function, self.items, self.context = pool, function, items, context
        self.todo = deque(range(len(items)))
        self.workers: dict[Any, _Worker] = {}
        self.fruitless = 0
        self.clock = Clock()

    def results(self, enough: Callable[[], bool], pause: Callable[[], bool]) -> Iterator[tuple[int, Any]]:
        while True:
            if enough():
                self.todo.clear()
            if not pause():
                self._fill()
            busy = [worker.deadline for worker in self.workers.values() if worker.index is not None]
            if not self.todo and not busy:
                return
            speaking = wait(list(self.workers), self.clock.left(min(busy)) if busy else None)
            # What has arrived is heard before anyone is given up.
            now = self.clock.now()
            for pipe in speaking:
                if (found := self._heard(self.workers[pipe])) is not None:
                    yield found
            for worker in [one for one in self.workers.values() if one.index is not None and one.deadline <= now]:
                self._let_go(worker)
                assert worker.index is not None
                yield worker.index, Lost(given_up(self.pool.timeout))

    def _fill(self) -> None:
        """Give each idle worker an item, and start as many as there are items for."""
        for worker in [one for one in self.workers.values() if one.ready and one.index is None]:
            if not self.todo:
                return
            if worker.left <= 0 and time.monotonic() - worker.born > LEAST_SECONDS:
                self._let_go(worker)
                continue
            index = self.todo.popleft()
            try:
                worker.pipe.send(self.items[index])
            except BrokenPipeError:
                self.todo.appendleft(index)
                self._let_go(worker)
                continue
            worker.index, worker.left, worker.deadline = index, worker.left - 1, self.clock.now() + self.pool.timeout
        starting = sum(not worker.ready for worker in self.workers.values())
        while len(self.workers) < self.pool.workers and starting < len(self.todo):
            try:
                worker = self._started()
            except (OSError, EOFError) as error:
                # Where others are at work there is time to try again.
                if self.workers:
                    return
                self._in_vain(error)
                continue
            self.workers[worker.pipe] = worker
            starting += 1

    def _started(self) -> _Worker:
        pipe, theirs = self.context.Pipe()
        process = self.context.Process(  # type: ignore[attr-defined]
            target=_serve, args=(theirs, self.pool.memory), daemon=True
        )
        worker = _Worker(process, pipe)
        try:
            with theirs, undisturbed():
                process.start()
            pipe.send(self.function)
        except (OSError, EOFError):
            if process.pid is not None:
                worker.end()
                worker.ended()
            raise
        return worker

    def _in_vain(self, error: Exception) -> None:
        """Count a worker that ended before it had begun."""
        self.fruitless += 1
        if self.fruitless == _MOST_STARTS:
            raise SpecsiaError(
                "worker processes end before they begin: the machine may be out of memory or processes"
            ) from error

    def _heard(self, worker: _Worker) -> tuple[int, Any] | None:
        """Result of a worker's item, if its message is one."""
        try:
            kind, content = worker.pipe.recv()
        except (EOFError, OSError) as error:
            self._let_go(worker)
            if not worker.ready:
                self._in_vain(error)
            lost = Lost(_died(worker.process.exitcode, self.pool.memory))
            return None if worker.index is None else (worker.index, lost)
        if kind == _RAISED:
            raise content
        if kind == _READY:
            worker.ready, self.fruitless = True, 0
            return None
        assert worker.index is not None
        index, worker.index = worker.index, None
        return index, content

    def _let_go(self, worker: _Worker) -> None:
        del self.workers[worker.pipe]
        worker.end()
        worker.ended()


def results(calls: Iterable[tuple[Callable[[Any], Any], Any]], workers: int) -> Generator[Any, None, None]:
    """Results of calls, each a function and its argument, in their order; see `Pool.in_order`."""
    return Pool(workers).in_order(_call, list(calls))


def _call(call: tuple[Callable[[Any], Any], Any]) -> Any:
    function, argument = call
    return function(argument)
