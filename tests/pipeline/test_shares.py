"""Items that share a task: how many, what is told of them when, and what is left of a task that ended early."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest
from specsia_build.pipeline.executors.shares import Done, Given, Share, TaskItems, Waiting, share_size

from specsia_build.pipeline.executors import shares


def doubled(item: int) -> int:
    return 2 * item


def steps(item: int) -> Iterator[int]:
    yield from range(item)


@pytest.mark.parametrize(
    ("mean", "left", "width", "size"),
    [
        (None, 1000, 4, 1),
        (0.6, 1000, 4, 1),
        (0.25, 1000, 4, 4),
        (0.0, 2000, 4, 128),
        (0.0, 40, 4, 5),
        (0.0, 3, 4, 1),
        (0.0, 1, 0, 1),
    ],
)
def test_a_task_takes_about_a_second_and_the_last_ones_leave_no_cpu_idle(
    mean: float | None, left: int, width: int, size: int
) -> None:
    assert share_size(mean, left, width) == size


def test_several_items_are_told_of_together_and_one_step_by_step() -> None:
    (done,) = TaskItems(doubled, [1, 2, 3], None).done()
    assert isinstance(done, Done)
    assert (done.results, done.last) == ([(0, 2), (1, 4), (2, 6)], True)
    (done,) = TaskItems(steps, [1, 2], None).done()
    assert isinstance(done, Done)
    assert done.results == [(0, (0,)), (1, (0, 1))]
    *given, last = TaskItems.unpacked(pickle.dumps(TaskItems(steps, [2], None))).done()
    assert given == [Given(0), Given(1)]
    assert isinstance(last, Done)
    assert (last.results, last.last) == ([(0, (0, 1))], True)


def test_what_a_task_did_not_get_to_is_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "MOST_SECONDS", 0.0)
    (done,) = TaskItems(doubled, [1, 2, 3], None).done()
    assert isinstance(done, Done)
    assert (done.results, done.last) == ([(0, 2)], True)
    waiting = Waiting(40)
    waiting.learn(done)
    share = waiting.share(width=2)
    assert share == Share(tuple(range(10)))
    waiting.put_back(share, share.indices[1:])
    assert waiting.share(width=2).indices[:2] == (1, 2)


def test_what_went_with_others_is_tried_alone_and_before_the_rest() -> None:
    waiting = Waiting(8)
    waiting.learn(Done([(0, None)], 0.0, last=True))
    share = waiting.share(width=1)
    assert len(share.indices) == 4
    waiting.try_alone(share.indices[:2])
    waiting.try_alone(share.indices[2:], roomy=True)
    assert [waiting.share(width=1) for _ in range(4)] == [
        Share((0,)),
        Share((1,)),
        Share((2,), True),
        Share((3,), True),
    ]
    waiting.put_back(Share((2,), True), [2])
    assert waiting.share(width=1) == Share((2,), True)
    waiting.clear()
    assert not waiting
