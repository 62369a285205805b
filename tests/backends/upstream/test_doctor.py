"""The doctor: what is missing, in order, and whether a checkout still has the names that a bridge uses."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from specsia_build.backends.upstream.doctor import MISSING, NOTE, OK, diagnose, missing_names
from specsia_build.backends.upstream.pins import NAMES, Installation, read_pins
from specsia_build.cli.main import main
from tests.backends.upstream.upstreams import write_environment, write_files, write_upstream


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


def states(place: Installation, name: str = "crm") -> dict[str, str]:
    return {found.name: found.state for found in diagnose(read_pins(name), place).checks}


def test_what_is_missing_comes_in_order_with_what_mends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    pins = read_pins("crm")
    nothing = diagnose(pins, Installation())
    assert not nothing.ok
    names = [found.name for found in nothing.checks]
    assert names == ["checkout", "python", "weights crm", "weights clip", "GPU"]
    assert all(found.fix for found in nothing.checks if found.state != OK and found.name != "GPU")
    assert f"git clone {pins.repository}" in nothing.checks[0].fix
    assert pins.commit in nothing.checks[0].fix

    root = write_upstream(tmp_path / "a checkout", "crm")
    python = write_environment(tmp_path / "environment")
    found = diagnose(pins, Installation(root, python))
    by_name = {check.name: check for check in found.checks}
    assert by_name["checkout"].state == OK
    assert by_name["commit"].state == NOTE
    assert by_name["python"].state == NOTE
    assert by_name["packages"].state == MISSING
    assert by_name["packages"].fix.startswith(f"{python} -m pip install")
    assert all(name in by_name["packages"].fix for name in ("open-clip-torch==2.7.0", "kiui", "nvdiffrast/"))
    assert by_name["names"].state == OK
    assert by_name["weights crm"].fix.startswith("hf download Zhengyi/CRM CRM.pth")

    weights = write_files(tmp_path / "weights", dict.fromkeys(pins.weights[0].files[:2], ""))
    own = Installation(root, python, weights={"crm": str(weights)})
    lacks = {c.name: c for c in diagnose(pins, own).checks}["weights crm"]
    assert (lacks.state, "lacks ccm-diffusion.pth" in lacks.found) == (MISSING, True)
    (weights / "ccm-diffusion.pth").touch()
    assert states(own)["weights crm"] == OK
    assert states(Installation(root, tmp_path / "no-python"))["python"] == MISSING


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECSIA_BACKENDS", str(tmp_path / "none.yaml"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    root = write_upstream(tmp_path / "w", "wonder3d")
    arguments = ["backends", "doctor", "wonder3d", "--root", str(root), "--python", sys.executable]
    ran = CliRunner().invoke(main, arguments)
    assert ran.exit_code == 1
    assert "ok      names: all 14 files" in ran.output
    path = root / "test_mvdiffusion_seq.py"
    path.write_text(path.read_text().replace("def load_wonder3d_pipeline", "def load_pipeline"))
    document = json.loads(CliRunner().invoke(main, [*arguments, "--json"]).output)
    assert document["ok"] is False
    gone = [check["found"] for check in document["checks"] if check["name"] == "names"]
    assert gone == ["test_mvdiffusion_seq.py has no load_wonder3d_pipeline"]
    unknown = CliRunner().invoke(main, ["backends", "doctor", "relief"])
    assert unknown.exit_code == 2
    assert "'relief' is no bridge" in unknown.output


def test_all_is_well_exits_with_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    ran = CliRunner().invoke(main, ["backends", "doctor", "crm"])
    assert ran.exit_code == 0, ran.output
    assert "crm is ready" in ran.output
