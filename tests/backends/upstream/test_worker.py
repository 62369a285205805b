"""Workers and their supervisor: every picture is reconstructed or refused with the true reason."""

import ast
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specsia_build.backends.upstream import worker
from specsia_build.backends.upstream.bridged import BRIDGES
from specsia_build.backends.upstream.supervisor import MOST_STARTS, Supervisor
from specsia_build.errors import CharacterError
from tests.backends.upstream import standins
from tests.backends.upstream.standins import FAULTY, eventually, lines, processes_naming, supervised

LIBRARY = Path(worker.__file__)
SCRIPTS = sorted(BRIDGES.glob("*_*.py"))


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of an environment that has nothing installed, not even pip."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return str(folder / "bin" / "python")


@pytest.mark.parametrize("path", [LIBRARY, *SCRIPTS], ids=lambda path: path.name)
def test_runs_on_python_3_8(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    modules = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    assert not [name for name in modules if name.startswith("specsia_build")]


def test_bare_environment(tmp_path: Path, bare: str) -> None:
    script = "import importlib.util\nassert importlib.util.find_spec('numpy') is None\n" + FAULTY
    with closing(supervised(tmp_path, script, bare)) as supervisor:
        assert supervisor.reconstruct(tmp_path / "a.png", tmp_path / "a", 1).is_file()


def talk(folder: Path, *requests: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """Everything that the loud worker answers to a greeting and requests, and its prints."""
    (folder / "script.py").write_text(LOUD)
    argv = [sys.executable, str(LIBRARY), str(folder / "script.py")]
    lines = "".join(json.dumps(each) + "\n" for each in ({"type": "hello"}, *requests, {"type": "shutdown"}))
    ran = subprocess.run(argv, input=lines, capture_output=True, text=True, timeout=300, cwd=folder)
    return [json.loads(line) for line in ran.stdout.splitlines()], ran.stderr


LOUD = """
print("at import")
import builtins, numpy, os, random, subprocess, sys, tempfile
from specsia_worker import InputError

def load(settings):
    print("at load")
    def reconstruct(request):
        sys.stdout.write("no line end")
        os.write(1, b"descriptor one\\n")
        subprocess.run(["echo", "from a child"])
        assert sys.stdin.read() == "", "what upstream code reads is not the protocol"
        assert tempfile.gettempdir() == request.scratch
        tempfile.NamedTemporaryFile(delete=False).write(b"left behind")
        kind, _, text = request.image.partition(" ")
        if kind != "a.png":
            raise dict(vars(builtins), InputError=InputError)[kind](text)
        with open(request.out("mesh.obj"), "w") as stream:
            stream.write(f"{request.seed_all()} {random.random()} {numpy.random.random()}")
        return request.out("mesh.obj")
    return reconstruct
"""


def test_prints_go_to_the_log(tmp_path: Path) -> None:
    request = {"type": "reconstruct", "image": "a.png", "folder": str(tmp_path / "out"), "seed": 5}
    answers, log = talk(tmp_path, request)
    assert answers == [{"type": "hello"}, {"type": "done", "mesh": str(tmp_path / "out" / "mesh.obj")}]
    drawn = f"5 {random.Random(5).random()} {np.random.RandomState(5).random_sample()}"
    assert (tmp_path / "out" / "mesh.obj").read_text() == drawn
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mesh.obj"]
    for words in ("at import", "at load", "no line end", "descriptor one", "from a child"):
        assert words in log


ERRORS = {
    "MemoryError ": "internal",
    "RuntimeError CUDA out of memory. Tried to allocate 2 GiB": "internal",
    "InputError nobody is in the picture": "input",
    "SystemExit 1": "internal",
}


def test_worker_survives_exceptions(tmp_path: Path) -> None:
    pictures = [*ERRORS, "a.png"]
    requests = [
        {"type": "reconstruct", "image": image, "folder": str(tmp_path / f"{number}")}
        for number, image in enumerate(pictures)
    ]
    (_, *errors, done), log = talk(tmp_path, *requests)
    for number, (error, (image, kind)) in enumerate(zip(errors, ERRORS.items(), strict=True)):
        assert (error["type"], error["kind"]) == ("error", kind)
        assert image.partition(" ")[2] in error["message"]
        assert not (tmp_path / f"{number}").exists()
    assert log.count("Traceback") == len(ERRORS)
    assert done["type"] == "done"


FAULTS = {
    "01": ("crash", "ended with exit code 7"),
    "03": ("hang", "gave no answer within 3 seconds"),
    "05": ("no mesh", "no mesh was written"),
    "06": ("memory", "failed: MemoryError: no room for 3 GiB"),
    "08": ("killed", "was killed by SIGKILL (out of memory?)"),
    "10": ("family", "was killed by SIGSEGV"),
    "11": ("freeze", "gave no answer within 3 seconds"),
    "12": ("input", "failed: the picture shows nobody"),
}
"""Fault of each item, and the reason that it is refused for."""


def outcomes(supervisor: Supervisor, folder: Path, items: list[str]) -> dict[str, str]:
    """Reason of each item, empty where it was done."""
    reasons = {}
    for item in items:
        try:
            mesh = supervisor.reconstruct(folder / f"{item}.png", folder / "made" / item, seed=int(item))
            assert mesh == folder / "made" / item / "mesh.obj"
            reasons[item] = ""
        except CharacterError as error:
            reasons[item] = str(error)
    return reasons


def test_every_fault_of_a_worker(tmp_path: Path) -> None:
    items = [f"{i:02d}" for i in range(14)]
    faults = {item: fault for item, (fault, _) in FAULTS.items()}
    with closing(supervised(tmp_path, FAULTY, faults=faults)) as supervisor:
        reasons = outcomes(supervisor, tmp_path, items)
        # The worker starts anew after each fault but the picture's own.
        assert supervisor.starts == len(lines(tmp_path / "starts")) == len(FAULTS)
    assert {item for item in items if reasons[item]} == set(FAULTS)
    for item, (_, reason) in FAULTS.items():
        assert reason in reasons[item]
    assert lines(tmp_path / "attempts") == items
    assert {path.name for path in (tmp_path / "made").iterdir()} == set(items) - set(FAULTS)
    assert [path.name for path in (tmp_path / "made" / "00").iterdir()] == ["mesh.obj"]
    assert processes_naming(str(tmp_path)) == []
    log = (tmp_path / "worker.log").read_text()
    assert "printed at import" in log and "echo" in log


def test_suspended_time_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ctrl-Z and schedulers do it: the monotonic clock says that a quarter of an hour more has passed."""
    real = time.monotonic
    with closing(supervised(tmp_path, FAULTY, faults={"02": "late"}, late=1.5)) as supervisor:
        outcomes(supervisor, tmp_path, ["01"])
        stopped = real() + 0.2
        monkeypatch.setattr(time, "monotonic", lambda: real() + 900.0 * (real() > stopped))
        reasons = outcomes(supervisor, tmp_path, ["02"])
    assert reasons == {"02": ""}
    assert lines(tmp_path / "attempts") == ["01", "02"]


def test_dead_start_is_noticed_quickly(tmp_path: Path) -> None:
    script = "import sys\nprint('no module named torch', file=sys.stderr)\nsys.exit(3)\n"
    with closing(supervised(tmp_path, script)) as supervisor:
        reasons = outcomes(supervisor, tmp_path, [f"{i:02d}" for i in range(20)])
        assert supervisor.starts == MOST_STARTS
    for reason in reasons.values():
        assert "no module named torch" in reason


NO_MESSAGE = "wrote a line that is not a message"
HELLO, DONE = '{"type": "hello"}\n', '{"type": "done", "mesh": "MESH"}\n'


@pytest.mark.parametrize(
    ("hello", "answer", "wait", "reason"),
    [
        (HELLO, '{"type": "done", "mesh": "nowhere.obj"}\n', 0, "there is no mesh nowhere.obj"),
        (HELLO, f'{{"type": "done", "mesh": "{__file__}"}}\n', 0, "there is no mesh /"),
        (HELLO, '{"type": "done"}\n', 0, NO_MESSAGE),
        (HELLO, "printed\n", 0, NO_MESSAGE),
        (HELLO, '{"type": "error", "kind": "input", "message": "too dark"}\n', 0, "failed: too dark"),
        (HELLO, DONE, standins.SECONDS + 0.5, "gave no answer within 3 seconds"),
        (DONE, "", 0, NO_MESSAGE),
    ],
)
def test_unusable_answers(tmp_path: Path, hello: str, answer: str, wait: float, reason: str) -> None:
    raw = supervised(tmp_path, standins.RAW, hello=hello, answer=answer, wait=wait)
    with closing(raw) as supervisor, pytest.raises(CharacterError, match=reason):
        supervisor.reconstruct(tmp_path / "a.png", tmp_path / "a", 1)
    assert eventually(lambda: processes_naming(str(tmp_path)) == [])


PARENT = """
import sys, time
from dataclasses import replace
from pathlib import Path
from tests.backends.upstream.standins import FAULTY, supervised

folder = Path(sys.argv[1])
supervisor = replace(supervised(folder, FAULTY, faults={"01": "hang"}), item=600.0)
supervisor.reconstruct(folder / "00.png", folder / "made", 0)
print(supervisor._program.process.pid, flush=True)
if sys.argv[2] == "busy":
    supervisor.reconstruct(folder / "01.png", folder / "made", 0)
time.sleep(600)
"""


@pytest.mark.parametrize(("state", "how"), [("idle", signal.SIGTERM), ("busy", signal.SIGKILL)])
def test_worker_ends_with_parent(tmp_path: Path, state: str, how: signal.Signals) -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", PARENT, str(tmp_path / "w"), state]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root, env=environment)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    if state == "busy":
        assert eventually(lambda: "01" in lines(tmp_path / "w" / "attempts"))
    assert worker in processes_naming(str(tmp_path / "w"))
    parent.send_signal(how)
    parent.wait(10)
    assert eventually(lambda: processes_naming(str(tmp_path / "w")) == [])
