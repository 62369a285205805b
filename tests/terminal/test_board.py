"""How far stages are, and when they will end."""

from __future__ import annotations

from contextlib import suppress

import pytest

from specsia_build.terminal import drawing
from specsia_build.terminal.board import Board, Row, amount, clock_time, speed


@pytest.mark.parametrize(
    ("done", "kept", "total", "ended", "left"),
    [
        (20, 0, 100, None, 400),
        # What was up to date takes no time.
        (20, 60, 100, None, 100),
        (0, 0, 100, None, None),
        (20, 0, None, None, None),
        (50, 0, 100, 60.0, 0),
    ],
)
def test_a_stage_takes_as_long_yet_as_its_rate_says(
    done: int, kept: int, total: int | None, ended: float | None, left: float | None
) -> None:
    row = Row("stage", total=total, kept=kept, done=done, began=0.0, ended=ended)
    assert row.left(100.0) == (None if left is None else pytest.approx(left))


def test_stages_of_clips_are_known_once_one_of_them_begins() -> None:
    board = Board([Row("motions", total=2), Row("draw", unit="clip"), Row("move", "relief", "clip")], lambda: 0.0)
    board.begin("draw", "", "clip", 30, 2)
    assert board.rows[2].total == 32


def test_what_was_not_planned_stands_below_what_has_begun() -> None:
    board = Board([Row("render", total=1), Row("pack", total=0)])
    board.begin("render", "", "char", 1, 0)
    board.begin("check", "", "char", 4, 0)
    assert [row.name for row in board.rows] == ["render", "check", "pack"]


def test_amounts_rates_and_times_as_they_are_shown() -> None:
    assert [amount(n, "B") for n in (0, 999, 1000, 12_345_678, 999_600)] == [
        "0 B",
        "999 B",
        "1 kB",
        "12.3 MB",
        "1 MB",
    ]
    assert [speed(rate, "char") for rate in (None, 12.0, 1.0, 0.5, 0.01)] == ["", "12/s", "1.0/s", "30/min", "36/h"]
    assert speed(2.5e6, "B") == "2.5 MB/s"
    assert [clock_time(s) for s in (None, 0, 59.6, 3725)] == ["", "0:00", "1:00", "1:02:05"]


def test_a_stage_that_is_broken_off_is_not_over() -> None:
    rows = [Row("pack"), Row("check")]
    with drawing.stages(rows):
        with suppress(ValueError), drawing.bar("pack", 3, "char"):
            raise ValueError
        with drawing.bar("check", 3, "char"):
            pass
    assert [row.ended is None for row in rows] == [True, False]
