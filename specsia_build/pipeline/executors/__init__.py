"""Executors: worker processes of this machine, or of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from specsia_build.config import BuildConfig
from specsia_build.pipeline.executors.executor import Executor, Needs
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pool import Lost, Pool, R, Results, T, never

__all__ = ["Executor", "Lost", "Needs", "local_executor", "open_executor"]

PRELOAD = (
    "specsia_build.pipeline.worker",
    "specsia_build.stages.registry",
    "specsia_build.pipeline.executors.preloaded",
)
"""Modules that workers of this machine load before they begin."""


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


@contextmanager
def open_executor(config: BuildConfig, layout: RunLayout, say: Callable[[str], None]) -> Iterator[Executor]:
    """Open the executor that the settings name, for one build.

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
