"""Sentences about many characters, those that differ only in names and numbers folded into one line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from specsia_build.errors import some

_MOST_LINES, _MOST_NAMES = 8, 3
"""Lines and names that are listed."""

_VARIES = re.compile(r"'[^']*'|\"[^\"]*\"|\(as [^()]*\)|\S*\d\S*|\S+\.\w{2,5}\b")
"""Parts that differ between sentences of one kind: quoted names, evidence in brackets, numbers, files."""


@dataclass(frozen=True)
class Fold:
    """Sentences of one kind.

    Attributes:
        names: characters that they are about, in order.
        sentence: the first of them.
        alike: whether all are the same.
    """

    names: tuple[str, ...]
    sentence: str
    alike: bool

    def line(self, noun: str = "characters", where: str = "") -> str:
        """Format as ``knight: sentence``, or ``12 characters (a, b, c and 9 more): sentence``."""
        if len(self.names) == 1:
            return f"{some(self.names)}{where}: {self.sentence}"
        such = "" if self.alike else ", such as"
        return f"{len(self.names):,} {noun} ({some(self.names, _MOST_NAMES)}){where}{such}: {self.sentence}"


def folded(sentences: Iterable[tuple[str, str]]) -> list[Fold]:
    """Fold pairs of a name and a sentence, the most frequent kind first."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for name, sentence in sentences:
        # Replace the name by a number: names may be numbers, and `[Errno 2]` must not depend on the character's.
        unnamed = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "0", sentence)
        groups.setdefault(_VARIES.sub("#", unnamed), []).append((name, sentence))
    folds = [
        Fold(tuple(dict.fromkeys(name for name, _ in group)), group[0][1], len({text for _, text in group}) == 1)
        for group in groups.values()
    ]
    return sorted(folds, key=lambda fold: -len(fold.names))


def most(lines: Sequence[str], command: str) -> list[str]:
    """Keep the first lines of many, and name the command that lists all."""
    more = [f"and {len(lines) - _MOST_LINES:,} more of other kinds: {command}"] if len(lines) > _MOST_LINES else []
    return [*lines[:_MOST_LINES], *more]
