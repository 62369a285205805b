"""A version names one set of formats: what changes them is another version, and the changelog says so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from specsia_build import __version__
from tests.formats import formats, recorded

TOP = Path(__file__).parent.parent

HEADING = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - (unreleased|\d{4}-\d\d-\d\d)$", re.MULTILINE)

RELEASES = HEADING.findall((TOP / "CHANGELOG.md").read_text(encoding="utf-8"))
"""Versions of the changelog, newest first, each with its date."""


def order(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def test_the_newest_heading_of_the_changelog_is_the_version() -> None:
    versions = [version for version, _ in RELEASES]
    assert versions == sorted(versions, key=order, reverse=True)
    assert versions[0] == __version__
    assert yaml.safe_load((TOP / "CITATION.cff").read_text(encoding="utf-8"))["version"] == __version__


def test_every_released_version_has_its_formats_on_record() -> None:
    assert {version for version, date in RELEASES if date != "unreleased"} == set(recorded())


def test_formats_move_only_with_the_version() -> None:
    now = formats()
    # Those of a version that is not released yet may move.
    assert now == recorded().get(__version__, now), (
        f"formats of {__version__} have moved since it was released: raise specsia_build.__version__ (and the one in "
        "CITATION.cff), and say what changed under a new heading `## [VERSION] - unreleased` in CHANGELOG.md"
    )


def pins(name: str) -> dict[str, str]:
    """Versions by name of a file of requirements."""
    lines = (TOP / name).read_text(encoding="utf-8").splitlines()
    found = [Requirement(line.split("#")[0].rstrip("\\ ")) for line in lines if re.match(r"\w", line)]
    return {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in found}


def test_dependencies_are_pinned_by_version_and_hash() -> None:
    text, hashed, fixed = (TOP / "requirements.txt").read_text(), pins("requirements.txt"), pins("constraints.txt")
    needed = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["dependencies"]
    assert not {canonicalize_name(Requirement(line).name) for line in needed} - set(hashed), "run `make hashes`"
    assert {name: fixed[name] for name in hashed if name in fixed} == {n: v for n, v in hashed.items() if n in fixed}
    blocks = re.split(r"\n(?=\w)", text)[1:]
    assert len(blocks) == len(hashed)
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text
    assert "index-url" not in text
