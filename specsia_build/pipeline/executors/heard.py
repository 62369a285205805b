"""What a Ray cluster tells of items, and what is done while it tells nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable
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
from specsia_build.pipeline.executors.cluster import Cluster
from specsia_build.pipeline.executors.nodes import ATTEMPTS, PATIENCE_SECONDS

NODE_LEFT = f"the node that it was on left the Ray cluster or fell silent, {ATTEMPTS} times"


def ready(refs: Iterable[Any], seconds: float) -> list[Any]:
    """Those that have something to give, once one has or the time is up."""
    waiting = list(refs)
    found, _ = ray.wait(waiting, num_returns=1, timeout=seconds)
    if found:
        found, _ = ray.wait(waiting, num_returns=len(waiting), timeout=0)
    return list(found)


def received(cluster: Cluster, ref: Any) -> Any:
    """What a reference gives, or the error of Ray's that it gave instead.

    Raises:
        SpecsiaError: if the function itself raised, which says that the node cannot do this work at all, or if it is
            the cluster that is gone and not what the reference stands for.
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
    except LocalRayletDiedError as error:
        cluster.head.look(now=True)
        raise SpecsiaError(
            "Ray has ended on the machine that this command runs on: start it again with `ray start`; the same command "
            "goes on from here"
        ) from error
    except RayError as error:
        # What a head takes along is no item's fault.
        cluster.head.look(now=True)
        return error


def node_left(cluster: Cluster, found: RayError, node: str | None) -> bool:
    """Whether nothing was given because the node has left the cluster; if so it is said."""
    left = isinstance(found, NodeDiedError | ActorUnavailableError)
    left = left or (node is not None and not cluster.nodes.answers(node))
    if left:
        cluster.nodes.lost(node)
    return left


def why(found: RayError) -> str:
    """Why a worker ended."""
    if isinstance(found, OutOfMemoryError):
        return "its worker process was ended because its machine ran out of memory: try fewer --workers"
    return "its worker process crashed or was killed; its machine may have run out of memory: try fewer --workers"


class Patience:
    """Watches a cluster on which nothing begins: what is not there is never waited for."""

    def __init__(self, cluster: Cluster, kind: str) -> None:
        self._cluster, self._kind = cluster, kind
        self._since: float | None = time.monotonic()

    def must_have(self) -> None:
        """Refuse to wait for a kind of processor that no node has and no autoscaler may add.

        Raises:
            UsageError: if so.
        """
        if self._cluster.nodes.total(self._kind) < 1 and not self._cluster.nodes.grow():
            raise UsageError(
                f"the Ray cluster has no {self._kind}, and this stage needs one: add a node that has; "
                "the same command goes on from here"
            )

    def look(self, at_work: bool) -> None:
        """Say once what a build waits for where nothing is at work for long; see `must_have`.

        Raises:
            SpecsiaError: if the head is gone.
        """
        self._cluster.head.look()
        # A node that is lost is told of also where nothing is handed out that it might be given.
        self._cluster.nodes.alive()
        now = time.monotonic()
        if at_work:
            self._since = None if self._since is None else now
            return
        self.must_have()
        if self._since is not None and now - self._since >= PATIENCE_SECONDS:
            self._since = None
            self._cluster.nodes.say(self._what())

    def _what(self) -> str:
        if self._cluster.nodes.total(self._kind) < 1:
            return (
                f"ray: no node with a {self._kind} has come yet; `ray status` there says what the cluster's autoscaler "
                "is at"
            )
        return f"ray: waiting for a {self._kind} of the cluster; others may be using them"
