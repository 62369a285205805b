"""A program of one's own as a backend: what it is given, what is taken of it, and how it may fail."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from specsia_build.backends.base import Backend, Context
from specsia_build.backends.command import Command
from specsia_build.backends.registry import available_backends, load_backend, placeless, standing
from specsia_build.cli import main
from specsia_build.errors import CharacterError, UsageError
from tests.backends.upstream.standins import TETRAHEDRON, eventually, processes_naming
from tests.shapes import write_folder

RECON = """
import sys
import numpy as np
from PIL import Image
from pathlib import Path

inside = np.asarray(Image.open(sys.argv[1]).getchannel("A").resize((48, 48))) > 127
quads = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
lines, n = [], 1
for row in range(48):
    for run in np.flatnonzero(np.diff(inside[row].astype(int), prepend=0, append=0)).reshape(-1, 2):
        lines += ["v %f %f %f .8 .2 .2" % (x, 48 - y, z) for x in run for y in (row, row + 1) for z in (-4, 4)]
        lines += ["f %d %d %d %d" % tuple(n + i for i in quad) for quad in quads]
        n += 8
Path(sys.argv[2]).with_suffix(".obj").write_text(chr(10).join(lines))
"""
"""A slab of the silhouette, as OBJ: Y up, facing +Z."""


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "backends.yaml"
    monkeypatch.setenv("SPECSIA_BACKENDS", str(path))
    return path


def script(folder: Path, text: str) -> str:
    (folder / "my recon.py").write_text(text)
    return f"command:'{sys.executable}' '{folder / 'my recon.py'}' {{image}} {{mesh}}"


def picture() -> np.ndarray:
    image = np.zeros((64, 64, 4), np.uint8)
    image[8:56, 16:48] = (200, 30, 30, 255)
    return image


def failure(backend: Backend) -> str:
    with pytest.raises(CharacterError) as caught:
        backend.reconstruct(picture(), Context("a", 1))
    return str(caught.value)


def test_a_build_takes_what_it_makes(tmp_path: Path) -> None:
    spec = script(tmp_path, RECON)
    write_folder(tmp_path / "figures", 2)
    arguments = ["build", str(tmp_path / "figures"), "--out", str(tmp_path / "run"), "--size", "64", "--views", "2"]
    ran = CliRunner().invoke(main, [*arguments, "--backend", spec, "--workers", "1", "--json"])
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout)["stages"][1]["made"] == 2
    build = (tmp_path / "run" / "dataset" / "build.json").read_text()
    assert '"command"' in build
    assert str(tmp_path) not in build
    (tmp_path / "my recon.py").write_text(RECON + "\n# edited")
    ran = CliRunner().invoke(main, [*arguments, "--backend", spec, "--workers", "1", "--json"])
    assert json.loads(ran.stdout)["stages"][1]["made"] == 2


def test_it_is_told_picture_place_seed_and_character(tmp_path: Path) -> None:
    text = f"import sys; open(sys.argv[2], 'w').write({TETRAHEDRON!r}); print(*sys.argv[3:])"
    (tmp_path / "recon.py").write_text(text)
    words = f"'{sys.executable}' '{tmp_path / 'recon.py'}' {{image}} {{folder}}/sub.obj {{seed}} --id={{id}}"
    backend = load_backend(f"command:{words}")
    logs_to = backend.logs_to  # type: ignore[attr-defined]
    logs_to(tmp_path / "logs")
    mesh = backend.reconstruct(picture(), Context("knight", 7))
    (log,) = (tmp_path / "logs").iterdir()
    assert log.read_text() == "7 --id=knight\n"
    low, high = mesh.bounds()
    # The picture's silhouette spans 48 of 64 pixels of 1.35 units in height.
    assert high[2] - low[2] == pytest.approx(48 / 64 * 1.35, abs=1e-5)


def test_axes_and_framing_are_the_users(tmp_path: Path, own_settings: Path) -> None:
    text = "import sys; open(sys.argv[2][:-3] + 'obj', 'w').write('v 0 0 0\\nv 1 0 0\\nv 0 2 0\\nv 0 0 3\\n"
    text += "f 1 3 2\\nf 1 2 4\\nf 1 4 3\\nf 2 3 4\\n')"
    words = script(tmp_path, text).partition(":")[2]
    own = {"mine": {"command": words, "axes": ["+z", "+x", "+y"], "framing": "kept", "version": 3}}
    own_settings.write_text(json.dumps(own))
    assert "mine" in available_backends()
    backend = load_backend("mine")
    mesh = backend.reconstruct(picture(), Context("a", 1))
    assert mesh.bounds()[1].tolist() == [3.0, 1.0, 2.0]
    assert backend.settings()["axes"] == ["+z", "+x", "+y"]
    assert backend.settings()["version"] == 3


def test_a_run_goes_on_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths of a backend are from the folder in which they were said; where they lie decides nothing that is made."""
    for name in ("here", "elsewhere", "here/meshes"):
        (tmp_path / name).mkdir()
    (tmp_path / "here" / "glb").mkdir()
    script(tmp_path / "here", RECON)
    monkeypatch.chdir(tmp_path / "here")
    said = f"command:'{sys.executable}' 'my recon.py' {{image}} {{mesh}} glb ./meshes"
    spec = standing(said)
    assert standing("mesh-dir:meshes") == f"mesh-dir:{tmp_path}/here/meshes"
    assert [standing(of) for of in ("relief", "fusion:0.5")] == [
        "relief",
        "fusion:0.5",
    ]
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = load_backend(spec)
    assert found.inputs("a") == (tmp_path / "here" / "my recon.py",)
    assert isinstance(found, Command)
    assert found.words[-2:] == ("glb", str(tmp_path / "here" / "meshes"))
    assert found.settings()["command"][:2] == [sys.executable, "my recon.py"]
    assert standing(spec) == spec
    assert (
        placeless(spec) == placeless(spec.replace(str(tmp_path), "/another")) != placeless(spec.replace("glb", "obj"))
    )
    assert placeless("mesh-dir:/here") == placeless("mesh-dir:/there")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import sys; print('no weights'); sys.exit(3)", "ended with exit code 3; the last it printed: no weights"),
        ("import os; os.kill(os.getpid(), 9)", "was killed by SIGKILL (out of memory?)"),
        ("pass", "left no mesh"),
        (
            "print('no GPU, nothing done')",
            "nor any of .glb, .gltf, .vrm, .obj, .ply; the last it printed: no GPU, nothing done",
        ),
        ("import sys; [open(sys.argv[2] + e, 'w') for e in ('.obj', '.ply')]", "left 2 meshes, none of them mesh.glb"),
        ("import os, sys; os.symlink('/etc/passwd', sys.argv[2] + '.obj')", "is a link that leads out"),
        ("import os, sys; os.mkfifo(sys.argv[2])", "left no mesh"),
        ("import sys; open(sys.argv[2], 'w').write('glTF')", "mesh"),
    ],
)
def test_what_goes_wrong_is_a_sentence(tmp_path: Path, text: str, reason: str) -> None:
    said = failure(load_backend(script(tmp_path, text)))
    assert reason in said
    assert "\n" not in said


def test_what_hangs_is_ended_with_all_that_it_started(tmp_path: Path, own_settings: Path) -> None:
    own_settings.write_text("command: {seconds: 1}")
    text = "import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', "
    text += "sys.argv[1]], start_new_session=True)\ntime.sleep(600)"
    assert "did not end within 1 seconds" in failure(load_backend(script(tmp_path, text)))
    assert eventually(lambda: processes_naming("specsia-command-") == [])


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("command", "needs the program to run"),
        ("command:python x.py {mesh}", "must name {image}"),
        ("command:python x.py {image}", "must name {image}"),
        ("command:no-such-program {image} {mesh}", "no program 'no-such-program'"),
        ("command:python 'x.py {image} {mesh}", "cannot be split"),
    ],
)
def test_a_command_that_cannot_work_is_refused_at_once(spec: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        load_backend(spec)
