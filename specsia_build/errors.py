"""Errors whose message is one sentence for the user, and helpers for text in messages."""

import os
import shlex
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar

from specsia_build.warning import Code, Warning

MOST_SHOWN = 300  # Characters of a reason that are shown
MOST_WARNED = 1000  # Characters of a warning that are shown: it may end with a manifest line of many names
_MOST_ENTRIES = 8  # Entries of a tuple that `ByShape` shows
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of control, format and line-ending characters and of surrogates."""


def printable(text: str) -> str:
    """Escape control and format characters, so that text is one line and does nothing to a terminal."""
    hidden = set() if text.isprintable() else {c for c in text if unicodedata.category(c) in _HIDDEN}
    for c in hidden:
        text = text.replace(c, c.encode("unicode_escape", "backslashreplace").decode("ascii"))
    return text


def brief(text: str, most: int = MOST_SHOWN) -> str:
    """Shorten text to one printable line of at most `most` characters, with an ellipsis for the rest."""
    line = printable(text[: most + 1])
    return line if len(text) <= most and len(line) <= most else line[: most - 1] + "…"


def brief_warning(warning: Warning) -> Warning:
    """The same with a sentence of one printable line, as texts of files may be of any length."""
    return replace(warning, sentence=brief(warning.sentence, MOST_WARNED))


def some(names: Sequence[str], most: int = 5) -> str:
    """List the first `most` names and count the others."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(brief(name, 80) for name in names[:most]) + more


def meant(given: str, known: Iterable[str]) -> str:
    """`` Did you mean 'build'?`` for an unknown name that resembles known ones, else nothing."""
    near = get_close_matches(given, list(known))
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""


def no_such(kind: str, given: str, known: Sequence[str]) -> str:
    """The message about an unknown name, with the known ones."""
    names = ", ".join(known)
    return f"there is no {kind} '{brief(given, 80)}'; the known ones are {names}.{meant(given, known)}"


def plural(count: int, noun: str) -> str:
    """`1 character`, `2,300 characters`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def spelled(folder: str | Path) -> str:
    """A path, URL or Hub id as messages name it; paths that end in ``.`` or ``..`` are made absolute."""
    given = str(folder)
    nameless = "://" not in given and Path(given).name in ("", "..")
    return os.path.abspath(given) if nameless else given  # noqa: PTH100  links stay as they are


def argument(name: str | Path) -> str:
    """Quote a path, URL or id for a shell command; it is never taken for an option."""
    text = str(name)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


class ByShape:
    """A dataclass with ``repr=False`` that shows arrays by dtype and shape, long tuples by length."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __repr__(self) -> str:
        names = [field.name for field in fields(self) if field.repr]
        values = (f"{name}={_summary(getattr(self, name))}" for name in names)
        return f"{type(self).__name__}({', '.join(values)})"


def _summary(value: Any) -> str:
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, tuple) and len(value) > _MOST_ENTRIES:
        return f"({len(value):,} entries)"
    return repr(value)


class SpecsiaError(Exception):
    """An error that the user can fix; the command exits with 1, and the message is made `printable`."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class UsageError(SpecsiaError):
    """The command cannot do what it was asked for; it exits with 2."""


class DamagedError(SpecsiaError):
    """An artefact is missing or was altered after it was written; a build makes it again."""


class WriteError(SpecsiaError):
    """A place cannot be written: a full disk, a folder in the way, a store that cannot be reached."""


class CostError(SpecsiaError):
    """Something would need more memory than allowed, which no reader tolerates as it does damaged files."""


class CharacterError(SpecsiaError):
    """One character cannot be built; it is recorded with a code, and the others continue."""

    def __init__(self, message: str, code: Code = "unusable") -> None:
        super().__init__(message)
        self.code: Code = code


class OthersError(CharacterError):
    """Code outside of this package failed on one character; the cause keeps its traceback."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "backend")


class LowQualityError(CharacterError):
    """One character was built but looks too bad to be packed; `pictures` (PNG bytes by name) show why."""

    def __init__(self, message: str, pictures: Mapping[str, bytes], code: Code = "poor-mesh") -> None:
        super().__init__(message, code)
        self.pictures = pictures
