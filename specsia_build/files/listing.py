"""Folder listings and trees, cached while folders do not change: thousands of characters may share one."""

from __future__ import annotations

import contextlib
import os
import re
import time
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

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


@dataclass(frozen=True)
class Listing:
    """The sorted names of files and folders in a folder."""

    names: tuple[str, ...]

    def alike(self, name: str) -> tuple[str, ...]:
        """Names that are equal once `folded`, in order."""
        return tuple(self._alike.get(folded(name), ()))

    @cached_property
    def of_images(self) -> tuple[str, ...]:
        """Names of image folders, in order."""
        return tuple(filter(is_of_images, self.names))

    @cached_property
    def _alike(self) -> Mapping[str, list[str]]:
        names: dict[str, list[str]] = {}
        for name in self.names:
            names.setdefault(folded(name), []).append(name)
        return names


def folded(name: str) -> str:
    """Fold letter case and composition of a name."""
    return unicodedata.normalize("NFC", name).casefold()


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
    return _tree(folder).files.get(folded(name), ())


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
    """Paths that a search finds, relative to its folder; None if it finds nothing or `path` is no search.

    Args:
        path: a folder, `ANYWHERE` or `BESIDE`, and the name of a file.
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
        exact[folded(path.name)].append(path)
        for spelling in _misread(path.name):
            misread[spelling].append(path)
    return _Tree(folders, {**misread, **exact}, whole)


def _misread(name: str) -> list[str]:
    """Folded spellings of a name that was written in another encoding and is read as Western European."""
    spellings, name = [], unicodedata.normalize("NFC", name)
    for encoding in () if name.isascii() else _ENCODINGS:
        with contextlib.suppress(UnicodeError):
            # Half of a character may be a backslash, which separates folders.
            spellings.append(folded(name.encode(encoding).decode("cp1252", errors="replace")).rpartition("\\")[2])
    return spellings
