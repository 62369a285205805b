"""Items as tasks of a Ray cluster."""

from __future__ import annotations

import math
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayError

from specsia_build.clock import Clock
from specsia_build.errors import UsageError
from specsia_build.pipeline.executors import arrival
from specsia_build.pipeline.executors.base import TASKS_PER_PROCESS, Lost, Needs, R, Results, T, given_up, never
from specsia_build.pipeline.executors.cluster import Cluster
from specsia_build.pipeline.executors.heard import NODE_LEFT, Patience, node_left, ready, received, why
from specsia_build.pipeline.executors.nodes import ATTEMPTS
from specsia_build.pipeline.executors.on_gpus import run_in_actors
from specsia_build.pipeline.executors.shares import Done, Given, Share, TaskItems, Waiting


def run_on_ray(
    cluster: Cluster,
    function: Callable[[T], R],
    items: Sequence[T],
    needs: Needs,
    enough: Callable[[], bool] = never,
) -> Results[R]:
    """Apply a function to every item on a cluster; the protocol is that of `Executor`.

    Raises:
        UsageError: if the cluster lacks what the items need.
        SpecsiaError: if it cannot go on.
    """
    try:
        if needs.slots is None:
            yield from _Tasks(cluster, function, items, needs).results(enough)
        else:
            yield from run_in_actors(cluster, function, items, needs, enough)
    finally:
        # A network file system may remember that a file was not there, until its folder is listed anew.
        for _ in os.walk(cluster.nodes.here.run / "artefacts"):
            pass


@dataclass
class _Task:
    """A share under way.

    Attributes:
        share: see `Share`.
        left: items that it was not heard of, by their place in it.
        deadline: until when it may tell more, by the clock of the call; it does not count before it has begun.
        node: that it has begun on.
        given: by the one item of a share of one.
    """

    share: Share
    left: dict[int, int]
    deadline: float = math.inf
    node: str | None = None
    given: list[Any] = field(default_factory=list)


class _Tasks:
    """The tasks of one call, and the items that wait for one."""

    def __init__(self, cluster: Cluster, function: Callable[[T], R], items: Sequence[T], needs: Needs) -> None:
        self.cluster, self.function, self.items, self.needs = cluster, function, items, needs
        self.waiting, self.clock = Waiting(len(items)), Clock()
        self.running: dict[Any, _Task] = {}
        ray.cloudpickle.register_pickle_by_value(arrival)
        # A crash is the item's own and would only come again, as locally; what is tried again is decided here.
        self.work: Any = ray.remote(num_cpus=1, max_retries=0, max_calls=TASKS_PER_PROCESS, num_returns="streaming")(
            arrival.work
        )

    def results(self, enough: Callable[[], bool]) -> Iterator[tuple[int, Any]]:
        """See `Executor`."""
        patience = Patience(self.cluster, "CPU")
        try:
            while self.waiting or self.running:
                if enough():
                    self.waiting.clear()
                self._fill()
                soonest = min((task.deadline for task in self.running.values()), default=math.inf)
                speaking = ready(self.running, self.clock.left(soonest))
                now = self.clock.now()
                for stream in speaking:
                    # Out of `running` before what it raises is raised: to cancel a task that has ended may end its
                    # worker, which by then has begun another.
                    task = self.running.pop(stream)
                    found = received(self.cluster, next(stream))
                    if isinstance(found, RayError):
                        yield from self._failed(task, found)
                    elif isinstance(found, Done):
                        self.waiting.learn(found)
                        for place, result in found.results:
                            yield task.left.pop(place), result
                        self.waiting.put_back(task.share, list(task.left.values()) if found.last else [])
                        self._go_on(stream, task, found.last)
                    elif isinstance(found, Given):
                        task.given.append(found.what)
                        self._go_on(stream, task)
                    else:
                        self._go_on(stream, task, not self._begun(task, *found))
                for stream in [one for one, task in self.running.items() if task.deadline <= now]:
                    task = self.running.pop(stream)
                    ray.cancel(stream, force=True)
                    yield from self._lost(task, given_up(self.needs.timeout))
                patience.look(any(task.node for task in self.running.values()) or not self.running)
        finally:
            if not self.cluster.head.gone:
                for stream in self.running:
                    ray.cancel(stream, force=True)

    def _fill(self) -> None:
        """Begin tasks: as many again wait as are at work, so that no CPU idles and clusters grow by demand."""
        nodes = self.cluster.nodes
        width = self.cluster.limit or 2 * max(1, nodes.total("CPU"))
        while self.waiting and len(self.running) < width:
            share = self.waiting.share(width)
            items = [self.items[index] for index in share.indices]
            packed = pickle.dumps(TaskItems(self.function, items, self.needs.memory))
            memory = nodes.memory(self.needs.memory if share.roomy else None)
            stream = self.work.options(memory=memory, **nodes.options()).remote(vars(nodes.here), packed)
            self.running[stream] = _Task(share, dict(enumerate(share.indices)))

    def _go_on(self, stream: Any, task: _Task, ended: bool = False) -> None:
        if not ended:
            task.deadline = self.clock.now() + self.needs.timeout
            self.running[stream] = task

    def _begun(self, task: _Task, node: str, fault: str | None) -> bool:
        """Whether a task has begun; what was sent to a node that is unfit is done elsewhere."""
        if fault is None:
            task.node = node
            self.cluster.nodes.answered(node)
            return True
        self.waiting.put_back(task.share, list(task.left.values()))
        self.cluster.nodes.leave_out(node, UsageError(fault))
        return False

    def _failed(self, task: _Task, found: RayError) -> Iterator[tuple[int, Lost]]:
        """What becomes of the items of a task that Ray gave an error for."""
        left = list(task.left.values())
        went = node_left(self.cluster, found, task.node)
        if went or (task.node is None and len(left) == 1):
            self.waiting.losses.update(left)
            over = [index for index in left if self.waiting.losses[index] >= ATTEMPTS]
            self.waiting.put_back(task.share, [index for index in left if index not in over])
            for index in over:
                yield index, Lost(NODE_LEFT if went else why(found), tuple(task.given))
        elif isinstance(found, OutOfMemoryError) and not task.share.roomy:
            self.waiting.try_alone(left, roomy=True)
        else:
            yield from self._lost(task, why(found))

    def _lost(self, task: _Task, reason: str) -> Iterator[tuple[int, Lost]]:
        """What becomes of the items of a task that ended before them; of several, nobody knows whose fault it was."""
        left = list(task.left.values())
        if len(task.share.indices) > 1:
            self.waiting.try_alone(left)
        else:
            yield left[0], Lost(reason, tuple(task.given))
