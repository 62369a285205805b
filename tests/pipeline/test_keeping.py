"""`--keep none`: artefacts go once all is packed and checked, and a later build makes what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from specsia_build.pipeline.layout import layout_of
from tests.clips import write_figures
from tests.pipeline.test_build import build, specsia

pytestmark = pytest.mark.usefixtures("no_workers")


def tars(out: Path) -> list[Path]:
    return sorted((out / "artefacts").rglob("*.tar"))


def test_samples_go_with_their_artefacts(tmp_path: Path) -> None:
    out = tmp_path / "run"
    build("sample:1", out, "--size", "64", "--views", "1", "--keep", "none")
    assert not list(layout_of(out).source.rglob("*.obj"))


def test_clips_are_kept_until_every_recipe_is_written(tmp_path: Path) -> None:
    out, figures = tmp_path / "clips", write_figures(tmp_path / "figures", 1)
    asked = ("--recipe", "frames", "--size", "64", "--views", "1", "--frames", "2")
    specsia("clips", figures, "--out", out, *asked, "--keep", "none")
    assert tars(out) == []
    before = {path: path.read_bytes() for path in (out / "frames").rglob("*.png")}
    next(iter(before)).unlink()
    specsia("clips", figures, "--out", out, *asked)
    assert {path: path.read_bytes() for path in before} == before
