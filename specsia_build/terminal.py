"""Terminal output: lines, tables, panels and live progress; the only module that imports rich.

Results go to standard output, all else to standard error, in colours only on a terminal: pipes, `NO_COLOR`
and ``TERM=dumb`` get plain lines, and a line a minute of progress.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from specsia_build.errors import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

LONGEST = 240  # Characters of one word that a terminal shows
_LINE_EVERY = 60.0  # Seconds between two lines of a stage in a log
_TIMES_A_SECOND = 8  # How often live progress is drawn

_STYLES = {
    **dict.fromkeys(("warning:", "warnings:", "quarantined:"), "yellow"),
    **dict.fromkeys(("problem:", "failed:", "FAILED:"), "red"),
    **dict.fromkeys(("note:", "load:", "next:"), "cyan"),
}
"""Style of a line by its first word."""

live_tables: list[Progress] = []  # Tables of progress on a terminal; the last one is in use


@dataclass(frozen=True)
class Table:
    """A table of text; cells are made printable, and the columns numbered in `right` are right-aligned."""

    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    right: Sequence[int] = ()

    @property
    def cells(self) -> list[list[str]]:
        """All cells, the head first."""
        return [[*map(printable, map(str, row))] for row in (self.head, *self.rows)]

    def lines(self) -> list[str]:
        """Format as plain lines, the head first."""
        cells = self.cells
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        sides = [str.rjust if i in self.right else str.ljust for i in range(len(widths))]
        lines = []
        for row in cells:
            padded = [pad(cell, n) for pad, cell, n in zip(sides, row, widths, strict=True)]
            lines.append("  ".join(padded).rstrip())
        return lines


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
                styled = Text(text, style_of(text) if style is None else style)
                # A line without spaces, such as a path, stays whole so that it can be copied.
                console.print(styled, soft_wrap=" " not in text)
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


COMPILING = "compiling, which only the first command of this kind does"


def say(line: str) -> None:
    """Print a line on standard error, above live progress."""
    if live_tables:
        from rich.text import Text

        live_tables[-1].console.print(Text(shortened(line), style_of(line)))
    else:
        _print(sys.stderr, [line])


def complain(sentence: str, command: str | None = None) -> None:
    """Print an error as one line that begins with ``specsia: `` and, below, the command that shows help."""
    _print(sys.stderr, [f"specsia: {sentence}"], "bold red")
    if command is not None:
        _print(sys.stderr, [f"  see {command}"], "dim")


def close(title: str, facts: Mapping[str, Sequence[str]], *, bad: bool = False) -> None:
    """Print the panel that ends a command on standard error: a title, and lines by their label."""
    rows = [("" if k else name, name, line) for name, lines in facts.items() for k, line in enumerate(lines)]
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


class Bar:
    """Progress of a stage; call it with a count to advance. `kept` units are up to date; ``B`` is bytes."""

    def __init__(self, label: str, total: int | None = None, unit: str = "", kept: int = 0) -> None:
        self._label, self._unit = shortened(label), unit
        self._note = ""
        self.done, self.total = kept, None if total is None else total + kept
        self._latest = time.monotonic()
        self._live = live_tables[-1] if live_tables else None
        if self._live is not None:
            self._task = self._live.add_task(
                self._label, mark="›", amount=self._amount(), note="", total=self.total, completed=kept
            )

    def __call__(self, count: int = 1) -> None:
        self.done += count
        self._show()

    def drop(self) -> None:
        """Take one unit out of the total."""
        self.total = None if self.total is None else self.total - 1
        self._show()

    def at(self, done: int, total: int) -> None:
        """Set the numbers of units done and in total."""
        self.total = total
        self(done - self.done)

    def note(self, text: str) -> None:
        """Show a text beside the bar."""
        self._note = shortened(text)
        self._show()

    def end(self) -> None:
        if self._live is not None:
            self._show("✓")
            self._live.stop_task(self._task)

    def _amount(self) -> str:
        done = amount(self.done, self._unit)
        return done if self.total is None else f"{done}/{amount(self.total, self._unit)}"

    def _show(self, mark: str = "›") -> None:
        now = time.monotonic()
        pause = _LINE_EVERY if self._live is None else 1 / _TIMES_A_SECOND
        if mark == "›" and now - self._latest < pause:
            return
        self._latest = now
        if self._live is None:
            say(", ".join(filter(None, [f"{self._label}: {self._amount()}", self._note])))
        else:
            fields: dict[str, Any] = {"mark": mark, "amount": self._amount(), "note": self._note}
            self._live.update(self._task, completed=self.done, total=self.total, **fields)


@contextmanager
def stages(*, transient: bool = False) -> Iterator[None]:
    """Show bars as one live table inside the context, and leave it on the terminal unless `transient`."""
    if is_plain(sys.stderr):
        yield
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.table import Column

    def text(template: str) -> TextColumn:
        return TextColumn(template, markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))

    console = console_of(sys.stderr)
    live = Progress(
        text("{task.fields[mark]} {task.description}"),
        text("{task.fields[amount]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        BarColumn(20),
        text("{task.fields[note]}"),
        console=console,
        refresh_per_second=_TIMES_A_SECOND,
        transient=transient,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with live:
        # A killed command cannot restore the cursor.
        console.show_cursor(True)
        live_tables.append(live)
        try:
            yield
        finally:
            live_tables.pop()


@contextmanager
def bar(
    name: str, total: int | None, unit: str = "char", backend: str | None = None, kept: int = 0
) -> Iterator[Bar]:
    """Show a stage with `total` units besides those `kept`, in the table `stages` or on its own line."""
    if not live_tables and not is_plain(sys.stderr):
        with stages(transient=True), bar(name, total, unit, backend, kept) as inner:
            yield inner
        return
    stage = Bar(f"{name} {backend or ''}".rstrip(), total, unit, kept)
    yield stage
    # Skipped after an exception, as the stage is not done.
    stage.end()


def amount(count: float, unit: str) -> str:
    """Format a count; bytes (unit ``B``) as kB, MB or GB."""
    from rich.filesize import decimal

    return decimal(int(count)) if unit == "B" else f"{count:,.0f}"
