"""Calls spread over worker processes, their results in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import forkserver, resource_tracker, util
from multiprocessing.connection import Connection
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


@contextmanager
def undisturbed() -> Iterator[None]:
    """What begins in the block gets no Ctrl-C, not even before it can say that it ignores it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def worker_context(preload: Sequence[str] | None = None) -> BaseContext:
    """What begins worker processes, with multiprocessing's resource tracker at work and without a voice.

    None of these processes looks for modules in the current folder, as `python -c` does: a downloaded folder may hold a
    ``signal.py``, and nothing of it is to run.

    The tracker removes the semaphores of a process that was killed, and complains of them, or of those that it does not
    know because it was killed and begun again itself: nothing that a user could mend.

    Args:
        preload: modules to import once for all workers; the main one, if it is None.
    """
    # All that multiprocessing starts asks for its arguments by this name.
    setattr(util, "_args_from_interpreter_flags", _interpreter_flags)  # noqa: B010  it is a private name
    warnings.filterwarnings("ignore", message="resource_tracker: ")
    # It is also begun again from within, whenever it is found dead.
    setattr(resource_tracker.ResourceTracker, "ensure_running", _ensure_running_quietly)  # noqa: B010  it is a method
    # The fork server asks for it by this name, which leads past the method.
    resource_tracker.ensure_running = _ask_for_tracker
    # It is started without Ctrl-C anyway, and lets that through again for what begins after it.
    resource_tracker.ensure_running()
    context = multiprocessing.get_context(start_method())
    if context.get_start_method() == "forkserver":
        if preload is not None:
            context.set_forkserver_preload(list(preload))
        with undisturbed():
            forkserver.ensure_running()
    return context


def _interpreter_flags() -> list[str]:
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [*flags, *([] if sys.flags.safe_path else ["-P"])]


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


def _begin(parent: Connection) -> None:
    """Ignore Ctrl-C, which the parent answers, and end as soon as that wants no more or is gone, however."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        parent.poll(None)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def results(calls: Iterable[tuple[Callable[[Any], Any], Any]], workers: int) -> Generator[Any, None, None]:
    """Results of calls in their order, from worker processes if there is more than one; closing it ends them.

    Raises:
        SpecsiaError: if a process dies, or the system has no semaphores for several.
    """
    if workers <= 1:
        yield from map(_call, calls)
        return
    context = worker_context()
    # Nothing is sent: that the other end is closed is what workers hear.
    parent, held = context.Pipe(duplex=False)
    try:
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(parent,))
    # Some containers have no /dev/shm, or one that cannot be written.
    except (OSError, ImportError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SpecsiaError(
            f"several processes need the system's semaphores, which cannot be had ({reason}): mount a /dev/shm that "
            "can be written, or give --workers 1"
        ) from error

    # Ctrl-C is raised in the main thread alone; there it would leave workers that the pool does not know of yet.
    hand = ThreadPoolExecutor(1)

    def submit(some: Iterable[tuple[Callable[[Any], Any], Any]]) -> list[Future[Any]]:
        with undisturbed():
            return [pool.submit(_call, call) for call in some]

    def submitted(most: int) -> list[Future[Any]]:
        return hand.submit(submit, islice(left, most)).result()

    left = iter(calls)
    try:
        under_way = deque(submitted(workers * _AHEAD))
        while under_way:
            yield under_way.popleft().result()
            under_way.extend(submitted(1))
    except BaseException as error:
        held.close()
        if isinstance(error, BrokenProcessPool):
            raise SpecsiaError("a worker process died, for want of memory perhaps: try with fewer workers") from error
        raise
    finally:
        hand.shutdown()
        pool.shutdown(cancel_futures=True)
        held.close()
        parent.close()
