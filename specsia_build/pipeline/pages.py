"""The folder of pictures beside a page that would be too large with them: where it is, and what in it is ours."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from specsia_build.files.names import is_temporary
from specsia_build.files.writing import writing
from specsia_build.ownership import remove_empty

MARK = "specsia-report.txt"
"""In every such folder."""

MARK_TEXT = "Pictures of the page beside this folder, written by specsia; the next report replaces them.\n"

_OURS = re.compile(r"[0-9a-f]{32}\.(webp|png)")


def pictures_of(page: Path) -> Path:
    """Folder of the pictures of a page."""
    return page.with_name(f"{page.stem}_files")


def sweep(folder: Path, kept: Collection[str] = ()) -> None:
    """Remove the pictures that a page no longer shows, and the folder where it shows none and nothing else is in it.

    A folder without our mark, and files of other names, stay as they are.

    Raises:
        WriteError: if something cannot be removed.
    """
    if not (folder / MARK).is_file():
        return
    with writing(folder):
        for path in sorted(folder.iterdir()):
            ours = _OURS.fullmatch(path.name) or is_temporary(path.name)
            if ours and path.name not in kept and (path.is_file() or path.is_symlink()):
                path.unlink()
        if not kept:
            (folder / MARK).unlink()
            remove_empty(folder)
