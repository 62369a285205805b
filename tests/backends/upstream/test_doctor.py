"""The doctor: what is missing, in order, and whether a checkout still has what the worker uses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from specsia_build.backends.upstream.contract import check, check_uses, uses_of
from specsia_build.backends.upstream.doctor import MISSING, NOTE, OK, diagnose, matches
from specsia_build.backends.upstream.pins import BRIDGES, NAMES, Installation, checkout_commit, read_pins
from specsia_build.cli.main import main
from tests.backends.upstream.upstreams import FILES, write_environment, write_files, write_upstream


def missing(root: Path, name: str) -> list[str]:
    scripts = [BRIDGES / script for script in read_pins(name).scripts]
    return [used.missing for used in check(root, scripts) if used.missing is not None]


RENAMED = [
    ("wonder3d", "test_mvdiffusion_seq.py", "def log_validation_joint", "log_validation_joint"),
    ("wonder3d", "instant-nsr-pl/systems/__init__.py", "def make", "make"),
    ("drawingspinup", "2_charactor_reconstructor/recon.py", "def recon(", "recon"),
    ("drawingspinup", "2_charactor_reconstructor/mv.py", "def load_wonder3d_pipeline", "load_wonder3d_pipeline"),
    ("instantmesh", "src/utils/mesh_util.py", "def save_obj_with_mtl", "save_obj_with_mtl"),
    ("instantmesh", "src/models/lrm_mesh.py", "def extract_mesh", "extract_mesh"),
    ("crm", "inference.py", "def generate3d", "generate3d"),
    ("crm", "pipelines.py", "class TwoStagePipeline", "TwoStagePipeline"),
]


@pytest.mark.parametrize(("name", "file", "old", "word"), RENAMED, ids=[f"{r[0]}-{r[3]}" for r in RENAMED])
def test_a_function_that_was_renamed_is_named(tmp_path: Path, name: str, file: str, old: str, word: str) -> None:
    root = write_upstream(tmp_path, name)
    assert missing(root, name) == []
    text = (root / file).read_text()
    assert text.count(old) == 1
    (root / file).write_text(text.replace(old, re.sub(r"(\w+)(\(?)$", r"new_\1\2", old)))
    found = missing(root, name)
    assert found
    assert all(word in reason and file in reason for reason in found), found


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "reason"),
    [
        (
            "crm",
            "inference.py",
            "model, rgb, ccm",
            "model, colour, ccm",
            "generate3d in inference.py does not take rgb",
        ),
        ("crm", "configs/stage2-v2-snr.yaml", "sampler:", "sampling:", "has no setting config.sampler"),
        ("crm", "configs/stage2-v2-snr.yaml", "config:", "config: [", "configs/stage2-v2-snr.yaml cannot be read"),
        ("crm", "run.py", "import rembg", "import rembg as", "run.py cannot be parsed"),
        ("wonder3d", "test_mvdiffusion_seq.py", "    save_dir: str\n", "", "TestConfig in test_mvdiffusion_seq.py"),
        (
            "drawingspinup",
            "2_charactor_reconstructor/mv.py",
            "print(uid)",
            "print(args.scale)",
            "mv.py reads args.scale, which the worker does not set",
        ),
        (
            "instantmesh",
            "zero123plus/pipeline.py",
            "class Zero123PlusPipeline",
            "Zero123PlusPipeline = 1\nclass Other",
            "Zero123PlusPipeline in zero123plus/pipeline.py is no class",
        ),
    ],
)
def test_arguments_settings_and_syntax(tmp_path: Path, name: str, file: str, old: str, new: str, reason: str) -> None:
    root = write_upstream(tmp_path, name)
    (root / file).write_text((root / file).read_text().replace(old, new, 1))
    assert any(reason in found for found in missing(root, name)), missing(root, name)


@pytest.mark.parametrize("name", NAMES)
def test_each_file_counts(tmp_path: Path, name: str) -> None:
    root = write_upstream(tmp_path, name)
    for script in read_pins(name).scripts:
        uses = uses_of(BRIDGES / script)
        for file in [*uses["modules"], *uses.get("files", []), *uses["keys"]]:
            path = root / uses["root"] / file
            content = path.read_text()
            path.unlink()
            assert any(f"there is no file {path.relative_to(root).as_posix()}" in m for m in missing(root, name))
            path.write_text(content)
    assert missing(root, name) == []


def test_names_are_found_wherever_they_are_bound(tmp_path: Path) -> None:
    text = """
try:
    from a import first
except ImportError:
    first = None
if True:
    second, third = 1, 2
    fourth: int = 4
with open("x") as fifth_not:
    import b.c as sixth
async def seventh(*, key): ...
class Eighth:
    nested = 1
    def method(self, x, *rest, **more): ...
"""
    write_files(tmp_path, {"module.py": text})
    names = dict.fromkeys(("first", "second", "third", "fourth", "sixth", "Eighth.nested"))
    wanted: dict[str, Any] = {
        **names,
        "seventh": ["key"],
        "Eighth.method": ["x", "*rest", "*more"],
        "Eighth": ["nested"],
    }
    assert [u.missing for u in check_uses(tmp_path, {"modules": {"module.py": wanted}}) if u.missing] == []
    gone = {"fifth": None, "Eighth.other": None, "seventh": ["self"], "Eighth.nested": ["x"]}
    assert all(u.missing for u in check_uses(tmp_path, {"modules": {"module.py": gone}}))


def test_versions() -> None:
    assert matches("1.13.1+cu117", "1.13.1")
    assert matches("2.0", "2.0.0")
    assert matches("4.30.0", ">=4.25.1")
    assert not matches("4.9.0", ">=4.25.1")
    assert matches("1.9.5", "<2")
    assert not matches("2.1.2", "<2")


def states(place: Installation, name: str = "crm") -> dict[str, str]:
    return {found.name: found.state for found in diagnose(read_pins(name), place).checks}


def test_what_is_missing_comes_in_order_with_what_mends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    pins = read_pins("crm")
    nothing = diagnose(pins, Installation())
    assert not nothing.ok
    names = [found.name for found in nothing.checks]
    assert names == ["checkout", "python", "weights crm", "weights clip", "token", "environment", "GPU"]
    assert all(found.mend for found in nothing.checks if found.state != OK and found.name != "GPU")
    assert f"git clone {pins.repository}" in nothing.checks[0].mend
    assert pins.commit in nothing.checks[0].mend

    root = write_upstream(tmp_path / "a checkout", "crm")
    python = write_environment(tmp_path / "environment")
    found = diagnose(pins, Installation(root, python))
    by_name = {check.name: check for check in found.checks}
    assert by_name["checkout"].state == OK
    assert by_name["commit"].state == NOTE
    assert by_name["python"].state == NOTE
    assert by_name["package open-clip-torch"].mend == f"{python} -m pip install open-clip-torch==2.7.0"
    assert by_name["module kiui"].mend == f"{python} -m pip install kiui"
    assert by_name["module rembg"].state == OK
    assert "nvdiffrast/" in by_name["module nvdiffrast"].mend
    assert by_name["contract"].state == OK
    assert by_name["weights crm"].mend.startswith("hf download Zhengyi/CRM CRM.pth")

    weights = write_files(tmp_path / "weights", dict.fromkeys(pins.weights[0].files[:2], ""))
    own = Installation(root, python, weights={"crm": str(weights)})
    lacks = {c.name: c for c in diagnose(pins, own).checks}["weights crm"]
    assert (lacks.state, "lacks ccm-diffusion.pth" in lacks.found) == (MISSING, True)
    (weights / "ccm-diffusion.pth").touch()
    assert states(own)["weights crm"] == OK
    assert states(Installation(root, tmp_path / "no-python"))["python"] == MISSING


def test_the_commit_is_compared_with_the_pin(tmp_path: Path) -> None:
    root = write_upstream(tmp_path, "crm")
    assert checkout_commit(root) is None
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *arguments], check=True)
    checkout_commit.cache_clear()
    commit = checkout_commit(root)
    assert commit is not None
    assert len(commit) == 40
    found = {c.name: c for c in diagnose(read_pins("crm"), Installation(root)).checks}["commit"]
    assert found.state == NOTE
    assert f"checkout {read_pins('crm').commit}" in found.mend
    assert checkout_commit(root / "model") is None


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECSIA_BACKENDS", str(tmp_path / "none.yaml"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    root = write_upstream(tmp_path / "w", "wonder3d")
    arguments = ["backends", "doctor", "wonder3d", "--root", str(root), "--python", sys.executable]
    ran = CliRunner().invoke(main, arguments)
    assert ran.exit_code == 1
    assert "ok      contract: all 30 things" in ran.output
    assert "missing package torch" in ran.output or "package torch:" in ran.output
    path = root / "test_mvdiffusion_seq.py"
    path.write_text(path.read_text().replace("def load_wonder3d_pipeline", "def load_pipeline"))
    document = json.loads(CliRunner().invoke(main, [*arguments, "--json"]).output)
    assert document["ok"] is False
    gone = [check["found"] for check in document["checks"] if check["name"] == "contract"]
    assert gone == ["test_mvdiffusion_seq.py has no load_wonder3d_pipeline"]
    assert [u["what"] for u in document["contract"] if u["missing"]] == ["load_wonder3d_pipeline"]
    unknown = CliRunner().invoke(main, ["backends", "doctor", "inflate"])
    assert unknown.exit_code == 2
    assert "'inflate' is no bridge" in unknown.output


def test_all_is_well_exits_with_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = write_environment(tmp_path / "environment")
    site = next((tmp_path / "environment").glob("lib/python*/site-packages"))
    pins = read_pins("crm")
    for name, version in pins.packages.items():
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        write_files(site, {f"{name.replace('-', '_')}-{version}.dist-info/METADATA": metadata})
    write_files(site, {f"{name}/__init__.py": "" for name in pins.imports})
    torch = site / "torch" / "__init__.py"
    torch.write_text(
        "from types import SimpleNamespace as S\ncuda = S(is_available=lambda: True, device_count=lambda: 1)\n"
    )
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
    assert set(FILES) == set(NAMES)
