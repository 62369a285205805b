"""Compiling beside a repair: once, in processes that end with it."""

import os
from pathlib import Path

import psutil
import pytest

from specsia_build.repairing import ahead


@pytest.fixture
def markers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What says that the code is compiled, in a folder without compiled code."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(ahead, "_marker", lambda part: tmp_path / part)
    monkeypatch.setattr(ahead, "cores", lambda: 2)
    return [tmp_path / part for part in ahead._PARTS]


def programs() -> list[psutil.Process]:
    return [child for child in psutil.Process(os.getpid()).children() if ahead.__name__ in child.cmdline()]


def test_compiles_beside_and_ends_with_the_block(markers: list[Path]) -> None:
    with ahead.compiling_ahead():
        begun = programs()
    assert len(begun) == len(markers)
    assert all(not program.is_running() or program.status() == psutil.STATUS_ZOMBIE for program in begun)
    assert not programs()


def test_compiles_once_and_says_so_and_alone_on_one_core(
    markers: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ahead, "cores", lambda: 1)
    for count in (1, 0):
        with ahead.compiling_ahead():
            assert not programs()
        assert len(capsys.readouterr().err.splitlines()) == count
    assert all(marker.exists() for marker in markers)
    monkeypatch.setattr(ahead, "cores", lambda: 2)
    with ahead.compiling_ahead():
        assert not programs()
    # What is missing is compiled again, and nothing else.
    markers[0].unlink()
    with ahead.compiling_ahead():
        assert len(programs()) == 1


@pytest.mark.parametrize("part", ahead._PARTS)
def test_draws_and_repairs_what_a_repair_does(part: str) -> None:
    ahead._PARTS[part]()
