"""A pool of processes that may crash or hang without taking the others along."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed

from pebble import ProcessExpired, ProcessPool

from specsia_build.pipeline.executors.base import TASKS_PER_PROCESS, Lost, R, T, given_up

_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def _leave_with_parent() -> None:
    """Ignore Ctrl-C, which the parent answers, and end as soon as the parent is gone, however it went."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()


def _died(error: ProcessExpired) -> str:
    code = error.exitcode
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = "; the machine may have run out of memory: try fewer --workers" if name == "SIGKILL" else ""
        return f"its worker process was killed by {name}{hint}"
    return f"its worker process ended unexpectedly with exit code {code}"


def run_local(
    function: Callable[[T], R], items: Sequence[T], workers: int, timeout: float, preload: Sequence[str] = ()
) -> Iterator[tuple[int, R | Lost]]:
    """Apply a function to every item in a pool of processes.

    Args:
        function: importable by name; must not raise for what it wants to report.
        items: picklable.
        workers: processes, at least 1.
        timeout: seconds after which an item is given up and its process killed.
        preload: modules to import once for all workers.

    Yields:
        Index and result of each item in the order in which they end; `Lost` where there is none.
    """
    if not items:
        return
    for name in _THREAD_SETTINGS:
        os.environ.setdefault(name, "1")
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(list(preload))
    pool = ProcessPool(
        max_workers=min(workers, len(items)),
        max_tasks=TASKS_PER_PROCESS,
        initializer=_leave_with_parent,
        context=context,
    )
    try:
        index_of: dict[Future[R], int] = {}
        for i, item in enumerate(items):
            index_of[pool.schedule(function, args=[item], timeout=timeout)] = i
        for future in as_completed(index_of):
            index = index_of[future]
            try:
                yield index, future.result()
            except TimeoutError:
                yield index, given_up(timeout)
            except ProcessExpired as error:
                yield index, Lost(_died(error))
        pool.close()
    except BaseException:
        pool.stop()
        raise
    finally:
        pool.join()
