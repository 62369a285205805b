"""Files and folders written whole or not at all, and removed."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from specsia_build.files.names import temporary_beside
from specsia_build.files.trouble import cannot_write


@contextmanager
def writing(path: Path, needed: int | None = None) -> Iterator[None]:
    """What the system has against writing in the block becomes a sentence.

    Args:
        path: that is told, where the error names none.
        needed: bytes that are to be written in all, where that is known.

    Raises:
        WriteError: instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error, needed) from error


def see_writable(path: Path) -> None:
    """See, before work begins whose result goes to a place, that something can be written there.

    Folders that are lacking above it are not made.

    Raises:
        WriteError: if it cannot.
    """
    above = next(folder for folder in path.absolute().parents if folder.exists())
    with writing(path):
        probe = temporary_beside(above / path.name)
        probe.touch()
        probe.unlink()


@contextmanager
def replacing(path: Path, needed: int | None = None) -> Iterator[Path]:
    """A new name beside `path`, whose folder is made; the file or folder that the block leaves there replaces `path`.

    The name is like no other writer's: of several, each replaces `path` whole. A folder replaces only one that is empty
    or not there.

    Args:
        path: to be written.
        needed: bytes that it will have, where that is known.

    Raises:
        WriteError: if it cannot be written.
    """
    temporary = temporary_beside(path)
    with writing(path, needed):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(path)
        finally:
            # Before the sentence tells how much room is free.
            remove_tree(temporary)


@contextmanager
def replacing_folder(path: Path, whole: Callable[[Path], bool]) -> Iterator[Path]:
    """A new, empty folder beside `path` that takes its place, unless one that is `whole` has come there meanwhile.

    For a folder whose content follows from its name: of several writers one wins, and the others find that it did.

    Raises:
        WriteError: if it cannot be written.
    """
    temporary, aside = temporary_beside(path), temporary_beside(path)
    with writing(path):
        try:
            temporary.mkdir(parents=True)
            yield temporary
            if path.exists() and not whole(path):
                path.rename(aside)
            try:
                temporary.rename(path)
            except OSError:
                if not whole(path):
                    raise
        finally:
            for left in (temporary, aside):
                shutil.rmtree(left, ignore_errors=True)


def write_bytes(path: Path, data: bytes, lasting: bool = False) -> None:
    """Write a file whole or not at all, making its folder.

    Args:
        path: of the file.
        data: its bytes.
        lasting: see that they outlast a power cut, which takes the disk a moment.

    Raises:
        WriteError: if it cannot be written.
    """
    with replacing(path, len(data)) as temporary:
        temporary.write_bytes(data)
        if lasting:
            outlasting(temporary)


def outlasting(path: Path) -> None:
    """See that a file, or a folder with all that is in it, is on the disk before it takes its place.

    Raises:
        OSError: if it cannot be written.
    """
    for inner in sorted(path.iterdir()) if path.is_dir() else ():
        outlasting(inner)
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        # Not every file system knows how, least of all of folders.
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOSYS, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def append(path: Path, text: str) -> None:
    """Write whole lines to the end of a file that has one writer, making its folder; all of them or none.

    Raises:
        WriteError: if they cannot be written.
    """
    data = memoryview(text.encode())
    with writing(path, len(data)):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            before = os.fstat(handle).st_size
            try:
                while data:
                    data = data[os.write(handle, data) :]
            except OSError:
                os.ftruncate(handle, before)
                raise
        finally:
            os.close(handle)


def remove_tree(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, as far as it may be removed; links are not followed."""
    with suppress(OSError):
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            return
        for folder, inner, _ in os.walk(path):
            for one in (Path(folder) / name for name in inner):
                if not one.is_symlink():
                    one.chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)
