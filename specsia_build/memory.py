"""What one character may cost in memory: reckoned before it is spent, and held to by the operating system."""

from __future__ import annotations

import ctypes
import errno
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from specsia_build.errors import CostError, UsageError

MEMORY = "2 GB"
"""What a worker may use unless a setting says otherwise."""

LEAST_BYTES = 2**28
MOST_BYTES = 2**44

CURE = "raise --memory, or make it smaller"

HEADROOM = 1.5
"""What the system lets a worker use, as a share of its memory: what is reckoned is not exact."""

KEPT = 2**26
"""Bytes that a worker keeps of what it has given back: pictures of a view are as large, and are asked for again."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _LARGEST_THRESHOLD = -1, -3, 2**25
"""Of `mallopt`, as malloc.h of glibc numbers them, and the most that it takes for the second."""

_UNITS = {"MB": 2**20, "GB": 2**30, "TB": 2**40}
_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?([MGT])i?B?", re.IGNORECASE)


def memory_bytes(text: str) -> int:
    """Bytes of a size such as ``2 GB``, ``1.5G`` or ``512MB``.

    Raises:
        UsageError: if it is none, or below 256 MB or above 16 TB.
    """
    match = _SIZE.fullmatch(text.strip())
    size = int(float(match[1]) * _UNITS[match[2].upper() + "B"]) if match else 0
    if not LEAST_BYTES <= size <= MOST_BYTES:
        raise UsageError(f"memory cannot be '{text}': give a size from 256 MB to 16 TB, such as '{MEMORY}'")
    return size


def shown(size: float) -> str:
    """A number of bytes for people: ``8.8 GB``, ``512 MB``."""
    return f"{size / 2**30:.3g} GB" if size >= 2**30 else f"{max(1, round(size / 2**20))} MB"


@dataclass
class Budget:
    """What one character has been reckoned to cost so far.

    Attributes:
        name: of the character, for the message.
        most: bytes that it may cost.
        taken: bytes reckoned for what is kept.
    """

    name: str
    most: int
    taken: int = 0


_allowed = memory_bytes(MEMORY)
_held_to: int | None = None
_holding, _holders, _loose = Lock(), 0, 0
_current: ContextVar[Budget | None] = ContextVar("budget", default=None)


def allowed() -> int:
    """Bytes that a character may cost in this process."""
    return _allowed


@contextmanager
def reckoned(name: str) -> Iterator[None]:
    """What the block reckons is for one character of that name; blocks inside it count towards the same."""
    if _current.get() is not None:
        yield
        return
    mark = _current.set(Budget(name, _allowed))
    try:
        yield
    finally:
        _current.reset(mark)


def take(size: int, cure: str = CURE) -> None:
    """Reckon with bytes that are kept for as long as the character is worked at; called before they are spent.

    Outside of `reckoned` each call stands for itself.

    Args:
        size: how many.
        cure: what a user can do where they are too many.

    Raises:
        CostError: if the character costs more than it may.
    """
    ask(size, cure)
    budget = _current.get()
    if budget is not None:
        budget.taken += size


def ask(size: int, cure: str = CURE) -> None:
    """Reckon with bytes that are soon given back; arguments as of `take`.

    Raises:
        CostError: as `take`.
    """
    budget = _current.get() or Budget("this", _allowed)
    if budget.taken + size > budget.most:
        raise CostError(
            f"{budget.name} needs at least {shown(budget.taken + size)} of memory, and a worker may use "
            f"{shown(budget.most)}: {cure}"
        )


def is_exhaustion(error: BaseException) -> bool:
    """Whether an error says that the system gave no more memory."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    no_thread = isinstance(error, RuntimeError) and "can't start new thread" in str(error)
    return isinstance(error, MemoryError) or no_thread


def exhausted(name: str) -> str:
    """The sentence for a character on which the system's limit was met."""
    return f"{name} needs more memory than the {shown(_allowed)} that a worker may use: {CURE}"


def keep_freed() -> None:
    """Have this process keep up to `KEPT` bytes that it gives back for what it asks for next, where the C library can:
    from the system each page would come anew, and cleared, for each view that is drawn."""
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _LARGEST_THRESHOLD)
        mallopt(_TRIM_THRESHOLD, KEPT)


def limit_process(size: int) -> None:
    """Let a character cost `size` bytes in this process, and have the system hold the process to `HEADROOM` times that.

    What the process holds by now is not counted. Where the system has no such limit, only what is reckoned holds. It
    keeps what it gives back, see `keep_freed`.
    """
    global _allowed, _held_to
    _allowed = size
    keep_freed()
    if _held_to != size and sys.platform == "linux":
        _held_to = size
        _set_limit(_data_bytes() + int(HEADROOM * size))


def _data_bytes() -> int:
    """Private memory of this process."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 2**10 for line in status if line.startswith("VmData:"))


def _set_limit(wanted: int | None) -> int:
    """Set how much private memory the system gives this process, None for all it may have; returns the limit before.

    Of address space, libraries and threads reserve much more than they use.
    """
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if wanted is None or hard != resource.RLIM_INFINITY:
        wanted = hard if wanted is None else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    return soft


@contextmanager
def held() -> Iterator[None]:
    """The system lets the block take `HEADROOM` times `allowed` beside what the process has, where it can hold it.

    For short blocks that do nothing but decode: what other threads take meanwhile counts too.
    """
    global _holders, _loose
    if sys.platform != "linux":
        yield
        return
    with _holding:
        if _holders == 0:
            _loose = _set_limit(None)
            wanted = _data_bytes() + int(HEADROOM * _allowed)
            _set_limit(wanted if _loose == -1 else min(wanted, _loose))
        _holders += 1
    try:
        yield
    finally:
        with _holding:
            _holders -= 1
            if _holders == 0:
                _set_limit(_loose)


@contextmanager
def unlimited() -> Iterator[None]:
    """Processes that the block starts are not held to this one's limit."""
    before = _set_limit(None) if sys.platform == "linux" else 0
    try:
        yield
    finally:
        if sys.platform == "linux":
            _set_limit(before)
