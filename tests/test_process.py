"""Compiled code and memory of a process."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from specsia_build import jit
from specsia_build.jit import compiled, sources_digest


def _package(top: Path) -> Path:
    (top / "rendering").mkdir(parents=True)
    for name in ("rendering/one.py", "two.py"):
        (top / name).write_text("from specsia_build.jit import compiled\n")
        os.utime(top / name, (1, 1))
    return top


def test_a_digest_changes_with_place_time_and_text_of_compiled_sources_alone(tmp_path: Path) -> None:
    one = _package(tmp_path / "one")
    first = sources_digest(one)
    (one / "plain.py").write_text("")
    assert sources_digest(one) == first
    # numba takes nothing that was compiled elsewhere, or before a file was written anew.
    assert sources_digest(Path(shutil.copytree(one, tmp_path / "other"))) != first
    os.utime(one / "two.py", (2, 2))
    later = sources_digest(one)
    (one / "rendering" / "one.py").write_text("")
    assert len({first, later, sources_digest(one)}) == 3


def _halved(x: float) -> float:
    return x / 2


_half = compiled(_halved)


@compiled
def _half_and_one(x: float) -> float:
    return float(_half(x)) + 1.0


def test_python_calls_a_cached_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit, "cache_folder", lambda: tmp_path)
    assert _half_and_one(3.0) == 2.5
    kept = {path.name for path in tmp_path.rglob("*.nbc")}
    assert compiled(_halved)(3.0) == 1.5
    # What the one takes from there has no way in for the other.
    assert len({path.name for path in tmp_path.rglob("*.nbc")} - kept) == 1
    assert compiled(_halved)(5.0) == 2.5


FRESH_PAGES = """
import resource
import numpy as np
from specsia_build.memory import keep_freed
keep_freed()
[np.ones(2**21) for _ in range(3)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    [np.ones(2**21) for _ in range(3)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
"""A process that tells how many pages came from the system for 48 MB that it takes and gives back ten times."""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="no other C library is told what to keep")
def test_what_is_given_back_serves_again() -> None:
    found = subprocess.run([sys.executable, "-c", FRESH_PAGES], capture_output=True, text=True, check=True)
    assert int(found.stdout) < 1000
