"""Running a function over many items in worker processes: of this machine, or of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from specsia_build.config import BuildConfig
from specsia_build.pipeline.executors.executor import Executor, Needs, local_executor
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pool import Lost

__all__ = ["Executor", "Lost", "Needs", "local_executor", "open_executor"]


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
