"""Output: results on standard output, all else on standard error; colours only where a terminal takes them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

from specsia_build.errors import printable
from specsia_build.terminal.layout import Table, sayable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_STYLES = {
    **dict.fromkeys(("warning:", "warnings:", "quarantined:"), "yellow"),
    **dict.fromkeys(("problem:", "failed:", "FAILED:"), "red"),
    "note:": "cyan",
}
"""Style of a line by its first word."""

_TO_COPY = frozenset({"load", "next"})
"""Facts whose lines are to be copied."""

above: list[Callable[[str], None]] = []
"""While something moves on standard error: what writes a line above it, the last one that counts."""


def is_plain(stream: TextIO) -> bool:
    """Whether a stream gets neither colours nor anything that moves."""
    asked = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM", "") in ("dumb", "unknown")
    return asked or not stream.isatty() or "utf" not in (stream.encoding or "").lower()


def console_of(stream: TextIO) -> Console:
    """The terminal behind a stream that is not plain."""
    from rich.console import Console

    return Console(file=stream, force_terminal=True, highlight=False, markup=False, emoji=False)


def _put(stream: TextIO, lines: Sequence[str | Table], style: str | None = None) -> None:
    """Write lines and tables; by default each line has the style of its first word."""
    if is_plain(stream):
        texts = [one for line in lines for one in (line.lines() if isinstance(line, Table) else [printable(line)])]
        text = "".join(f"{line}\n" for line in texts)
        stream.write(text.encode(stream.encoding or "utf-8", "backslashreplace").decode(stream.encoding or "utf-8"))
    else:
        from rich.text import Text

        console = console_of(stream)
        for line in lines:
            if isinstance(line, Table):
                console.print(_grid(line))
            else:
                # An address alone stays whole, to be copied.
                said = sayable(line)
                console.print(Text(said, style_of(said) if style is None else style), soft_wrap=" " not in said)
    stream.flush()


def _grid(table: Table) -> RenderableType:
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    head, *rows = table.cells
    for i, name in enumerate(head):
        grid.add_column(Text(name), justify="right" if i in table.right else "left", overflow="ellipsis", no_wrap=True)
    for row in rows:
        grid.add_row(*map(Text, row))
    return grid


def style_of(line: str) -> str:
    """Style of a line by its first word."""
    return _STYLES.get(line.split(" ", 1)[0], "")


def show(*found: str | Table) -> None:
    """Print results; whatever names they quote, each stays one line and does nothing to a terminal."""
    _put(sys.stdout, found)


def say(line: str) -> None:
    """Print a line on standard error, above what moves there."""
    if above:
        above[-1](line)
    else:
        _put(sys.stderr, [line])


def complain(sentence: str, more: str | None = None) -> None:
    """Print an error: one line that begins with ``specsia: `` and, beneath, the command that says more."""
    _put(sys.stderr, [f"specsia: {sentence}"], "bold red")
    if more is not None:
        _put(sys.stderr, [f"  see {more}"], "dim")


def close(title: str, facts: Mapping[str, Sequence[str]], *, bad: bool = False) -> None:
    """Print on standard error what a command did.

    Args:
        title: of it.
        facts: lines by their label.
        bad: whether it could not be finished.
    """
    stream, width = sys.stderr, max(map(len, facts), default=0) + 2
    rows = [(label if k == 0 else "", line) for label, told in facts.items() for k, line in enumerate(told)]
    if is_plain(stream):
        _put(stream, [title, *(f"  {label:<{width}}{line}" for label, line in rows)])
        return
    from rich.box import HORIZONTALS
    from rich.panel import Panel
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    label = ""
    for name, line in rows:
        label = name or label
        grid.add_row(Text(name), Text(sayable(line), "cyan" if label in _TO_COPY else style_of(f"{label}:")))
    colour = "red" if bad else "green"
    heading = Text(sayable(title), f"bold {colour}")
    panel = Panel(grid, HORIZONTALS, title=heading, title_align="left", border_style=colour, padding=(0, 1))
    console_of(stream).print(panel)
    stream.flush()
