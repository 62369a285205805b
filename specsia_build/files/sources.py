"""Files that users chose: regular ones only, inside their source's folder, of bounded size; and searches for them.

Listings are cached while folders do not change: thousands of characters may share one.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import BufferedReader
from pathlib import Path

from specsia_build import memory
from specsia_build.errors import CharacterError
from specsia_build.files.names import folded_name

MOST_SOURCE_BYTES = 4 * 2**30  # Largest source file that is opened

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"

_State = tuple[int, int, int] | None  # Inode, size and modification time of a regular file, or None

_opened: ContextVar[dict[Path, _State] | None] = ContextVar("opened", default=None)
"""Source files that were opened or looked for, with their state at that time."""

ANYWHERE = "**"  # Last folder of a path: search the name below the folder above, see `searched`
BESIDE = "*"  # Last folder of a path: search the name in the folder above and below image folders in it

_OF_IMAGES = re.compile(r"texture|(^|[\W_])(tex|skins?|maps?|images?|materials?)($|[\W_])", re.IGNORECASE)
"""Names of image folders."""

MOST_FOLDERS = 1000  # Folders of a tree that are searched


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

    Raises FileNotFoundError or NotADirectoryError if it does not exist, and CharacterError if it is not a regular file,
    lies outside `root` or cannot be looked up.
    """
    if (opened := _opened.get()) is not None and path not in opened:
        opened[path] = state_of(path)
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
            raise CharacterError(f"{path.name} has {size / 2**20:,.0f} MB; at most {most / 2**20:,.0f} MB are read")
        if stream.peek(len(_LFS_POINTER)).startswith(_LFS_POINTER):
            raise CharacterError(f"{path.name} is a Git LFS pointer and not the file itself: run `git lfs pull`")
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
    """SHA-256 of a source file, None if it cannot be read; of a search, the paths found, see `searched`."""
    try:
        with open_source_file(path, root) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return searched(path)
    except (OSError, CharacterError):
        return None


@dataclass(frozen=True)
class Listing:
    """Sorted names in a folder, of files and folders, and of folders alone."""

    names: tuple[str, ...]
    folders: tuple[str, ...] = ()

    def alike(self, name: str) -> tuple[str, ...]:
        """Names that are equal once folded, in order."""
        return tuple(self._alike.get(folded_name(name), ()))

    @cached_property
    def _alike(self) -> Mapping[str, list[str]]:
        names: dict[str, list[str]] = {}
        for name in self.names:
            names.setdefault(folded_name(name), []).append(name)
        return names


def listing(folder: Path) -> Listing:
    """List a folder; empty if it cannot be read."""
    try:
        return _listed(folder, folder.stat().st_mtime_ns)
    except OSError:
        return Listing(())


@lru_cache(maxsize=2 * MOST_FOLDERS)
def _listed(folder: Path, _changed: int) -> Listing:
    with os.scandir(folder) as listed:
        entries = sorted(listed, key=lambda entry: entry.name)
    folders = tuple(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    return Listing(tuple(entry.name for entry in entries), folders)


def below(top: Path, name: str) -> list[Path]:
    """Files of a name in a folder's tree, in any letter case, nearest to the top first; links are not followed."""
    paths, folders = list[Path](), [top]
    # The list grows while it is read: level by level.
    for folder in folders:
        near = listing(folder)
        paths += [folder / match for match in near.alike(name) if match not in near.folders]
        folders += [folder / subfolder for subfolder in near.folders[: MOST_FOLDERS - len(folders)]]
    return paths


def beside(folder: Path, name: str) -> list[Path]:
    """Files of a name in a folder, in any letter case, and those that `below` finds in its image folders."""
    near = listing(folder)
    paths = [folder / match for match in near.alike(name)]
    for subfolder in filter(_OF_IMAGES.search, near.folders):
        paths += below(folder / subfolder, name)
    return paths


def searched(path: str | Path) -> str | None:
    """Paths that a search finds, relative to its folder; None if it finds nothing or `path` is not a search.

    A search is the path of a folder, `ANYWHERE` or `BESIDE`, and the name of a file.
    """
    search = Path(path)
    top, look = search.parent.parent, {ANYWHERE: below, BESIDE: beside}.get(search.parent.name)
    if look is None:
        return None
    return ", ".join(path.relative_to(top).as_posix() for path in look(top, search.name)) or None
