"""Files that a mesh file names: looked up in its folder and in folders of images beside it, inside the source alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path, PurePosixPath

from specsia_build.characters.images import IMAGE_ENDING, IMAGE_SUFFIXES
from specsia_build.errors import CharacterError, brief, some
from specsia_build.files.listing import ANYWHERE, BESIDE, MOST_WALKED, below, beside, folded, is_whole, listing
from specsia_build.files.sources import MOST_SOURCE_BYTES, read_source, source_digest, source_place

_IMAGE = re.compile(rf"{IMAGE_ENDING}$", re.IGNORECASE)


class SideFiles:
    """Finds what a mesh file names, and remembers every place that was tried.

    A name is only ever a hint: an absolute path, a drive or a way out of the root comes from the author's machine, and
    only its last part counts. Links may lead elsewhere in the root, as those of the Hub's cache do, but not out of it.

    Args:
        mesh_file: beside which, below whose folder, and in folders of images above which files are looked up.
        root: folder that none of them may lie outside of, links followed; None is the mesh file's own.
    """

    def __init__(self, mesh_file: Path, root: Path | None = None) -> None:
        self.folder = mesh_file.parent
        self.stem = mesh_file.stem
        self.name = mesh_file.name
        self.root = root or self.folder
        self._tried: dict[Path, None] = {mesh_file: None}
        self._said: dict[str, None] = {}

    @property
    def tried(self) -> tuple[Path, ...]:
        """The mesh file, then every file found or looked for in vain, and searches for some, in order, no repeats."""
        return tuple(self._tried)

    @property
    def nowhere(self) -> str:
        """What to say of a name that `find` finds nothing for, as the end of a sentence."""
        above = "" if self.folder == self.root else ", nor in the folders above and those of images in them"
        return f"is not in the folder of {self.name} or below it{above}"

    def warnings(self) -> list[str]:
        """A sentence for each file that was there but not read, or that another might have been meant for."""
        return list(self._said)

    def note(self, path: Path) -> None:
        """Count a file that somebody else looked up among those that were tried."""
        self._tried[path] = None

    def read(self, path: Path, most: int = MOST_SOURCE_BYTES) -> bytes:
        """The content of a file that was found.

        Raises:
            CharacterError: if it cannot be read, or has more than `most` bytes.
        """
        return read_source(path, self.root, most)

    def find(self, name: str) -> Path | None:
        """The file of that name: where it says, beside the mesh file, or, in any letter case, below it, or above it.

        Of several below, that in the folders that are named too, then the nearest, is the one. Above it, as packs have
        it (``FBX/hero.fbx``, ``Textures/skin.png``), looked through are the folders up to the root, and below each
        those that hold images, the nearest first; of several that differ none is. For an image that is not there, one
        of that name in another format stands in.
        """
        parts = PurePosixPath(re.sub(r"^[A-Za-z]:", "/", name.strip().strip('"').replace("\\", "/"))).parts
        if not parts or parts[-1] in ("/", "..") or "\0" in name:
            return None
        stated = self.stated(parts)
        if stated is not None and self._there(stated):
            return stated
        if self._there(self.folder / parts[-1]):
            return self.folder / parts[-1]
        best = self._best(parts)
        found = best if best is not None and self._there(best) else self._other_format(parts)
        if found is None and not is_whole(self.folder):
            few = f"only {MOST_WALKED:,} of the files below the folder of {self.name} were looked at"
            self._said[f"{few}, and none is '{brief(parts[-1], 80)}': put the character into a smaller one"] = None
        return found

    def place(self, name: str) -> Path | None:
        """Where a relative path leads, each part in any letter case; None if that is outside of the root.

        Of several files that letter case alone tells apart the first is the one.
        """
        path = self.stated(PurePosixPath(name.replace("\\", "/")).parts)
        if path is None or "\0" in name or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", name):
            return None
        if not self._there(path):
            top = self.root if path.is_relative_to(self.root) else self.folder
            found = top
            for part in path.relative_to(top).parts:
                found /= next(iter(listing(found).alike(part)), part)
            if found != path and self._there(found):
                self._said[
                    f"'{brief(name, 80)}' is not there: {found.name} was taken, as letter case is all that differs"
                ] = None
                return found
        return path

    def stated(self, parts: Sequence[str]) -> Path | None:
        """Where a name with some folders before it says that its file is; None where that is outside of the root."""
        if not parts or parts[0].startswith("/"):
            return None
        path = self.folder.joinpath(*parts)
        if ".." not in parts:
            return path
        path = Path(os.path.normpath(path))
        inside = path.is_relative_to(self.root) and ".." not in path.relative_to(self.root).parts
        return path if inside else None

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
        """The file that a name with some folders before it means, below the mesh file or else above; or None."""
        # What is found, and that nothing is, decides as files do.
        self._tried[self.folder / ANYWHERE / parts[-1]] = None
        found = below(self.folder, parts[-1])
        if found:
            return self._chosen(self.folder, found, parts, "the first was taken")[0]
        for top in self._above():
            self._tried[top / BESIDE / parts[-1]] = None
            if found := beside(top, parts[-1]):
                best, sole = self._chosen(top, found, parts, "none was taken")
                return best if sole else None
        return None

    def _above(self) -> Iterator[Path]:
        """The folders above the mesh file's, nearest first, the root last."""
        if self.folder != self.root and self.folder.is_relative_to(self.root):
            yield from (top for top in self.folder.parents if top.is_relative_to(self.root))

    def _chosen(self, top: Path, found: Sequence[Path], parts: Sequence[str], taken: str) -> tuple[Path, bool]:
        """The one of some files below a folder that a name means, and whether none that differs is as near to it.

        Where one is, that is said, with what was `taken`.
        """

        def rank(path: Path) -> tuple[int, int]:
            own = path.relative_to(top).parts
            same = takewhile(bool, (folded(a) == folded(b) for a, b in zip(own[::-1], parts[::-1], strict=False)))
            return -sum(same), len(own)

        best = min(found, key=rank)
        alike = [path for path in found if rank(path) == rank(best)]
        if len({source_digest(path, self.root) for path in alike}) == 1:
            return best, True
        places = some([path.relative_to(top).as_posix() for path in alike])
        self._said[f"'{brief(parts[-1], 80)}' may be any of {places}: {taken}; leave one alone"] = None
        return best, False
