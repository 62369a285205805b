"""Print results to standard output, all else to standard error; in colours only on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from specsia_build.errors import printable

if TYPE_CHECKING:
    from rich.console import Console

LONGEST = 240  # Characters of one word that a terminal shows

_STYLES = {
    **dict.fromkeys(("warning:", "warnings:", "quarantined:"), "yellow"),
    **dict.fromkeys(("problem:", "failed:", "FAILED:"), "red"),
    **dict.fromkeys(("note:", "load:", "next:"), "cyan"),
}
"""Style of a line by its first word."""

above: list[Callable[[str], None]] = []  # Functions that print a line above live progress; the last one is in use


@dataclass(frozen=True)
class Table:
    """A table of text; cells are made printable, and the columns numbered in `right` are right-aligned."""

    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    right: Sequence[int] = ()

    @property
    def cells(self) -> list[list[str]]:
        """All cells, the head first."""
        return [[printable(str(cell)) for cell in row] for row in (self.head, *self.rows)]

    def lines(self) -> list[str]:
        """Format as plain lines, the head first."""
        cells = self.cells
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        sides = [str.rjust if i in self.right else str.ljust for i in range(len(widths))]
        padded = [[pad(cell, n) for pad, cell, n in zip(sides, row, widths, strict=True)] for row in cells]
        return ["  ".join(row).rstrip() for row in padded]


def is_plain(stream: TextIO) -> bool:
    """Whether a stream gets no colours and no live progress."""
    unwanted = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM", "") in ("dumb", "unknown")
    return unwanted or not stream.isatty() or "utf" not in (stream.encoding or "").lower()


def console_of(stream: TextIO) -> Console:
    """The terminal behind a stream that is not plain."""
    from rich.console import Console

    return Console(file=stream, force_terminal=True, highlight=False, markup=False, emoji=False)


def shortened(text: str) -> str:
    """Make text one printable line, and cut the middle out of words longer than `LONGEST`."""
    words = printable(text).split(" ")
    return " ".join(word if len(word) <= LONGEST else f"{word[:120]}…{word[-119:]}" for word in words)


def style_of(line: str) -> str:
    """Style of a line by its first word."""
    return _STYLES.get(line.split(" ", 1)[0], "")


def _print(stream: TextIO, lines: Sequence[str | Table], style: str | None = None) -> None:
    """Print lines and tables; by default each line has the style of its first word."""
    if is_plain(stream):
        for line in lines:
            text = "\n".join(line.lines()) if isinstance(line, Table) else printable(line)
            encoding = stream.encoding or "utf-8"
            stream.write(f"{text}\n".encode(encoding, "backslashreplace").decode(encoding))
    else:
        from rich.table import Table as Grid
        from rich.text import Text

        console = console_of(stream)
        for line in lines:
            if isinstance(line, str):
                text = shortened(line)
                # A line without spaces, such as a path, stays whole so that it can be copied.
                console.print(Text(text, style_of(text) if style is None else style), soft_wrap=" " not in text)
                continue
            grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
            head, *rows = line.cells
            for i, name in enumerate(head):
                side = "right" if i in line.right else "left"
                grid.add_column(Text(name), justify=side, overflow="ellipsis", no_wrap=True)  # type: ignore[arg-type]
            for row in rows:
                grid.add_row(*map(Text, row))
            console.print(grid)
    stream.flush()


def show(*lines: str | Table) -> None:
    """Print results."""
    _print(sys.stdout, lines)


def say(line: str) -> None:
    """Print a line on standard error, above live progress."""
    if above:
        above[-1](line)
    else:
        _print(sys.stderr, [line])


def complain(sentence: str, command: str | None = None) -> None:
    """Print an error as one line that begins with ``specsia: `` and, below, the command that shows help."""
    _print(sys.stderr, [f"specsia: {sentence}"], "bold red")
    if command is not None:
        _print(sys.stderr, [f"  see {command}"], "dim")


def close(title: str, facts: Mapping[str, Sequence[str]], *, bad: bool = False) -> None:
    """Print the panel that ends a command on standard error: a title, and lines by their label."""
    rows = [("" if k else label, label, line) for label, lines in facts.items() for k, line in enumerate(lines)]
    if is_plain(sys.stderr):
        width = max(map(len, facts), default=0) + 2
        _print(sys.stderr, [title, *(f"  {heading:<{width}}{line}" for heading, _, line in rows)])
        return
    from rich.box import HORIZONTALS
    from rich.panel import Panel
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for heading, label, line in rows:
        grid.add_row(Text(heading), Text(shortened(line), style_of(f"{label}:")))
    colour = "red" if bad else "green"
    text = Text(shortened(title), f"bold {colour}")
    panel = Panel(grid, HORIZONTALS, title=text, title_align="left", border_style=colour, padding=(0, 1))
    console_of(sys.stderr).print(panel)
    sys.stderr.flush()
