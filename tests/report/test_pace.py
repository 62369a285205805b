"""How long a build takes yet is said from what was seen of it, or not at all."""

from __future__ import annotations

import pytest

from specsia_build.report.pace import LEAST_ENDED, Pace

TAKES = {"render": 2.0, "project": 6.0}


def told(pace: Pace, **waiting: int) -> tuple[float, float] | None:
    """Seconds that are left, and for which that is good."""
    left = pace.left(waiting, TAKES)
    return None if left is None else (round(left.seconds, 6), round(left.good, 6))


def seen(*looks: tuple[float, int, int]) -> Pace:
    """What was seen at some looks: when, and how many tasks of two stages had ended."""
    pace = Pace()
    for now, render, project in looks:
        pace.look(now, {"render": render, "project": project})
    return pace


def test_what_is_left_is_reckoned_by_the_work_that_was_seen_done() -> None:
    # Of 12 renders and 6 projects, 60 seconds of work, in 30: by two processes.
    pace = seen((0, 100, 0), (50, 103, 0), (70, 109, 3), (80, 115, 6))
    assert told(pace, render=85, project=194) == ((85 * 2 + 194 * 6) / 2, 75)


@pytest.mark.parametrize(
    ("looks", "waiting"),
    [
        ([(0, 0, 0), (40, 60, 20)], {"render": 9, "project": 9}),
        ([(0, 0, 0), (40, 1, 0), (80, LEAST_ENDED, 0)], {"render": 9, "project": 9}),
        ([(0, 0, 0), (40, 1, 0), (41, 60, 30)], {"render": 9, "project": 9}),
        ([(0, 0, 0), (40, 1, 0), (80, 60, 30)], {"render": 9, "project": None}),
        ([(0, 0, 0), (40, 1, 0), (80, 60, 30)], {"render": 9, "project": 9, "carry": 1}),
        ([(0, 0, 0), (40, 1, 0), (80, 60, 30)], {"render": 0, "project": 0}),
        ([], {"render": 9}),
    ],
    ids=["one look", "few tasks", "a moment", "unknown count", "unknown cost", "nothing waits", "nothing seen"],
)
def test_nothing_is_said_of_what_is_not_known(
    looks: list[tuple[float, int, int]], waiting: dict[str, int | None]
) -> None:
    assert seen(*looks).left(waiting, TAKES) is None


def test_a_build_that_stopped_or_began_anew_is_measured_anew() -> None:
    went = [(0.0, 0, 0), *((10.0 * k, 5 * k, 0) for k in range(1, 5))]
    assert told(seen(*went), render=10) == (20, 50)
    stopped = [*went, (4000, 25, 0)]
    assert told(seen(*stopped), render=10) is None
    assert told(seen(*stopped, (4010, 45, 0)), render=10) == (5, 50)
    assert told(seen(*went, (45, 2, 0)), render=10) is None
