"""Where compiled code is kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from specsia_build.jit import sources_digest


def _package(top: Path) -> Path:
    (top / "rendering").mkdir(parents=True)
    for name in ("rendering/one.py", "two.py"):
        (top / name).write_text("from specsia_build.jit import compiled\n")
        os.utime(top / name, (1, 1))
    return top


def test_each_installation_keeps_its_own(tmp_path: Path) -> None:
    one = _package(tmp_path / "one")
    first = sources_digest(one)
    assert sources_digest(one) == first
    # numba takes nothing that was compiled elsewhere, or before a file was written anew.
    assert sources_digest(Path(shutil.copytree(one, tmp_path / "other"))) != first
    os.utime(one / "two.py", (2, 2))
    assert sources_digest(one) != first


def test_what_compiles_nothing_changes_nothing(tmp_path: Path) -> None:
    one = _package(tmp_path / "one")
    first = sources_digest(one)
    (one / "plain.py").write_text("")
    assert sources_digest(one) == first
    (one / "rendering" / "one.py").write_text("")
    assert sources_digest(one) != first
