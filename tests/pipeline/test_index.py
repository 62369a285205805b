"""The cache of artefacts' meta data saves reading, and never hides a change."""

import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from specsia_build.pipeline import store
from specsia_build.pipeline.run import RunPaths
from specsia_build.pipeline.store import read_meta
from tests.artefacts import artefact
from tests.pipeline.test_build import build, made, specsia, sums
from tests.shapes import write_folder

FIGURES = 3


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of figures and a run of it that is up to date."""
    top = tmp_path_factory.mktemp("indexed")
    source = write_folder(top / "figures", FIGURES)
    build(source, top / "run", "--workers", "1")
    return source, top / "run"


@pytest.fixture
def run(whole: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """Copies of both, with the times of change of the originals."""
    source, out = tmp_path / "figures", tmp_path / "run"
    shutil.copytree(whole[0], source)
    shutil.copytree(whole[1], out)
    build(source, out, "--workers", "1")
    return source, out


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The artefacts whose meta data the parent reads from now on."""
    found: list[Path] = []

    def counted(path: Path) -> dict[str, Any] | None:
        found.append(path)
        return read_meta(path)

    monkeypatch.setattr(store, "read_meta", counted)
    return found


def all_kept(document: dict[str, Any]) -> bool:
    return all(counts == (0, FIGURES) for counts in made(document).values())


def test_idle_build_reads_no_artefact(run: tuple[Path, Path], reads: list[Path]) -> None:
    source, out = run
    before = sums(out)
    assert all_kept(build(source, out))
    assert "all stages are up to date" in specsia("status", out)["text"]
    assert reads == []
    assert sums(out) == before


def test_edited_artefacts_are_noticed(run: tuple[Path, Path]) -> None:
    source, out = run
    before = sums(out)
    artefact(out, "project", "0", "relief").unlink()
    path = artefact(out, "render", "1")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    figure = next(iter(sorted(source.glob("2.*"))))
    figure.write_bytes(figure.read_bytes())
    found = specsia("status", out, "--json")
    states = {s["stage"]: (s["done"], s["missing"] + s["waiting"]) for s in found["stages"]}
    assert states == {"render": (2, 1), "reconstruct": (2, 1), "project": (1, 2)}
    again = made(build(source, out, "--workers", "1"))
    assert again == {"render": (1, 2), "reconstruct": (0, 3), "project": (1, 2), "pack": (0, FIGURES)}
    assert sums(out) == before


@pytest.mark.parametrize("harm", ["damaged", "rows"])
def test_broken_index_costs_only_time(run: tuple[Path, Path], harm: str) -> None:
    source, out = run
    path, before = RunPaths(out).index, sums(out)
    if harm == "damaged":
        path.write_bytes(os.urandom(path.stat().st_size))
    else:
        with sqlite3.connect(path) as tables:
            tables.execute("UPDATE known SET meta = x'00'")
        tables.close()
    assert "all stages are up to date" in specsia("status", out)["text"]
    assert all_kept(build(source, out, "--workers", "1"))
    assert sums(out) == before


def test_same_size_and_time_still_read(run: tuple[Path, Path]) -> None:
    """As archives that state no times have them."""
    source, out = run
    figure = source / "1.obj"
    os.utime(figure, (0, 0))
    build(source, out)
    figure.write_bytes(figure.read_bytes().replace(b"v 0.", b"v 1.", 1))
    os.utime(figure, (0, 0))
    assert made(build(source, out))["render"] == (1, 2)
