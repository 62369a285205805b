"""Run a build on a Ray cluster: a task for each character, an actor for each GPU, retried by Ray itself."""

import faulthandler
import logging
import os
import pickle
import platform
import secrets
import signal
import socket
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from specsia_build import __version__
from specsia_build.config import BuildConfig
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.extras import how_to_add
from specsia_build.folders import expanded
from specsia_build.memory import limit_process
from specsia_build.pipeline.executors import PRELOADED, Executor, Needs
from specsia_build.pipeline.run import RunPaths
from specsia_build.pool import Lost, R, Results, T, given_up, never

ATTEMPTS = 3  # Number of times that an item is tried if its worker or node ends
ITEMS_PER_PROCESS = 500  # Items after which a worker is replaced, to bound what libraries leak

_TASK_BYTES, _STORE_BYTES = 512 * 2**20, 100 * 2**20
"""Memory of a task (this package and a usual character), and of the object store of our own cluster."""

_CONNECT_SECONDS, _GRACE_SECONDS = 10.0, 30.0
"""Time to reach a cluster; from an item's time limit until its process, if in native code, is killed."""

_QUIET = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Under `uv run` Ray would send the whole working folder to every node.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_task_oom_retries": str(ATTEMPTS - 1),
}


@dataclass(frozen=True)
class Here:
    """Folder and variables that workers take over from the build; version, run and source they must find."""

    folder: Path
    version: str
    run: Path
    source: Path | None
    variables: Mapping[str, str]

    def enter(self) -> None:
        """Set up this process; raises UsageError if its node lacks something."""
        os.environ.update(self.variables)
        node = f"the node {platform.node()}"
        if __version__ != self.version:
            raise UsageError(f"{node} has specsia {__version__}, not {self.version}: install one everywhere")
        for path in (self.run, self.source):
            if path is not None and not path.exists():
                raise UsageError(f"{node} does not see {path}, which must lie on a file system of all nodes")
        if self.folder.is_dir():
            os.chdir(self.folder)


class _GivenUp(BaseException):
    """The time limit of an item; its own code must not catch it."""


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise `_GivenUp` in the main thread after so many seconds; kill the process if it does not react."""

    def give_up(*_: object) -> None:
        raise _GivenUp

    before = signal.signal(signal.SIGALRM, give_up)
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        faulthandler.dump_traceback_later(seconds + _GRACE_SECONDS, exit=True, file=nowhere)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.cancel_dump_traceback_later()
            signal.signal(signal.SIGALRM, before)


def apply(here: Here, packed: bytes) -> Any:
    """Compute the result of one item on a node; `Lost` if it exceeds its time limit."""
    here.enter()
    function, item, needs = pickle.loads(packed)  # noqa: S301  of the command that started this
    if needs.memory is not None:
        import_module(PRELOADED)
        limit_process(needs.memory)
    try:
        with _time_limit(needs.timeout):
            return function(item)
    except _GivenUp:
        return Lost(given_up(needs.timeout))


class Holder:
    """Actor that keeps one process for a GPU, with the models that the function has loaded."""

    def __init__(self, packed: bytes) -> None:
        import ray

        self.needs = pickle.loads(packed)  # noqa: S301  of the command that started this
        gpus = ray.get_runtime_context().get_accelerator_ids()["GPU"]
        self.device = ",".join(gpus) if self.needs.gpus else None

    def apply(self, here: Here, packed: bytes) -> Any:
        if self.device is not None and self.needs.work_on is not None:
            here.enter()
            self.needs.work_on(self.device)
            self.device = None
        return apply(here, packed)


@contextmanager
def ray_executor(config: BuildConfig, paths: RunPaths, say: Callable[[str], None]) -> Iterator[Executor]:
    """Open an executor on the cluster of RAY_ADDRESS, or one of this machine; joined when there is work."""
    address = _cluster_address()
    _load_ray(own=address is None)
    source = None if config.source.startswith("sample:") else expanded(config.source).absolute()
    variables = {name: value for name, value in os.environ.items() if name.startswith("SPECSIA_")}
    here = Here(Path.cwd(), __version__, paths.root, source, variables)
    with ExitStack() as opened:
        join = cache(lambda: opened.enter_context(_joined(address, config, say)))

        def execute(
            function: Callable[[T], R], items: Sequence[T], needs: Needs, enough: Callable[[], bool] = never
        ) -> Results[R]:
            if items:
                join()
                packed = [pickle.dumps((function, item, needs)) for item in items]
                yield from _run(here, packed, needs, config.workers, enough)
                # A network file system may cache that a file was missing until its folder is listed again.
                for _ in os.walk(paths.artefacts):
                    pass

        yield execute


def _cluster_address() -> str | None:
    """Address in RAY_ADDRESS, checked to be reachable; None to start a cluster on this machine."""
    address = os.environ.get("RAY_ADDRESS", "")
    if address in ("", "local"):
        return None
    host, _, port = address.rpartition(":")
    try:
        # Ray itself would try for minutes.
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except (OSError, OverflowError, ValueError) as error:
        problem = f"RAY_ADDRESS: {address} cannot be reached ({error})"
        raise UsageError(f"{problem}: give HOST:PORT of a running head, or unset it") from error
    return address


def _load_ray(*, own: bool) -> None:
    """Import Ray, which reads its settings once, when it is loaded."""
    # Without a token anybody on the network could run code on a cluster of our own.
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_worker_niceness": "0"}
    for name, value in {**_QUIET, **(token if own else {})}.items():
        os.environ.setdefault(name, value)
    try:
        import_module("ray")
    except ImportError as error:
        raise UsageError(f"--executor ray needs Ray: {how_to_add('ray')}") from error


@contextmanager
def _joined(address: str | None, config: BuildConfig, say: Callable[[str], None]) -> Iterator[None]:
    """Join a cluster, or start one on this machine, for as long as the context lasts."""
    import ray

    options: dict[str, Any] = {"address": address}
    with ExitStack() as opened:
        if address is None:
            folder = tempfile.TemporaryDirectory(prefix="specsia-ray-", ignore_cleanup_errors=True)
            options = {"num_cpus": config.worker_count(), "include_dashboard": False}
            options |= {"object_store_memory": _STORE_BYTES, "_temp_dir": opened.enter_context(folder)}
        # Ray prints reports of nodes to standard output, which is for the command's own result.
        opened.enter_context(redirect_stdout(opened.enter_context(Path(os.devnull).open("w"))))
        opened.callback(ray.shutdown)
        on_sigterm = signal.getsignal(signal.SIGTERM)
        # Workers of other kinds of job would import modules from the current folder.
        job = ray.job_config.JobConfig(_client_job=True)
        try:
            ray.init(**options, job_config=job, log_to_driver=False, logging_level=logging.CRITICAL)
        # Ray exits where a head has another version than its own.
        except (Exception, SystemExit) as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            problem = f"Ray {ray.__version__} cannot start or join the cluster ({reason})"
            cure = "give it the cluster's version of Ray and Python, RAY_AUTH_MODE and RAY_AUTH_TOKEN"
            raise SpecsiaError(f"{problem}: {cure}") from error
        finally:
            # Ray's own handler prints addresses and aborts.
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, on_sigterm)
        say(f"ray: {address or 'started here'}, {_total('CPU')} CPUs, {_total('GPU')} GPUs")
        yield


def _total(kind: str) -> int:
    return int(import_module("ray").cluster_resources().get(kind, 0))


def _run(
    here: Here, items: Sequence[bytes], needs: Needs, workers: int, enough: Callable[[], bool]
) -> Iterator[tuple[int, Any]]:
    """Hand out packed items to tasks, or to actors if they need slots; see `Executor`."""
    import ray

    todo, running = deque(range(len(items))), dict[Any, tuple[int, Any]]()
    limits: Any = {"max_retries": ATTEMPTS - 1, "max_calls": ITEMS_PER_PROCESS}
    task: Any = ray.remote(num_cpus=1, memory=_TASK_BYTES, **limits)(apply)
    # Twice as many tasks as CPUs, so that none idles and autoscaling clusters grow.
    width = workers or 2 * max(1, _total("CPU"))
    actors = [] if needs.slots is None else _actors(needs, workers, len(items))
    idle = deque(actors or [None] * width)
    try:
        while todo or running:
            if enough():
                todo.clear()
            while todo and idle:
                index, actor = todo.popleft(), idle.popleft()
                ref = (task if actor is None else actor.apply).remote(here, items[index])
                running[ref] = index, actor
            if not running:
                return
            ray.wait(list(running), num_returns=1)
            for ref in ray.wait(list(running), num_returns=len(running), timeout=0)[0]:
                index, actor = running.pop(ref)
                result = _received(ref)
                if actor is not None and isinstance(result, Lost):
                    ray.kill(actor, no_restart=False)
                idle.append(actor)
                yield index, result
    finally:
        for ref in running if not actors else ():
            ray.cancel(ref, force=True)
        for actor in actors:
            ray.kill(actor)


def _actors(needs: Needs, workers: int, items: int) -> list[Any]:
    """Start an actor for each GPU, at most `workers`; without GPUs as many as the backend has slots."""
    import ray

    if needs.gpus and _total("GPU") < needs.gpus:
        raise UsageError("the Ray cluster has no GPU, and this stage needs one: add a node that has")
    slots = _total("GPU") // needs.gpus if needs.gpus else needs.slots or 1
    # Actors mostly wait for a process of their own. They reserve no CPUs, so all GPUs of a node are used.
    limits: Any = {"max_restarts": -1, "max_task_retries": ATTEMPTS - 1}
    kind: Any = ray.remote(num_cpus=0, num_gpus=needs.gpus, **limits)(Holder)
    return [kind.remote(pickle.dumps(needs)) for _ in range(max(1, min(slots, workers or slots, items)))]


def _received(ref: Any) -> Any:
    """Result of a task, `Lost` if Ray gave it up; raises SpecsiaError if the function raised."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        return ray.get(ref)
    except RayTaskError as error:
        if isinstance(error.cause, SpecsiaError):
            raise error.cause from None
        raise SpecsiaError(f"a node of the Ray cluster cannot do this work: {error.cause!r}") from error
    except RayError:
        reason = f"its worker or node ended {ATTEMPTS} times, perhaps because memory ran out"
        return Lost(f"{reason}: try fewer --workers")
