"""Errors whose message is one sentence for the person who runs the command, and text from data made fit to be shown."""

from __future__ import annotations

import os
import shlex
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

MOST_SHOWN = 300
"""Characters of a reason that are shown; what is longer belongs into a file."""

MOST_WARNED = 1000
"""Characters of a warning that are shown: it ends with the line that mends it, whose names may be many."""

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that steer a terminal or a text's direction, end a line, or are no characters at all."""


def printable(text: str) -> str:
    """Text as one line that does nothing to a terminal: control and format characters become ``\\x1b``, ``\\n``."""
    if text.isprintable():
        return text
    hidden = {c: c.encode("unicode_escape", "backslashreplace").decode("ascii") for c in set(text) if _is_hidden(c)}
    return "".join(hidden.get(c, c) for c in text)


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN


def brief(text: str, most: int = MOST_SHOWN) -> str:
    """Text as one printable line of at most `most` characters; what is cut off shows as an ellipsis."""
    line = printable(text[: most + 1])
    return line if len(text) <= most and len(line) <= most else line[: most - 1] + "…"


def some(names: Sequence[str], most: int = 5) -> str:
    """The first of several names, and how many there are beside."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(brief(name, 80) for name in names[:most]) + more


def meant(given: str, known: Iterable[str]) -> str:
    """The end of a message about a name that is not known: `` Did you mean 'build'?``, or nothing."""
    near = get_close_matches(given, list(known))
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""


def no_such(kind: str, given: str, known: Sequence[str]) -> str:
    """The sentence about a name that is not known: what there is instead, and what may be meant."""
    return f"there is no {kind} '{brief(given, 80)}'; the known ones are {', '.join(known)}.{meant(given, known)}"


_PLURALS = {"vertex": "vertices"}


def plural(count: int, noun: str) -> str:
    """`1 character`, `2,300 characters`."""
    return f"{count:,} {noun if count == 1 else _PLURALS.get(noun, noun + 's')}"


def spelled(folder: str | Path) -> str:
    """A folder as a sentence names it: as it was given, or whole where that has no name of its own, as ``.`` has not.

    Args:
        folder: a path, a URL, or an id of the Hub; the latter two stay as they are.
    """
    given = str(folder)
    nameless = "://" not in given and Path(given).name in ("", "..")
    return os.path.abspath(given) if nameless else given  # noqa: PTH100  links on the way there stay as they are


def argument(name: str | Path) -> str:
    """A path, a URL or an id as a shell takes it in a command that is to be copied; it is never an option there."""
    text = str(name)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


class SpecsiaError(Exception):
    """Something went wrong that the user can understand and mend; the command exits with 1.

    The message is made printable, whatever names of files, parts or people it quotes.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class UsageError(SpecsiaError):
    """The command was asked for something it cannot do as written; the command exits with 2."""


class WriteError(SpecsiaError):
    """A place to write to cannot be used: a full disk, a folder in the way, a store that cannot be reached."""


class CostError(SpecsiaError):
    """Something would cost more memory than it may; readers that go on without a damaged file do not go on here."""


class CharacterError(SpecsiaError):
    """One character cannot be built; it is quarantined and the rest goes on."""


class OthersError(CharacterError):
    """Code that is not this package's failed on one character; its traceback, the cause, is kept for who wrote it."""


class LowQualityError(CharacterError):
    """One character was built but is too bad to be packed; `pictures` (PNG bytes by name, if any) show why."""

    def __init__(self, message: str, pictures: Mapping[str, bytes]) -> None:
        super().__init__(message)
        self.pictures = pictures
