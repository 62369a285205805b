"""Running a function over many items in worker processes: of this machine, or of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from specsia_build.config import BuildConfig
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pool import Lost, Pool, R, Results, T, never

__all__ = ["Executor", "Lost", "Needs", "local_executor", "open_executor"]

PRELOAD = (
    "specsia_build.pipeline.worker",
    "specsia_build.stages.registry",
    "specsia_build.pipeline.executors.preloaded",
)
"""What workers of this machine have loaded before they begin."""


@dataclass(frozen=True)
class Needs:
    """What each item of a call needs.

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
        """Index and result of each item in the order in which they end; `Lost` where there is none.

        Args:
            function: importable by name; what it raises ends the call.
            items: picklable.
            needs: see `Needs`.
            enough: asked here before an item is handed out; once true no other is, and those at work are finished.
        """
        ...


def local_executor(config: BuildConfig) -> Executor:
    """A pool of processes for each call."""

    def execute(
        function: Callable[[T], R], items: Sequence[T], needs: Needs, enough: Callable[[], bool] = never
    ) -> Results[R]:
        workers = config.worker_count()
        if needs.slots is not None:
            workers = max(1, min(workers, needs.slots))
        return Pool(workers, needs.timeout, needs.memory, PRELOAD).run(function, items, enough)

    return execute


@contextmanager
def open_executor(config: BuildConfig, layout: RunLayout, say: Callable[[str], None]) -> Iterator[Executor]:
    """The executor that the settings name, for one build.

    Args:
        config: of the build.
        layout: of the run, whose folder exists; with an absolute path for `ray`.
        say: shows a line to the user.

    Raises:
        UsageError: if it is not installed or its cluster cannot be used.
    """
    if config.executor == "local":
        yield local_executor(config)
        return
    from specsia_build.pipeline.executors.on_ray import ray_executor

    with ray_executor(config, layout, say) as execute:
        yield execute
