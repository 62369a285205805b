from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from specsia_build.dravie.runs import WEIGHTS
from specsia_build.look.page import SCRIPTS, STYLES

TOP = Path(__file__).parent.parent
BESIDE = ("CHANGELOG.md", "CITATION.cff", "LICENSE", "Makefile", "README.md", "constraints.txt", "requirements.txt")
PARTS = ("specsia_build", "manifests", "blender_scripts", "pyproject.toml", "setup.py", "MANIFEST.in", *BESIDE)

PRETRAINED = [path.relative_to(TOP).as_posix() for path in sorted(WEIGHTS.rglob("*")) if path.is_file()]

FIND = """
import json
from specsia_build.backends.upstream.pins import pins_folder
from specsia_build.pipeline.settings import named_settings
from specsia_build.rendering.blender.process import scripts_folder
import specsia_build as specsia
assert named_settings("specsia-15k").name == "specsia-15k.yaml"
assert callable(specsia.load) and callable(specsia.open_dataset)
found = [sorted(p.name for p in folder.iterdir() if p.is_file()) for folder in (pins_folder(), scripts_folder())]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is packed of this checkout."""
    copy = tmp_path_factory.mktemp("tree")
    for name in PARTS:
        if (TOP / name).is_dir():
            shutil.copytree(TOP / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(TOP / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def wheel(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout, and beside it in ``log.txt`` what was said as it was made."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "--verbose", "wheel", "--no-deps", "--wheel-dir", str(out), str(copy)]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    (out / "log.txt").write_bytes(run.stdout)
    return next(out.glob("*.whl"))


def test_a_wheel_brings_one_package_and_nothing_beside_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"specsia_build"}
    assert "specsia_build/py.typed" in names
    assert "specsia_build/manifests/specsia-15k.yaml" in names
    assert {f"specsia_build/look/assets/{name}" for name in (*STYLES, *SCRIPTS)} <= set(names)
    assert set(PRETRAINED) <= set(names)


def test_a_wheel_is_built_without_warnings_of_a_forgotten_package(wheel: Path) -> None:
    log = (wheel.parent / "log.txt").read_text(encoding="utf-8", errors="replace")
    assert "creating" in log
    assert "is absent from the `packages` configuration" not in log


def test_an_sdist_brings_the_files_beside_the_package(copy: Path, tmp_path: Path) -> None:
    call = f"from setuptools.build_meta import build_sdist; build_sdist({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", call], cwd=copy, check=True, capture_output=True, timeout=300)
    (path,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {*BESIDE, *PRETRAINED, "manifests/specsia-15k.yaml", "specsia_build/py.typed"} <= names


def test_an_installed_package_brings_the_files_of_the_checkout(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    environment = {"PYTHONPATH": str(tmp_path), "PATH": ""}
    run = subprocess.run(
        [sys.executable, "-c", FIND], cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=60
    )
    assert json.loads(run.stdout) == [
        sorted(p.name for p in (TOP / folder).iterdir() if p.is_file() and p.name != "__init__.py")
        for folder in ("manifests/backends", "blender_scripts")
    ]
