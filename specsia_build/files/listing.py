"""What a folder lists: read once while it does not change, or each of its characters would cost a list of all."""

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
"""Nanoseconds after which a folder's time tells each further change of it: the coarsest times are FAT's, of 2 s."""


ANYWHERE = "**"
"""As the folder of a path: its name is looked for below the folder of that one, in any spelling; see `searched`."""

BESIDE = "*"
"""As the folder of a path: its name is looked for in the folder of that one and below those in it that hold images."""

_IMAGE_FOLDERS = frozenset(
    {"texture", "textures", "tex", "maps", "images", "materials", "source", "skins", "colormap", "sourceimages"}
    | {"pbr", "png", "jpg", "jpeg", "tga", "贴图", "纹理", "テクスチャ"}
)
"""Words that folders of images are called by."""

_TEXTURES = frozenset({"texture", "textures", "tex"})
"""Those of them that say so whatever stands before them."""

_SETS = frozenset({"set", "sets", "pack"})
"""Words that may stand beside those."""

IMAGE_KINDS = re.compile(
    r"tex(tures?)?|diff(use)?|albedo|base|col(ou?r)?|basecolou?r|maps?|colormap|atlas|mat(erial)?|d|cm|\d+k?"
)
"""Words that say what kind of image a file is."""

MOST_WALKED = 20_000
"""Files of a folder's tree among which a name is looked for."""

_MOST_TREES = 64

_AUTHORS_ENCODINGS = ("shift_jis", "gb18030", "big5", "euc_kr", "cp1251")
"""Encodings in which programs write the names in their text files where they do not write UTF-8 or Western European."""


@dataclass(frozen=True)
class Listing:
    """The names in a folder.

    Attributes:
        names: in order, of files and folders alike.
    """

    names: tuple[str, ...]

    def alike(self, name: str) -> tuple[str, ...]:
        """The names that are this one as `folded` has them, in order."""
        return tuple(self._alike.get(folded(name), ()))

    @cached_property
    def of_images(self) -> tuple[str, ...]:
        """The names that folders of images have, in order."""
        return tuple(filter(is_of_images, self.names))

    @cached_property
    def _alike(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in self.names:
            found.setdefault(folded(name), []).append(name)
        return found


def folded(name: str) -> str:
    """A name whatever its letter case, and whether its accents are letters of their own."""
    return unicodedata.normalize("NFC", name).casefold()


def listing(folder: Path) -> Listing:
    """What is in a folder now; nothing where there is no folder, or none that one may look into."""
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
    """What lies below a folder: its folders with their times of change, its files by their spellings, and whether those
    are all."""

    folders: Mapping[str, int]
    files: Mapping[str, Sequence[Path]]
    whole: bool


_trees: dict[Path, _Tree] = {}


def below(folder: Path, name: str) -> Sequence[Path]:
    """The files of a name in a folder's tree, in any letter case, or else as other encodings misread it, those nearest
    to the top first; of a large tree the first `MOST_WALKED` files are looked at."""
    return _tree(folder).files.get(folded(name), ())


def is_whole(folder: Path) -> bool:
    """Whether `below` looks at all files in a folder's tree."""
    return _tree(folder).whole


def _tree(folder: Path) -> _Tree:
    known = _trees.pop(folder, None)
    if known is None or any(_changed(one) != when for one, when in known.folders.items()):
        known = _walked(folder)
    if time.time_ns() - max(known.folders.values(), default=0) >= _SETTLED:
        # The one that was asked for longest ago makes room: what many characters share stays.
        if len(_trees) >= _MOST_TREES:
            del _trees[next(iter(_trees))]
        _trees[folder] = known
    return known


def beside(folder: Path, name: str) -> Sequence[Path]:
    """The files of a name in a folder, in any letter case, and those that `below` finds in its folders of images."""
    near = listing(folder)
    found = [folder / one for one in near.alike(name)]
    for one in near.of_images:
        if os.path.isdir(folder / one):  # noqa: PTH112  Path.is_dir raises where a link's target is too long
            found += below(folder / one, name)
    return found


def is_of_images(folder: str) -> bool:
    """Whether a folder is called as those that hold images: "textures", "Color Maps", "Hero_Tex"."""
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", unicodedata.normalize("NFC", folder))
    words = [word.casefold() for word in re.split(r"[\W_]+", spaced) if word]
    if folder.casefold() in _IMAGE_FOLDERS or (words and words[-1] in _TEXTURES):
        return True
    return not _IMAGE_FOLDERS.isdisjoint(words) and all(
        word in _IMAGE_FOLDERS | _SETS or IMAGE_KINDS.fullmatch(word) for word in words
    )


def searched(path: str | Path) -> str | None:
    """What a search finds, as seen from the folder that it looks into; None where it finds nothing or is no search.

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
    found: list[Path] = []
    walked, whole = 0, True
    # Before what is in it is listed: what comes then changes it once more.
    folders[str(top)] = _changed(str(top))
    for parent, subfolders, names in os.walk(top):
        if walked > MOST_WALKED:
            whole = False
            break
        subfolders.sort()
        folders.update((inner, _changed(inner)) for inner in (os.path.join(parent, one) for one in subfolders))  # noqa: PTH118
        found.extend(Path(parent) / name for name in sorted(names))
        walked += 1 + len(names)
    found.sort(key=lambda path: len(path.parts))
    exact, misread = defaultdict[str, list[Path]](list), defaultdict[str, list[Path]](list)
    for path in found:
        exact[folded(path.name)].append(path)
        for spelling in _misread(path.name):
            misread[spelling].append(path)
    return _Tree(folders, {**misread, **exact}, whole)


def _misread(name: str) -> list[str]:
    """What becomes of a name that was written in another encoding and is read as Western European, folded."""
    spellings, name = [], unicodedata.normalize("NFC", name)
    for encoding in () if name.isascii() else _AUTHORS_ENCODINGS:
        with contextlib.suppress(UnicodeError):
            # Half of a character may be a backslash, up to which a name is taken for a folder.
            spellings.append(folded(name.encode(encoding).decode("cp1252", errors="replace")).rpartition("\\")[2])
    return spellings
