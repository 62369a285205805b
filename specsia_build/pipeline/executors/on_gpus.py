"""Items as calls of actors of a Ray cluster, which hold a GPU each."""

from __future__ import annotations

import math
import pickle
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError

from specsia_build.clock import Clock
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.pipeline.executors import arrival
from specsia_build.pipeline.executors.base import Lost, Needs, R, T, given_up
from specsia_build.pipeline.executors.cluster import Cluster
from specsia_build.pipeline.executors.heard import NODE_LEFT, Patience, node_left, ready, received, why
from specsia_build.pipeline.executors.nodes import ATTEMPTS
from specsia_build.pipeline.executors.shares import TaskItems


@dataclass(frozen=True)
class _Call:
    """An item at work: until when it may go on, by the clock of all, where, and in which actor."""

    index: int
    deadline: float
    node: str
    actor: Any


def run_in_actors(
    cluster: Cluster, function: Callable[[T], R], items: Sequence[T], needs: Needs, enough: Callable[[], bool]
) -> Iterator[tuple[int, R | Lost]]:
    """See `run_on_ray`."""
    clock, patience = Clock(), Patience(cluster, "GPU" if needs.gpus else "CPU")
    patience.must_have()
    nodes = cluster.nodes
    ray.cloudpickle.register_pickle_by_value(arrival)
    # They mostly wait for a process of their own, and a node with more GPUs than CPUs is used whole.
    holder: Any = ray.remote(num_cpus=0, num_gpus=needs.gpus, max_restarts=0)(arrival.Holder)
    todo, losses = deque(range(len(items))), Counter[int]()
    starting: dict[Any, Any] = {}
    idle: list[tuple[Any, str]] = []
    running: dict[Any, _Call] = {}
    failed_starts = 0
    try:
        while todo or running:
            if enough():
                todo.clear()
            wanted = min(_actors(cluster, needs), len(todo) + len(running))
            while len(starting) + len(idle) + len(running) < wanted:
                actor = holder.options(**nodes.options()).remote()
                starting[actor.begin.remote(vars(nodes.here), pickle.dumps(needs))] = actor
            while todo and idle:
                actor, node = idle.pop()
                index = todo.popleft()
                packed = pickle.dumps(TaskItems(function, [items[index]], needs.memory))
                running[actor.apply.remote(packed)] = _Call(index, clock.now() + needs.timeout, node, actor)
            soonest = min((call.deadline for call in running.values()), default=math.inf)
            speaking = ready([*starting, *running], clock.left(soonest))
            now = clock.now()
            for ref in speaking:
                found = received(cluster, ref)
                if ref in starting:
                    actor = starting.pop(ref)
                    if isinstance(found, RayError):
                        failed_starts += 1
                        if failed_starts > ATTEMPTS:
                            raise SpecsiaError(f"the Ray cluster starts no process for a GPU: {found}") from found
                        continue
                    node, fault = found
                    if fault is None:
                        failed_starts = 0
                        idle.append((actor, node))
                    else:
                        ray.kill(actor)
                        nodes.leave_out(node, UsageError(fault))
                    continue
                call = running.pop(ref)
                if not isinstance(found, RayError):
                    idle.append((call.actor, call.node))
                    yield call.index, found
                    continue
                ray.kill(call.actor)
                left = node_left(cluster, found, call.node)
                losses[call.index] += left
                if left and losses[call.index] < ATTEMPTS:
                    todo.append(call.index)
                else:
                    yield call.index, Lost(NODE_LEFT if left else why(found))
            for ref in [one for one, call in running.items() if call.deadline <= now]:
                call = running.pop(ref)
                ray.kill(call.actor)
                yield call.index, Lost(given_up(needs.timeout))
            patience.look(bool(running or idle))
    finally:
        if not cluster.head.gone:
            for actor in [*starting.values(), *(one for one, _ in idle), *(call.actor for call in running.values())]:
                ray.kill(actor)


def _actors(cluster: Cluster, needs: Needs) -> int:
    """One for each GPU, at most `--workers`; without GPUs as many as the backend's settings say."""
    if needs.gpus:
        slots = cluster.nodes.total("GPU") // needs.gpus
        return max(1, slots if cluster.workers is None else min(slots, cluster.workers))
    assert needs.slots is not None
    return needs.slots if cluster.limit is None else min(needs.slots, cluster.limit)
