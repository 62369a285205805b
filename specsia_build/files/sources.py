"""Files that somebody else chose: regular ones only, inside their folder, of a size that was looked at."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from io import BufferedReader
from pathlib import Path

from specsia_build import memory
from specsia_build.errors import CharacterError
from specsia_build.files.listing import searched

MOST_SOURCE_BYTES = 4 * 2**30
"""Largest source file that is opened."""


_State = tuple[int, int, int] | None
"""A regular file's inode, size and time of change; None where there is none."""

_opened: ContextVar[dict[Path, _State] | None] = ContextVar("opened", default=None)
"""Source files and how they were when they were first opened, or looked for in vain."""


@contextmanager
def unchanging() -> Iterator[None]:
    """See that each source file which the block opens, or looks for in vain, is at its end as it was then.

    Raises:
        CharacterError: if one is not.
    """
    opened: dict[Path, _State] = {}
    mark = _opened.set(opened)
    try:
        yield
    finally:
        _opened.reset(mark)
    for path, state in opened.items():
        if _state(path) != state:
            raise CharacterError(f"{path.name} changed while it was read: build again once it is complete")


def _state(path: Path) -> _State:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def _note(path: Path) -> None:
    if (opened := _opened.get()) is not None and path not in opened:
        opened[path] = _state(path)


def is_file(path: Path) -> bool:
    """Whether a path of a source leads to a regular file; False also where it cannot be followed."""
    return os.path.isfile(path)  # noqa: PTH113  Path.is_file raises where a link's target is too long


def is_folder(path: Path) -> bool:
    """Whether a path of a source leads to a folder; False also where it cannot be followed, however long it is."""
    return os.path.isdir(path)  # noqa: PTH112  Path.is_dir raises where a link's target is too long


def source_place(path: Path, root: Path) -> Path:
    """Where a file that somebody else chose really lies; nothing of it is read.

    Args:
        path: of the file; may be a link, or lie behind links, as long as it stays in `root`.
        root: folder of the source that it belongs to.

    Raises:
        FileNotFoundError, NotADirectoryError: if there is none.
        CharacterError: if it is no regular file, lies outside `root` or cannot be looked up.
    """
    _note(path)
    with _sentences(path):
        place = path.resolve(strict=True)
        if not place.is_relative_to(root.resolve()):
            raise CharacterError(
                f"{path.name} is a link that leads out of {root.name or root}, so it is not read: copy it"
            )
        if not place.is_file():
            raise _irregular(path)
    return place


@contextmanager
def open_source_file(path: Path, root: Path, most: int = MOST_SOURCE_BYTES) -> Iterator[BufferedReader]:
    """Open a file that somebody else chose; every file of a character is opened here, for reading and for digests.

    Args:
        path, root: as in `source_place`.
        most: bytes that it may have.

    Raises:
        FileNotFoundError, NotADirectoryError, CharacterError: as `source_place`; the last also if it is larger than
            `most` or cannot be opened.
    """

    def regular(name: str, flags: int) -> int:
        # Neither waits for a pipe nor takes a device for this process's terminal, should one stand there by now.
        handle = os.open(name, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise _irregular(path)
        return handle

    place = source_place(path, root)
    with _sentences(path):
        stream = open(place, "rb", opener=regular)  # noqa: SIM115  Path.open takes no opener; closed below
    with stream:
        facts = os.fstat(stream.fileno())
        if facts.st_size > most:
            raise CharacterError(
                f"{path.name} has {facts.st_size / 2**20:,.0f} MB; at most {most / 2**20:,.0f} MB are read"
            )
        yield stream


def _irregular(path: Path) -> CharacterError:
    return CharacterError(f"{path.name} is no regular file, so it is not read")


@contextmanager
def _sentences(path: Path) -> Iterator[None]:
    """What the system has against a path becomes a sentence, but for its not being there."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, ValueError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise CharacterError(f"{path.name} cannot be read: {why}") from error


def read_source(path: Path, root: Path, most: int = MOST_SOURCE_BYTES) -> bytes:
    """The content of a file that somebody else chose.

    Raises:
        CharacterError: if there is none, or as `open_source_file` says.
    """
    try:
        with open_source_file(path, root, most) as stream:
            return read_whole(stream)
    except OSError as error:
        raise CharacterError(f"{path.name} cannot be read: {error.strerror or error}") from error


def read_whole(stream: BufferedReader) -> bytes:
    """What is left of an opened source file, reckoned as memory that is kept before it is read.

    Raises:
        CharacterError: if it grows meanwhile.
    """
    size = os.fstat(stream.fileno()).st_size
    memory.take(size)
    data = stream.read(size + 1)
    if len(data) > size:
        raise CharacterError(f"{Path(stream.name).name} grew while it was read: build again once it is complete")
    return data


def source_digest(path: Path, root: Path) -> str | None:
    """SHA-256 of a file that somebody else chose, or None where there is none that may be read.

    Of a search it is what that finds; see `searched`.
    """
    try:
        with open_source_file(path, root) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return searched(path)
    except (OSError, CharacterError):
        return None
