"""How files are named: from data, and while they are written."""

from __future__ import annotations

import re
import secrets
import unicodedata
from glob import glob
from pathlib import Path, PurePosixPath

from specsia_build.errors import SpecsiaError, brief

MOST_NAME_BYTES = 180
"""Of a name from data, so that suffixes fit beside it into the 255 bytes that file systems allow."""

_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.tmp")

_FORBIDDEN = frozenset('/\\:*?"<>|')


def file_name(name: str, what: str) -> str:
    """A name that comes from data, seen to be one file name and nothing else.

    Args:
        name: a character's id, a configuration, a part of a Hub file's path.
        what: what it is, for the message.

    Returns:
        The name itself.

    Raises:
        SpecsiaError: if it is empty, too long, starts with a dot or a space, ends in one, or holds a separator, a
            character that some file system refuses, or one that cannot be printed.
    """
    if not name:
        raise SpecsiaError(f"the {what} is empty, so it cannot be a file name")
    if name != name.strip(" .") or not name.isprintable() or _FORBIDDEN & set(name):
        raise SpecsiaError(f"the {what} '{brief(name, 80)}' cannot be a file name: it would lead elsewhere")
    if len(name.encode()) > MOST_NAME_BYTES:
        raise SpecsiaError(f"the {what} '{brief(name, 80)}' is too long for a file name: {MOST_NAME_BYTES} bytes fit")
    return name


def relative_name(name: str, what: str) -> PurePosixPath:
    """A path that comes from data, each part of it seen to be a `file_name`; it stays below any folder it is joined to.

    Raises:
        SpecsiaError: if a part cannot be one, or there is none.
    """
    for part in name.split("/"):
        file_name(part, what)
    return PurePosixPath(name)


def folded_name(name: str) -> str:
    """What a file system that ignores case and composition takes for the same name."""
    return unicodedata.normalize("NFC", name.casefold())


def temporary_beside(path: Path) -> Path:
    """A new name beside `path`, like no other writer's, for what is to take its place; see `is_temporary`."""
    return path.with_name(f".{secrets.token_hex(8)}.tmp")


def is_temporary(name: str) -> bool:
    """Whether a file name is one that is written under here; it is left over where its writer was killed."""
    return name.startswith(".") and _TEMPORARY.fullmatch(name) is not None


def pattern_note(folder: Path, readers: str) -> str | None:
    """A sentence where the path of a folder that is there, read as a pattern, stands for something else, or more.

    Args:
        folder: in question.
        readers: who reads it so, and a verb: ``load_dataset takes``.
    """
    whole = str(folder.resolve())
    if glob(whole) == [whole]:  # noqa: PTH207  what others do with a text
        return None
    return (
        f"{folder}: {readers} its path for a pattern, as it has one of * ? [ in it, so that nothing is found there, or "
        "other files: move it to where its path has none"
    )
