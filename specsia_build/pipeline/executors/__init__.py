"""Running a function over many items in worker processes: of this machine, or of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from specsia_build.config import BuildConfig
from specsia_build.pipeline.executors.base import Executor, Lost, Needs, R, Results, T, never
from specsia_build.pipeline.executors.local import run_local
from specsia_build.pipeline.layout import RunLayout

if TYPE_CHECKING:
    from specsia_build.pipeline.executors.cluster import Cluster

__all__ = ["Executor", "Lost", "Needs", "local_executor", "open_executor", "run_local", "seeing", "watched"]

PRELOAD = (
    "specsia_build.pipeline.tasks",
    "specsia_build.stages.registry",
    "specsia_build.pipeline.executors.preloaded",
)


def local_executor(config: BuildConfig) -> Executor:
    """A pool of processes for each call."""

    def run(
        function: Callable[[T], R], items: Sequence[T], needs: Needs, enough: Callable[[], bool] = never
    ) -> Results[R]:
        workers = config.worker_count()
        if needs.slots is not None:
            workers = max(1, min(workers, needs.slots))
        return run_local(function, items, workers, needs.timeout, PRELOAD, needs.memory, enough)

    return run


def seeing(folders: Iterable[Path], run: Executor, config: BuildConfig, layout: RunLayout) -> Executor:
    """The executor for what reads or writes folders of a run: the build's own, or a pool of processes here.

    Nodes of a cluster need see nothing of the run's folder where artefacts lie elsewhere, nor where a link leads.

    Args:
        folders: below that of the run.
        run: the executor of the build.
        config, layout: of the run.
    """
    root = layout.root.resolve()
    seen = layout.work is None and all(folder.resolve().is_relative_to(root) for folder in folders)
    return run if seen else local_executor(config)


def watched(run: Executor, look: Callable[[], None]) -> Executor:
    """An executor that looks before it tells of a result; what that raises ends the call."""

    def looking(
        function: Callable[[T], R], items: Sequence[T], needs: Needs, enough: Callable[[], bool] = never
    ) -> Results[R]:
        with closing(run(function, items, needs, enough)) as results:
            for result in results:
                look()
                yield result

    return looking


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
    from specsia_build.pipeline.executors.cluster import joined_cluster, load_ray
    from specsia_build.pipeline.executors.head import find_head

    head = find_head()
    load_ray(head)
    from specsia_build.pipeline.executors.on_ray import run_on_ray

    with ExitStack() as opened:
        joined: list[Cluster] = []

        def run(
            function: Callable[[T], R], items: Sequence[T], needs: Needs, enough: Callable[[], bool] = never
        ) -> Results[R]:
            # A build that is up to date needs no cluster.
            if items and not joined:
                joined.append(opened.enter_context(joined_cluster(head, config, layout, say)))
            if items:
                yield from run_on_ray(joined[0], function, items, needs, enough)

        yield run
