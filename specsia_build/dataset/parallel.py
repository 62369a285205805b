"""Calls spread over worker processes, their results in order."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any

from specsia_build.errors import SpecsiaError

_AHEAD = 3
"""Calls that are under way for each worker, so that none waits for the next."""


def _call(call: tuple[Callable[[Any], Any], Any]) -> Any:
    function, argument = call
    return function(argument)


def results(calls: Iterable[tuple[Callable[[Any], Any], Any]], workers: int) -> Iterator[Any]:
    """Results of calls in their order, from worker processes if there is more than one.

    Raises:
        SpecsiaError: if a process dies.
    """
    if workers <= 1:
        yield from map(_call, calls)
        return
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context(method))
    try:
        left = iter(calls)
        under_way: deque[Future[Any]] = deque(pool.submit(_call, c) for c in islice(left, workers * _AHEAD))
        while under_way:
            yield under_way.popleft().result()
            under_way.extend(pool.submit(_call, c) for c in islice(left, 1))
    except BrokenProcessPool as error:
        raise SpecsiaError("a worker process died, for want of memory perhaps: try with fewer workers") from error
    finally:
        pool.shutdown(cancel_futures=True)
