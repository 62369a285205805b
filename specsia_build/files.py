"""Files: how they are named from data, opened where strangers wrote them, and written whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import IO, Any

from specsia_build import memory
from specsia_build.errors import CharacterError, SpecsiaError, WriteError, brief, printable

MOST_NAME_BYTES = 180
"""Of a name from data, so that suffixes fit beside it into the 255 bytes that file systems allow."""

_LONG_PATH = 1000

MOST_JSON_BYTES = 64 * 2**20

MOST_JSON_DEPTH = 100
"""Lists and objects in one another; what walks through them goes one call deeper for each."""

MOST_SOURCE_BYTES = 4 * 2**30
"""Largest source file that is opened."""

_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.tmp")
_LOCKLESS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
_FORBIDDEN = frozenset('/\\:*?"<>|')


def file_name(name: str, what: str) -> str:
    """A name that comes from data, seen to be one file name and nothing else.

    Args:
        name: a character's id, a configuration, a part of a Hub file's path.
        what: what it is, for the message.

    Returns:
        The name itself.

    Raises:
        SpecsiaError: if it is empty, too long, starts with a dot or a space, ends in one, or holds a separator, a
            character that some file system refuses, or one that cannot be printed.
    """
    if not name:
        raise SpecsiaError(f"the {what} is empty, so it cannot be a file name")
    if name != name.strip(" .") or not name.isprintable() or _FORBIDDEN & set(name):
        raise SpecsiaError(f"the {what} '{brief(name, 80)}' cannot be a file name: it would lead elsewhere")
    if len(name.encode()) > MOST_NAME_BYTES:
        raise SpecsiaError(f"the {what} '{brief(name, 80)}' is too long for a file name: {MOST_NAME_BYTES} bytes fit")
    return name


def relative_name(name: str, what: str) -> PurePosixPath:
    """A path that comes from data, each part of it seen to be a `file_name`; it stays below any folder it is joined to.

    Raises:
        SpecsiaError: if a part cannot be one, or there is none.
    """
    for part in name.split("/"):
        file_name(part, what)
    return PurePosixPath(name)


def folded_name(name: str) -> str:
    """What a file system that ignores case and composition takes for the same name."""
    return unicodedata.normalize("NFC", name.casefold())


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


@contextmanager
def replacing(path: Path, needed: int | None = None) -> Iterator[Path]:
    """A new name beside `path`, whose folder is made; what the block leaves there takes the place of `path`.

    The name is like no other writer's: of several, each replaces `path` whole, and none touches what another wrote. It
    may become a file or a folder; a folder replaces only one that is empty or not there.

    Args:
        path: to be written.
        needed: bytes that it will have, where that is known.

    Raises:
        WriteError: if it cannot be written.
    """
    temporary = temporary_beside(path)
    # Tidied up first, so that the room that is told as free is.
    with writing(path, needed):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(path)
        finally:
            # What stands in the way of writing may stand in the way of tidying up too; the first is what is told.
            with suppress(OSError):
                if temporary.is_dir():
                    shutil.rmtree(temporary)
                else:
                    temporary.unlink(missing_ok=True)


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


def temporary_beside(path: Path) -> Path:
    """A new name beside `path`, like no other writer's, for what is to take its place; see `is_temporary`."""
    return path.with_name(f".{secrets.token_hex(8)}.tmp")


def is_temporary(name: str) -> bool:
    """Whether a file name is one that is written under here; it is left over where its writer was killed."""
    return _TEMPORARY.fullmatch(name) is not None


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, making its folder.

    Raises:
        WriteError: if it cannot be written.
    """
    with replacing(path, len(data)) as temporary:
        temporary.write_bytes(data)


def lock(stream: IO[Any] | int, wait: bool = False, shared: bool = False) -> bool | None:
    """Hold an open file against other processes until it is closed, or its process ends.

    Args:
        stream: the file, or its descriptor.
        wait: until nobody else holds it.
        shared: with others who hold it so.

    Returns:
        Whether it is held; None where the file system has no locks.

    Raises:
        OSError: if it cannot be locked for another reason.
    """
    try:
        fcntl.flock(stream, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _LOCKLESS:
            return None
        raise
    return True


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
    """Remove a file, or a folder with all that is in it, however deep, as far as it may be removed.

    Links are removed, not followed.
    """
    with suppress(OSError):
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            return
        found = [path]
        for folder in found:
            folder.chmod(0o700)
            for inner in list(folder.iterdir()):
                if inner.is_symlink() or not inner.is_dir():
                    inner.unlink()
                    continue
                # What lies deep is moved up, since a path may only be so long.
                if len(str(inner)) > _LONG_PATH:
                    inner.chmod(0o700)
                    inner = inner.replace(path / secrets.token_hex(8))
                found.append(inner)
        for folder in reversed(found):
            folder.rmdir()


def cannot_write(path: Path, error: OSError, needed: int | None = None) -> WriteError:
    """Why a file could not be written, with what to do.

    Args:
        path: of the file; one that the error names is told instead.
        error: what the system said.
        needed: bytes that were to be written, where that is known.
    """
    if isinstance(error.filename, str) and not is_temporary(Path(error.filename).name):
        path = Path(error.filename)
    go_on = "and give the same command again, it goes on from here"
    if error.errno == errno.ENOSPC:
        return WriteError(f"the disk is full, {path} could not be written{_room(path, needed)}: make room {go_on}")
    if error.errno == errno.EDQUOT:
        return WriteError(f"your quota is used up, {path} could not be written{_room(path, needed)}: make room {go_on}")
    if error.errno == errno.EFBIG:
        return WriteError(f"{path} would be larger than a file may be here: raise that limit (ulimit -f) {go_on}")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return WriteError(f"{path} may not be written ({error.strerror}): make its folder writable, or name another")
    if error.errno in (errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
        return WriteError(f"{path} cannot be written because a folder or file stands in its way: move that elsewhere")
    return WriteError(f"{path} could not be written: {error.strerror or error}")


def write_trouble(error: BaseException) -> WriteError | None:
    """What an error, or what led to it, says of a place that cannot be written; None if it is about something else.

    Such a place is nobody's fault whose turn it is: what comes next would fail likewise.
    """
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, WriteError):
            return found
        if isinstance(found, OSError) and found.errno in (errno.ENOSPC, errno.EDQUOT):
            if isinstance(found.filename, str):
                return cannot_write(Path(found.filename), found)
            aside = Path(tempfile.gettempdir())
            return WriteError(
                f"a disk is full, what is printed or kept aside in {aside} could not be written"
                f"{_room(aside / 'x', None)}: make room and give the same command again, it goes on from here"
            )
        found = found.__cause__ or found.__context__
    return None


def _room(path: Path, needed: int | None) -> str:
    for folder in path.parents:
        try:
            free = f"{_amount(shutil.disk_usage(folder).free)} free"
        except OSError:
            continue
        return f" ({free})" if needed is None else f" ({_amount(needed)} needed, {free})"
    return ""


def _amount(size: int) -> str:
    return f"{size / 2**10:,.1f} kB" if size < 2**20 else f"{size / 2**20:,.1f} MB"


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


def source_digest(path: Path, root: Path, most: int = MOST_SOURCE_BYTES) -> str | None:
    """SHA-256 of a file that somebody else chose, or None where there is none that may be read."""
    try:
        with open_source_file(path, root, most) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except (OSError, CharacterError):
        return None


def parse_json(data: bytes | str, what: str) -> Any:
    """JSON as plain values.

    Args:
        data: UTF-8, or text.
        what: names it in messages.

    Raises:
        SpecsiaError: if it is damaged, nested too deeply or larger than `MOST_JSON_BYTES`.
    """
    if len(data) > MOST_JSON_BYTES:
        raise SpecsiaError(f"{what} cannot be read: it has {len(data) / 2**20:,.0f} MB")
    try:
        found = json.loads(data)
    except RecursionError as error:
        raise SpecsiaError(f"{what} cannot be read: it is nested too deeply") from error
    except ValueError as error:
        raise SpecsiaError(f"{what} cannot be read: {brief(str(error), 120)}") from error
    level = [found]
    for _ in range(MOST_JSON_DEPTH):
        level = [inner for outer in level for inner in _children(outer)]
    if level:
        raise SpecsiaError(f"{what} cannot be read: it is nested too deeply")
    return found


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            if isinstance(inner, dict | list):
                yield inner


def remembered_json(path: Path) -> Any:
    """JSON of a file that only remembers what can be found out again; None where there is none that can be read."""
    try:
        return read_json(path)
    except (FileNotFoundError, SpecsiaError):
        return None


def read_json(path: Path, what: str | None = None) -> Any:
    """JSON of a file as plain values.

    Raises:
        SpecsiaError: if it cannot be read, as `parse_json` says; FileNotFoundError passes.
    """
    what = what or str(path)
    try:
        with path.open("rb") as stream:
            return parse_json(stream.read(MOST_JSON_BYTES + 1), what)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SpecsiaError(f"{printable(what)} cannot be read: {error.strerror or error}") from error
