"""A pool of processes that may crash or hang without taking the others along."""

from __future__ import annotations

import math
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from inspect import isgeneratorfunction
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from typing import Any

from specsia_build.clock import Clock
from specsia_build.dataset.parallel import undisturbed, worker_context
from specsia_build.errors import SpecsiaError
from specsia_build.memory import limit_process, shown
from specsia_build.pipeline.executors.base import LEAST_SECONDS, TASKS_PER_PROCESS, Lost, R, Results, T, given_up, never

_MOST_STARTS = 3
"""Workers in a row that may end before they have done anything."""

_GRACE_SECONDS = 5.0
"""What a worker that is told to end may take to do so."""

_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

_READY, _GIVEN, _DONE, _RAISED = range(4)
"""What a worker sends: that it has the function; something that a generator gave; an item's result; what was raised."""


def _begin(memory: int | None) -> None:
    """Take on the limit, ignore Ctrl-C, which the parent answers, and end as soon as the parent is gone, however."""
    if memory is not None:
        limit_process(memory)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A process that is forked may have its parent's, who says something first.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()


def _serve(pipe: Connection, memory: int | None) -> None:
    """What a worker does: the function comes first, then items, one whenever the one before is done."""
    _begin(memory)
    try:
        function = pipe.recv()
        gives = isgeneratorfunction(function)
        pipe.send((_READY, None))
        while True:
            item = pipe.recv()
            try:
                if gives:
                    for given in function(item):
                        pipe.send((_GIVEN, given))
                result = None if gives else function(item)
            except Exception as error:
                pipe.send((_RAISED, _sendable(error)))
            else:
                pipe.send((_DONE, result))
    # Nobody listens any more, as a build that was stopped does not, however early that was.
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
    """A process.

    Attributes:
        process: itself.
        pipe: to it.
        ready: whether it has begun.
        index: of the item that it is at, or None.
        given: by that so far.
        deadline: until when it may give more, by the clock of its pool.
        left: items that it may still be given, unless it is young.
        born: when it was begun, by the monotonic clock.
    """

    process: Any
    pipe: Connection
    ready: bool = False
    index: int | None = None
    given: list[Any] = field(default_factory=list)
    deadline: float = math.inf
    left: int = TASKS_PER_PROCESS
    born: float = field(default_factory=time.monotonic)

    def end(self) -> None:
        """End the process, whatever it is at."""
        self.pipe.close()
        self.process.terminate()

    def ended(self) -> None:
        """Wait until it has."""
        self.process.join(_GRACE_SECONDS)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()


def _started(context: BaseContext, function: Callable[[Any], Any], memory: int | None) -> _Worker:
    pipe, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, memory), daemon=True)  # type: ignore[attr-defined]
    worker = _Worker(process, pipe)
    try:
        with undisturbed():
            process.start()
        theirs.close()
        pipe.send(function)
    except (OSError, EOFError):
        theirs.close()
        if process.pid is not None:
            worker.end()
            worker.ended()
        raise
    return worker


def _died(code: int | None, memory: int | None) -> str:
    if code is not None and code < 0:
        known = -code in {one.value for one in signal.Signals}
        name = signal.Signals(-code).name if known else f"signal {-code}"
        hint = "; the machine may have run out of memory: try fewer --workers" if name == "SIGKILL" else ""
        if memory is not None and name in ("SIGABRT", "SIGSEGV", "SIGBUS"):
            hint = f"; it may have needed more memory than {shown(memory)}: try a larger --memory"
        return f"its worker process was killed by {name}{hint}"
    return f"its worker process ended unexpectedly with exit code {code}"


def run_local(
    function: Callable[[T], R],
    items: Sequence[T],
    workers: int,
    timeout: float,
    preload: Sequence[str] = (),
    memory: int | None = None,
    enough: Callable[[], bool] = never,
) -> Results[R]:
    """Apply a function to every item in a pool of processes.

    Args:
        function, items: see `Executor`.
        workers: processes, at least 1.
        timeout: see `Needs`.
        preload: modules to import once for all workers.
        memory: bytes that an item may cost in a worker, or None for no limit; see `limit_process`.
        enough: see `Executor`.

    Yields:
        Index and result of each item in the order in which they end; `Lost` where there is none.

    Raises:
        SpecsiaError: if no worker lives for long enough to begin.
    """
    if not items:
        return
    for name in _THREAD_SETTINGS:
        os.environ.setdefault(name, "1")
    context = worker_context(preload)
    pool = _Pool(function, items, workers, timeout, context, memory)
    try:
        yield from pool.results(enough)
    finally:
        pool.stop()


class _Pool:
    """The workers of one call, and the items that are still to be done."""

    def __init__(
        self,
        function: Callable[[T], R],
        items: Sequence[T],
        workers: int,
        timeout: float,
        context: BaseContext,
        memory: int | None,
    ) -> None:
        self.function, self.items, self.timeout, self.context = function, items, timeout, context
        self.most, self.memory = workers, memory
        self.todo = deque(range(len(items)))
        self.workers: dict[Any, _Worker] = {}
        self.fruitless = 0
        self.clock = Clock()
        self.gives = isgeneratorfunction(function)

    def stop(self) -> None:
        """End all workers."""
        for worker in self.workers.values():
            worker.end()
        for worker in self.workers.values():
            worker.ended()

    def results(self, enough: Callable[[], bool]) -> Iterator[tuple[int, Any]]:
        """See `run_local`."""
        while True:
            if enough():
                self.todo.clear()
            self._fill()
            busy = [worker.deadline for worker in self.workers.values() if worker.index is not None]
            if not self.todo and not busy:
                return
            speaking = wait(list(self.workers), self.clock.left(min(busy)) if busy else None)
            # What comes while others are listened to is heard before anyone is given up.
            now = self.clock.now()
            for pipe in speaking:
                if (found := self._heard(self.workers[pipe])) is not None:
                    yield found
            late = [one for one in self.workers.values() if one.index is not None and one.deadline <= now]
            for worker in late:
                self._let_go(worker)
                assert worker.index is not None
                yield worker.index, Lost(given_up(self.timeout), tuple(worker.given))

    def _fill(self) -> None:
        """Give each worker that waits an item, and start as many as there are items for."""
        for worker in [one for one in self.workers.values() if one.ready and one.index is None]:
            if not self.todo:
                return
            if worker.left <= 0 and time.monotonic() - worker.born > LEAST_SECONDS:
                self._let_go(worker)
                continue
            worker.index = self.todo.popleft()
            worker.given, worker.left, worker.deadline = [], worker.left - 1, self.clock.now() + self.timeout
            try:
                worker.pipe.send(self.items[worker.index])
            except BrokenPipeError:
                self.todo.appendleft(worker.index)
                self._let_go(worker)
        starting = sum(not worker.ready for worker in self.workers.values())
        while len(self.workers) < self.most and starting < len(self.todo):
            try:
                worker = _started(self.context, self.function, self.memory)
            except (OSError, EOFError) as error:
                # Where others are at work there is time to try again.
                if self.workers:
                    return
                self._in_vain(error)
                continue
            self.workers[worker.pipe] = worker
            starting += 1

    def _in_vain(self, error: Exception) -> None:
        """Count a worker that ended before it had begun.

        Raises:
            SpecsiaError: if the last few did.
        """
        self.fruitless += 1
        if self.fruitless == _MOST_STARTS:
            raise SpecsiaError(
                "worker processes end before they begin: the machine may be out of memory or processes"
            ) from error

    def _heard(self, worker: _Worker) -> tuple[int, Any] | None:
        """What became of a worker's item, where what it says tells.

        Raises:
            SpecsiaError: if the last few workers ended before they had begun.
        """
        try:
            kind, content = worker.pipe.recv()
        except (EOFError, OSError) as error:
            self._let_go(worker)
            if not worker.ready:
                self._in_vain(error)
            if worker.index is None:
                return None
            return worker.index, Lost(_died(worker.process.exitcode, self.memory), tuple(worker.given))
        if kind == _RAISED:
            raise content
        if kind == _READY:
            worker.ready, self.fruitless = True, 0
            return None
        if kind == _GIVEN:
            worker.given.append(content)
            worker.deadline = self.clock.now() + self.timeout
            return None
        assert worker.index is not None
        index, worker.index = worker.index, None
        return index, tuple(worker.given) if self.gives else content

    def _let_go(self, worker: _Worker) -> None:
        """End a worker."""
        del self.workers[worker.pipe]
        worker.end()
        worker.ended()
