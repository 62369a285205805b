"""Memory that one character may use: counted before it is allocated, and limited by the operating system."""

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

MEMORY = "2 GB"  # Default limit of a worker
LEAST_BYTES, _MOST_BYTES = 2**28, 2**44  # Range of limits: 256 MB to 16 TB

CURE = "raise --memory, or make it smaller"

HEADROOM = 1.5  # Memory that the system lets a worker use, relative to its limit: estimates are not exact
_KEPT = 2**26  # Freed bytes that a worker keeps, enough for the pictures of a view

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # Options of `mallopt` in glibc's malloc.h
_LARGEST_THRESHOLD = 2**25  # Largest value of the second

_UNITS = {"MB": 2**20, "GB": 2**30, "TB": 2**40}
_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?([MGT])i?B?", re.IGNORECASE)


def memory_bytes(text: str) -> int:
    """Parse a size from 256 MB to 16 TB, such as ``2 GB``, ``1.5G`` or ``512MB``, else raise a UsageError."""
    match = _SIZE.fullmatch(text.strip())
    size = int(float(match[1]) * _UNITS[match[2].upper() + "B"]) if match else 0
    if not LEAST_BYTES <= size <= _MOST_BYTES:
        raise UsageError(f"memory cannot be '{text}': give a size from 256 MB to 16 TB, such as '{MEMORY}'")
    return size


def format_size(size: float) -> str:
    """Format a number of bytes: ``8.8 GB``, ``512 MB``."""
    return f"{size / 2**30:.3g} GB" if size >= 2**30 else f"{max(1, round(size / 2**20))} MB"


@dataclass
class Budget:
    """Bytes that are kept for the character `name`."""

    name: str
    taken: int = 0


_allowed = memory_bytes(MEMORY)
_held_to: int | None = None
_holding = Lock()
_holders = 0
_loose = 0
_current: ContextVar[Budget | None] = ContextVar("budget", default=None)


def allowed() -> int:
    return _allowed


@contextmanager
def counting(name: str) -> Iterator[None]:
    """Count what the block takes towards one character; inner blocks count towards the same."""
    if _current.get() is not None:
        yield
        return
    token = _current.set(Budget(name))
    try:
        yield
    finally:
        _current.reset(token)


def take(size: int, cure: str = CURE) -> None:
    """Count bytes that are kept until the character is done; call it before they are allocated.

    Outside of `counting` each call counts alone. Too many raise a CostError whose message ends with `cure`.
    """
    ask(size, cure)
    if (budget := _current.get()) is not None:
        budget.taken += size


def ask(size: int, cure: str = CURE) -> None:
    """Check that bytes which are soon freed fit beside those that are kept; see `take`."""
    budget = _current.get() or Budget("this")
    if (wanted := budget.taken + size) > _allowed:
        raise CostError(
            f"{budget.name} needs at least {format_size(wanted)} of memory, "
            f"and a worker may use {format_size(_allowed)}: {cure}"
        )


def is_exhaustion(error: BaseException) -> bool:
    """Whether an error means that the system gave no more memory."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    no_thread = isinstance(error, RuntimeError) and "can't start new thread" in str(error)
    return isinstance(error, MemoryError) or no_thread


def exhausted(name: str) -> str:
    """The message about a character that met the system's limit."""
    return f"{name} needs more memory than the {format_size(_allowed)} that a worker may use: {CURE}"


def keep_freed() -> None:
    """Have glibc keep `_KEPT` freed bytes: the system would clear new pages for each view drawn."""
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _LARGEST_THRESHOLD)
        mallopt(_TRIM_THRESHOLD, _KEPT)


def limit_process(size: int) -> None:
    """Let a character use `size` bytes; on Linux, limit this process to `HEADROOM` times that on top."""
    global _allowed, _held_to
    _allowed = size
    keep_freed()
    if _held_to != size and sys.platform == "linux":
        _held_to = size
        _set_limit(_data_bytes() + int(HEADROOM * size))


def _data_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 2**10 for line in status if line.startswith("VmData:"))


def _set_limit(wanted: int | None) -> int:
    """On Linux, limit the private memory of this process, None for no limit; returns the limit before.

    Address space is not limited: libraries and threads reserve much more than they use.
    """
    import resource

    if sys.platform != "linux":
        return -1
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if wanted is None or hard != resource.RLIM_INFINITY:
        wanted = hard if wanted is None else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    return soft


@contextmanager
def held() -> Iterator[None]:
    """On Linux, limit what the block takes beyond what the process has to `HEADROOM` times `allowed`.

    For short blocks that only decode: what other threads take meanwhile counts too.
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
    """Start processes in the block without this one's limit."""
    before = _set_limit(None)
    try:
        yield
    finally:
        _set_limit(before)
