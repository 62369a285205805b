"""Builds on a Ray cluster: the bytes of a local build, lost nodes and workers."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

import specsia_build
from specsia_build.config import BuildConfig
from specsia_build.pipeline.executors import Lost, Needs
from specsia_build.pipeline.run import RunPaths
from tests.artefacts import artefact, contents
from tests.backends.upstream.standins import eventually, lines, processes_naming
from tests.pipeline.test_worker_backends import write_backend
from tests.shapes import write_folder
from tests.test_pool import troubled

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
    run = [sys.executable, "-c", HEAD]
    process = subprocess.Popen(run, stdin=PIPE, stdout=PIPE, text=True, cwd=top, env=environment)
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address
    yield Head(address, top / "site", process)
    process.communicate(timeout=300)
    token.undo()
    assert eventually(lambda: processes_naming(f"_{process.pid}/") == [])


def command(
    *words: str | Path, environment: dict[str, str], cwd: Path, before: str = "", code: int = 0
) -> Any:
    """Run the command; returns its JSON document, or its error line where it fails."""
    run = [sys.executable, "-P", "-c", before + COMMAND, *map(str, words)]
    ran = subprocess.run(run, capture_output=True, text=True, timeout=300, env=environment, cwd=cwd)
    assert ran.returncode == code, ran.stderr + ran.stdout
    assert "Traceback" not in ran.stderr, ran.stderr
    assert "(raylet)" not in ran.stderr + ran.stdout
    return json.loads(ran.stdout) if code == 0 else ran.stderr.strip().splitlines()[-1]


def troubled_or_empty(item: int) -> int | None:
    """As `troubled`, but for item 8, which gives nothing."""
    return None if item == 8 else troubled(item)


def where(item: int) -> str:
    """Name of the node; takes its time, so that each gets something to do."""
    time.sleep(0.6)
    return os.environ.get("NODE", "first")


@pytest.fixture
def paths(head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunPaths:
    monkeypatch.setenv("RAY_ADDRESS", head.address)
    paths = RunPaths(tmp_path / "out")
    paths.root.mkdir()
    return paths


def test_same_bytes_as_local(head: Head, tmp_path: Path) -> None:
    source = write_folder(tmp_path / "my figures", 3)
    (source / "corrupt.glb").write_bytes(b"not a mesh")
    # Ray's workers would import both of these instead of what they are named after.
    for name in ("pyarrow", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(1)")
    arguments = ("build", source, *SMALL, "--workers", "2", "--out")
    (tmp_path / "settings.yaml").write_text("executor: ray\n")
    with_ray = ("a run", "--config", "settings.yaml")
    there = command(*arguments, *with_ray, environment=head.environment(), cwd=tmp_path)
    here = command(*arguments, "local", environment=dict(os.environ), cwd=tmp_path)
    for document in (there, here):
        assert [stage["built"] for stage in document["stages"]] == [3, 3, 3, 3]
    assert there["failures"] == here["failures"]
    assert [failure["id"] for failure in there["failures"]] == ["corrupt"]
    assert (tmp_path / "a run/config.yaml").read_bytes() == (tmp_path / "local/config.yaml").read_bytes()
    for name in ("dataset", "artefacts"):
        assert contents(tmp_path / "a run" / name) == contents(tmp_path / "local" / name)
    state = sorted(path.name for path in (tmp_path / "a run" / "state").iterdir())
    assert state == ["index.sqlite", "left-out.json", "lock", "packed"]


def test_every_item_ends(paths: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    from specsia_build.pipeline.executors import on_ray

    said: list[str] = []
    with on_ray.ray_executor(BuildConfig(source="sample:1", workers=2), paths, said.append) as execute:
        assert list(execute(troubled_or_empty, [], Needs(timeout=5.0))) == []
        outcomes = dict(execute(troubled_or_empty, list(range(20)), Needs(timeout=3.0)))
    assert sorted(outcomes) == list(range(20))
    lost = {i: o.reason for i, o in outcomes.items() if isinstance(o, Lost)}
    assert set(lost) == {3, 5, 7}
    assert "3 seconds" in lost[5]
    wanted = {i: None if i == 8 else 2 * i for i in (*range(3), 4, 6, *range(8, 20))}
    assert {i: outcomes[i] for i in outcomes if i not in lost} == wanted
    assert len(said) == 1
    assert "2 CPUs, 2 GPUs" in said[0]


def test_killed_node_costs_nothing(head: Head, paths: RunPaths) -> None:
    from specsia_build.pipeline.executors.on_ray import ray_executor

    head.add_node(NODE="second")
    places: dict[int, Any] = {}
    with ray_executor(BuildConfig(source="sample:1"), paths, print) as execute:
        for index, place in execute(where, list(range(60)), Needs(timeout=100.0)):
            if place == "second" and place not in places.values():
                head.remove_node()
            places[index] = place
    assert places.keys() == set(range(60))
    assert set(places.values()) == {"first", "second"}


def standin(head: Head, folder: Path, faults: dict[str, str], devices: list[str], together: int = 1) -> str:
    """A backend with a worker process for each device, known to the cluster and to the command."""
    backend, _ = write_backend(folder, faults, devices, together)
    shutil.copytree(folder / "site", head.site, dirs_exist_ok=True)
    return backend


def test_actor_uses_rays_gpu(head: Head, tmp_path: Path) -> None:
    source = write_folder(tmp_path / "figures", 5)
    backend = standin(head, tmp_path, {"3": "crash"}, [f"other{os.getpid()}"], together=2)
    arguments = ("build", source, "--out", "out", "--executor", "ray", "--backend", backend, *SMALL)
    stages = ("--stage", "render", "--stage", "reconstruct")
    document = command(*arguments, *stages, environment=head.environment(), cwd=tmp_path)
    assert [failure["id"] for failure in document["failures"]] == ["3"]
    assert "exit code 7" in document["failures"][0]["reason"]
    assert document["stages"][1]["built"] == 4
    assert set(lines(tmp_path / "up" / "devices")) == {"0", "1"}
    assert eventually(lambda: processes_naming(str(tmp_path / "up")) == [])

    standin(head, tmp_path, {}, ["cpu"])
    (tmp_path / "up" / "devices").unlink()
    again = command(*arguments, *stages, environment=head.environment(), cwd=tmp_path)
    assert (again["stages"][1]["built"], again["stages"][1]["kept"]) == (1, 4)
    assert lines(tmp_path / "up" / "devices") == [""]


def test_own_cluster_without_gpu(head: Head, tmp_path: Path) -> None:
    source = write_folder(tmp_path / "figures", 1)
    backend = standin(head, tmp_path, {}, ["0"])
    more = ("--executor", "ray", "--workers", "1", "--backend", backend, *SMALL)
    arguments = ("build", source, "--out", "out", *more)
    # Sockets need a short path.
    with tempfile.TemporaryDirectory() as temporary:
        away = {"RAY_ADDRESS": "local", "CUDA_VISIBLE_DEVICES": "", "HOME": str(tmp_path)}
        environment = {**head.environment(), **away, "TMPDIR": temporary}
        environment = {name: value for name, value in environment.items() if not name.startswith("RAY_AUTH")}
        error = command(*arguments, environment=environment, cwd=tmp_path, code=2)
        assert "has no GPU" in error
        assert eventually(lambda: processes_naming(temporary) == [])
        assert not list(Path(temporary).glob("specsia-ray-*"))
    assert artefact(tmp_path / "out", "render", "0").is_file()
    assert not (tmp_path / ".ray").exists()


def test_missing_ray_or_cluster(tmp_path: Path) -> None:
    arguments = ("build", "sample:1", "--out", "out", "--executor", "ray")
    without = "import sys; sys.modules['ray'] = None\n"
    error = command(*arguments, environment=dict(os.environ), cwd=tmp_path, before=without, code=2)
    assert error.startswith("specsia: --executor ray needs Ray: pip install ")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        error = command(*arguments, environment={**os.environ, "RAY_ADDRESS": address}, cwd=tmp_path, code=2)
    assert address in error
    assert "cannot be reached" in error
    error = command(*arguments, environment={**os.environ, "RAY_ADDRESS": "ray://x:1"}, cwd=tmp_path, code=2)
    assert "HOST:PORT" in error
    assert not list((tmp_path / "out").rglob("*.tar"))
