"""Checks that no command replaces or removes what it did not write.

A folder that a command writes into is new, empty or holds the command's mark; a file that it replaces begins or ends
with words that show who wrote it.
"""

from __future__ import annotations

import os
from pathlib import Path

from specsia_build.errors import SpecsiaError, UsageError, spelled
from specsia_build.files.names import is_temporary
from specsia_build.files.writing import require_writable

RUN_MARK = "specsia-run.json"
"""In the folder of a run."""

_LOOKED_AT = 4096
"""Bytes of a file's beginning, and of its end."""


def is_vacant(folder: Path) -> bool:
    """Whether a folder is missing, or empty except for temporary files of killed writers.

    Raises:
        UsageError: if it is no folder, or cannot be read.
    """
    try:
        return all(is_temporary(path.name) for path in folder.iterdir())
    except FileNotFoundError:
        return True
    except NotADirectoryError as error:
        raise UsageError(f"{folder} is no folder: name another --out") from error
    except OSError as error:
        raise UsageError(f"{spelled(folder)} cannot be read: {error.strerror or error}") from error


def refuse_foreign_folder(folder: Path, what: str, *marks: str) -> None:
    """Check that a command may write into the folder that `--out` names.

    Args:
        folder: in question.
        what: that the command writes, for the message.
        marks: files of which the command leaves one in such a folder.

    Raises:
        UsageError: if it is neither vacant nor marked.
    """
    if not is_vacant(folder) and not any((folder / mark).is_file() for mark in marks):
        raise UsageError(
            f"{spelled(folder)} is not empty and holds no {what}: name another --out, a new folder in it for instance"
        )


def bears(path: Path, words: bytes) -> bool:
    """Whether a file exists whose first or last `_LOOKED_AT` bytes contain some words."""
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
        words: that such files bear, see `bears`; None if only an empty file may be replaced.

    Raises:
        UsageError: if it holds something else, or a file is in the place of its folder.
        WriteError: if its folder cannot be written.
    """
    in_the_way = next((above for above in path.parents if above.is_file()), None)
    if in_the_way is not None:
        raise UsageError(f"{path} cannot be written: {in_the_way} is no folder; name another file")
    empty = path.is_file() and path.stat().st_size == 0
    if os.path.lexists(path) and not empty and (words is None or not bears(path, words)):
        raise UsageError(f"{path} is there already and is no {what}: name another file")
    require_writable(path)


def listed_below(folder: Path) -> list[str]:
    """Sorted relative names of the files, links and empty folders below a folder; links are not followed.

    Raises:
        SpecsiaError: if a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise SpecsiaError(f"{error.filename} cannot be read: {error.strerror}")

    names = []
    for parent, folders, files in os.walk(folder, onerror=refuse):
        above = Path(parent).relative_to(folder)
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        names += [(above / name).as_posix() for name in (*files, *links)]
        if not folders and not files and above != Path():
            names.append(above.as_posix())
    return sorted(names)


def remove_empty(folder: Path) -> None:
    """Remove the empty folders below a folder, and itself if nothing is left; links stay."""
    for parent, _, _ in os.walk(folder, topdown=False):
        path = Path(parent)
        if not path.is_symlink() and not any(path.iterdir()):
            path.rmdir()
