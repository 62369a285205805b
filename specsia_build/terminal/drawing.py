"""What is under way on standard error: a table of stages, or one line, that moves where there is a terminal for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from specsia_build.errors import plural
from specsia_build.terminal.board import Board, Row, amount, clock_time, speed
from specsia_build.terminal.layout import Table, columns, sayable, shortened, wrapped
from specsia_build.terminal.screen import above, console_of, is_plain, say, show, style_of

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

_LINE_EVERY = 60.0
"""Seconds between two lines of a stage in a log."""

_TIMES_A_SECOND = 8
_BAR = (10, 30)
_GAP = 2

_current: list[Board] = []
_moves: list[Live] = []


class Bar:
    """One stage that is under way; called with a count it goes on by so many."""

    def __init__(self, row: Row, board: Board | None) -> None:
        """`board` is told where nothing moves; nobody is told without it."""
        self._row, self._board = row, board
        self._told = 0.0 if board is None else board.clock()

    def __call__(self, count: int = 1) -> None:
        """Go on by so many."""
        self._row.done += count
        if self._board is not None and self._board.clock() - self._told >= _LINE_EVERY:
            self._told = self._board.clock()
            say(_plain_line(self._row, self._told))

    def keep(self) -> None:
        """One turned out to be done already."""
        self._row.kept += 1

    def drop(self) -> None:
        """One is not done after all."""
        if self._row.total is not None:
            self._row.total -= 1

    def at(self, done: int, total: int) -> None:
        """Say how far it is of how many."""
        self._row.total = total
        self(done - self._row.done)

    def note(self, text: str) -> None:
        """Say something beside it."""
        self._row.note = sayable(text)


@contextmanager
def stages(rows: Sequence[Row]) -> Iterator[None]:
    """Show all stages of a command while they are done, planned as far as they are known, and leave the table there."""
    with _shown(Board(list(rows)), alone=False):
        yield


@contextmanager
def bar(name: str, total: int | None, unit: str, backend: str = "", kept: int = 0) -> Iterator[Bar]:
    """Show one stage while it is done: in the table of stages, or where there is none on a line that goes away.

    Args:
        name: of the stage.
        total: how many it will do; None if that is not known.
        unit: what they are; ``B`` for bytes.
        backend: that it is done with.
        kept: those besides that were done before.
    """
    if not _current:
        with _shown(Board(), alone=True), bar(name, total, unit, backend, kept) as found:
            yield found
        return
    board = _current[-1]
    row = board.begin(sayable(name), sayable(backend), unit, total, kept)
    yield Bar(row, board if is_plain(sys.stderr) else None)
    # Not of one that was broken off, which is not done.
    board.end(row)


def quarantined(key: str, reason: str) -> None:
    """Count one more that was set aside, and say why: at once in a log, in the table where there is one."""
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
    """Print results as `screen.show` does, above what moves."""
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

    def drawn() -> Text:
        lines = [line_of_one(board, console.width)] if alone else lines_of_all(board, console.width)
        return Text("\n").join(Text(line, style, no_wrap=True) for line, style in lines if line)

    def write(line: str) -> None:
        for one in wrapped(sayable(line), console.width, "  "):
            console.print(Text(one, style_of(line)), soft_wrap=True)

    live = Live(
        console=console,
        get_renderable=drawn,
        refresh_per_second=_TIMES_A_SECOND,
        transient=alone,
        redirect_stdout=False,
        vertical_overflow="crop",
    )
    with live:
        # A command that is killed has no time to bring it back.
        console.show_cursor(True)
        above.append(write)
        _moves.append(live)
        try:
            yield
        finally:
            above.pop()
            _moves.pop()


def _progress(row: Row) -> str:
    """How far a stage is, of how many."""
    if row.began is None:
        return "" if not row.total else amount(row.total, row.unit)
    at = amount(row.kept + row.done, row.unit)
    return at if row.total is None else f"{at}/{amount(row.total, row.unit)}"


def _plain_line(row: Row, now: float) -> str:
    rest = clock_time(row.left(now))
    told = [f"{row.label}: {_progress(row)}", speed(row.rate(now), row.unit), f"{rest} left" if rest else "", row.note]
    return ", ".join(filter(None, told))


def _strip(row: Row, width: int) -> str:
    if not row.total or width < _BAR[0]:
        return ""
    full = min(width, width * (row.kept + row.done) // row.total)
    return "━" * full + "─" * (width - full)


def line_of_one(board: Board, width: int) -> tuple[str, str]:
    """The line of the stage that is under way, if one is, and its style."""
    row = next((row for row in reversed(board.rows) if row.began is not None and row.ended is None), None)
    if row is None or row.total == 0:
        return "", ""
    now = board.clock()
    rest = row.left(now)
    eta = "" if rest is None else f"ETA {clock_time(rest)}"
    said = [_progress(row), speed(row.rate(now), row.unit), clock_time(row.seconds(now)), eta, row.note]
    end = "  ".join(filter(None, said))
    label = shortened(row.label, max(width // 3, 8))
    spare = width - columns(label) - columns(end) - 2 * _GAP
    return shortened("  ".join(filter(None, [label, _strip(row, min(spare, _BAR[1])), end])), width), ""


def lines_of_all(board: Board, width: int) -> list[tuple[str, str]]:
    """The table of all stages as lines that fit, with their styles."""
    now = board.clock()
    has_backends = any(row.backend for row in board.rows)
    head = ["  stage", *(["backend"] if has_backends else []), "done", "rate", "elapsed", "ETA"]
    cells, styles = [], []
    for row in board.rows:
        waits, works = row.began is None, row.began is not None and row.ended is None
        styles.append("dim" if waits else "bold" if works else "green")
        cells.append(
            [
                f"{'›' if works else ' ' if waits else '✓'} {row.name}",
                *([row.backend] if has_backends else []),
                _progress(row),
                speed(row.rate(now), row.unit),
                "" if waits else clock_time(row.seconds(now)),
                clock_time(row.left(now)) if works else "",
            ]
        )
    right = tuple(range(len(head) - 4, len(head)))
    spare = width - max(map(columns, Table(head, cells, right).lines())) - _GAP
    if spare >= _BAR[0]:
        head.append("")
        for line, row in zip(cells, board.rows, strict=True):
            line.append(_strip(row, min(spare, _BAR[1])) if row.began is not None and row.ended is None else "")
    lines = Table(head, cells, right).lines(width)
    each = len(lines) // (len(styles) + 1)
    styled = [(line, ["dim", *styles][k // each]) for k, line in enumerate(lines)]
    return [*styled, *_whole(board, now, width)]


def _whole(board: Board, now: float, width: int) -> list[tuple[str, str]]:
    works = any(row.ended is None for row in board.rows)
    left = board.left() if works else None
    eta = "" if left is None else f", ETA of the whole {clock_time(left)}"
    counts = f"{board.quarantined:,} quarantined, {plural(board.warned, 'warning')}"
    style = "yellow" if board.quarantined or board.warned else ""
    lines = wrapped(f"  {clock_time(now - board.began)}{eta}  ·  {counts}", width, "  ")
    latest = shortened(f"  {sayable(board.latest)}", width) if board.latest and works else ""
    return [*((line, style) for line in lines), (latest, "yellow")]
