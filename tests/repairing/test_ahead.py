"""Compiling beside a repair: once, in a process that ends with it."""

import os
from pathlib import Path

import psutil
import pytest

from specsia_build.repairing import ahead


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What says that the code is compiled, in a folder without compiled code."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(ahead, "_marker", lambda: tmp_path / "drawing")
    monkeypatch.setattr(ahead, "cores", lambda: 2)
    return tmp_path / "drawing"


def programs() -> list[psutil.Process]:
    return [child for child in psutil.Process(os.getpid()).children() if ahead.__name__ in child.cmdline()]


def test_compiles_beside_and_ends_with_the_block(marker: Path) -> None:
    with ahead.compiling_ahead():
        (program,) = programs()
    assert not program.is_running() or program.status() == psutil.STATUS_ZOMBIE
    assert not programs()


def test_compiles_once_and_says_so_and_alone_on_one_core(
    marker: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ahead, "cores", lambda: 1)
    for count in (1, 0):
        with ahead.compiling_ahead():
            assert not programs()
        assert len(capsys.readouterr().err.splitlines()) == count
    assert marker.exists()
    monkeypatch.setattr(ahead, "cores", lambda: 2)
    with ahead.compiling_ahead():
        assert not programs()


def test_draws_and_repairs_what_a_repair_does() -> None:
    ahead._repair_small()
