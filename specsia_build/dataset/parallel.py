"""Calls spread over worker processes, their results in order."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any

from specsia_build.errors import SpecsiaError

_AHEAD = 3
"""Calls that are under way for each worker, so that none waits for the next."""


_SOCKET_PATH, _SOCKET_NAME = 104, len("/pymp-12345678/listener-12345678")
"""Bytes that a socket's path may have on any system, and what multiprocessing appends to the temporary folder's."""


def start_method() -> str:
    """How worker processes are begun: forked from a server, which loads modules once, or each on its own.

    The server listens on a socket in the temporary folder, whose path may be too long for that.
    """
    fits = len(os.fsencode(tempfile.gettempdir())) + _SOCKET_NAME < _SOCKET_PATH
    return "forkserver" if fits and "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


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
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context(start_method()))
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
