"""Joining a Ray cluster, or starting one on this machine, and seeing that its nodes see what a build needs."""

from __future__ import annotations

import os
import secrets
import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specsia_build import __version__
from specsia_build.config import BuildConfig
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.folders import expanded, home
from specsia_build.pipeline.executors.head import Head
from specsia_build.pipeline.executors.here import Here
from specsia_build.pipeline.executors.nodes import Nodes
from specsia_build.pipeline.executors.own import own_cluster
from specsia_build.pipeline.layout import RunLayout

_QUIET = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Under `uv run` Ray would send the whole working folder to every node.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Who leaves a cluster whose head is gone waits for so long to tell it what became of tasks.
    "RAY_task_events_shutdown_flush_timeout_ms": "500",
}


@dataclass(frozen=True)
class Cluster:
    """A cluster that this process has joined.

    Attributes:
        limit: items at work together, or None for as many as it has CPUs.
        workers: `--workers` where it was given.
        head: that it has.
        nodes: that it has.
    """

    limit: int | None
    workers: int | None
    head: Head
    nodes: Nodes


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
        # Ray's workers give way to all else that a machine does, those of the local executor do not.
        own["RAY_worker_niceness"] = "0"
    else:
        # Ray would end this process a minute after the head of a cluster is gone, also while it packs; see `Head`.
        own["RAY_gcs_rpc_server_reconnect_timeout_s"] = str(10**6)
    for name, value in {**_QUIET, **own}.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise UsageError("--executor ray needs Ray: pip install 'specsia[ray]'") from error
    return ray


def _has_token() -> bool:
    stated = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    return stated or (home() / ".ray" / "auth_token").is_file()


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
    for left in layout.lock.parent.glob("seen-*"):
        left.unlink()
    mark = layout.lock.with_name(f"seen-{uuid.uuid4().hex}")
    mark.touch()
    # What nodes report, Ray prints to standard output, which is for the command's own result.
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), ExitStack() as opened:  # noqa: PTH123
        try:
            try:
                address = opened.enter_context(own_cluster(config.worker_count())) if head is None else head
                with _same_sigterm():
                    # Workers of any other job look for modules in the folder that this process is in, which may be
                    # anybody's; see `worker_context`.
                    job = ray.job_config.JobConfig(_client_job=True)
                    ray.init(address=address, job_config=job, log_to_driver=False, logging_level="CRITICAL")
            # Ray ends the process where a head answers in another language than its own.
            except (Exception, SystemExit) as error:
                reason = next((line for line in str(error).splitlines() if line), type(error).__name__)
                if head is None:
                    raise SpecsiaError(
                        f"Ray {ray.__version__} cannot be started here ({reason}): install the version that "
                        "constraints.txt names, or start it by `ray start --head` and give its RAY_ADDRESS"
                    ) from error
                raise SpecsiaError(
                    f"the Ray cluster at {head} cannot be joined ({reason}): the versions of Ray and Python must be "
                    "its own, and where it asks for a token RAY_AUTH_MODE=token and RAY_AUTH_TOKEN must be set"
                ) from error
            source = None if config.source.startswith("sample:") else expanded(config.source).absolute()
            here = Here(Path.cwd(), __version__, layout.root, None if layout.work else mark, source, _variables())
            limit = config.worker_count() if head is None else config.workers or None
            answering = Head(address, ours=head is None)
            cluster = Cluster(limit, config.workers or None, answering, Nodes(here, answering, say))
            cluster.nodes.probe()
            count = len(cluster.nodes.alive())
            where = "started here" if head is None else f"at {head}, {count} node{'s' if count > 1 else ''}"
            say(f"ray: {where}, {cluster.nodes.total('CPU')} CPUs, {cluster.nodes.total('GPU')} GPUs")
            yield cluster
        finally:
            mark.unlink(missing_ok=True)
            if ray.is_initialized():
                with _same_sigterm():
                    ray.shutdown()


@contextmanager
def _same_sigterm() -> Iterator[None]:
    """Have SIGTERM do what it did: Ray would have it print addresses and abort."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _variables() -> dict[str, str]:
    """This package's settings in the environment. Ray itself keeps its workers to one thread each."""
    return {name: value for name, value in os.environ.items() if name.startswith("SPECSIA_")}
