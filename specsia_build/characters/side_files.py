"""Files that a mesh file names: looked up inside its own folder and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path, PurePosixPath

from specsia_build.characters.images import IMAGE_SUFFIXES
from specsia_build.errors import CharacterError, brief, some
from specsia_build.files.listing import ANYWHERE, below, folded, listing
from specsia_build.files.sources import MOST_SOURCE_BYTES, read_source, source_digest, source_place

_IMAGE = re.compile(r"\.(psd|tiff?|exr|hdr|dds|gif|png|jpe?g|bmp|tga|webp)$", re.IGNORECASE)


class SideFiles:
    """Finds what a mesh file names, and remembers every place that was tried.

    A name is only ever a hint: an absolute path, a drive or a way up (``..``) comes from the author's machine, and only
    its last part counts. Links may lead elsewhere in the root, as those of the Hub's cache do, but not out of it.

    Args:
        mesh_file: beside which, and below whose folder, files are looked up.
        root: folder that none of them may lie outside of, links followed; None is the mesh file's own.
    """

    def __init__(self, mesh_file: Path, root: Path | None = None) -> None:
        self.folder = mesh_file.parent
        self.stem = mesh_file.stem
        self.root = root or self.folder
        self._tried: dict[Path, None] = {mesh_file: None}
        self._said: dict[str, None] = {}

    @property
    def tried(self) -> tuple[Path, ...]:
        """The mesh file, then every file found or looked for in vain, and searches for some, in order, no repeats."""
        return tuple(self._tried)

    def warnings(self) -> list[str]:
        """A sentence for each file that was there but not read, or that another might have been meant for."""
        return list(self._said)

    def read(self, path: Path, most: int = MOST_SOURCE_BYTES) -> bytes:
        """The content of a file that was found.

        Raises:
            CharacterError: if it cannot be read, or has more than `most` bytes.
        """
        return read_source(path, self.root, most)

    def find(self, name: str) -> Path | None:
        """The file of that name: where it says, beside the mesh file, or, in any letter case, below it.

        Of several below, that in the folders that are named too, then the nearest, is the one. For an image that is not
        there, one of that name in another format stands in.
        """
        parts = PurePosixPath(re.sub(r"^[A-Za-z]:", "/", name.strip().strip('"').replace("\\", "/"))).parts
        if not parts or parts[-1] in ("/", "..") or "\0" in name:
            return None
        if not parts[0].startswith("/") and ".." not in parts and self._there(self.folder.joinpath(*parts)):
            return self.folder.joinpath(*parts)
        if self._there(self.folder / parts[-1]):
            return self.folder / parts[-1]
        best = self._best(parts)
        return best if best is not None and self._there(best) else self._other_format(parts)

    def _other_format(self, parts: Sequence[str]) -> Path | None:
        stem = _IMAGE.sub("", parts[-1])
        for suffix in IMAGE_SUFFIXES if 0 < len(stem) < len(parts[-1]) else ():
            best = self._best((*parts[:-1], stem + suffix))
            if best is not None and self._there(best):
                self._said[f"'{brief(parts[-1], 80)}' is not there: {best.name} was taken in its stead"] = None
                return best
        return None

    def find_own(self, suffixes: tuple[str, ...]) -> Path | None:
        """The file beside the mesh file with the same stem and the first of `suffixes` (lower case) that is there."""
        for suffix in suffixes:
            if self._there(self.folder / f"{self.stem}{suffix}"):
                return self.folder / f"{self.stem}{suffix}"
        near = listing(self.folder)
        for suffix in suffixes:
            for name in near.alike(f"{self.stem}{suffix}")[:1]:
                if self._there(self.folder / name):
                    return self.folder / name
        return None

    def _there(self, path: Path) -> bool:
        self._tried[path] = None
        try:
            source_place(path, self.root)
        except OSError:
            return False
        except CharacterError as error:
            self._said[str(error)] = None
            return False
        return True

    def _best(self, parts: Sequence[str]) -> Path | None:
        """The file in the folder's tree that a name with some folders before it means; None where there is none."""

        def rank(path: Path) -> tuple[int, int]:
            own = path.relative_to(self.folder).parts
            same = takewhile(bool, (folded(a) == folded(b) for a, b in zip(own[::-1], parts[::-1], strict=False)))
            return -sum(same), len(own)

        # What is found, and that nothing is, decides as files do.
        self._tried[self.folder / ANYWHERE / parts[-1]] = None
        found = below(self.folder, parts[-1])
        if not found:
            return None
        best = min(found, key=rank)
        alike = [path for path in found if rank(path) == rank(best)]
        if len({source_digest(path, self.root) for path in alike}) > 1:
            places = some([path.relative_to(self.folder).as_posix() for path in alike])
            self._said[f"'{brief(parts[-1], 80)}' may be any of {places}: the first was taken; leave one alone"] = None
        return best
