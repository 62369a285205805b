"""`specsia doctor`: what is there, missing and broken, in time and without secrets."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from specsia_build import doctor
from specsia_build.doctor import BROKEN, MISSING, OK
from tests.commands import specsia

SECRET = "hf_" + "s3cret" * 5


def test_page_without_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ray.py").write_text("__version__ = '9.9'\n")
    (tmp_path / "safetensors.py").write_text("")
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so: cannot open shared object file')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])]))
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setattr(doctor, "PATIENCE", 600.0)
    ran = specsia("doctor", "--json")
    assert SECRET not in ran.output
    found = {one["name"]: one for one in json.loads(ran.stdout)["facts"]}
    assert {"Python", "cores", "memory", "disk", "cache", "GPU", "Blender", "Hub"} <= set(found)
    assert found["packages"]["state"] == OK
    assert (found["Ray"]["state"], found["Ray"]["found"]) == (OK, "9.9")
    assert found["torch"]["state"] == BROKEN
    assert found["torch"]["fix"] == "pip install 'specsia[train]'"


def test_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    def states(modules: str, code: str) -> list[str]:
        return [doctor.extra("own", modules, code, "").state]

    assert states("no_such_module", "") == [MISSING]
    assert states("json", "print('there')") == [OK]
    assert states("json", "raise SystemExit(3)") == [BROKEN]
    monkeypatch.setattr(doctor, "PATIENCE", 0.2)
    assert states("json", "import time; time.sleep(30)") == [BROKEN]


def test_missing_packages_end_with_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_run_python", lambda *_: doctor.Fact(OK, "", ""))
    monkeypatch.setattr(doctor, "requires", lambda _: ["no-such-package>=1", "numpy", "ray; extra == 'ray'"])
    ran = specsia("doctor", "--json", code=1)
    assert [one["name"] for one in json.loads(ran.stdout)["facts"] if one["state"] == BROKEN] == ["packages"]
