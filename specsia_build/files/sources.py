"""Files that users chose: regular ones only, inside their source's folder and of bounded size."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from io import BufferedReader
from pathlib import Path

from specsia_build import memory
from specsia_build.errors import CharacterError

MOST_SOURCE_BYTES = 4 * 2**30  # Largest source file that is opened
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
DigestOf = Callable[[Path, Path], str | None]  # Returns the digest of a file inside a folder, or None
_State = tuple[int, int, int] | None  # Inode, size and modification time of a regular file, or None
_opened: ContextVar[dict[Path, _State] | None] = ContextVar("opened", default=None)
"""Source files that were opened or looked for, with their state at that time."""


@contextmanager
def unchanging() -> Iterator[None]:
    """Check that no source file which the block opens, or looks for in vain, changes before its end."""
    opened: dict[Path, _State] = {}
    token = _opened.set(opened)
    try:
        yield
    finally:
        _opened.reset(token)
    for path, state in opened.items():
        if state_of(path) != state:
            raise CharacterError(f"{path.name} changed while it was read: build again once it is complete")


def state_of(path: Path) -> _State:
    """Inode, size and time of a regular file, by which to tell whether it changes; None if there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def is_file(path: Path) -> bool:
    """Whether a path leads to a regular file; False if it cannot be followed."""
    return os.path.isfile(path)  # noqa: PTH113  Path.is_file raises where a link's target is too long


def source_place(path: Path, root: Path) -> Path:
    """Resolve the path of a source file, which may pass through links inside `root`; nothing of it is read.

    Raises FileNotFoundError or NotADirectoryError if it does not exist, and CharacterError if it is not a
    regular file, lies outside `root` or cannot be looked up.
    """
    if (opened := _opened.get()) is not None and path not in opened:
        opened[path] = state_of(path)
    with _character_errors(path):
        place = path.resolve(strict=True)
        if not place.is_relative_to(root.resolve()):
            problem = f"{path.name} is a link that leads out of {root.name or root}"
            raise CharacterError(f"{problem}, so it is not read: copy it")
        if not place.is_file():
            raise _irregular(path)
    return place


@contextmanager
def open_source_file(path: Path, root: Path, most: int = MOST_SOURCE_BYTES) -> Iterator[BufferedReader]:
    """Open a source file of at most `most` bytes; every file of a character is opened here.

    Raises as `source_place`; also CharacterError if it is too large, a Git LFS pointer or cannot be opened.
    """

    def regular(name: str, flags: int) -> int:
        # Non-blocking, in case that a pipe or a device has taken the file's place by now.
        handle = os.open(name, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise _irregular(path)
        return handle

    place = source_place(path, root)
    with _character_errors(path):
        stream = open(place, "rb", opener=regular)  # noqa: SIM115  Path.open takes no opener; closed below
    with stream:
        size = os.fstat(stream.fileno()).st_size
        if size > most:
            has, limit = f"{size / 2**20:,.0f} MB", f"{most / 2**20:,.0f} MB"
            raise CharacterError(f"{path.name} has {has}; at most {limit} are read")
        if stream.peek(len(_LFS_POINTER)).startswith(_LFS_POINTER):
            reason = "is a Git LFS pointer and not the file itself: run `git lfs pull`"
            raise CharacterError(f"{path.name} {reason}")
        yield stream


def _irregular(path: Path) -> CharacterError:
    return CharacterError(f"{path.name} is not a regular file, so it is not read")


@contextmanager
def _character_errors(path: Path) -> Iterator[None]:
    """Convert errors of the system about a path to sentences, except that it does not exist."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, ValueError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise CharacterError(f"{path.name} cannot be read: {why}") from error


def read_source(path: Path, root: Path, most: int = MOST_SOURCE_BYTES) -> bytes:
    """Read a source file, see `open_source_file`; its size counts as memory of the character."""
    try:
        with open_source_file(path, root, most) as stream:
            size = os.fstat(stream.fileno()).st_size
            memory.take(size)
            data = stream.read(size + 1)
    except OSError as error:
        raise CharacterError(f"{path.name} cannot be read: {error.strerror or error}") from error
    if len(data) > size:
        raise CharacterError(f"{path.name} grew while it was read: build again once it is complete")
    return data


def source_digest(path: Path, root: Path) -> str | None:
    """SHA-256 of a source file; None if it cannot be read."""
    try:
        with open_source_file(path, root) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except (OSError, CharacterError):
        return None
