"""Versions, their formats and changelog, and the content of packages."""

import json
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from specsia_build import __version__
from specsia_build.dravie.runs import SHIPPED_RUN
from specsia_build.look.page import SCRIPTS, STYLES
from tests.formats import formats, recorded

TOP = Path(__file__).parent.parent

HEADING = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - (unreleased|\d{4}-\d\d-\d\d)$", re.MULTILINE)

RELEASES = HEADING.findall((TOP / "CHANGELOG.md").read_text(encoding="utf-8"))
"""Versions of the changelog, newest first, each with its date."""


def order(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def test_changelog_names_the_version() -> None:
    versions = [version for version, _ in RELEASES]
    assert versions == sorted(versions, key=order, reverse=True)
    assert versions[0] == __version__
    assert yaml.safe_load((TOP / "CITATION.cff").read_text(encoding="utf-8"))["version"] == __version__


def test_formats_of_released_versions() -> None:
    assert {version for version, date in RELEASES if date != "unreleased"} == set(recorded())


def test_formats_change_with_version() -> None:
    now = formats()
    # Those of a version that is not released yet may move.
    assert now == recorded().get(__version__, now), (
        f"formats of {__version__} have moved since it was released: raise specsia_build.__version__ (and "
        "the one in CITATION.cff), and say what changed under a new heading `## [VERSION] - unreleased` in "
        "CHANGELOG.md"
    )


def pins(name: str) -> dict[str, str]:
    """Versions by name of a file of requirements."""
    lines = (TOP / name).read_text(encoding="utf-8").splitlines()
    found = [Requirement(line.split("#")[0].rstrip("\\ ")) for line in lines if re.match(r"\w", line)]
    return {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in found}


def test_dependencies_are_pinned() -> None:
    text = (TOP / "requirements.txt").read_text()
    hashed, fixed = pins("requirements.txt"), pins("constraints.txt")
    needed = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["dependencies"]
    assert not {canonicalize_name(Requirement(line).name) for line in needed} - set(hashed), (
        "run `make hashes`"
    )
    assert all(fixed[name] == pin for name, pin in hashed.items() if name in fixed)
    blocks = re.split(r"\n(?=\w)", text)[1:]
    assert len(blocks) == len(hashed)
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text and "index-url" not in text


BESIDE = (
    "CHANGELOG.md",
    "CITATION.cff",
    "LICENSE",
    "Makefile",
    "README.md",
    "constraints.txt",
    "requirements.txt",
)
PARTS = (
    "specsia",
    "specsia_build",
    "manifests",
    "blender_scripts",
    "pyproject.toml",
    "setup.py",
    "MANIFEST.in",
    *BESIDE,
)

PRETRAINED = [path.relative_to(TOP).as_posix() for path in sorted(SHIPPED_RUN.rglob("*")) if path.is_file()]

FIND = """
import json
from specsia_build.folders import shipped
from specsia_build.pipeline.run import named_settings
from specsia_build.rendering.blender.process import scripts_folder
import specsia
assert named_settings("specsia-15k").name == "specsia-15k.yaml"
assert callable(specsia.load) and callable(specsia.open_dataset)
folders = shipped("manifests") / "backends", scripts_folder()
found = [sorted(p.name for p in folder.iterdir() if p.is_file()) for folder in folders]
print(json.dumps(found))
"""


def test_packages_are_complete(tmp_path: Path) -> None:
    """A wheel and an sdist, built from a copy; what is installed finds its settings and scripts."""
    copy, out = tmp_path / "tree", tmp_path / "built"
    for name in PARTS:
        if (TOP / name).is_dir():
            shutil.copytree(TOP / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(TOP / name, copy / name)
    call = f"from setuptools import build_meta as b; b.build_wheel({str(out)!r}); b.build_sdist({str(out)!r})"
    built = subprocess.run([sys.executable, "-c", call], cwd=copy, check=True, capture_output=True, text=True)
    assert "creating" in built.stdout
    assert "is absent from the `packages` configuration" not in built.stdout + built.stderr
    with zipfile.ZipFile(next(out.glob("*.whl"))) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "site")
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"specsia", "specsia_build"}
    assets = {f"specsia_build/look/assets/{name}" for name in (*STYLES, *SCRIPTS)}
    assert {
        *assets,
        *PRETRAINED,
        "specsia/py.typed",
        "specsia_build/py.typed",
        "specsia_build/manifests/specsia-15k.yaml",
    } <= names
    paths = (TOP / "specsia_build").rglob("*")
    files = (path for path in paths if path.is_file() and "__pycache__" not in path.parts)
    assert {path.relative_to(TOP).as_posix() for path in files} <= names
    with tarfile.open(next(out.glob("*.tar.gz"))) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    assert {*BESIDE, *PRETRAINED, "manifests/specsia-15k.yaml", "specsia_build/py.typed"} <= names
    environment = {"PYTHONPATH": str(tmp_path / "site"), "PATH": ""}
    run = subprocess.run(
        [sys.executable, "-c", FIND], cwd=tmp_path, env=environment, check=True, capture_output=True
    )
    assert json.loads(run.stdout) == [
        sorted(p.name for p in (TOP / folder).iterdir() if p.is_file() and p.name != "__init__.py")
        for folder in ("manifests/backends", "blender_scripts")
    ]
