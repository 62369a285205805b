"""Files and folders that are written whole or not at all, and the errors of places that cannot be written."""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from specsia_build.errors import WriteError
from specsia_build.files.names import is_temporary, temporary_beside

_FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "your quota is used up"}


def cannot_write(path: Path, error: OSError) -> WriteError:
    """Convert an OSError about writing `path`, or the file that it names, into one sentence."""
    if isinstance(error.filename, str) and not is_temporary(Path(error.filename).name):
        path = Path(error.filename)
    if (full := _FULL.get(error.errno or 0)) is not None:
        reason, cure = f"{full}, so {path} could not be written", "free some space"
    elif error.errno in (errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
        reason = f"{path} cannot be written because a folder or file is in its way"
        return WriteError(f"{reason}: move that elsewhere")
    else:
        reason, cure = f"{path} could not be written ({error.strerror or error})", "check its folder"
    return WriteError(f"{reason}: {cure} and run the same command again")


def write_trouble(error: BaseException) -> WriteError | None:
    """The write error that an exception is or was caused by, which is no character's fault, or None."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, WriteError):
            return cause
        if isinstance(cause, OSError) and cause.errno in _FULL:
            return cannot_write(Path(tempfile.gettempdir()) / "a file", cause)
        cause = cause.__cause__ or cause.__context__
    return None


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into a `WriteError` about `path`, or the file that the error names."""
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from error


def require_writable(path: Path) -> None:
    """Check that a file can be created at `path`, before the work for it begins; no folder is created."""
    above = next(folder for folder in path.absolute().parents if folder.exists())
    with writing(path):
        probe = temporary_beside(above / path.name)
        probe.touch()
        probe.unlink()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`, whose folder is created, and rename that to `path` at the end.

    Several writers may replace one file at once. A folder replaces only a missing or empty one.
    """
    temporary = temporary_beside(path)
    with writing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(path)
        finally:
            remove_tree(temporary)


@contextmanager
def replacing_folder(path: Path, whole: Callable[[Path], bool]) -> Iterator[Path]:
    """Yield a new, empty folder that takes the place of `path`, unless a `whole` one appeared meanwhile.

    For folders whose content follows from their name: of several writers one wins.
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


def write_bytes(path: Path, data: bytes | memoryview, lasting: bool = False) -> None:
    """Write a file whole or not at all, creating its folder; a `lasting` one survives a power cut."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)
        if lasting:
            sync(temporary)


def link_or_copy(path: Path, new: Path) -> None:
    """Make a hard link to a file, or a copy where the file system has no hard links."""
    try:
        os.link(path, new)
    except OSError:
        shutil.copyfile(path, new)


def sync(path: Path) -> None:
    """Sync a file, or a folder with all its content, to the disk."""
    for inner in sorted(path.iterdir()) if path.is_dir() else ():
        sync(inner)
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some file systems cannot, above all for folders.
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOSYS, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def append(path: Path, text: str) -> None:
    """Append lines to a file that has one writer, all or none of them; its folder is created."""
    data = text.encode()
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab", buffering=0) as stream:
            before = stream.tell()
            try:
                while data:
                    data = data[os.write(stream.fileno(), data) :]
            except OSError:
                stream.truncate(before)
                raise


def remove_tree(path: Path) -> None:
    """Remove a file or folder as far as permissions allow; links are not followed."""
    with suppress(OSError):
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            return
        for folder, inner, _ in os.walk(path):
            for subfolder in (Path(folder) / name for name in inner):
                if not subfolder.is_symlink():
                    subfolder.chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)
