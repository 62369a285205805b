"""What threads make ahead of its use."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def made_ahead(pool: Executor, make: Callable[[T], R], items: Iterable[T], most: int) -> Iterator[R]:
    """What is made of each item, in their order; no more than `most` of them wait while one is used."""
    waiting = deque[Future[R]]()
    for item in items:
        waiting.append(pool.submit(make, item))
        if len(waiting) > most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
