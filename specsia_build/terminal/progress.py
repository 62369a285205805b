"""Progress of stages on standard error: a live table of `rich.progress`, or a line a minute in logs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.filesize import decimal

from specsia_build.terminal.screen import above, console_of, is_plain, say, shortened, style_of

if TYPE_CHECKING:
    from rich.progress import Progress

_LINE_EVERY = 60.0  # Seconds between two lines of a stage in a log

_TIMES_A_SECOND = 8

_live: list[Progress] = []  # The live table of the command, on a terminal


class Bar:
    """Progress of one stage; call it with a count to advance it. `kept` units are up to date; unit ``B`` is bytes."""

    def __init__(self, label: str, total: int | None = None, unit: str = "", kept: int = 0) -> None:
        self._label, self._unit, self._note = shortened(label), unit, ""
        self.done, self.kept, self.total = 0, kept, None if total is None else total + kept
        self._latest = time.monotonic()
        self._live = _live[-1] if _live else None
        if self._live is not None:
            self._task = self._live.add_task(
                self._label, mark="›", amount=self._amount(), note="", total=self.total, completed=kept
            )

    def __call__(self, count: int = 1) -> None:
        self.done += count
        self._show()

    def keep(self) -> None:
        """Count one unit as up to date."""
        self.kept += 1
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
        done = amount(self.kept + self.done, self._unit)
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
            self._live.update(self._task, completed=self.kept + self.done, total=self.total, **fields)


@contextmanager
def stages(*, transient: bool = False) -> Iterator[None]:
    """Show bars as one live table inside the context, and leave it on the terminal unless `transient`."""
    if is_plain(sys.stderr):
        yield
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.table import Column
    from rich.text import Text

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
        above.append(lambda line: console.print(Text(shortened(line), style_of(line))))
        _live.append(live)
        try:
            yield
        finally:
            _live.pop()
            above.pop()


@contextmanager
def bar(name: str, total: int | None, unit: str = "char", backend: str | None = None, kept: int = 0) -> Iterator[Bar]:
    """Show one stage with `total` units besides those `kept`, in the table of `stages` or on a line of its own."""
    if not _live and not is_plain(sys.stderr):
        with stages(transient=True), bar(name, total, unit, backend, kept) as inner:
            yield inner
        return
    stage = Bar(f"{name} {backend or ''}".rstrip(), total, unit, kept)
    yield stage
    # Skipped after an exception, as the stage is not done.
    stage.end()


def amount(count: float, unit: str) -> str:
    """Format a count; bytes (unit ``B``) as kB, MB or GB."""
    return decimal(int(count)) if unit == "B" else f"{count:,.0f}"
