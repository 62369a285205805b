"""A cache of their own, and files that Blender writes, for tests of .blend files."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from specsia_build.characters import blender
from specsia_build.characters.blender import CACHE_SETTING
from specsia_build.characters.character import Entry, RawMesh
from tests.needs import needs

Write = Callable[[Path, str], Path]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_SETTING, str(tmp_path / "cache"))
    return tmp_path / "cache" / "blender"


@pytest.fixture(scope="session")
def write() -> Write:
    """Have a script, which finds all of `making`, make a scene with bpy, and write it to a file."""
    needs("bpy", "libraries")

    def written(path: Path, script: str) -> Path:
        code = f"from tests.characters.blender.making import *\n{script}\nsave()"
        command = [sys.executable, "-c", code, str(path)]
        subprocess.run(command, check=True, capture_output=True, timeout=600, cwd=Path(__file__).parents[3])
        return path

    return written


def read_with_blender(path: Path, *, moving: bool = False, **options: Any) -> RawMesh:
    """Read a .blend file as `options` of an entry say."""
    return blender.read_with_blender(Entry("a", "blend", path, **options), moving=moving)
