"""The protocol of executors: apply a function to many items in worker processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from specsia_build.pool import R, Results, T, never


@dataclass(frozen=True)
class Needs:
    """Resources that each item of a call needs.

    Attributes:
        timeout: seconds after which an item is given up and its process ended.
        slots: items that can be worked at together on one machine, or None for as many as there are workers.
        gpus: that a slot holds.
        memory: bytes that an item may cost, or None for no limit; see `limit_process`.
        work_on: called in a process with the GPU that it was given, before its first item; importable by name.
    """

    timeout: float
    slots: int | None = None
    gpus: int = 0
    memory: int | None = None
    work_on: Callable[[str], None] | None = None

    @property
    def plain(self) -> bool:
        """Whether any worker will do."""
        return self.slots is None and self.work_on is None


class Executor(Protocol):
    """Applies a function to every item, in worker processes."""

    def __call__(
        self, function: Callable[[T], R], items: Sequence[T], needs: Needs, enough: Callable[[], bool] = never
    ) -> Results[R]:
        """Yield index and result of each item in the order in which they end; `Lost` where there is none.

        Args:
            function: importable by name; what it raises ends the call.
            items: picklable.
            needs: see `Needs`.
            enough: asked here before an item is handed out; once true no other is, and those at work are finished.
        """
        ...
