"""Executors apply a function to many items in worker processes, of this machine or of a Ray cluster."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from specsia_build.config import BuildConfig
from specsia_build.pool import Lost, Pool, R, Results, T, never

__all__ = ["Executor", "Lost", "Needs", "local_executor"]

PRELOADED = "specsia_build.pipeline.executors.preloaded"

PRELOAD = ("specsia_build.pipeline.worker", "specsia_build.stages.registry", PRELOADED)
"""Modules that workers of this machine load before they begin."""


@dataclass(frozen=True)
class Needs:
    """Resources that each item of a call needs."""

    timeout: float  # Seconds after which an item is given up and its process ended
    slots: int | None = None  # Items worked at together on one machine; None for as many as there are workers
    gpus: int = 0  # Number of GPUs that a slot holds
    memory: int | None = None  # Bytes that an item may use, or None for no limit; see `limit_process`
    # Called in each process with its GPU before its first item; importable by name
    work_on: Callable[[str], None] | None = None


Executor = Callable[..., Results[Any]]
"""``execute(function, items, needs, enough=never)`` applies a function that is importable by name in worker
processes, and yields index and result of each item in the order in which they end; `Lost` if there is none.
An exception of it ends the call. Once ``enough()`` is true no more items are handed out, and those in
progress are finished."""


def local_executor(config: BuildConfig) -> Executor:
    """Return an executor with a pool of processes for each call."""

    def execute(
        function: Callable[[T], R], items: Sequence[T], needs: Needs, enough: Callable[[], bool] = never
    ) -> Results[R]:
        workers = config.worker_count()
        if needs.slots is not None:
            workers = max(1, min(workers, needs.slots))
        return Pool(workers, needs.timeout, needs.memory, PRELOAD).run(function, items, enough)

    return execute
