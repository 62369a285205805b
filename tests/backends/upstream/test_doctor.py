"""The doctor: what is missing, in order, and whether a checkout still has the names that a bridge uses."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from specsia_build.backends.upstream.doctor import MISSING, NOTE, OK, Check, diagnose, missing_names
from specsia_build.backends.upstream.pins import NAMES, Installation, read_pins
from tests.backends.upstream.upstreams import write_environment, write_files, write_upstream
from tests.commands import specsia


@pytest.mark.parametrize("name", NAMES)
def test_each_file_and_name_counts(tmp_path: Path, name: str) -> None:
    pins, root = read_pins(name), write_upstream(tmp_path, name)
    assert missing_names(pins, root) == []
    for file, names in pins.uses.items():
        text = (root / file).read_text()
        for part in {part for path in names for part in path.split(".")}:
            (root / file).write_text(re.sub(rf"\b{part}\b", f"new_{part}", text))
            assert missing_names(pins, root) == [f"{file} has no {part}"]
        (root / file).unlink()
        assert missing_names(pins, root) == [f"there is no file {file}"]
        (root / file).write_text(text)


def test_files_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    pins, root = read_pins("crm"), write_upstream(tmp_path, "crm")
    monkeypatch.setattr(Path, "read_text", refusing)
    assert missing_names(pins, root) == [f"{file} cannot be read: Permission denied" for file in pins.uses]


def test_lacks_come_in_order_with_their_fixes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    pins = read_pins("crm")
    nothing = diagnose(pins, Installation())
    assert not nothing.ok
    assert [check.name for check in nothing.checks] == ["checkout", "python", "weights crm", "weights clip", "GPU"]
    assert all(check.fix for check in nothing.checks if check.state != OK and check.name != "GPU")
    assert f"git clone {pins.repository}" in nothing.checks[0].fix
    assert pins.commit in nothing.checks[0].fix

    weights = write_files(tmp_path / "weights", dict.fromkeys(pins.weights[0].files[:2], ""))
    root, python = write_upstream(tmp_path / "a checkout", "crm"), write_environment(tmp_path / "environment")

    def checks(python: Path = python) -> dict[str, Check]:
        place = Installation(root, python, weights={"crm": str(weights)})
        return {check.name: check for check in diagnose(pins, place).checks}

    first = checks()
    states = {name: check.state for name, check in first.items() if name != "GPU"}
    lacking = dict.fromkeys(("packages", "weights crm", "weights clip"), MISSING)
    assert states == {"checkout": OK, "commit": NOTE, "names": OK, "python": NOTE, **lacking}
    install = first["packages"].fix
    assert install.startswith(f"{python} -m pip install")
    assert all(name in install for name in ("open-clip-torch==2.7.0", "kiui", "nvdiffrast/"))
    assert "lacks ccm-diffusion.pth" in first["weights crm"].found
    assert first["weights clip"].fix.startswith("hf download laion/CLIP")
    (weights / "ccm-diffusion.pth").touch()
    assert checks()["weights crm"].state == OK
    assert checks(tmp_path / "no-python")["python"].state == MISSING


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECSIA_BACKENDS", str(tmp_path / "none.yaml"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    root = write_upstream(tmp_path / "w", "wonder3d")
    arguments = ["backends", "doctor", "wonder3d", "--root", str(root), "--python", sys.executable]
    assert "ok      names: all 14 files" in specsia(*arguments, code=1).output
    path = root / "test_mvdiffusion_seq.py"
    path.write_text(path.read_text().replace("def load_wonder3d_pipeline", "def load_pipeline"))
    document = json.loads(specsia(*arguments, "--json", code=1).output)
    assert document["ok"] is False
    gone = [check["found"] for check in document["checks"] if check["name"] == "names"]
    assert gone == ["test_mvdiffusion_seq.py has no load_wonder3d_pipeline"]
    specsia("backends", "doctor", "relief", code=2)


def test_a_complete_installation_exits_with_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = write_environment(tmp_path / "environment")
    site = next((tmp_path / "environment").glob("lib/python*/site-packages"))
    pins = read_pins("crm")
    for name, version in pins.packages.items():
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        write_files(site, {f"{name.replace('-', '_')}-{version}.dist-info/METADATA": metadata})
    write_files(site, {f"{name}/__init__.py": "" for name in pins.imports})
    (site / "fakes.pth").unlink()
    cuda = "from types import SimpleNamespace as S\ncuda = S(is_available=lambda: True, device_count=lambda: 1)\n"
    write_files(site, {"torch/__init__.py": cuda})
    smi = tmp_path / "bin" / "nvidia-smi"
    write_files(tmp_path, {"bin/nvidia-smi": "#!/bin/sh\necho '0, A GPU, 81559'\n"})
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{smi.parent}:/usr/bin:/bin")
    lines = [f"  {w.name}: {write_files(tmp_path / w.name, dict.fromkeys(w.files, ''))}" for w in pins.weights]
    settings = tmp_path / "backends.yaml"
    root = write_upstream(tmp_path / "checkout", "crm")
    settings.write_text(f"crm:\n  root: {root}\n  python: {python}\n  weights:\n" + "".join(f"  {n}\n" for n in lines))
    monkeypatch.setenv("SPECSIA_BACKENDS", str(settings))
    assert "crm is ready" in specsia("backends", "doctor", "crm").output
