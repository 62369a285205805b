"""A user's own program as a backend: what it gets, what is read of it, and how it may fail."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from specsia_build.backends.base import Context
from specsia_build.backends.command import Command
from specsia_build.backends.registry import absolute_spec, available_backends, load_backend, portable_spec
from specsia_build.errors import CharacterError, UsageError
from tests.backends.drawings import picture
from tests.backends.upstream.standins import SLAB, TETRAHEDRON, eventually, processes_naming
from tests.commands import specsia
from tests.shapes import write_folder

RECON = f"{SLAB}\nimport sys\nopen(sys.argv[2][:-3] + 'obj', 'w').write(slab(sys.argv[1]))\n"


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "backends.yaml"
    monkeypatch.setenv("SPECSIA_BACKENDS", str(path))
    return path


def script(folder: Path, text: str) -> str:
    (folder / "my recon.py").write_text(text)
    return f"command:'{sys.executable}' '{folder / 'my recon.py'}' {{image}} {{mesh}}"


def test_a_build_uses_a_command_and_notices_an_edited_script(tmp_path: Path) -> None:
    spec = script(tmp_path, RECON)
    write_folder(tmp_path / "figures", 2)
    arguments = ("build", tmp_path / "figures", "--out", tmp_path / "run", "--size", "64", "--views", "2")
    for text in (RECON, f"{RECON}\n# edited"):
        (tmp_path / "my recon.py").write_text(text)
        ran = specsia(*arguments, "--backend", spec, "--workers", "1", "--json")
        assert json.loads(ran.stdout)["stages"][1]["made"] == 2
    build = (tmp_path / "run" / "dataset" / "build.json").read_text()
    assert '"command"' in build
    assert str(tmp_path) not in build


def test_words_are_filled_in_and_prints_logged(tmp_path: Path) -> None:
    text = f"import sys; open(sys.argv[2], 'w').write({TETRAHEDRON!r}); print(*sys.argv[3:])"
    (tmp_path / "recon.py").write_text(text)
    words = f"'{sys.executable}' '{tmp_path / 'recon.py'}' {{image}} {{folder}}/sub.obj {{seed}} --id={{id}}"
    backend = load_backend(f"command:{words}")
    assert isinstance(backend, Command)
    backend.logs_to(tmp_path / "logs")
    low, high = backend.reconstruct(picture(), Context("knight", 7)).bounds()
    (log,) = (tmp_path / "logs").iterdir()
    assert log.read_text() == "7 --id=knight\n"
    # The picture's silhouette spans 48 of 64 pixels of 1.35 units in height.
    assert high[2] - low[2] == pytest.approx(48 / 64 * 1.35, abs=1e-5)


def test_settings_name_a_command_with_axes_and_framing(tmp_path: Path, own_settings: Path) -> None:
    obj = "v 0 0 0\\nv 1 0 0\\nv 0 2 0\\nv 0 0 3\\nf 1 3 2\\nf 1 2 4\\nf 1 4 3\\nf 2 3 4\\n"
    words = script(tmp_path, f"import sys; open(sys.argv[2][:-3] + 'obj', 'w').write('{obj}')").partition(":")[2]
    own = {"mine": {"command": words, "axes": ["+z", "+x", "+y"], "framing": "kept", "version": 3}}
    own_settings.write_text(json.dumps(own))
    assert "mine" in available_backends()
    backend = load_backend("mine")
    assert backend.reconstruct(picture(), Context("a", 1)).bounds()[1].tolist() == [3.0, 1.0, 2.0]
    assert (backend.settings()["axes"], backend.settings()["version"]) == (["+z", "+x", "+y"], 3)


def test_paths_of_a_spec_hold_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("here/glb", "here/meshes", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    script(tmp_path / "here", RECON)
    monkeypatch.chdir(tmp_path / "here")
    spec = absolute_spec(f"command:'{sys.executable}' 'my recon.py' {{image}} {{mesh}} glb ./meshes")
    assert absolute_spec("mesh-dir:meshes") == f"mesh-dir:{tmp_path}/here/meshes"
    assert [absolute_spec(name) for name in ("relief", "fusion:0.5")] == ["relief", "fusion:0.5"]
    monkeypatch.chdir(tmp_path / "elsewhere")
    backend = load_backend(spec)
    assert isinstance(backend, Command)
    assert backend.inputs("a") == (tmp_path / "here" / "my recon.py",)
    assert backend.words[-2:] == ("glb", str(tmp_path / "here" / "meshes"))
    assert backend.settings()["command"][:2] == [sys.executable, "my recon.py"]
    assert absolute_spec(spec) == spec
    moved, other = spec.replace(str(tmp_path), "/another"), spec.replace("glb", "obj")
    assert portable_spec(spec) == portable_spec(moved) != portable_spec(other)
    assert portable_spec("mesh-dir:/here") == portable_spec("mesh-dir:/there")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import sys; print('no weights'); sys.exit(3)", "ended with exit code 3; the last it printed: no weights"),
        ("import os; os.kill(os.getpid(), 9)", "was killed by SIGKILL (out of memory?)"),
        ("pass", "left no mesh"),
        ("print('no GPU, nothing done')", "no GPU, nothing done"),
        ("import sys; [open(sys.argv[2] + e, 'w') for e in ('.obj', '.ply')]", "left 2 meshes"),
        ("import os, sys; os.symlink('/etc/passwd', sys.argv[2] + '.obj')", "is a link that leads out"),
        ("import os, sys; os.mkfifo(sys.argv[2])", "left no mesh"),
        ("import sys; open(sys.argv[2], 'w').write('glTF')", "mesh"),
        (
            "import subprocess, sys, time\n"
            "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', sys.argv[1]],"
            " start_new_session=True)\ntime.sleep(600)",
            "did not end within 1 seconds",
        ),
    ],
)
def test_failures_leave_no_process(tmp_path: Path, own_settings: Path, text: str, reason: str) -> None:
    if "sleep" in text:
        own_settings.write_text("command: {seconds: 1}")
    with pytest.raises(CharacterError) as caught:
        load_backend(script(tmp_path, text)).reconstruct(picture(), Context("a", 1))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert eventually(lambda: processes_naming(str(tmp_path)) == [])


@pytest.mark.parametrize(
    "spec",
    [
        "command",
        "command:python x.py {mesh}",
        "command:python x.py {image}",
        "command:no-such-program {image} {mesh}",
        "command:python 'x.py {image} {mesh}",
    ],
)
def test_a_command_that_cannot_work_is_refused_at_once(spec: str) -> None:
    with pytest.raises(UsageError):
        load_backend(spec)
