"""Stages under way on standard error: a live table, or a line a minute where there is no terminal for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from specsia_build.errors import plural
from specsia_build.terminal.board import Board, Row, clock_time, speed
from specsia_build.terminal.layout import Table, sayable
from specsia_build.terminal.screen import above, console_of, is_plain, say, show, style_of

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

_LINE_EVERY = 60.0
"""Seconds between two lines of a stage in a log."""

_TIMES_A_SECOND = 8

_current: list[Board] = []
_moves: list[Live] = []


class Bar:
    """One stage that is under way; called with a count it goes on by so many."""

    def __init__(self, row: Row, board: Board | None) -> None:
        """Without a `board` nothing is shown."""
        self._row, self._board = row, board
        self._told = 0.0 if board is None else board.clock()

    def __call__(self, count: int = 1) -> None:
        """Go on by so many."""
        self._row.done += count
        if self._board is not None and not _moves and self._board.clock() - self._told >= _LINE_EVERY:
            self._told = self._board.clock()
            say(self._row.line(self._told))

    def keep(self) -> None:
        """Count one that turned out to be done already."""
        self._row.kept += 1

    def drop(self) -> None:
        """Take one out of the total."""
        if self._row.total is not None:
            self._row.total -= 1

    def at(self, done: int, total: int) -> None:
        """Set how far it is of how many."""
        self._row.total = total
        self(done - self._row.done)

    def note(self, text: str) -> None:
        """Show something beside it."""
        self._row.note = sayable(text)


@contextmanager
def stages(rows: Sequence[Row]) -> Iterator[None]:
    """Show all stages of a command while they are done, and leave the table there."""
    with _shown(Board(list(rows)), alone=False):
        yield


@contextmanager
def bar(name: str, total: int | None, unit: str, backend: str = "", kept: int = 0) -> Iterator[Bar]:
    """Show one stage while it is done: in the table of stages, or where there is none on a line that goes away.

    Args:
        name: of the stage.
        total: number of units that it will do; None if unknown.
        unit: ``B`` for bytes.
        backend: that it is done with.
        kept: units besides that were done before.
    """
    if not _current:
        with _shown(Board(), alone=True), bar(name, total, unit, backend, kept) as found:
            yield found
        return
    board = _current[-1]
    row = board.begin(sayable(name), sayable(backend), unit, total, kept)
    yield Bar(row, board)
    # A stage that was broken off is not done.
    row.ended = board.clock()


def quarantined(key: str, reason: str) -> None:
    """Count one more that was set aside, and say why: at once in a log, else in the table."""
    line = f"quarantined {key}: {reason}"
    if _current:
        _current[-1].quarantined += 1
        _current[-1].latest = line
    if not above:
        say(line)


def warned(count: int) -> None:
    """Count warnings, which are told at the end."""
    if _current:
        _current[-1].warned += count


def show_above(*found: str | Table) -> None:
    """Print results above what moves."""
    live = _moves[-1] if _moves else None
    if live is not None:
        live.stop()
    show(*found)
    if live is not None:
        live.start(refresh=True)


@contextmanager
def _shown(board: Board, *, alone: bool) -> Iterator[None]:
    _current.append(board)
    try:
        if is_plain(sys.stderr):
            yield
        else:
            with _moving(board, alone):
                yield
    finally:
        _current.pop()


@contextmanager
def _moving(board: Board, alone: bool) -> Iterator[None]:
    from rich.live import Live
    from rich.text import Text

    console = console_of(sys.stderr)
    live = Live(
        console=console,
        get_renderable=lambda: table_of_stages(board, alone),
        refresh_per_second=_TIMES_A_SECOND,
        transient=alone,
        redirect_stdout=False,
        redirect_stderr=False,
        vertical_overflow="crop",
    )
    with live:
        # A command that is killed has no time to bring it back.
        console.show_cursor(True)
        above.append(lambda line: console.print(Text(sayable(line), style_of(line))))
        _moves.append(live)
        try:
            yield
        finally:
            above.pop()
            _moves.pop()


def table_of_stages(board: Board, alone: bool) -> RenderableType:
    """The stages as a table; `alone`, only the one that is under way, on one line."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table as Grid
    from rich.text import Text

    now = board.clock()
    grid = Grid(box=None, pad_edge=False, show_header=not alone, header_style="dim", padding=(0, 2, 0, 0))
    grid.add_column("  stage", no_wrap=True, overflow="ellipsis")
    for head in ("done", "rate", "elapsed", "ETA"):
        grid.add_column(head, justify="right", no_wrap=True)
    grid.add_column("")
    for row in board.rows:
        if alone and not (row.works and row.total != 0):
            continue
        waits = row.began is None
        elapsed = "" if waits else clock_time(row.seconds(now))
        eta = clock_time(row.left(now)) if row.works else ""
        cells = [row.progress(), speed(row.rate(now), row.unit), elapsed, eta]
        done = ProgressBar(row.total or 1, row.kept + row.done, width=24) if row.works and row.total else Text(row.note)
        mark, style = ("›", "bold") if row.works else (" ", "dim") if waits else ("✓", "green")
        grid.add_row(Text(f"{mark} {row.label}"), *map(Text, cells), done, style=style)
    if alone:
        return grid
    counts = f"{board.quarantined:,} quarantined, {plural(board.warned, 'warning')}"
    style = "yellow" if board.quarantined or board.warned else ""
    lines = [Text(f"  {clock_time(now - board.began)}  ·  {counts}", style)]
    if board.latest and any(row.ended is None for row in board.rows):
        lines.append(Text(f"  {sayable(board.latest)}", "yellow", no_wrap=True, overflow="ellipsis"))
    return Group(grid, *lines)
