"""How far stages are, and when they will end."""

from __future__ import annotations

from contextlib import suppress

import pytest

from specsia_build.terminal import drawing
from specsia_build.terminal.board import Board, Row, amount, clock_time, rest, speed
from specsia_build.terminal.drawing import line_of_one, lines_of_all
from specsia_build.terminal.layout import columns

NASTY = "\x1b]0;owned\x07\n\u202e[red]騎士" * 200


def at_work(now: list[float]) -> Board:
    """A board whose clock is `now`: render is done, of inflate the half, and fusion has not begun."""
    board = Board(
        [
            Row("render", total=1498),
            Row("reconstruct", "inflate", total=1498),
            Row("reconstruct", "fusion", total=1498),
        ],
        clock=lambda: now[0],
    )
    done = board.begin("render", "", "char", 1000, 498)
    now[0] += 100
    done.done = 1000
    board.end(done)
    half = board.begin("reconstruct", "inflate", "char", 1498, 0)
    now[0] += 749
    half.done = 749
    return board


def test_the_rest_is_reckoned_by_what_was_done() -> None:
    now = [5.0]
    board = at_work(now)
    render, inflate, fusion = board.rows
    assert render.rate(now[0]) == 10 and render.left(now[0]) == 0
    assert inflate.left(now[0]) == 749
    assert fusion.left(now[0]) is None
    mean = 849 / (1498 + 749)
    assert board.left() == pytest.approx(749 + 1498 * mean)


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
    board = Board([Row("motions", total=2), Row("draw", unit="clip"), Row("move", "inflate", "clip")], lambda: 0.0)
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


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_table_of_stages_fits_and_says_all(width: int) -> None:
    now = [0.0]
    board = at_work(now)
    board.quarantined, board.warned, board.latest = 3, 1, f"quarantined {NASTY}"
    lines = [line for line, _ in lines_of_all(board, width)]
    assert max(map(columns, lines)) <= width
    assert all(line.isprintable() for line in lines)
    text = "\n".join(lines)
    for word in ("✓ render", "› reconstruct", "fusion", "749/1,498", "1,498/1,498", "10/s", "12:29", "14:09", "[red]"):
        assert word in text
    assert "3 quarantined, 1 warning\n" in text
    assert "ETA of the whole 21:55" in text
    assert columns(line_of_one(board, width)[0]) <= width


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
