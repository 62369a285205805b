"""What executors have in common: what a call needs, and what became of an item that gave no result."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")

TASKS_PER_PROCESS = 500
"""Items after which a worker is replaced, so that what a library leaks stays bounded."""

LEAST_SECONDS = 60.0
"""That it works at least, so that where items are short it is not replaced all the time."""


@dataclass(frozen=True)
class Lost:
    """An item that was not finished because its worker crashed or ran out of time.

    Attributes:
        reason: a sentence.
        given: what it gave before, where its function is a generator.
    """

    reason: str
    given: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Needs:
    """What each item of a call needs.

    Attributes:
        timeout: seconds after which an item is given up and its process killed; of a generator's item, seconds from
            one thing that it gives to the next.
        slots: items that can be worked at together on one machine, or None for as many as there are workers.
        gpus: that a slot holds.
        memory: bytes that an item may cost, beyond which it fails, or None for no limit; see `limit_process`.
        work_on: told which GPU a process was given before its first item, or None; importable by name.
    """

    timeout: float
    slots: int | None = None
    gpus: int = 0
    memory: int | None = None
    work_on: Callable[[str], None] | None = None


def never() -> bool:
    """Of a call that all items are done of."""
    return False


Results = Generator[tuple[int, R | Lost], None, None]
"""Index and result of each item; closing it ends the workers."""


class Executor(Protocol):
    """Applies a function to every item, in worker processes."""

    def __call__(
        self, function: Callable[[T], R], items: Sequence[T], needs: Needs, enough: Callable[[], bool] = never
    ) -> Results[R]:
        """Index and result of each item in the order in which they end; `Lost` where there is none.

        Args:
            function: importable by name; must not raise for what it wants to report. Of a generator the result is all
                that it gives, as a tuple.
            items: picklable.
            needs: see `Needs`.
            enough: asked here before an item is handed out; once it says so no other is, and those at work are
                finished.
        """
        ...


def given_up(timeout: float) -> str:
    """What became of an item that took longer than `timeout` seconds."""
    return f"it was given up after {timeout:g} seconds: raise `timeout` if it only needs longer"
