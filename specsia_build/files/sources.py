"""Files that users chose: regular ones only, inside their source's folder, of bounded size."""

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

BEGINNING = 256
"""Bytes of a file that `other_content` needs."""

_WEB_PAGE = "is a web page and not the file itself: download that again"

_BEGINNINGS: tuple[tuple[bytes, tuple[str, ...], str], ...] = (
    (
        b"version https://git-lfs.github.com/spec/",
        (),
        "is a Git LFS pointer and not the file itself: fetch that with `git lfs pull`",
    ),
    (b"<!doctype html", (), _WEB_PAGE),
    (b"<html", (), _WEB_PAGE),
    (b"pk\x03\x04", (), "is a ZIP archive: unpack it"),
    (b"gltf", ("gltf", "vrm"), "is a GLB file: let its name end in .glb"),
    (b"kaydara fbx binary", ("fbx",), "is an FBX file: let its name end in .fbx"),
    (b"blender", ("blend",), "is a .blend file: let its name end in .blend"),
    (b"ply\n", ("ply",), "is a PLY file: let its name end in .ply"),
)
"""Beginnings in lower case, the formats that begin so, and the end of a sentence about a file of another format."""

_State = tuple[int, int, int] | None
"""Inode, size and modification time of a regular file; None if there is none."""

_opened: ContextVar[dict[Path, _State] | None] = ContextVar("opened", default=None)
"""Source files that were opened or looked for, with their state at that time."""


@contextmanager
def unchanging() -> Iterator[None]:
    """Check that no source file which the block opens, or looks for in vain, changes before its end.

    Raises:
        CharacterError: if one does.
    """
    opened: dict[Path, _State] = {}
    token = _opened.set(opened)
    try:
        yield
    finally:
        _opened.reset(token)
    for path, state in opened.items():
        if _state(path) != state:
            raise CharacterError(f"{path.name} changed while it was read: build again once it is complete")


def _state(path: Path) -> _State:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def is_file(path: Path) -> bool:
    """Whether a path leads to a regular file; False if it cannot be followed."""
    return os.path.isfile(path)  # noqa: PTH113  Path.is_file raises where a link's target is too long


def is_folder(path: Path) -> bool:
    """Whether a path leads to a folder; False if it cannot be followed."""
    return os.path.isdir(path)  # noqa: PTH112  Path.is_dir raises where a link's target is too long


def source_place(path: Path, root: Path) -> Path:
    """Resolve the path of a source file; nothing of it is read.

    Args:
        path: may be or pass through links, as long as it stays in `root`.
        root: folder of the source.

    Raises:
        FileNotFoundError, NotADirectoryError: if there is none.
        CharacterError: if it is no regular file, lies outside `root` or cannot be looked up.
    """
    if (opened := _opened.get()) is not None and path not in opened:
        opened[path] = _state(path)
    with _character_errors(path):
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
    """Open a source file; every file of a character is opened here, for reading and for digests.

    Args:
        path, root: as in `source_place`.
        most: bytes that it may have.

    Raises:
        FileNotFoundError, NotADirectoryError: if there is none.
        CharacterError: as `source_place`; also if it is larger than `most` or cannot be opened.
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
            raise CharacterError(f"{path.name} has {size / 2**20:,.0f} MB; at most {most / 2**20:,.0f} MB are read")
        yield stream


def _irregular(path: Path) -> CharacterError:
    return CharacterError(f"{path.name} is no regular file, so it is not read")


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
    """Read a source file; its size counts as memory of the character. Arguments as of `open_source_file`.

    Raises:
        CharacterError: if it is missing, cannot be read, or grows meanwhile.
    """
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
    """SHA-256 of a source file, None if it cannot be read; of a search, what it finds, see `searched`."""
    try:
        with open_source_file(path, root) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return searched(path)
    except (OSError, CharacterError):
        return None


def other_content(start: bytes, own: str = "") -> str | None:
    """The end of a sentence about a file whose beginning contradicts its name, None if nothing is recognised.

    Args:
        start: its first `BEGINNING` bytes or more.
        own: format that its name says, as `Entry.format`.
    """
    text = start[:BEGINNING].removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").lower()
    matches = (end for beginning, formats, end in _BEGINNINGS if text.startswith(beginning) and own not in formats)
    return next(matches, None)
