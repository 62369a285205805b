"""What belongs to whom: nothing that a command did not write is ever replaced or removed.

A folder that a command writes into is new, empty, or has the mark that the same command left there; a file that it
replaces shows by its beginning or its end that it wrote it.
"""

from __future__ import annotations

import os
from pathlib import Path

from specsia_build.errors import SpecsiaError, UsageError, spelled
from specsia_build.files.names import is_temporary
from specsia_build.files.writing import see_writable

RUN_MARK = "specsia-run.json"
"""In the folder of a run."""

_LOOKED_AT = 4096
"""Bytes of a file's beginning, and of its end."""


def is_vacant(folder: Path) -> bool:
    """Whether a folder is not there or holds nothing but what a killed writer left.

    Raises:
        UsageError: if it is no folder, or cannot be looked into.
    """
    try:
        return all(is_temporary(path.name) for path in folder.iterdir())
    except FileNotFoundError:
        return True
    except NotADirectoryError as error:
        raise UsageError(f"{folder} is no folder: name another --out") from error
    except OSError as error:
        raise UsageError(f"{spelled(folder)} cannot be looked into: {error.strerror or error}") from error


def refuse_foreign_folder(folder: Path, what: str, *marks: str) -> None:
    """See that a command may write into a folder.

    Args:
        folder: that `--out` names.
        what: that the command writes, for the message.
        marks: files any of which it leaves in such a folder; without one only a vacant folder will do.

    Raises:
        UsageError: if it holds something else.
    """
    if not is_vacant(folder) and not any((folder / mark).is_file() for mark in marks):
        raise UsageError(
            f"{spelled(folder)} is not empty and holds no {what}: name another --out, a new folder in it, say"
        )


def bears(path: Path, words: bytes) -> bool:
    """Whether a file is there whose beginning or end holds some words."""
    try:
        with path.open("rb") as stream:
            if not path.is_file():
                return False
            if words in stream.read(_LOOKED_AT):
                return True
            stream.seek(max(0, path.stat().st_size - _LOOKED_AT))
            return words in stream.read(_LOOKED_AT)
    except OSError:
        return False


def refuse_foreign_file(path: Path, what: str, words: bytes | None) -> None:
    """Check that a command may replace a file.

    Args:
        path: of the file.
        what: that the command writes, for the message.
        words: that every such file has at its beginning or end; None where only an empty file is replaced.

    Raises:
        UsageError: if it holds something else, or cannot be written, since a file is in the place of a folder.
        WriteError: if its folder may not be written.
    """
    in_the_way = next((above for above in path.parents if above.is_file()), None)
    if in_the_way is not None:
        raise UsageError(f"{path} cannot be written: {in_the_way} is no folder; name another file")
    empty = path.is_file() and path.stat().st_size == 0
    if os.path.lexists(path) and not empty and (words is None or not bears(path, words)):
        raise UsageError(f"{path} is there already and is no {what}: name another file")
    see_writable(path)


def listed_below(folder: Path) -> list[str]:
    """Relative names of what lies below a folder and is no folder, or is an empty one, in order; links stay links.

    Raises:
        SpecsiaError: if a folder cannot be looked into.
    """

    def refuse(error: OSError) -> None:
        if isinstance(error, FileNotFoundError):
            return
        raise SpecsiaError(f"{error.filename} cannot be looked into: {error.strerror}")

    found = []
    for parent, folders, files in os.walk(folder, onerror=refuse):
        above = Path(parent).relative_to(folder)
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        found += [(above / name).as_posix() for name in (*files, *links)]
        if not folders and not files and above != Path():
            found.append(above.as_posix())
    return sorted(found)


def remove_empty(folder: Path) -> None:
    """Remove a folder and those below it as far as nothing is in them; a link to one stays."""
    for parent, _, _ in os.walk(folder, topdown=False):
        path = Path(parent)
        if not path.is_symlink() and not any(path.iterdir()):
            path.rmdir()
