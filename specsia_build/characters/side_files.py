"""Find files that a mesh file names, in its folder and image folders beside it, inside the source alone."""

import os
import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path, PurePosixPath

from specsia_build.characters.images import IMAGE_SUFFIXES
from specsia_build.characters.searches import ANYWHERE, BESIDE, below, beside, listing
from specsia_build.errors import CharacterError, brief, some
from specsia_build.files import sources
from specsia_build.files.names import folded_name
from specsia_build.warning import Code, Warning


class SideFiles:
    """Finds files that a mesh file names.

    Absolute paths, drives and ways out of the root belong to the author's machine: their last part counts.
    Links may lead elsewhere in the root, as those of the Hub's cache do, but not out of it.
    Files are searched beside the mesh file, below its folder, and in folders of images above, within `root`,
    by default its own folder.

    Attributes:
        tried: the mesh file, every file read or missing, and every search, as keys in order.
        warnings: about files that were not read, or that are ambiguous, as keys in order.
    """

    def __init__(self, mesh_file: Path, root: Path | None = None) -> None:
        self.folder = mesh_file.parent
        self.stem = mesh_file.stem
        self.root = root or self.folder
        self.tried: dict[Path, None] = {mesh_file: None}
        self.warnings: dict[Warning, None] = {}
        self._ambiguous: set[str] = set()  # Names that several files fit

    def warn(self, code: Code, sentence: str, subject: str) -> None:
        self.warnings[Warning(code, sentence, subject)] = None

    def warn_missing(self, sentence: str, subject: str) -> None:
        """Warn that a file is not there, unless it is said already that several fit its name."""
        if subject not in self._ambiguous:
            self.warn("file-missing", sentence, subject)

    def read(self, path: Path, most: int = sources.MOST_SOURCE_BYTES) -> bytes:
        """Read a file; a `CharacterError` if it cannot be read, or has more than `most` bytes."""
        return sources.read_source(path, self.root, most)

    def has(self, name: str) -> bool:
        """Whether a file is where a name states it, by the mesh file's folder."""
        path = self.stated(PurePosixPath(name.replace("\\", "/")).parts)
        return path is not None and "\0" not in name and self._exists(path)

    def find(self, name: str) -> Path | None:
        """Find a file: where the name says, beside the mesh file, or, in any letter case, below or above it.

        Of several below, the one whose folders match the name best counts, then the nearest. Above, the
        folders up to the root and their folders of images are searched, nearest first (``FBX/hero.fbx``,
        ``Textures/skin.png``). Of several that match as well and differ none counts. An image of that name in
        another format replaces one that is missing.
        """
        parts = PurePosixPath(re.sub(r"^[A-Za-z]:", "/", name.strip().strip('"').replace("\\", "/"))).parts
        if not parts or parts[-1] in ("/", "..") or "\0" in name:
            return None
        for path in (self.stated(parts), self.folder / parts[-1]):
            if path is not None and self._exists(path):
                return path
        own = PurePosixPath(parts[-1])
        others = () if own.suffix.lower() == ".mtl" else (own.stem + suffix for suffix in IMAGE_SUFFIXES)
        for wanted in (own.name, *others):
            path = self._search((*parts[:-1], wanted))
            if path is not None:
                if wanted != own.name:
                    sentence = f"'{brief(own.name, 80)}' is not there: {path.name} was used instead"
                    self.warn("file-replaced", sentence, own.name)
                return path
        return None

    def place(self, name: str) -> Path | None:
        """Where a relative path leads; None if that is outside of the root."""
        path = self.stated(PurePosixPath(name.replace("\\", "/")).parts)
        if path is None or "\0" in name or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", name):
            return None
        self.tried[path] = None
        return path

    def stated(self, parts: Sequence[str]) -> Path | None:
        """The path that a name states, by its parts; None where that is outside of the root."""
        if not parts or parts[0].startswith("/"):
            return None
        path = self.folder.joinpath(*parts)
        if ".." not in parts:
            return path
        path = Path(os.path.normpath(path))
        inside = path.is_relative_to(self.root) and ".." not in path.relative_to(self.root).parts
        return path if inside else None

    def find_own(self, suffixes: tuple[str, ...]) -> Path | None:
        """The file beside the mesh file with its stem and the first existing of `suffixes` (lower case)."""
        near = listing(self.folder)
        for own in (f"{self.stem}{suffix}" for suffix in suffixes):
            for name in (own, *near.alike(own)):
                if self._exists(self.folder / name):
                    return self.folder / name
        return None

    def _exists(self, path: Path) -> bool:
        self.tried[path] = None
        try:
            sources.source_place(path, self.root)
        except OSError:
            return False
        except CharacterError as error:
            self.warn(error.code, str(error), path.name)
            return False
        return True

    def _search(self, parts: Sequence[str]) -> Path | None:
        """Find a file by name and preceding folders, below the mesh file's folder or else above it."""
        # Searches count as inputs, so that a file that turns up later is noticed.
        top = self.folder
        self.tried[top / ANYWHERE / parts[-1]] = None
        paths = below(top, parts[-1])
        while not paths and top != self.root and top.is_relative_to(self.root):
            top = top.parent
            self.tried[top / BESIDE / parts[-1]] = None
            paths = beside(top, parts[-1])
        path = self._nearest(top, paths, parts) if paths else None
        return path if path is not None and self._exists(path) else None

    def _nearest(self, top: Path, paths: Sequence[Path], parts: Sequence[str]) -> Path | None:
        """The path below `top` that matches a name best; None, with a warning, if different files tie."""

        def rank(path: Path) -> tuple[int, int]:
            own = path.relative_to(top).parts
            pairs = zip(map(folded_name, own[::-1]), map(folded_name, parts[::-1]), strict=False)
            same = takewhile(bool, (a == b for a, b in pairs))
            return -sum(same), len(own)

        best = min(paths, key=rank)
        alike = [path for path in paths if rank(path) == rank(best)]
        if len({sources.source_digest(path, self.root) for path in alike}) == 1:
            return best
        places = some([path.relative_to(top).as_posix() for path in alike])
        sentence = f"'{brief(parts[-1], 80)}' may be any of {places}: none was used; keep only one"
        self.warn("file-ambiguous", sentence, parts[-1])
        self._ambiguous.add(parts[-1])
        return None
