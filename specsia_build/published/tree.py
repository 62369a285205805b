"""The folder tree of the published pipeline: a folder `{id}_{view}` for each view, and lists of the splits.

Only regular files of these names are read. Their `char` is a link to another tree beside it, so links may
lead to anything in the folder that holds the tree; if that is the file system's root, only into the tree.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from specsia_build.errors import CharacterError, SpecsiaError, brief
from specsia_build.files.records import parse_json
from specsia_build.files.sources import read_source, source_place
from specsia_build.published.ids import LIST_FILES

_REST_POSE = "mesh/blender_render/rest_pose"

PICTURE_FILES = {
    "color": f"{_REST_POSE}/color/0001.png",
    "pos": f"{_REST_POSE}/pos/0001.png",
    "edge": f"{_REST_POSE}/edge/0001.png",
    "mask": "char/mask.png",
    "gt": "char/texture.png",
    "gt_on_grey": "char/texture_with_bg.png",
}
"""File of each picture in a view's folder, by the rows' column; `gt_on_grey` is the `gt` of rows."""

_FOLDER = re.compile(r"[0-9]{1,12}_[0-9]{2}")
_MOST_BYTES = 1 << 26  # Largest file that is read


@dataclass(frozen=True)
class Tree:
    """A folder tree that was found by `find_tree`."""

    where: str  # As the user gave it
    folder: Path  # Its path, and `root` the folder that links must not leave
    root: Path
    uids: dict[str, tuple[str, ...]]  # Of each split that has any, in the order of its list

    def read(self, name: str) -> bytes:
        """Read one of its files by relative name; raises SpecsiaError if that cannot be."""
        try:
            return read_source(self.folder / name, self.root, _MOST_BYTES)
        except (CharacterError, FileNotFoundError, NotADirectoryError) as error:
            reason = str(error) if isinstance(error, CharacterError) else "it is missing"
            raise SpecsiaError(f"{self.where}/{name} cannot be read: {reason}") from error

    def rows(self, uids: Iterable[str], columns: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Yield rows of views with `columns` of `uid` and `PICTURE_FILES`, pictures as PNG bytes."""
        wanted = [name for name in columns if name != "uid"]
        for uid in uids:
            yield {"uid": uid, **{name: self.read(f"{uid}/{PICTURE_FILES[name]}") for name in wanted}}

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Yield name and size in bytes of each file that rows are read from; -1 where it is missing."""
        for uid in (uid for uids in self.uids.values() for uid in uids):
            for name in PICTURE_FILES.values():
                try:
                    size = source_place(self.folder / uid / name, self.root).stat().st_size
                except (CharacterError, OSError):
                    size = -1
                yield f"{uid}/{name}", size


def is_tree(folder: Path) -> bool:
    """Whether a folder looks like such a tree: it has lists of splits, or folders of views."""
    if any((folder / name).is_file() for name in LIST_FILES.values()):
        return True
    return any((folder / uid / _REST_POSE).is_dir() for uid in folders_of(folder))


def folders_of(folder: Path) -> list[str]:
    """Names of the folders of views in a tree, sorted by number."""
    names = [path.name for path in folder.iterdir() if _FOLDER.fullmatch(path.name) and path.is_dir()]
    return sorted(names, key=uid_order)


def uid_order(uid: str) -> tuple[int, ...]:
    """Key that sorts uids of digits as the published lists do."""
    return tuple(int(part) for part in uid.split("_"))


def open_tree(where: str, folder: Path) -> Tree:
    """Read the lists of a tree. Raises SpecsiaError if one is missing or is not a list of views' names."""
    real = folder.resolve()
    root = real.parent if real.parent != real.parent.parent else real
    tree = Tree(where, folder, root, {})
    uids = {split: parse_list(tree.read(name), f"{where}/{name}") for split, name in LIST_FILES.items()}
    return Tree(where, folder, root, {split: names for split, names in uids.items() if names})


def parse_list(data: bytes, name: str) -> tuple[str, ...]:
    """Parse a list of uids; `name` is for messages."""
    try:
        uids = msgspec.convert(parse_json(data, name), list[str])
    except msgspec.ValidationError as error:
        raise SpecsiaError(f"{name} is not a list of names such as 12_03: {error}") from error
    for uid in uids:
        if not _FOLDER.fullmatch(uid):
            wanted = "which is not the name of a view such as 12_03"
            raise SpecsiaError(f"{name} lists '{brief(uid, 80)}', {wanted}")
    return tuple(uids)
