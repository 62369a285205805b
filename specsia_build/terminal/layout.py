"""Text fitted into columns: shortened in its middle, wrapped, laid out as a table, folded where it repeats itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from specsia_build.errors import printable, some

LONGEST = 240
"""Columns of one word that are shown: a name of five thousand letters says no more."""

_GAP, _LEAST, _INDENT = "  ", 12, "  "

_LISTED = 8
"""Lines that are shown of many."""

_NAMED = 3
"""How many are named of those that a sentence is about."""

_VARIES = re.compile(r"'[^']*'|\"[^\"]*\"|\(as [^()]*\)|\S*\d\S*|\S+\.\w{2,5}\b")
"""What differs between sentences that say the same: quoted names, evidence in brackets, numbers, files."""


def columns(text: str) -> int:
    """How many columns a printable text takes in a terminal."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _cut(text: str, most: int) -> str:
    """The beginning of a text that takes at most so many columns."""
    kept = text[: max(most, 0)]
    while columns(kept) > most:
        kept = kept[:-1]
    return kept


def shortened(text: str, most: int) -> str:
    """Text of at most `most` columns; what is left out of its middle shows as an ellipsis."""
    if len(text) <= most and columns(text) <= most:
        return text
    begin = _cut(text, most // 2)
    end = _cut(text[: -most - 1 : -1], most - 1 - columns(begin))[::-1]
    return f"{begin}…{end}"


def sayable(text: str) -> str:
    """Text as one printable line whose words are not endless."""
    return " ".join(shortened(word, LONGEST) for word in printable(text).split(" "))


def wrapped(line: str, width: int | None, indent: str = "") -> list[str]:
    """A line as lines of at most `width` columns, all but the first indented, broken between words if that can be."""
    if width is None or columns(line) <= width:
        return [line]
    lines, rest = [], line
    while columns(rest) > width:
        head = _cut(rest, width)
        least = len(rest) - len(rest.lstrip(" "))
        at = head.rfind(" ") if rest[len(head)] != " " else len(head)
        if at <= least:
            at = max(len(head), 1)
        lines.append(rest[:at].rstrip(" "))
        rest = indent + rest[at:].lstrip(" ")
        if len(indent) + 1 >= width:
            indent = ""
    return [*lines, rest] if rest.strip() else lines


_WORDS = re.compile(r"[A-Za-z]{3}")


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        head: names of the columns.
        rows: as many cells each; they are made printable.
        right: numbers of the columns that are aligned to the right and never shortened.
        written: the lines that it was read from, which stand for it where there is no width.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    right: Sequence[int] = ()
    written: Sequence[str] = ()

    def lines(self, width: int | None = None) -> list[str]:
        """The table as lines, the head first.

        Where `width` is too small for all of it, texts are shortened in their middle; columns that still find no room
        stand on a second, indented line of each row.
        """
        if self.written and width is None:
            return [printable(line) for line in self.written]
        cells = [[printable(str(cell)) for cell in row] for row in (self.head, *self.rows)]
        widths = [max(columns(row[i]) for row in cells) for i in range(len(self.head))]
        if width is not None:
            widths = self._narrowed(widths, width)
        first = len(widths) if width is None else _fitting(widths, width)
        lines = []
        for row in cells:
            said = [self._aligned(i, cell, widths[i]) for i, cell in enumerate(row)]
            lines.append(_GAP.join(said[:first]).rstrip())
            if first < len(widths):
                more = _GAP.join(text.strip() for text in said[first:])
                lines.append(_INDENT + shortened(more, (width or 0) - len(_INDENT)))
        return lines

    def _narrowed(self, widths: Sequence[int], width: int) -> list[int]:
        """Columns of text made narrower, the widest first, until all fit or none can give more."""
        found = list(widths)
        least = [w if i in self.right else min(w, max(_LEAST, columns(self.head[i]))) for i, w in enumerate(found)]
        while (over := sum(found) + len(_GAP) * (len(found) - 1) - width) > 0:
            at = max(range(len(found)), key=lambda i: found[i] - least[i])
            if found[at] == least[at]:
                break
            found[at] -= min(over, max(1, (found[at] - least[at]) // 2))
        return found

    def _aligned(self, i: int, cell: str, width: int) -> str:
        text = shortened(cell, width)
        space = " " * (width - columns(text))
        return space + text if i in self.right else text + space


def _fitting(widths: Sequence[int], width: int) -> int:
    """How many of the first columns stand side by side; one at least."""
    total, count = 0, 0
    for w in widths:
        total += w + (len(_GAP) if count else 0)
        if total > width and count:
            break
        count += 1
    return count


@dataclass(frozen=True)
class Fold:
    """Sentences that say the same of several.

    Attributes:
        names: of whom, in the order in which they came.
        sentence: the first's.
        alike: whether the others' are the very same.
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
    """The first lines of many, and what shows them all."""
    more = [f"and {len(lines) - _LISTED:,} more of other kinds: {elsewhere}"] if len(lines) > _LISTED else []
    return [*lines[:_LISTED], *more]


def table_of(lines: Iterable[str]) -> list[str | Table]:
    """Lines of Markdown, its tables as tables; columns that hold nothing but numbers are aligned to the right."""
    found: list[str | Table] = []
    written: list[str] = []
    for line in [*lines, ""]:
        if line.startswith("|") and line.rstrip().endswith("|"):
            written.append(line)
            continue
        if written:
            found += _tabled(written)
            written = []
        found.append(line)
    return found[:-1]


def _tabled(written: Sequence[str]) -> Sequence[str | Table]:
    """Rows of Markdown as a table, or as they are where one has a bar within a cell."""
    rows = [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in written]
    if any(len(row) != len(rows[0]) for row in rows):
        return written
    head, body = rows[0], [row for row in rows[1:] if set("".join(row)) - set("-: ")]
    columns_of = list(zip(*body, strict=True)) if body else []
    right = [i for i, cells in enumerate(columns_of) if i and not any(map(_WORDS.search, cells))]
    return [Table(head, body, right, written)]


def folded(found: Iterable[tuple[str, str]]) -> list[Fold]:
    """Names and sentences, most frequent first, those together that say the same but for names, numbers and files."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for name, sentence in found:
        # A digit in the name's place, as a number is a name, too: `[Errno 2]` of character 2 is that of character 1.
        unnamed = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "0", sentence)
        groups.setdefault(_VARIES.sub("#", unnamed), []).append((name, sentence))
    folds = [
        Fold(tuple(dict.fromkeys(name for name, _ in group)), group[0][1], len({said for _, said in group}) == 1)
        for group in groups.values()
    ]
    return sorted(folds, key=lambda fold: -len(fold.names))
