"""File names: from data, and of files that are being written."""

import re
import secrets
import unicodedata
from pathlib import Path, PurePosixPath

from specsia_build.errors import SpecsiaError, brief

MOST_NAME_BYTES = 180  # Bytes of a name from data; with suffixes it stays below file systems' 255 bytes
DESKTOP = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""Files that file managers leave in folders that they show."""

_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.tmp")
_FORBIDDEN = frozenset('/\\:*?"<>|')


def file_name(name: str, what: str) -> str:
    """Return a name from data if it is a single, portable file name; `what` it names is for the message.

    Raises SpecsiaError if it is empty, longer than `MOST_NAME_BYTES`, begins or ends with a dot or space, or
    holds a separator or a character that some file system refuses.
    """
    if not name:
        raise SpecsiaError(f"the {what} is empty, so it cannot be a file name")
    if name != name.strip(" .") or not name.isprintable() or _FORBIDDEN & set(name):
        raise SpecsiaError(f"the {what} '{brief(name, 80)}' cannot be a file name: it would lead elsewhere")
    if len(name.encode()) > MOST_NAME_BYTES:
        reason = f"is too long for a file name: {MOST_NAME_BYTES} bytes fit"
        raise SpecsiaError(f"the {what} '{brief(name, 80)}' {reason}")
    return name


def relative_name(name: str, what: str) -> PurePosixPath:
    """Return a relative path from data whose parts are each a `file_name`, so it stays below any folder."""
    for part in name.split("/"):
        file_name(part, what)
    return PurePosixPath(name)


def folded_name(name: str) -> str:
    """Fold a name as file systems that ignore letter case and composition do."""
    return unicodedata.normalize("NFC", name.casefold())


def temporary_beside(path: Path) -> Path:
    """A unique name beside `path` for a file that will replace it; see `is_temporary`."""
    return path.with_name(f".{secrets.token_hex(8)}.tmp")


def is_temporary(name: str) -> bool:
    """Whether a file name is a temporary one, which a killed writer leaves behind."""
    return name.startswith(".") and _TEMPORARY.fullmatch(name) is not None
