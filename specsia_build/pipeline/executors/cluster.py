"""Joining a Ray cluster, or starting one on this machine, and seeing that its nodes see what a build needs."""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import socket
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specsia_build import __version__
from specsia_build.config import BuildConfig
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.pipeline.layout import RunLayout

CONNECT_SECONDS = 10.0
"""A head that does not answer for so long cannot be reached."""

ATTEMPTS = 3
"""How often is begun what a cluster loses: a node that leaves it, a worker that ends before it has begun."""

PATIENCE_SECONDS = 30.0
"""After which a user is told what a cluster keeps them waiting for."""

PROBE_SECONDS = 300.0
"""What a node may take to start its first worker: seconds, but minutes where others keep it busy."""

STORE_BYTES = 100 * 2**20
"""Object store of a cluster started here; what passes through it is small."""

_QUIET = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Under `uv run` Ray would send the whole working folder to every node.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}


@dataclass(frozen=True)
class Here:
    """What a worker must find on its node.

    Attributes:
        folder: that the command was started in; relative paths in settings are meant from there.
        version: of this package.
        run: the run's folder.
        mark: a file in it that exists nowhere else.
        source: of the characters, or None where the run's folder holds them.
        variables: of the environment that it takes over. Ray would start a process of its own for them, by a command
            line that a space in Python's path breaks.
    """

    folder: Path
    version: str
    run: Path
    mark: Path
    source: Path | None
    variables: Mapping[str, str]

    def fault(self) -> str | None:
        """What this node lacks, in a sentence, or None; a process that lacks nothing is made ready."""
        os.environ.update(self.variables)
        node = platform.node()
        if __version__ != self.version:
            return f"the node {node} has specsia {__version__}, not {self.version}: install one version on all nodes"
        for path, shown in ((self.mark, self.run), (self.source, self.source)):
            if path is not None and not path.exists():
                return f"the node {node} does not see {shown}: --out and SOURCE must lie on a file system of all nodes"
        if self.folder.is_dir():
            os.chdir(self.folder)
        return None


@dataclass(frozen=True)
class Cluster:
    """A cluster that this process has joined.

    Attributes:
        limit: items at work together, or None for as many as it has CPUs.
        workers: `--workers` where it was given.
        here: see `Here`.
        say: shows a line to the user.
    """

    limit: int | None
    workers: int | None
    here: Here
    say: Callable[[str], None]

    def total(self, kind: str) -> int:
        """`CPU` or `GPU` that its nodes have now."""
        import ray

        return int(ray.cluster_resources().get(kind, 0))


def load_ray(head: str | None) -> Any:
    """The package ray, told to be quiet.

    Args:
        head: from `find_head`.

    Raises:
        UsageError: if it is not installed.
    """
    # A cluster started here has a secret of its own, or Ray would leave one in the user's home. `ray start` asks for a
    # token wherever it finds one, so it is shown there. Ray reads all of this only once, when it is loaded.
    own = {"RAY_AUTH_MODE": "token"} if head is None or _has_token() else {}
    if head is None:
        own["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    for name, value in {**_QUIET, **own}.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise UsageError("--executor ray needs Ray: pip install 'specsia[ray]'") from error
    return ray


def _has_token() -> bool:
    stated = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    return stated or (Path.home() / ".ray" / "auth_token").is_file()


def find_head() -> str | None:
    """Address of the cluster to join: that of RAY_ADDRESS, or one that `ray start` runs here; None if there is none.

    Raises:
        UsageError: if RAY_ADDRESS names what is no cluster or cannot be reached.
    """
    stated = os.environ.get("RAY_ADDRESS", "")
    if stated == "local":
        return None
    if stated not in ("", "auto"):
        fault = _unreachable(stated)
        if fault is not None:
            raise UsageError(
                f"the Ray cluster of RAY_ADDRESS, {stated}, cannot be reached ({fault}): give HOST:PORT of a running "
                "head, as seen from a node of the cluster, or unset RAY_ADDRESS to run on this machine"
            )
        return stated
    # Where Ray notes it; it stays there when a machine goes down.
    noted = Path(os.environ.get("RAY_TMPDIR", "/tmp")) / "ray" / "ray_current_cluster"  # noqa: S108
    address = noted.read_text().strip() if noted.is_file() else ""
    return address if address and _unreachable(address) is None else None


def _unreachable(address: str) -> str | None:
    """Why nothing can be reached at an address, or None; Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if "://" in address or not colon or not port.isdecimal():
        return "it is not HOST:PORT"
    try:
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS):
            return None
    except (OSError, OverflowError) as error:
        return getattr(error, "strerror", None) or str(error)


@contextmanager
def joined_cluster(
    head: str | None, config: BuildConfig, layout: RunLayout, say: Callable[[str], None]
) -> Iterator[Cluster]:
    """Join a cluster, or start one on this machine, for as long as the context lasts.

    Args:
        head: from `find_head`.
        config: of the build.
        layout: of the run; its path is absolute.
        say: shows a line to the user.

    Raises:
        SpecsiaError: if the cluster cannot be used.
        UsageError: if a node does not see the run, or has another version of this package.
    """
    ray = load_ray(head)
    settings: dict[str, Any] = {"address": head}
    if head is None:
        settings = {"address": "local", "num_cpus": config.worker_count(), "include_dashboard": False}
        settings["object_store_memory"] = STORE_BYTES
    for left in layout.lock.parent.glob("seen-*"):
        left.unlink()
    mark = layout.lock.with_name(f"seen-{uuid.uuid4().hex}")
    mark.touch()
    # What nodes report, Ray prints to standard output, which is for the command's own result.
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # noqa: PTH123
        try:
            try:
                context = ray.init(**settings, log_to_driver=False, logging_level="CRITICAL")
            # Ray ends the process where a head answers in another language than its own.
            except (Exception, SystemExit) as error:
                reason = next((line for line in str(error).splitlines() if line), type(error).__name__)
                if head is None:
                    raise SpecsiaError(f"Ray cannot be started here: {reason}") from error
                raise SpecsiaError(
                    f"the Ray cluster at {head} cannot be joined ({reason}): the versions of Ray and Python must be "
                    "its own, and where it asks for a token RAY_AUTH_MODE=token and RAY_AUTH_TOKEN must be set"
                ) from error
            source = None if config.source.startswith("sample:") else Path(config.source).expanduser().absolute()
            here = Here(Path.cwd(), __version__, layout.root, mark, source, _variables())
            limit = config.worker_count() if head is None else config.workers or None
            cluster = Cluster(limit, config.workers or None, here, say)
            see_nodes(here, say)
            nodes = sum(node["Alive"] for node in ray.nodes())
            where = "started here" if head is None else f"at {head}, {nodes} node{'s' if nodes > 1 else ''}"
            say(f"ray: {where}, {cluster.total('CPU')} CPUs, {cluster.total('GPU')} GPUs")
            yield cluster
        finally:
            mark.unlink(missing_ok=True)
            if ray.is_initialized():
                ray.shutdown()
                if head is None:
                    shutil.rmtree(context.address_info["session_dir"], ignore_errors=True)


def _variables() -> dict[str, str]:
    """This package's settings in the environment. Ray itself keeps its workers to one thread each."""
    return {name: value for name, value in os.environ.items() if name.startswith("SPECSIA_")}


def see_nodes(here: Here, say: Callable[[str], None]) -> None:
    """Have every node look for what a build needs.

    Args:
        here: what that is.
        say: shows a line to the user.

    Raises:
        UsageError: if one lacks something or gives no answer.
        SpecsiaError: if no worker that one starts lives for long enough to answer.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # Sent by value, as a node may not have this package at all.
    def look(**wanted: Any) -> Iterator[str | None]:
        import socket

        try:
            from specsia_build.pipeline.executors.cluster import Here
        except ImportError as error:
            yield f"the node {socket.gethostname()} has not this specsia ({error}): install it where its Ray runs"
            return
        yield Here(**wanted).fault()

    able = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    if not able:
        raise UsageError("the Ray cluster has no node with a CPU: add one with `ray start --address HOST:PORT`")
    probe: Any = ray.remote(num_cpus=0, max_retries=ATTEMPTS - 1, num_returns="streaming")(look)
    asked: dict[Any, str] = {}
    ready: list[Any]
    for node in able:
        only = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        asked[probe.options(scheduling_strategy=only).remote(**vars(here))] = node["NodeManagerHostname"]
    ready, silent = ray.wait(list(asked), num_returns=len(asked), timeout=PATIENCE_SECONDS)
    if silent:
        say(f"ray: waiting for a worker to start on the node {asked[silent[0]]}; others may be using it")
        ready, silent = ray.wait(list(asked), num_returns=len(asked), timeout=PROBE_SECONDS)
    if silent:
        raise UsageError(
            f"the node {asked[silent[0]]} of the Ray cluster gives no answer in {PROBE_SECONDS:g} s: "
            "is RAY_AUTH_MODE there as here?"
        )
    for answer in ready:
        try:
            fault = ray.get(next(answer))
        except ray.exceptions.RayError as error:
            raise SpecsiaError(f"the node {asked[answer]} of the Ray cluster starts no worker: {error}") from error
        if fault is not None:
            raise UsageError(fault)
