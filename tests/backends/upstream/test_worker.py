"""The worker library: Python 3.8, nothing but the standard library, and a protocol that no print breaks."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from specsia_build.backends.upstream import worker
from specsia_build.backends.upstream.pins import BRIDGES
from specsia_build.backends.upstream.supervisor import Supervisor
from tests.backends.upstream.standins import FAULTY, command

LIBRARY = Path(worker.__file__)
SCRIPTS = sorted(BRIDGES.glob("*_*.py"))


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of an environment that has nothing installed, not even pip."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return str(folder / "bin" / "python")


@pytest.mark.parametrize("path", [LIBRARY, *SCRIPTS], ids=lambda path: path.name)
def test_it_is_python_3_8(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    own = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and (n.module or "").startswith("specsia_build")]
    assert own == []


def test_a_worker_in_a_bare_environment(tmp_path: Path, bare: str) -> None:
    script = "import importlib.util\nassert importlib.util.find_spec('numpy') is None\n" + FAULTY
    with closing(Supervisor(command(tmp_path, script, bare))) as supervisor:
        assert supervisor.reconstruct(tmp_path / "a.png", tmp_path / "a", 1).is_file()


def talk(folder: Path, *requests: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """Everything that the loud worker answers to a greeting and requests, and its prints."""
    (folder / "script.py").write_text(LOUD)
    argv = [sys.executable, str(LIBRARY), str(folder / "script.py")]
    lines = "".join(json.dumps(each) + "\n" for each in ({"type": "hello"}, *requests, {"type": "shutdown"}))
    ran = subprocess.run(argv, input=lines, capture_output=True, text=True, timeout=300, check=False, cwd=folder)
    return [json.loads(line) for line in ran.stdout.splitlines()], ran.stderr


LOUD = """
print("at import")
import builtins, os, subprocess, sys, tempfile
from specsia_worker import InputError, serve

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
            stream.write(str(request.seed_all()))
        return request.out("mesh.obj")
    return reconstruct

serve("loud", load, ("+x", "+z", "+y"), "kept")
"""


def test_prints_go_to_the_log_and_answers_to_the_output(tmp_path: Path) -> None:
    request = {"type": "reconstruct", "id": 1, "image": "a.png", "folder": str(tmp_path / "out"), "seed": 2**32 + 5}
    (hello, done), log = talk(tmp_path, request)
    assert hello["protocol"] == worker.PROTOCOL
    assert hello["frame"] == {"axes": ["+x", "+z", "+y"], "framing": "kept"}
    assert (done["id"], done["mesh"]) == (1, str(tmp_path / "out" / "mesh.obj"))
    assert (tmp_path / "out" / "mesh.obj").read_text() == "5"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mesh.obj"]
    assert all(words in log for words in ("at import", "at load", "no line end", "descriptor one", "from a child"))


ERRORS = {
    "MemoryError ": "internal",
    "RuntimeError CUDA out of memory. Tried to allocate 2 GiB": "internal",
    "InputError nobody is in the picture": "input",
    "SystemExit 1": "internal",
}


def test_exceptions_become_errors_and_the_worker_goes_on(tmp_path: Path) -> None:
    pictures = [*ERRORS, "a.png"]
    requests = [
        {"type": "reconstruct", "id": number, "image": image, "folder": str(tmp_path / f"{number}")}
        for number, image in enumerate(pictures)
    ]
    (_, *errors, done), log = talk(tmp_path, *requests)
    for number, (error, (image, kind)) in enumerate(zip(errors, ERRORS.items(), strict=True)):
        assert (error["type"], error["id"], error["kind"]) == ("error", number, kind)
        assert image.partition(" ")[2] in error["message"]
        assert not (tmp_path / f"{number}").exists()
    assert log.count("Traceback") == len(ERRORS)
    assert (done["type"], done["id"]) == ("done", len(ERRORS))
