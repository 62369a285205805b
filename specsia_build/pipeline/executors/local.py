"""A pool of processes that may crash or hang without taking the others along."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.context import BaseContext

from pebble import ProcessExpired, ProcessPool

from specsia_build.dataset.parallel import worker_context
from specsia_build.errors import SpecsiaError
from specsia_build.memory import limit_process, shown
from specsia_build.pipeline.executors.base import TASKS_PER_PROCESS, Lost, R, T, given_up, never

_MOST_POOLS = 3
"""Pools in a row that may break without a result."""

_AHEAD = 2
"""Items handed out for each worker: the one at work, and the next."""

_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def _begin(memory: int | None) -> None:
    """Take on the limit, ignore Ctrl-C, which the parent answers, and end as soon as the parent is gone, however."""
    if memory is not None:
        limit_process(memory)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """What begins in the block gets no Ctrl-C, not even before it can say that it ignores it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _died(error: ProcessExpired, memory: int | None) -> str:
    code = error.exitcode
    if code is not None and code < 0:
        name = signal.Signals(-code).name
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
) -> Iterator[tuple[int, R | Lost]]:
    """Apply a function to every item in a pool of processes.

    Args:
        function: importable by name; must not raise for what it wants to report.
        items: picklable.
        workers: processes, at least 1.
        timeout: seconds after which an item is given up and its process killed.
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
    context = worker_context()
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload(list(preload))
        with _undisturbed():
            forkserver.ensure_running()
    left, fruitless = dict(enumerate(items)), 0
    while left and not enough():
        before, width = len(left), min(workers, len(left))
        for index, result in _by_one_pool(function, dict(left), width, timeout, context, memory, enough):
            del left[index]
            yield index, result
        fruitless = 0 if len(left) < before else fruitless + 1
        if fruitless == _MOST_POOLS:
            raise SpecsiaError("worker processes end before they begin: the machine may be out of memory or processes")


def _by_one_pool(
    function: Callable[[T], R],
    items: Mapping[int, T],
    workers: int,
    timeout: float,
    context: BaseContext,
    memory: int | None,
    enough: Callable[[], bool],
) -> Iterator[tuple[int, R | Lost]]:
    """Results as in `run_local`; of some items only, where a worker that is idle dies and takes the pool along."""
    pool = ProcessPool(
        max_workers=workers, max_tasks=TASKS_PER_PROCESS, initializer=_begin, initargs=(memory,), context=context
    )
    waiting, index_of = iter(items.items()), dict[Future[R], int]()
    try:
        while True:
            while len(index_of) < _AHEAD * workers and not enough() and (following := next(waiting, None)) is not None:
                index, item = following
                index_of[pool.schedule(function, args=[item], timeout=timeout)] = index
            if not index_of:
                break
            for future in wait(index_of, return_when=FIRST_COMPLETED).done:
                index = index_of.pop(future)
                try:
                    yield index, future.result()
                except TimeoutError:
                    yield index, given_up(timeout)
                except ProcessExpired as error:
                    yield index, Lost(_died(error, memory))
        pool.close()
    except BrokenProcessPool:
        pool.stop()
    except BaseException:
        pool.stop()
        raise
    finally:
        pool.join()
