"""Builds on a Ray cluster: the bytes of a local one, and whatever breaks there costs what it must and no more."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from specsia_build.pipeline.executors.cluster import Cluster, joined_cluster
from specsia_build.pipeline.executors.here import Here
from specsia_build.pipeline.executors.nodes import Nodes
from specsia_build.pipeline.executors.own import SESSIONS

import specsia_build
from specsia_build.config import BuildConfig
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.pipeline.executors import Lost, Needs
from specsia_build.pipeline.layout import RunLayout
from tests.artefacts import artefact
from tests.backends.upstream.standins import eventually, lines, processes_naming
from tests.pipeline.test_executors import DiesOnArrival, arrive, troubled
from tests.pipeline.test_worker_backends import write_backend
from tests.shapes import write_folder
from tests.stopped import stop_after

HEAD = """
import json, sys
from ray.cluster_utils import Cluster
room = {"object_store_memory": 100 * 2**20}
first = {"num_cpus": 2, "num_gpus": 2, "include_dashboard": False, **room}
cluster = Cluster(initialize_head=True, head_node_args=first)
print(cluster.address, flush=True)
nodes = []
for line in sys.stdin:
    if line.strip() == "remove":
        cluster.remove_node(nodes.pop(), allow_graceful=False)
    else:
        nodes.append(cluster.add_node(num_cpus=1, env_vars=json.loads(line), **room))
    print("done", flush=True)
cluster.shutdown()
"""
COMMAND = "from specsia_build.cli import main; main()"
SMALL = ("--size", "64", "--views", "2", "--max-failures", "9", "--json")


@dataclass(frozen=True)
class Head:
    """A cluster of two CPUs and two GPUs that do not exist; packages in `site` are there for its workers."""

    address: str
    site: Path
    process: subprocess.Popen[str]

    def _tell(self, line: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline().strip() == "done"

    def add_node(self, **environment: str) -> None:
        """A node of one CPU, whose workers have other variables."""
        self._tell(json.dumps(environment))

    def remove_node(self) -> None:
        """Kill the node that was added last."""
        self._tell("remove")

    def environment(self) -> dict[str, str]:
        return {**os.environ, "RAY_ADDRESS": self.address, "PYTHONPATH": python_path(self.site)}


def python_path(site: Path) -> str:
    """A folder of packages before those that this process finds, this very checkout among them."""
    root = Path(specsia_build.__file__).parent.parent
    return os.pathsep.join(filter(None, [str(site), str(root), os.environ.get("PYTHONPATH")]))


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    top = tmp_path_factory.mktemp("head")
    # Read once, when a process loads Ray: by this one not before the first test that needs it.
    token = pytest.MonkeyPatch()
    token.setenv("RAY_AUTH_MODE", "token")
    token.setenv("RAY_AUTH_TOKEN", uuid.uuid4().hex)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"},
        "PYTHONPATH": python_path(top / "site"),
        "RAY_USAGE_STATS_ENABLED": "0",
        # By default Ray's workers give way to the other tests that run here.
        "RAY_worker_niceness": "0",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", HEAD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=top, env=environment
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address
    yield Head(address, top / "site", process)
    process.communicate(timeout=300)
    token.undo()
    assert eventually(lambda: processes_naming(f"_{process.pid}/") == [])


def command(*arguments: str | Path, environment: dict[str, str], cwd: Path, before: str = "", code: int = 0) -> Any:
    """Run the command; returns its JSON document, or its error line where it fails."""
    run = [sys.executable, "-P", "-c", before + COMMAND, *map(str, arguments)]
    ran = subprocess.run(run, capture_output=True, text=True, timeout=300, check=False, env=environment, cwd=cwd)
    assert ran.returncode == code, ran.stderr + ran.stdout
    assert "Traceback" not in ran.stderr, ran.stderr
    assert "(raylet)" not in ran.stderr + ran.stdout
    return json.loads(ran.stdout) if code == 0 else ran.stderr.strip().splitlines()[-1]


def troubled_or_empty(item: int) -> int | None:
    """As `troubled`, but for item 8, which gives nothing."""
    return None if item == 8 else troubled(item)


def otherwise(cluster: Cluster, **change: Any) -> Cluster:
    """The same cluster, whose nodes must have something else."""
    here: Here = replace(cluster.nodes.here, **change)
    return replace(cluster, nodes=Nodes(here, cluster.head, cluster.nodes.say))


def test_the_bytes_are_those_of_a_local_build(head: Head, tmp_path: Path) -> None:
    source = write_folder(tmp_path / "my figures", 3)
    (source / "corrupt.glb").write_bytes(b"not a mesh")
    # Ray's workers would import both of these instead of what they are named after.
    for name in ("pyarrow", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(1)")
    arguments = ("build", source, *SMALL, "--workers", "2", "--keep", "needed", "--out")
    (tmp_path / "settings.yaml").write_text("executor: ray\n")
    with_ray = ("a run", "--config", "settings.yaml")
    there = command(*arguments, *with_ray, environment=head.environment(), cwd=tmp_path)
    here = command(*arguments, "local", environment=dict(os.environ), cwd=tmp_path)
    assert [stage["made"] for stage in there["stages"]] == [stage["made"] for stage in here["stages"]] == [3, 3, 3, 3]
    assert there["failures"] == here["failures"]
    assert [failure["id"] for failure in there["failures"]] == ["corrupt"]
    for name in ("config.yaml", "dataset", "artefacts"):
        assert contents(tmp_path / "a run" / name) == contents(tmp_path / "local" / name)
    assert sorted(path.name for path in (tmp_path / "a run" / "state").iterdir()) == [
        "index.sqlite",
        "left-out.json",
        "lock",
    ]


def contents(path: Path) -> dict[str, bytes]:
    """Bytes of each file of a folder."""
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return {str(one.relative_to(path)): one.read_bytes() for one in files}


def test_every_item_is_either_done_or_lost_for_its_reason(head: Head, tmp_path: Path) -> None:
    from specsia_build.pipeline.executors.on_ray import run_on_ray

    layout = RunLayout(tmp_path / "out")
    layout.lock.parent.mkdir(parents=True)
    said: list[str] = []
    config = BuildConfig(source="sample:1", workers=2)
    with joined_cluster(head.address, config, layout, said.append) as cluster:
        outcomes = dict(run_on_ray(cluster, troubled_or_empty, list(range(40)), Needs(timeout=3.0)))
        assert list(run_on_ray(cluster, troubled_or_empty, [], Needs(timeout=5.0))) == []
        for change, says in (
            ({"mark": tmp_path / "elsewhere"}, f"does not see {layout.root}: --out and SOURCE"),
            ({"source": tmp_path / "elsewhere"}, f"does not see {tmp_path / 'elsewhere'}"),
            ({"version": "0.0"}, "not 0.0"),
        ):
            wrong = otherwise(cluster, **change)
            with pytest.raises(UsageError, match=says):
                wrong.nodes.probe()
            with pytest.raises(UsageError, match=says):
                list(run_on_ray(otherwise(cluster, **change), troubled_or_empty, [1], Needs(timeout=5.0)))
    assert sorted(outcomes) == list(range(40))
    lost = {i: o.reason for i, o in outcomes.items() if isinstance(o, Lost)}
    assert set(lost) == {3, 5, 7}
    assert "crashed or was killed" in lost[3]
    assert "3 seconds" in lost[5]
    assert "crashed or was killed" in lost[7]
    assert {i: outcomes[i] for i in outcomes if i not in lost} == {
        i: None if i == 8 else 2 * i for i in (*range(3), 4, 6, *range(8, 40))
    }
    assert len(said) == 1
    assert "2 CPUs, 2 GPUs" in said[0]


@pytest.mark.parametrize("slots", [None, 1])
def test_time_in_which_all_processes_are_stopped_is_no_items(
    head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slots: int | None
) -> None:
    from specsia_build.pipeline.executors.on_ray import run_on_ray

    layout = RunLayout(tmp_path / "out")
    layout.lock.parent.mkdir(parents=True)
    with joined_cluster(head.address, BuildConfig(source="sample:1", workers=1), layout, print) as cluster:
        outcomes = []
        for outcome in run_on_ray(cluster, time.sleep, [0.0, 2.5], Needs(timeout=100.0, slots=slots)):
            stop_after(1.0, monkeypatch)
            outcomes.append(outcome)
    assert outcomes == [(0, None), (1, None)]


def memory_asked_for(item: int) -> int:
    import ray

    return int(ray.get_runtime_context().get_assigned_resources()["memory"])


def test_what_the_system_killed_for_memory_is_tried_again_with_all_that_it_may_need(
    head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.exceptions import OutOfMemoryError
    from specsia_build.pipeline.executors.shares import Done

    from specsia_build.pipeline.executors import heard, on_ray

    killed = [OutOfMemoryError("by its node")] * 2
    real = heard.received

    def received(cluster: Cluster, ref: Any) -> Any:
        found = real(cluster, ref)
        return killed.pop() if isinstance(found, Done) and killed else found

    layout = RunLayout(tmp_path / "out")
    layout.lock.parent.mkdir(parents=True)
    with joined_cluster(head.address, BuildConfig(source="sample:1", workers=1), layout, print) as cluster:
        usual = cluster.nodes.memory(None)
        monkeypatch.setattr(on_ray, "received", received)
        needs = Needs(timeout=100.0, memory=2**30)
        outcomes = dict(on_ray.run_on_ray(cluster, memory_asked_for, [0], needs))
        assert isinstance(outcomes[0], Lost)
        assert "ran out of memory" in outcomes[0].reason
        killed.append(OutOfMemoryError("by its node"))
        outcomes = dict(on_ray.run_on_ray(cluster, memory_asked_for, [0, 1], needs))
        roomy = cluster.nodes.memory(needs.memory)
    assert outcomes == {0: roomy, 1: usual}
    assert usual < roomy


@dataclass(frozen=True)
class Deadly:
    """A path; ends the worker that unpacks it, once for each of some files, or always."""

    path: Path
    files: list[Path] | None

    def __reduce__(self) -> tuple[Callable[..., Path], tuple[Path, list[Path] | None]]:
        return path_of, (self.path, self.files)


def path_of(path: Path, files: list[Path] | None) -> Path:
    arrive(files)
    return path


def test_workers_that_die_before_they_begin_are_replaced(head: Head, tmp_path: Path) -> None:
    from specsia_build.pipeline.executors.on_ray import run_on_ray

    layout = RunLayout(tmp_path / "out")
    layout.lock.parent.mkdir(parents=True)
    left = [tmp_path / "probe", tmp_path / "item"]
    for path in left:
        path.touch()
    with joined_cluster(head.address, BuildConfig(source="sample:1", workers=2), layout, print) as cluster:
        mark = cluster.nodes.here.mark
        assert mark is not None
        otherwise(cluster, mark=Deadly(mark, left[:1])).nodes.probe()
        outcomes = dict(run_on_ray(cluster, DiesOnArrival(left[1:]), list(range(2)), Needs(timeout=100.0)))
        with pytest.raises(SpecsiaError, match="starts no worker"):
            otherwise(cluster, mark=Deadly(mark, None)).nodes.probe()
    assert outcomes == {i: 2 * i for i in range(2)}
    assert not any(path.exists() for path in left)


@dataclass(frozen=True)
class Hidden:
    """A path that is not seen on a node that is unfit."""

    path: Path

    def __reduce__(self) -> tuple[Callable[..., Path], tuple[Path]]:
        return seen_here, (self.path,)


def seen_here(path: Path) -> Path:
    return path / "hidden" if os.environ.get("NODE") == "unfit" else path


def where(item: int) -> str:
    """Name of the node; takes its time, so that each gets something to do."""
    time.sleep(0.6)
    return os.environ.get("NODE", "first")


def test_a_node_that_is_unfit_is_left_out_and_one_that_leaves_costs_nothing(head: Head, tmp_path: Path) -> None:
    from specsia_build.pipeline.executors.on_ray import run_on_ray

    layout = RunLayout(tmp_path / "out")
    layout.lock.parent.mkdir(parents=True)
    said: list[str] = []
    needs = Needs(timeout=100.0)
    with joined_cluster(head.address, BuildConfig(source="sample:1"), layout, said.append) as joined:
        assert joined.nodes.here.mark is not None
        cluster = otherwise(joined, mark=Hidden(joined.nodes.here.mark))
        head.add_node(NODE="unfit")
        items = list(range(500))
        found = dict(run_on_ray(cluster, where, items, needs, lambda: len(said) > 1))
        assert set(found.values()) == {"first"}
        assert f"does not see {layout.root}" in said[1]
        assert "left out" in said[1]
        head.remove_node()
        head.add_node(NODE="second")
        found = {}
        begun = range(500)

        def enough() -> bool:
            return len(said) > 2 and found.keys() >= set(begun)

        for index, place in run_on_ray(cluster, where, items, needs, enough):
            if place == "second" and place not in found.values():
                # Two tasks a CPU are under way, of one item each: what this one takes along is among these.
                begun = range(len(found) + 6)
                head.remove_node()
            found[index] = place
        assert set(found.values()) == {"first", "second"}
        assert found.keys() >= set(begun)
    assert len(said) == 3
    assert "left the cluster" in said[2]


def standin(head: Head, folder: Path, faults: dict[str, str], devices: list[str], together: int = 1) -> str:
    """A backend with a worker process for each device, known to the cluster and to the command."""
    backend, _ = write_backend(folder, faults, devices, together)
    shutil.copytree(folder / "site", head.site, dirs_exist_ok=True)
    return backend


def test_an_actor_works_on_the_gpu_that_ray_gave_it(head: Head, tmp_path: Path) -> None:
    source = write_folder(tmp_path / "figures", 5)
    backend = standin(head, tmp_path, {"3": "crash"}, [f"other{os.getpid()}"], together=2)
    arguments = ("build", source, "--out", "out", "--executor", "ray", "--backend", backend, *SMALL)
    stages = ("--stage", "render", "--stage", "reconstruct")
    document = command(*arguments, *stages, environment=head.environment(), cwd=tmp_path)
    assert [failure["id"] for failure in document["failures"]] == ["3"]
    assert "exit code 7" in document["failures"][0]["reason"]
    assert document["stages"][1]["made"] == 4
    assert set(lines(tmp_path / "up" / "devices")) == {"0", "1"}
    assert eventually(lambda: processes_naming(str(tmp_path / "up")) == [])

    standin(head, tmp_path, {}, ["cpu"])
    (tmp_path / "up" / "devices").unlink()
    again = command(*arguments, *stages, environment=head.environment(), cwd=tmp_path)
    assert (again["stages"][1]["made"], again["stages"][1]["kept"]) == (1, 4)
    assert lines(tmp_path / "up" / "devices") == [""]


def test_a_build_that_is_stopped_takes_its_workers_along(head: Head, tmp_path: Path) -> None:
    source = write_folder(tmp_path / "figures", 2)
    backend = standin(head, tmp_path, {"0": "hang", "1": "hang"}, ["0"])
    arguments = ["build", str(source), "--out", "out", "--executor", "ray", "--backend", backend, *SMALL]
    run = [sys.executable, "-c", COMMAND, *arguments, "--stage", "render", "--stage", "reconstruct"]
    process = subprocess.Popen(
        run, env=head.environment(), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    begun = eventually(lambda: bool(lines(tmp_path / "up" / "attempts")))
    process.send_signal(signal.SIGTERM if begun else signal.SIGKILL)
    _, error = process.communicate(timeout=300)
    assert begun, error
    assert error.strip().splitlines()[-1] == "specsia: stopped; the same command goes on from here"
    assert eventually(lambda: processes_naming(str(tmp_path / "up")) == [])
    assert len(list((tmp_path / "out" / "artefacts" / "render").rglob("*.tar"))) == 2


def test_a_cluster_of_its_own_has_no_gpu_to_wait_for_and_ends_with_the_build(head: Head, tmp_path: Path) -> None:
    source = write_folder(tmp_path / "figures", 1)
    backend = standin(head, tmp_path, {}, ["0"])
    arguments = ("build", source, "--out", "out", "--executor", "ray", "--workers", "1", "--backend", backend, *SMALL)
    with sessions() as (temporary, kept):
        away = {"RAY_ADDRESS": "local", "CUDA_VISIBLE_DEVICES": "", "HOME": str(tmp_path), "TMPDIR": temporary}
        environment = {**head.environment(), **away}
        environment = {name: value for name, value in environment.items() if not name.startswith("RAY_AUTH")}
        error = command(*arguments, environment=environment, cwd=tmp_path, code=2)
        assert "has no GPU" in error
        assert processes_naming(temporary) == []
        assert list(kept.iterdir()) == []
    assert artefact(tmp_path / "out", "render", "0").is_file()
    assert not (tmp_path / ".ray").exists()
    assert processes_naming(str(tmp_path)) == []


def test_the_loss_of_the_head_ends_the_build_in_a_sentence_and_leaves_nothing_of_the_cluster(tmp_path: Path) -> None:
    with sessions() as (temporary, kept):
        arguments = ["build", "sample:1000", "--out", str(tmp_path / "out"), "--executor", "ray", *SMALL]
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *arguments],
            env={**os.environ, "RAY_ADDRESS": "local", "TMPDIR": temporary},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun = eventually(lambda: process.poll() is not None or any((tmp_path / "out").rglob("*.tar")))
        heads = [one for one in map(psutil.Process, processes_naming(temporary)) if "gcs_server" in one.name()]
        for one in heads if begun else [process]:
            one.kill()
        _, error = process.communicate(timeout=300)
        says = "specsia: the head of the Ray cluster, .* is gone .*: the same command goes on from here"
        assert re.fullmatch(says, error.strip().splitlines()[-1])
        assert process.returncode == 1
        assert eventually(lambda: processes_naming(temporary) == [])
        assert list(kept.iterdir()) == []


@contextmanager
def sessions() -> Iterator[tuple[str, Path]]:
    """A temporary folder for a command, and the one in it where its cluster is, with what a killed build left there."""
    # Sockets need a short path.
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / f"{SESSIONS}-{os.getuid()}"
        path.mkdir(mode=0o700)
        (path / "0a").mkdir()
        yield temporary, path


@pytest.mark.parametrize(
    ("cpus", "says"),
    [
        (0, "no node with a CPU has come yet; `ray status` there says what the cluster's autoscaler is at"),
        (4, "waiting for a CPU of the cluster; others may be using them"),
    ],
)
def test_what_a_build_waits_for_is_said_once(cpus: int, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from specsia_build.pipeline.executors import heard

    monkeypatch.setattr(heard, "PATIENCE_SECONDS", 0.0)
    said: list[str] = []
    nodes = SimpleNamespace(say=said.append, alive=dict, total=lambda _: cpus, grow=lambda: True)
    cluster: Any = SimpleNamespace(nodes=nodes, head=SimpleNamespace(look=bool))
    patience = heard.Patience(cluster, "CPU")
    patience.look(at_work=False)
    patience.look(at_work=False)
    assert said == [f"ray: {says}"]


def test_what_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    arguments = ("build", "sample:1", "--out", "out", "--executor", "ray")
    without = "import sys; sys.modules['ray'] = None\n"
    error = command(*arguments, environment=dict(os.environ), cwd=tmp_path, before=without, code=2)
    assert error == "specsia: --executor ray needs Ray: pip install 'specsia[ray]'"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        error = command(*arguments, environment={**os.environ, "RAY_ADDRESS": address}, cwd=tmp_path, code=2)
    assert address in error
    assert "cannot be reached" in error
    error = command(*arguments, environment={**os.environ, "RAY_ADDRESS": "ray://x:1"}, cwd=tmp_path, code=2)
    assert "HOST:PORT" in error
    assert not list((tmp_path / "out").rglob("*.tar"))
