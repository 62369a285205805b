"""Progress of the stages of a command: how far each is, how fast, and how long it takes yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Row:
    """One stage.

    Attributes:
        name: of the stage.
        backend: that it is done with, or empty.
        unit: what it counts, such as ``char``; ``B`` for bytes.
        total: number of them, those included that are up to date; None while it is not known.
        kept: that were up to date as it began.
        done: since then.
        began, ended: on the board's clock.
        note: shown beside it.
    """

    name: str
    backend: str = ""
    unit: str = "char"
    total: int | None = None
    kept: int = 0
    done: int = 0
    began: float | None = None
    ended: float | None = None
    note: str = ""

    @property
    def label(self) -> str:
        """Stage and backend."""
        return f"{self.name} {self.backend}".rstrip()

    @property
    def works(self) -> bool:
        """Whether it is under way."""
        return self.began is not None and self.ended is None

    def seconds(self, now: float) -> float:
        """Time that it took, or takes so far."""
        return 0.0 if self.began is None else (now if self.ended is None else self.ended) - self.began

    def rate(self, now: float) -> float | None:
        """Units a second; None before the first."""
        taken = self.seconds(now)
        return self.done / taken if self.done and taken > 0 else None

    def left(self, now: float) -> float | None:
        """Seconds until it ends; None if unknown."""
        if self.ended is not None:
            return 0.0
        rate = self.rate(now)
        return None if rate is None or self.total is None else max(0, self.total - self.kept - self.done) / rate

    def progress(self) -> str:
        """How far it is, of how many."""
        if self.began is None:
            return "" if not self.total else amount(self.total, self.unit)
        at = amount(self.kept + self.done, self.unit)
        return at if self.total is None else f"{at}/{amount(self.total, self.unit)}"

    def line(self, now: float) -> str:
        """All of it in one line."""
        left = clock_time(self.left(now))
        told = [f"{self.label}: {self.progress()}", speed(self.rate(now), self.unit), f"{left} left" if left else ""]
        return ", ".join(filter(None, [*told, self.note]))


@dataclass
class Board:
    """All stages of one command, in order, and counts of what went wrong."""

    rows: list[Row] = field(default_factory=list)
    clock: Callable[[], float] = time.monotonic
    quarantined: int = 0
    warned: int = 0
    latest: str = ""

    def __post_init__(self) -> None:
        self.began = self.clock()

    def begin(self, name: str, backend: str, unit: str, total: int | None, kept: int) -> Row:
        """The row of a stage that begins now: the planned one, or a new one below those that have begun."""
        row = next((row for row in self.rows if (row.name, row.backend) == (name, backend)), None)
        if row is None:
            row = Row(name, backend)
            self.rows.insert(sum(1 for other in self.rows if other.began is not None), row)
        row.unit, row.total, row.kept, row.done = unit, None if total is None else total + kept, kept, 0
        row.began, row.ended, row.note = self.clock(), None, ""
        for other in self.rows:
            if other.began is None and other.unit == unit and other.total is None:
                other.total = row.total
        return row


def amount(count: float, unit: str) -> str:
    """A count in words; bytes in the unit that suits them."""
    if unit != "B" or count < 1000:
        return f"{count:,.0f}" if unit != "B" else f"{count:.0f} B"
    for prefix in "kMGT":
        count /= 1000
        if count < 999.5 or prefix == "T":
            break
    return f"{count:.3g} {prefix}B"


def speed(rate: float | None, unit: str) -> str:
    """A rate by the second, minute or hour, whichever gives one or more."""
    if rate is None:
        return ""
    per, seconds = ("s", 1) if rate >= 1 else ("min", 60) if rate * 60 >= 1 else ("h", 3600)
    each = rate * seconds
    return f"{amount(each, unit) if unit == 'B' or each >= 10 else f'{each:.1f}'}/{per}"


def clock_time(seconds: float | None) -> str:
    """Seconds as ``m:ss``, or ``h:mm:ss``."""
    if seconds is None:
        return ""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
