"""Items as tasks of a Ray cluster, or where they need GPUs as calls of actors that hold one each."""

from __future__ import annotations

import math
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from inspect import isgeneratorfunction
from typing import Any

import ray
from ray.exceptions import (
    ActorUnavailableError,
    LocalRayletDiedError,
    NodeDiedError,
    OutOfMemoryError,
    RayError,
    RayTaskError,
)

from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.memory import limit_process
from specsia_build.pipeline.executors.base import TASKS_PER_PROCESS, Lost, Needs, R, T, given_up, never
from specsia_build.pipeline.executors.cluster import ATTEMPTS, PATIENCE_SECONDS, Cluster, Here

TICK_SECONDS = 5.0
"""How often the cluster is looked at while nothing ends."""


@dataclass
class _Attempt:
    """An item at work: since when it may not go on, where, and in which actor."""

    index: int
    deadline: float = math.inf
    node: str | None = None
    actor: Any = None
    given: list[Any] = field(default_factory=list)


def run_on_ray(
    cluster: Cluster,
    function: Callable[[T], R],
    items: Sequence[T],
    needs: Needs,
    enough: Callable[[], bool] = never,
) -> Iterator[tuple[int, R | Lost]]:
    """Apply a function to every item on a cluster; the protocol is that of `Executor`.

    Raises:
        UsageError: if the cluster lacks what the items need.
        SpecsiaError: if it cannot go on.
    """
    try:
        if needs.slots is None:
            yield from _in_tasks(cluster, function, items, needs, enough)
        else:
            yield from _in_actors(cluster, function, items, needs, enough)
    finally:
        # A network file system may remember that a file was not there, until its folder is listed anew.
        for _ in os.walk(cluster.here.run / "artefacts"):
            pass


def _task(function: Callable[[T], R], item: T, here: Here, memory: int | None) -> Iterator[str | _Given | R]:
    """What a task does: it says on which node it begins, then gives the result, a generator's one by one before it."""
    _see(here, memory)
    yield ray.get_runtime_context().get_node_id()
    if not isgeneratorfunction(function):
        yield function(item)
        return
    everything: list[Any] = []
    for given in function(item):
        everything.append(given)
        yield _Given(given)
    result: Any = tuple(everything)
    yield result


@dataclass(frozen=True)
class _Given:
    """Something that a generator gave, with more to come."""

    what: Any


class _Holder:
    """An actor: a process that is kept for one slot, and with it what the function keeps loaded."""

    def begin(self, here: Here, needs: Needs) -> str:
        """Take the GPU that Ray gave; returns the node."""
        _see(here, needs.memory)
        context = ray.get_runtime_context()
        if needs.gpus and needs.work_on is not None:
            needs.work_on(",".join(context.get_accelerator_ids()["GPU"]))
        return str(context.get_node_id())

    def apply(self, function: Callable[[T], R], item: T) -> R:
        return tuple(function(item)) if isgeneratorfunction(function) else function(item)  # type: ignore[return-value]


def _remote(what: Any, **options: Any) -> Any:
    """A function or class that runs on a cluster; Ray's types know few of the options."""
    return ray.remote(**options)(what)


def _see(here: Here, memory: int | None) -> None:
    fault = here.fault()
    if fault is not None:
        raise UsageError(fault)
    if memory is not None:
        limit_process(memory)


def _in_tasks(
    cluster: Cluster, function: Callable[[T], R], items: Sequence[T], needs: Needs, enough: Callable[[], bool]
) -> Iterator[tuple[int, R | Lost]]:
    # A crash is the item's own and would only come again, as locally; what is tried again is decided below.
    work = _remote(_task, num_cpus=1, max_retries=0, max_calls=TASKS_PER_PROCESS, num_returns="streaming")
    todo, tries = deque(range(len(items))), Counter[int]()
    running: dict[Any, _Attempt] = {}
    patience = _Patience(cluster, "CPU")
    try:
        while todo or running:
            if enough():
                todo.clear()
            # As many again wait, so that no CPU idles and a cluster that grows by demand does.
            width = cluster.limit or 2 * max(1, cluster.total("CPU"))
            while todo and len(running) < width:
                index = todo.popleft()
                tries[index] += 1
                running[work.remote(function, items[index], cluster.here, needs.memory)] = _Attempt(index)
            for stream in _ready(running, _soonest(running)):
                # Out of `running` before what it raises is raised: to cancel a task that has ended may end its worker,
                # which by then has begun another.
                attempt = running.pop(stream)
                found = _received(next(stream))
                lost = isinstance(found, RayError)
                if attempt.node is None and not lost:
                    attempt.node, attempt.deadline = str(found), time.monotonic() + needs.timeout
                    running[stream] = attempt
                elif isinstance(found, _Given):
                    attempt.given.append(found.what)
                    attempt.deadline = time.monotonic() + needs.timeout
                    running[stream] = attempt
                elif lost and (attempt.node is None or _node_left(found, attempt)) and tries[attempt.index] < ATTEMPTS:
                    todo.append(attempt.index)
                else:
                    yield attempt.index, _result(found, attempt)
            for stream, attempt in _overdue(running):
                ray.cancel(stream, force=True)
                del running[stream]
                yield attempt.index, Lost(given_up(needs.timeout), tuple(attempt.given))
            patience.look(any(attempt.node for attempt in running.values()) or not running)
    finally:
        for stream in running:
            ray.cancel(stream, force=True)


def _in_actors(
    cluster: Cluster, function: Callable[[T], R], items: Sequence[T], needs: Needs, enough: Callable[[], bool]
) -> Iterator[tuple[int, R | Lost]]:
    patience = _Patience(cluster, "GPU" if needs.gpus else "CPU")
    patience.must_have()
    # They mostly wait for a process of their own, and a node with more GPUs than CPUs is used whole.
    holder = _remote(_Holder, num_cpus=0, num_gpus=needs.gpus, max_restarts=0)
    todo, tries = deque(range(len(items))), Counter[int]()
    starting: dict[Any, Any] = {}
    idle: list[tuple[Any, str]] = []
    running: dict[Any, _Attempt] = {}
    failed_starts = 0
    try:
        while todo or running:
            if enough():
                todo.clear()
            wanted = min(_actors(cluster, needs), len(todo) + len(running))
            while len(starting) + len(idle) + len(running) < wanted:
                actor = holder.remote()
                starting[actor.begin.remote(cluster.here, needs)] = actor
            while todo and idle:
                actor, node = idle.pop()
                index = todo.popleft()
                tries[index] += 1
                attempt = _Attempt(index, time.monotonic() + needs.timeout, node, actor)
                running[actor.apply.remote(function, items[index])] = attempt
            for ref in _ready([*starting, *running], _soonest(running)):
                found = _received(ref)
                if ref in starting:
                    actor = starting.pop(ref)
                    if isinstance(found, RayError):
                        failed_starts += 1
                        if failed_starts > ATTEMPTS:
                            raise SpecsiaError(f"the Ray cluster starts no process for a GPU: {found}") from found
                    else:
                        failed_starts = 0
                        idle.append((actor, str(found)))
                    continue
                attempt = running.pop(ref)
                if isinstance(found, RayError):
                    ray.kill(attempt.actor)
                else:
                    idle.append((attempt.actor, str(attempt.node)))
                if _node_left(found, attempt) and tries[attempt.index] < ATTEMPTS:
                    todo.append(attempt.index)
                else:
                    yield attempt.index, _result(found, attempt)
            for ref, attempt in _overdue(running):
                ray.kill(attempt.actor)
                del running[ref]
                yield attempt.index, Lost(given_up(needs.timeout), tuple(attempt.given))
            patience.look(bool(running or idle))
    finally:
        for actor in [*starting.values(), *(a for a, _ in idle), *(attempt.actor for attempt in running.values())]:
            ray.kill(actor)


def _actors(cluster: Cluster, needs: Needs) -> int:
    """One for each GPU, at most `--workers`; without GPUs as many as the backend's settings say."""
    if needs.gpus:
        slots = cluster.total("GPU") // needs.gpus
        return max(1, slots if cluster.workers is None else min(slots, cluster.workers))
    assert needs.slots is not None
    return needs.slots if cluster.limit is None else min(needs.slots, cluster.limit)


def _soonest(running: dict[Any, _Attempt]) -> float:
    return min((attempt.deadline for attempt in running.values()), default=math.inf)


def _ready(refs: Sequence[Any] | dict[Any, Any], until: float) -> list[Any]:
    """Those that have something to give, once one has or the time is up."""
    waiting = list(refs)
    seconds = max(0.0, min(TICK_SECONDS, until - time.monotonic()))
    found, _ = ray.wait(waiting, num_returns=1, timeout=seconds)
    if found:
        found, _ = ray.wait(waiting, num_returns=len(waiting), timeout=0)
    return list(found)


def _received(ref: Any) -> Any:
    """What a reference gives, or the error of Ray's that it gave instead.

    Raises:
        SpecsiaError: if the function itself raised, which says that the node cannot do this work at all.
    """
    try:
        return ray.get(ref)
    except RayTaskError as error:
        cause = error.cause
        if isinstance(cause, SpecsiaError):
            raise cause from None
        raise SpecsiaError(
            f"a node of the Ray cluster cannot do this work ({cause!r}): is it set up as this one?"
        ) from error
    except RayError as error:
        return error


def _overdue(running: dict[Any, _Attempt]) -> list[tuple[Any, _Attempt]]:
    now = time.monotonic()
    return [(ref, attempt) for ref, attempt in running.items() if attempt.deadline <= now]


def _node_left(found: Any, attempt: _Attempt) -> bool:
    """Whether an item gave no result because the node it was on has left the cluster."""
    if not isinstance(found, RayError):
        return False
    if isinstance(found, NodeDiedError | LocalRayletDiedError | ActorUnavailableError):
        return True
    return attempt.node is not None and attempt.node not in {n["NodeID"] for n in ray.nodes() if n["Alive"]}


def _result(found: Any, attempt: _Attempt) -> Any:
    """What an item gave, `Lost` where that is an error of Ray's."""
    if not isinstance(found, RayError):
        return found
    return Lost(_why(found, attempt), tuple(attempt.given))


def _why(found: RayError, attempt: _Attempt) -> str:
    """Why Ray gave an error instead of a result."""
    if _node_left(found, attempt):
        return f"the node that it was on left the Ray cluster or fell silent, {ATTEMPTS} times"
    if isinstance(found, OutOfMemoryError):
        return "its worker process was ended because its machine ran out of memory: try fewer --workers"
    return "its worker process crashed or was killed; its machine may have run out of memory: try fewer --workers"


class _Patience:
    """Watches a cluster on which nothing begins: what is not there is never waited for."""

    def __init__(self, cluster: Cluster, kind: str) -> None:
        self.cluster, self.kind = cluster, kind
        self.since: float | None = time.monotonic()
        self.looked = time.monotonic()

    def must_have(self) -> None:
        """Refuse to wait for a kind of processor that no node has.

        Raises:
            UsageError: if so.
        """
        if self.cluster.total(self.kind) < 1:
            raise UsageError(
                f"the Ray cluster has no {self.kind}, and this stage needs one: add a node that has; "
                "the same command goes on from here"
            )

    def look(self, at_work: bool) -> None:
        """Say once that all are taken where nothing is at work for long; see `must_have`."""
        now = time.monotonic()
        if at_work:
            self.since = None if self.since is None else now
            return
        if now - self.looked >= TICK_SECONDS:
            self.looked = now
            self.must_have()
        if self.since is not None and now - self.since >= PATIENCE_SECONDS:
            self.since = None
            self.cluster.say(f"ray: waiting for a {self.kind} of the cluster; others may be using them")
