"""Calls spread over worker processes, their results in order."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import resource_tracker
from multiprocessing.context import BaseContext
from typing import Any

from specsia_build.errors import SpecsiaError

_STANDARD_ERROR = 2

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


def worker_context() -> BaseContext:
    """What begins worker processes, with multiprocessing's resource tracker at work and without a voice.

    The tracker removes the semaphores of a process that was killed, and complains of them, or of those that it does not
    know because it was killed and begun again itself: nothing that a user could mend.
    """
    warnings.filterwarnings("ignore", message="resource_tracker: ")
    # It is also begun again from within, whenever it is found dead.
    setattr(resource_tracker.ResourceTracker, "ensure_running", _ensure_running_quietly)  # noqa: B010  it is a method
    # The fork server asks for it by this name, which leads past the method.
    resource_tracker.ensure_running = _ask_for_tracker
    # It is started without Ctrl-C anyway, and lets that through again for what begins after it.
    resource_tracker.ensure_running()
    return multiprocessing.get_context(start_method())


_ensure_running = resource_tracker.ResourceTracker.ensure_running


def _ensure_running_quietly(tracker: resource_tracker.ResourceTracker) -> None:
    voice, nothing = os.dup(_STANDARD_ERROR), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, _STANDARD_ERROR)
        _ensure_running(tracker)
    finally:
        os.dup2(voice, _STANDARD_ERROR)
        os.close(voice)
        os.close(nothing)


def _ask_for_tracker() -> None:
    resource_tracker.getfd()


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
    pool = ProcessPoolExecutor(workers, mp_context=worker_context())
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
