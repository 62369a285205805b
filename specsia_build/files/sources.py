"""Files that users chose: regular ones only, inside their source's folder, of bounded size; and searches for them.

Listings and trees are cached while folders do not change: thousands of characters may share one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import time
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import BufferedReader
from pathlib import Path

from specsia_build import memory
from specsia_build.errors import CharacterError
from specsia_build.files.names import folded_name

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
"""Inode, size and modification time of a regular file, or None."""

_opened: ContextVar[dict[Path, _State] | None] = ContextVar("opened", default=None)
"""Source files that were opened or looked for, with their state at that time."""

_SETTLED = 2 * 10**9
"""Nanoseconds after which a folder's modification time shows each further change: FAT's resolution is 2 s."""


ANYWHERE = "**"
"""Last folder of a path: search the name below the folder above, see `searched`."""

BESIDE = "*"
"""Last folder of a path: search the name in the folder above and below image folders in it."""

_IMAGE_FOLDERS = frozenset(
    {"texture", "textures", "tex", "maps", "images", "materials", "source", "skins", "colormap", "sourceimages"}
    | {"pbr", "png", "jpg", "jpeg", "tga", "贴图", "纹理", "テクスチャ"}
)
"""Words in names of image folders."""

_TEXTURES, _SETS = frozenset({"texture", "textures", "tex"}), frozenset({"set", "sets", "pack"})
"""Last words that are enough, and words that may stand beside the others."""

IMAGE_KINDS = re.compile(
    r"tex(tures?)?|diff(use)?|albedo|base|col(ou?r)?|basecolou?r|maps?|colormap|atlas|mat(erial)?|d|cm|\d+k?"
)
"""Words for kinds of images."""

MOST_WALKED = 20_000
"""Files of a folder's tree that are searched."""

_MOST_TREES = 64

_ENCODINGS = ("shift_jis", "gb18030", "big5", "euc_kr", "cp1251")
"""Encodings of names in text files that are neither UTF-8 nor Western European."""


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
    return os.path.isdir(path)  # noqa: PTH112  Path.is_dir raises where a link's target is too long


def source_place(path: Path, root: Path) -> Path:
    """Resolve the path of a source file, which may pass through links inside `root`; nothing of it is read.

    Raises FileNotFoundError or NotADirectoryError if it does not exist, and CharacterError if it is not a regular file,
    lies outside `root` or cannot be looked up.
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
    """Open a source file of at most `most` bytes; every file of a character is opened here.

    Raises as `source_place`; also CharacterError if it is too large or cannot be opened.
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


def other_content(start: bytes, own: str = "") -> str | None:
    """The end of a sentence about a file whose beginning contradicts its name, None if nothing is recognised.

    Args:
        start: its first `BEGINNING` bytes or more.
        own: format that its name says, as `Entry.format`.
    """
    text = start[:BEGINNING].removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").lower()
    matches = (end for beginning, formats, end in _BEGINNINGS if text.startswith(beginning) and own not in formats)
    return next(matches, None)


@dataclass(frozen=True)
class Listing:
    """The sorted names of files and folders in a folder."""

    names: tuple[str, ...]

    def alike(self, name: str) -> tuple[str, ...]:
        """Names that are equal once folded, in order."""
        return tuple(self._alike.get(folded_name(name), ()))

    @cached_property
    def of_images(self) -> tuple[str, ...]:
        return tuple(filter(is_of_images, self.names))

    @cached_property
    def _alike(self) -> Mapping[str, list[str]]:
        names: dict[str, list[str]] = {}
        for name in self.names:
            names.setdefault(folded_name(name), []).append(name)
        return names


def listing(folder: Path) -> Listing:
    """List a folder; empty if it cannot be read."""
    try:
        changed = folder.stat().st_mtime_ns
        if time.time_ns() - changed < _SETTLED:
            return _read(folder)
        return _settled(folder, changed)
    except OSError:
        return Listing(())


@lru_cache(maxsize=256)
def _settled(folder: Path, _: int) -> Listing:
    return _read(folder)


def _read(folder: Path) -> Listing:
    return Listing(tuple(sorted(path.name for path in folder.iterdir())))


@dataclass(frozen=True)
class _Tree:
    """A folder's tree: folders with modification times, files by folded name, and whether those are all."""

    folders: Mapping[str, int]
    files: Mapping[str, Sequence[Path]]
    whole: bool


_trees: dict[Path, _Tree] = {}


def below(folder: Path, name: str) -> Sequence[Path]:
    """Files of a name in a folder's tree, in any letter case or misread in other encodings, nearest to the top first.

    Of a large tree only the first `MOST_WALKED` files are searched.
    """
    return _tree(folder).files.get(folded_name(name), ())


def is_whole(folder: Path) -> bool:
    """Whether `below` searches all files in a folder's tree."""
    return _tree(folder).whole


def _tree(folder: Path) -> _Tree:
    known = _trees.pop(folder, None)
    if known is None or any(_changed(one) != when for one, when in known.folders.items()):
        known = _walked(folder)
    if time.time_ns() - max(known.folders.values(), default=0) >= _SETTLED:
        # The least recently used one makes room.
        if len(_trees) >= _MOST_TREES:
            del _trees[next(iter(_trees))]
        _trees[folder] = known
    return known


def beside(folder: Path, name: str) -> Sequence[Path]:
    """Files of a name in a folder, in any letter case, and those that `below` finds in its image folders."""
    near = listing(folder)
    paths = [folder / one for one in near.alike(name)]
    for one in near.of_images:
        if os.path.isdir(folder / one):  # noqa: PTH112  Path.is_dir raises where a link's target is too long
            paths += below(folder / one, name)
    return paths


def is_of_images(folder: str) -> bool:
    """Whether a name is one of image folders: "textures", "Color Maps", "Hero_Tex"."""
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", unicodedata.normalize("NFC", folder))
    words = [word.casefold() for word in re.split(r"[\W_]+", spaced) if word]
    if folder.casefold() in _IMAGE_FOLDERS or (words and words[-1] in _TEXTURES):
        return True
    return not _IMAGE_FOLDERS.isdisjoint(words) and all(
        word in _IMAGE_FOLDERS | _SETS or IMAGE_KINDS.fullmatch(word) for word in words
    )


def searched(path: str | Path) -> str | None:
    """Paths that a search finds, relative to its folder; None if it finds nothing or `path` is not a search.

    A search is the path of a folder, `ANYWHERE` or `BESIDE`, and the name of a file.
    """
    search = Path(path)
    top, look = search.parent.parent, {ANYWHERE: below, BESIDE: beside}.get(search.parent.name)
    if look is None:
        return None
    return ", ".join(one.relative_to(top).as_posix() for one in look(top, search.name)) or None


def _changed(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116  there may be many
    except OSError:
        return -1


def _walked(top: Path) -> _Tree:
    folders: dict[str, int] = {}
    paths: list[Path] = []
    walked, whole = 0, True
    # Times are read before the listing, so that later changes show.
    folders[str(top)] = _changed(str(top))
    for parent, subfolders, names in os.walk(top):
        if walked > MOST_WALKED:
            whole = False
            break
        subfolders.sort()
        folders.update((inner, _changed(inner)) for inner in (os.path.join(parent, one) for one in subfolders))  # noqa: PTH118
        paths.extend(Path(parent) / name for name in sorted(names))
        walked += 1 + len(names)
    paths.sort(key=lambda path: len(path.parts))
    exact, misread = defaultdict[str, list[Path]](list), defaultdict[str, list[Path]](list)
    for path in paths:
        exact[folded_name(path.name)].append(path)
        for spelling in _misread(path.name):
            misread[spelling].append(path)
    return _Tree(folders, {**misread, **exact}, whole)


def _misread(name: str) -> list[str]:
    """Folded spellings of a name that was written in another encoding and is read as Western European."""
    spellings, name = [], unicodedata.normalize("NFC", name)
    for encoding in () if name.isascii() else _ENCODINGS:
        with contextlib.suppress(UnicodeError):
            # Half of a character may be a backslash, which separates folders.
            spellings.append(folded_name(name.encode(encoding).decode("cp1252", errors="replace")).rpartition("\\")[2])
    return spellings
