"""`specsia doctor`: what is there, missing and broken, told in time and without secrets."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from specsia_build.cli.main import main
from specsia_build.doctor import fact, machine, packages
from specsia_build.doctor.examine import works
from specsia_build.doctor.fact import BROKEN, MISSING, NOTE, OK
from specsia_build.doctor.packages import TRAIN, Extra
from tests.docs.blocks import ROOT

SECRET = "hf_" + "s3cret" * 5


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules come before all others in the programs that are asked."""
    folder = tmp_path / "fakes"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(ROOT)]))
    return folder


def own(code: str, module: str = "json") -> Extra:
    return Extra("own", "own", (module,), code, "what is one's own")


def test_the_page_names_everything_with_its_state_and_no_token(fakes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ray", "s3fs", "imageio_ffmpeg", "safetensors"):
        (fakes / f"{name}.py").write_text("__version__ = '9.9'\nget_ffmpeg_version = get_ffmpeg_exe = lambda: '9.9'\n")
    (fakes / "torch.py").write_text("raise ImportError('libcudart.so: cannot open shared object file')\n")
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setenv("SPECSIA_BLENDER", "no-such-blender")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    ran = CliRunner().invoke(main, ["doctor", "--json"])
    assert ran.exit_code == 0, ran.output
    assert SECRET not in ran.output
    told = json.loads(ran.stdout)
    assert told["ok"]
    found = {one["name"]: one for one in told["facts"]}
    assert {"Python", "cores", "memory", "disk", "compiled", "cache", "GPU", "Blender", "metrics"} <= set(found)
    assert found["packages"]["state"] == OK
    assert found["Ray"] == {
        "name": "Ray",
        "state": OK,
        "found": "9.9",
        "enables": "--executor ray, builds on a cluster",
        "mend": "",
        "core": False,
    }
    assert found["torch"]["state"] == BROKEN
    assert found["torch"]["found"] == "ImportError: libcudart.so: cannot open shared object file"
    assert found["torch"]["mend"] == "pip install 'specsia[train]'"
    assert found["Blender"]["found"] == "SPECSIA_BLENDER is 'no-such-blender', which is no program that can be run"
    assert "a token of HF_TOKEN" in found["Hub"]["found"]


def test_what_every_build_needs_decides_the_exit_code(fakes: Path) -> None:
    (fakes / "pyarrow.py").write_text("raise ImportError('libarrow.so: undefined symbol')\n")
    facts = packages.core()
    assert [(one.state, one.found) for one in facts] == [(BROKEN, "ImportError: libarrow.so: undefined symbol")]
    assert not works(facts)


def test_a_package_that_is_not_there_is_missing_with_what_it_enables_and_the_line_that_installs_it() -> None:
    found = packages.extra(own("", "no_such_module_at_all"))
    assert (found.state, found.enables, found.mend) == (MISSING, "what is one's own", "pip install 'specsia[own]'")


def test_what_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fact, "PATIENCE", 0.5)
    # What it started holds its output open for longer than itself.
    found = packages.extra(own("import subprocess, time; subprocess.Popen(['sleep', '600']); time.sleep(600)"))
    assert (found.state, found.found) == (BROKEN, "no answer within 0.5 seconds")


def test_a_package_that_kills_its_process_is_broken() -> None:
    assert packages.extra(own("import os; os._exit(3)")).found == "it ended with exit code 3"


def test_a_library_that_blender_lacks_is_named_with_what_installs_it(
    fakes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("bpy")
    monkeypatch.delenv("SPECSIA_BLENDER", raising=False)
    (fakes / "bpy.py").write_text("raise ImportError('libXi.so.6: cannot open shared object file: No such file')\n")
    found = packages.blender()
    assert found.state == BROKEN
    assert found.mend.startswith("apt-get install libx11-6")


def test_a_gpu_that_torch_does_not_see_is_said(tmp_path: Path, fakes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 'A Card, 16384 MiB'\n")
    smi.chmod(0o755)
    (fakes / "safetensors.py").write_text("")
    (fakes / "torch.py").write_text(
        "__version__ = '9.9'\nclass cuda:\n    device_count = is_available = staticmethod(lambda: 0)\n"
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    packages.gpu.cache_clear()
    assert packages.gpu().found == "A Card, 16384 MiB"
    found = packages.torch()
    packages.gpu.cache_clear()
    assert (found.name, found.state, found.found) == (TRAIN.fact, NOTE, "9.9 sees no GPU")


def test_little_room_and_folders_of_others_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LITTLE_DISK", 2**80)
    assert machine.disk("disk", tmp_path / "not there yet").state == NOTE
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "a").write_bytes(bytes(3 * 2**20))
    assert machine.cache("cache", tmp_path / "cache", "things").found == f"3 MB in {tmp_path / 'cache'}"
