"""The nodes of a Ray cluster: which see what a build needs, which do not and are left out, and which are gone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.memory import HEADROOM
from specsia_build.pipeline.executors import arrival
from specsia_build.pipeline.executors.head import Head, unreachable
from specsia_build.pipeline.executors.here import Here

ATTEMPTS = 3
"""How often is begun what a cluster loses: a node that leaves it, a worker that ends before it has begun."""

PATIENCE_SECONDS = 30.0
"""After which a user is told what a cluster keeps them waiting for."""

PROBE_SECONDS = 300.0
"""What a node may take to start its first worker: seconds, but minutes where others keep it busy."""

LIST_SECONDS = 2.0
"""How often the nodes are listed."""

SHARE_BYTES = 512 * 2**20
"""Memory that a task asks for: what a worker holds once this package is loaded, and a usual character beside it."""


class Nodes:
    """The nodes of a cluster that this process has joined.

    Attributes:
        here: see `Here`.
        say: shows a line to the user.
        unfit: ids of those that are left out.
    """

    def __init__(self, here: Here, head: Head, say: Callable[[str], None]) -> None:
        self.here, self.say, self._head = here, say, head
        self.unfit: set[str] = set()
        self._gone: set[str] = set()
        self._silent: set[str] = set()
        self._alive: dict[str, Mapping[str, Any]] = {}
        self._listed = -LIST_SECONDS

    def alive(self) -> Mapping[str, Mapping[str, Any]]:
        """What Ray tells of each node by its id, a few seconds old."""
        import ray

        if time.monotonic() - self._listed >= LIST_SECONDS:
            # Of a head that is gone Ray would wait for an answer.
            self._head.look(now=True)
            alive = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
            for node in list(self._alive.keys() - alive.keys()):
                self.lost(node)
            self._alive = {node: told for node, told in alive.items() if node not in self._gone}
            # Ray itself takes a quarter of a minute to miss one.
            silent = {node for node in self._alive if not self.answers(node)}
            for node in silent & self._silent:
                self.lost(node)
            self._silent, self._listed = silent, time.monotonic()
        return self._alive

    def answers(self, node: str) -> bool:
        """Whether Ray on a node that was listed can be reached."""
        told = self._alive.get(node)
        return told is not None and unreachable(f"{told['NodeManagerAddress']}:{told['NodeManagerPort']}", 1.0) is None

    def lost(self, node: str | None) -> None:
        """Say that a node left the cluster, which the tasks that it was at tell before the list of nodes does."""
        told = None if node is None else self._alive.pop(node, None)
        if node is None or told is None:
            return
        self._gone.add(node)
        if node not in self.unfit:
            self.say(
                f"ray: the node {told['NodeManagerHostname']} left the cluster: what it was at is done elsewhere; "
                "`ray start` there has it join again"
            )

    def answered(self, node: str) -> None:
        """Note that a node began something, even if it seemed to be gone."""
        self._gone.discard(node)

    def _fit(self) -> list[Mapping[str, Any]]:
        return [told["Resources"] for node, told in self.alive().items() if node not in self.unfit]

    def total(self, kind: str) -> int:
        """`CPU` or `GPU` that the nodes that are not left out have now."""
        return int(sum(resources.get(kind, 0) for resources in self._fit()))

    def grow(self) -> bool:
        """Whether an autoscaler may add nodes: it knows them by types of its own, `ray start` alone by their ids."""
        from ray.autoscaler.v2.sdk import get_cluster_status
        from ray.experimental.internal_kv import _internal_kv_get

        # The first of the two autoscalers that there are leaves its report here.
        report = json.loads(_internal_kv_get("__autoscaling_status") or "{}").get("autoscaler_report")
        if report is not None:
            return not any(name.startswith("node_") for name in report["active_nodes"])
        status = get_cluster_status(self._head.address)
        return any(not node.ray_node_type_name.startswith("node_") for node in status.active_nodes + status.idle_nodes)

    def memory(self, most: int | None) -> int:
        """Bytes that a task asks for: a modest share, or as much as an item of at most `most` bytes may cost.

        Never more than some node with a CPU has, as it would never begin, and nothing while there is none: an
        autoscaler may not know what memory its nodes will have.
        """
        wanted = SHARE_BYTES if most is None else int(HEADROOM * most)
        able = [resources for resources in self._fit() if resources.get("CPU", 0) >= 1]
        return min(wanted, max((int(resources.get("memory", 0)) for resources in able), default=0))

    def leave_out(self, node: str, fault: SpecsiaError) -> None:
        """Give a node no work from now on, and say why.

        Raises:
            SpecsiaError: `fault`, if there is no other that has a CPU.
        """
        if node in self.unfit:
            return
        self.unfit.add(node)
        if self.total("CPU") < 1:
            raise fault
        self.say(f"ray: {fault}; it is left out, the others go on")

    def options(self) -> dict[str, Any]:
        """Of a task or actor: that it runs on no node that is left out."""
        from ray.util.scheduling_strategies import NodeLabelSchedulingStrategy, NotIn

        if not self.unfit:
            return {}
        return {"scheduling_strategy": NodeLabelSchedulingStrategy(hard={"ray.io/node-id": NotIn(*sorted(self.unfit))})}

    def probe(self) -> None:
        """Have every node look for what a build needs.

        Raises:
            SpecsiaError: if none has it: one lacks something, gives no answer, or no worker that it starts lives for
                long enough to answer.
        """
        asked = {node: told for node, told in self.alive().items() if told["Resources"].get("CPU", 0) >= 1}
        if not asked and self.grow():
            self.say("ray: the cluster has no node with a CPU yet; waiting for its autoscaler to add one")
            return
        if not asked:
            raise UsageError("the Ray cluster has no node with a CPU: add one with `ray start --address HOST:PORT`")
        for node, fault in self._answers(asked):
            if fault is not None:
                self.leave_out(node, fault)

    def _answers(self, asked: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, SpecsiaError | None]]:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        ray.cloudpickle.register_pickle_by_value(arrival)
        probe: Any = ray.remote(num_cpus=0, max_retries=ATTEMPTS - 1, num_returns="streaming")(arrival.probe)
        refs: dict[Any, str] = {}
        for node in asked:
            only = NodeAffinitySchedulingStrategy(node, soft=False)
            refs[probe.options(scheduling_strategy=only).remote(vars(self.here))] = node
        ready: list[Any]
        ready, silent = ray.wait(list(refs), num_returns=len(refs), timeout=PATIENCE_SECONDS)
        if silent:
            name = asked[refs[silent[0]]]["NodeManagerHostname"]
            self.say(f"ray: waiting for a worker to start on the node {name}; others may be using it")
            ready, silent = ray.wait(list(refs), num_returns=len(refs), timeout=PROBE_SECONDS)
        for ref in [*ready, *silent]:
            name = asked[refs[ref]]["NodeManagerHostname"]
            if ref in silent:
                yield (
                    refs[ref],
                    UsageError(
                        f"the node {name} of the Ray cluster gives no answer in {PROBE_SECONDS:g} s: "
                        "is RAY_AUTH_MODE there as here?"
                    ),
                )
                continue
            try:
                _, fault = ray.get(next(ref))
            except ray.exceptions.RayError as error:
                yield refs[ref], SpecsiaError(f"the node {name} of the Ray cluster starts no worker: {error}")
            else:
                yield refs[ref], None if fault is None else UsageError(fault)
