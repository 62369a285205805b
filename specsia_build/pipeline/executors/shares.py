"""Items as tasks do them: one, heard of step by step, or several where they are short."""

from __future__ import annotations

import math
import pickle
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from inspect import isgeneratorfunction
from typing import Any

from specsia_build.memory import limit_process

SHORT_SECONDS = 0.5
"""Items that take less on average are done several a task: what a task costs beside them is some milliseconds."""

TASK_SECONDS = 1.0
"""What a task of several takes, about, and how often it is heard of."""

MOST_SECONDS = 3.0
"""After which it begins no other, so that none waits behind items that were not as short as those before."""

MOST_ITEMS = 128
"""In a task."""

REMEMBERED = 32
"""Messages that tell how long items take: recent ones, as those that are up to date take no time and lie together."""


@dataclass(frozen=True)
class Given:
    """Something that a generator gave of the one item of a task, with more to come."""

    what: Any


@dataclass(frozen=True)
class Done:
    """Results of a task's items.

    Attributes:
        results: each with its place in the task.
        seconds: that they took.
        last: whether the task has ended; items of which nothing was heard were not begun.
    """

    results: list[tuple[int, Any]]
    seconds: float
    last: bool


@dataclass(frozen=True)
class TaskItems:
    """What a task is sent.

    Attributes:
        function: see `Executor`.
        items: of it.
        memory: see `Needs`.
    """

    function: Callable[[Any], Any]
    items: Sequence[Any]
    memory: int | None

    @staticmethod
    def unpacked(packed: bytes) -> TaskItems:
        """From its pickle."""
        items: TaskItems = pickle.loads(packed)  # noqa: S301  of the command that started this
        return items

    def whole(self, item: Any) -> Any:
        """The result of an item, of a generator all that it gives."""
        return tuple(self.function(item)) if isgeneratorfunction(self.function) else self.function(item)

    def done(self) -> Iterator[Given | Done]:
        """Do it: one item is heard of step by step, several about once a second."""
        if self.memory is not None:
            hold(self.memory)
        begun = told = time.monotonic()
        if len(self.items) == 1:
            yield from self._one(begun)
            return
        results: list[tuple[int, Any]] = []
        for place, item in enumerate(self.items):
            results.append((place, self.whole(item)))
            now = time.monotonic()
            last = place + 1 == len(self.items) or now - begun >= MOST_SECONDS
            if last or now - told >= TASK_SECONDS:
                yield Done(results, now - told, last)
                results, told = [], time.monotonic()
            if last:
                return

    def _one(self, begun: float) -> Iterator[Given | Done]:
        result: Any
        if isgeneratorfunction(self.function):
            everything: list[Any] = []
            for given in self.function(self.items[0]):
                everything.append(given)
                yield Given(given)
            result = tuple(everything)
        else:
            result = self.function(self.items[0])
        yield Done([(0, result)], time.monotonic() - begun, last=True)


def hold(memory: int) -> None:
    """Hold this process to what an item may cost in bytes, beyond what it loads for all of them."""
    import_module("specsia_build.pipeline.executors.preloaded")
    limit_process(memory)


def share_size(mean: float | None, left: int, width: int) -> int:
    """Items that the next task is given.

    Args:
        mean: seconds that an item took of late, or None where none has ended.
        left: items that wait.
        width: tasks under way together; so that all end at about the same time, the last ones are smaller.
    """
    if mean is None or mean >= SHORT_SECONDS:
        return 1
    wanted = MOST_ITEMS if mean * MOST_ITEMS <= TASK_SECONDS else math.ceil(TASK_SECONDS / mean)
    return max(1, min(wanted, left // (2 * max(1, width))))


@dataclass(frozen=True)
class Share:
    """Items for one task.

    Attributes:
        indices: of the items.
        roomy: whether it asks for all the memory that an item may cost.
    """

    indices: tuple[int, ...]
    roomy: bool = False


class Waiting:
    """Items that wait for a task, those that are tried alone first.

    Attributes:
        losses: of each item, how often it went with a node, or with a worker that had not begun it.
    """

    def __init__(self, count: int) -> None:
        self._todo = deque(range(count))
        self._alone = deque[int]()
        self._roomy: set[int] = set()
        self._recent = deque[tuple[int, float]](maxlen=REMEMBERED)
        self.losses = Counter[int]()

    def __bool__(self) -> bool:
        return bool(self._todo or self._alone)

    def clear(self) -> None:
        """Begin no other."""
        self._todo.clear()
        self._alone.clear()

    def learn(self, done: Done) -> None:
        """Remember how long items took."""
        self._recent.append((len(done.results), done.seconds))

    def share(self, width: int) -> Share:
        """The next; see `share_size`."""
        if self._alone:
            index = self._alone.popleft()
            return Share((index,), index in self._roomy)
        count = sum(items for items, _ in self._recent)
        mean = sum(seconds for _, seconds in self._recent) / count if count else None
        size = share_size(mean, len(self._todo), width)
        return Share(tuple(self._todo.popleft() for _ in range(size)))

    def put_back(self, share: Share, left: Sequence[int]) -> None:
        """Have what is left of a share done next: by tasks of several where it was of several."""
        (self._todo if len(share.indices) > 1 else self._alone).extendleft(reversed(left))

    def try_alone(self, left: Sequence[int], roomy: bool = False) -> None:
        """Have items done one a task."""
        self._alone.extend(left)
        if roomy:
            self._roomy.update(left)
