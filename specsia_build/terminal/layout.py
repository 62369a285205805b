"""Tables, and sentences that repeat themselves folded into one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from specsia_build.errors import printable, some

LONGEST = 240
"""Characters of one word that are shown on a terminal."""

_LISTED = 8
"""Lines that are shown of many."""

_NAMED = 3
"""Names that are shown of those that a sentence is about."""

_VARIES = re.compile(r"'[^']*'|\"[^\"]*\"|\(as [^()]*\)|\S*\d\S*|\S+\.\w{2,5}\b")
"""What differs between sentences that say the same: quoted names, evidence in brackets, numbers, files."""


def columns(text: str) -> int:
    """Columns that a printable text takes in a terminal."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def sayable(text: str) -> str:
    """Text as one printable line whose words are not endless."""
    cut = (word if len(word) <= LONGEST else f"{word[:120]}…{word[-119:]}" for word in printable(text).split(" "))
    return " ".join(cut)


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        head: names of the columns.
        rows: cells, which are made printable.
        right: numbers of the columns that are aligned to the right.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    right: Sequence[int] = ()

    @property
    def cells(self) -> list[list[str]]:
        """All cells, the head first."""
        return [[printable(str(cell)) for cell in row] for row in (self.head, *self.rows)]

    def lines(self) -> list[str]:
        """The table as plain lines, the head first."""
        cells = self.cells
        widths = [max(columns(row[i]) for row in cells) for i in range(len(self.head))]
        return ["  ".join(self._aligned(i, cell, widths[i]) for i, cell in enumerate(row)).rstrip() for row in cells]

    def _aligned(self, i: int, cell: str, width: int) -> str:
        space = " " * (width - columns(cell))
        return space + cell if i in self.right else cell + space


@dataclass(frozen=True)
class Fold:
    """Sentences that say the same of several.

    Attributes:
        names: of whom, in the order in which they came.
        sentence: the first's.
        alike: whether all are the very same.
    """

    names: tuple[str, ...]
    sentence: str
    alike: bool

    def line(self, what: str = "characters", where: str = "") -> str:
        """One line for all: ``knight: its words``, or ``12 characters (a, b, c and 9 more): its words``."""
        if len(self.names) == 1:
            return f"{some(self.names)}{where}: {self.sentence}"
        such = "" if self.alike else ", such as"
        return f"{len(self.names):,} {what} ({some(self.names, _NAMED)}){where}{such}: {self.sentence}"


def most(lines: Sequence[str], elsewhere: str) -> list[str]:
    """The first lines of many, and the command that shows them all."""
    more = [f"and {len(lines) - _LISTED:,} more of other kinds: {elsewhere}"] if len(lines) > _LISTED else []
    return [*lines[:_LISTED], *more]


def folded(found: Iterable[tuple[str, str]]) -> list[Fold]:
    """Names and sentences, most frequent first, folded where they differ only in names, numbers and files."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for name, sentence in found:
        # A number in the name's place, as names are numbers, too: `[Errno 2]` of character 2 is that of character 1.
        unnamed = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "0", sentence)
        groups.setdefault(_VARIES.sub("#", unnamed), []).append((name, sentence))
    folds = [
        Fold(tuple(dict.fromkeys(name for name, _ in group)), group[0][1], len({said for _, said in group}) == 1)
        for group in groups.values()
    ]
    return sorted(folds, key=lambda fold: -len(fold.names))
