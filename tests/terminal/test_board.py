"""How far stages are, and when they will end."""

from __future__ import annotations

from contextlib import suppress

import pytest

from specsia_build.terminal import drawing
from specsia_build.terminal.board import Board, Row, amount, clock_time, rest, speed


def row(began: float | None, ended: float | None, done: int, total: int | None, kept: int = 0, share: float = 1) -> Row:
    found = Row("stage", "", "char", total, kept, done, began, ended)
    found.share = share
    return found


@pytest.mark.parametrize(
    ("rows", "left"),
    [
        # Side by side: the one that needs longest, not the sum.
        ([row(0, None, 20, 100), row(0, None, 18, 100), row(0, None, 15, 100)], 100 * 85 / 15),
        # One of them has done none yet: as long as work took so far for one of any.
        ([row(0, None, 1, 100), row(0, None, 0, 100)], 100 * 100),
        # One has ended before the other.
        ([row(0, 60, 100, 100), row(0, None, 50, 100)], 100),
        # What was up to date takes no time.
        ([row(0, None, 20, 100, kept=60), row(0, None, 20, 100, kept=60)], 100),
        # Packing comes after, and is quick: 300 of all rows were done in 100 seconds.
        ([*[row(0, None, 100, 200)] * 3, row(None, None, 0, 200, share=0.2)], 100 + 200 * 0.2 * 100 / 300),
        # A second group of rows comes after the first: half a second each.
        ([row(0, 50, 100, 100), row(50, None, 100, 200), row(None, None, 0, 60)], 50 + 60 * 100 / 200),
        # How many is not known of a row, or nothing was done so far.
        ([row(0, None, 20, 100), row(None, None, 0, None)], None),
        ([row(0, None, 0, 100)], None),
        # Something of unknown size beside is left out.
        ([row(0, None, 50, 100), row(50, None, 0, None)], 100),
        ([row(0, 100, 10, 10)], 0),
        # What counts something else says nothing of how long one takes.
        ([Row("compile", "", "stage", 4, 0, 4, 0, 50), row(50, None, 50, 100), row(None, None, 0, 10)], 50 + 10),
    ],
)
def test_the_rest_of_rows_side_by_side_is_that_of_the_slowest(rows: list[Row], left: float | None) -> None:
    assert rest(rows, 100.0) == (None if left is None else pytest.approx(left))


def test_stages_of_clips_are_known_once_one_of_them_begins() -> None:
    board = Board([Row("motions", total=2), Row("draw", unit="clip"), Row("move", "relief", "clip")], lambda: 0.0)
    motions = board.begin("motions", "", "char", 2, 0)
    motions.done = 2
    assert board.left() is None
    board.begin("draw", "", "clip", 30, 2)
    assert board.rows[2].total == 32
    assert board.left() is not None


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
