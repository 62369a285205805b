"""`specsia repair`: from a drawing to its film, and refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from numpy.typing import NDArray
from PIL import Image

from specsia_build.dravie.config import ADAPTATION
from tests.commands import specsia
from tests.pipeline.moving import write_moving_figure
from tests.repairing.test_drawing import write_drawing, write_turned

SMALL = ("--views", "4", "--size", "64")


def repair(*words: object, code: int = 0) -> Result:
    return specsia("repair", *words, *SMALL, code=code)


def pictures(folder: Path) -> list[NDArray[np.uint8]]:
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))]


def test_mesh_of_another_tool(tmp_path: Path) -> None:
    drawing, out = write_drawing(tmp_path, ground=(255, 255, 255)), tmp_path / "out"
    mesh = write_turned(tmp_path / "other.obj", np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]]), 3.0)
    assert json.loads(repair(drawing, "--mesh", mesh, "--out", out, "--json").stdout)["frames"] == 4
    for layer in ("color", "mask", "pos", "repaired"):
        assert [path.name for path in sorted((out / layer).iterdir())] == [f"{k:04d}.png" for k in range(4)]
    for z, mask, pos in zip(*(pictures(out / layer) for layer in ("color", "mask", "pos")), strict=True):
        assert np.array_equal(z[..., 3], mask) and np.array_equal(pos[..., 3], mask)
        assert (mask > 127).mean() > 0.05
    # The frames are what `enhance` takes, and the first shows the drawing.
    drawn, shown = np.asarray(Image.open(drawing).convert("RGB")), pictures(out / "color")[0]
    assert abs(int((shown[..., 3] > 127).sum()) * 4 - int((drawn < 250).any(axis=2).sum())) < 0.2 * drawn.size / 3
    assert {path.name for path in out.iterdir()} >= {"film.webp", "sheet.png", "repair.json"}
    with Image.open(out / "film.webp") as film:
        assert (getattr(film, "n_frames", 1), film.size) == (4, (136, 64))
    # It writes over its own folder, the same bytes, and over no other.
    before = {path.name: path.read_bytes() for path in (out / "repaired").iterdir()}
    repair(drawing, "--mesh", mesh, "--out", out)
    assert {path.name: path.read_bytes() for path in (out / "repaired").iterdir()} == before
    (out / "notes.txt").write_text("mine")
    repair(drawing, "--mesh", mesh, "--out", out, code=2)
    assert (out / "notes.txt").read_text() == "mine"


def test_character_in_motion(tmp_path: Path) -> None:
    figure, out = write_moving_figure(tmp_path / "figure.glb"), tmp_path / "out"
    repair(figure, "--mesh", figure, "--motion", "wave", "--out", out)
    still = tmp_path / "still"
    repair(figure, "--mesh", figure, "--out", still)
    assert not np.array_equal(pictures(out / "mask"), pictures(still / "mask"))
    # Positions are those at rest.
    codes, rest = (
        {tuple(code // 32) for code in picture[picture[..., 3] == 255]}
        for picture in (pictures(folder / "pos")[0] for folder in (out, still))
    )
    assert len(codes & rest) > 0.5 * len(rest)


def test_fitted_model_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specsia_build.repairing.repair.ADAPTATION", replace(ADAPTATION, steps=4))
    drawing, out = write_drawing(tmp_path, size=64), tmp_path / "out"
    repair(drawing, "--adapt", "--out", out)
    specsia("enhance", out / "model", out, "--out", tmp_path / "again")
    assert np.array_equal(pictures(out / "repaired"), pictures(tmp_path / "again"))


def test_refusals(tmp_path: Path) -> None:
    drawing, out = write_drawing(tmp_path), tmp_path / "out"
    noise = np.random.default_rng(0).integers(0, 255, (128, 128, 3))
    uneven = write_drawing(tmp_path, "uneven.png", ground=noise)
    flat = write_turned(tmp_path / "flat.obj", np.diag([1.0, 0.2, 1.0]))
    stiff = write_turned(tmp_path / "stiff.obj", np.eye(3))
    for code, *words in (
        (2, tmp_path / "none.png"),
        (2, uneven),
        (1, drawing, "--mesh", flat),
        (2, drawing, "--motion", "walk"),
        (2, drawing, "--mesh", stiff, "--motion", "walk"),
        (2, drawing, "--backend", "fusion"),
    ):
        repair(*words, "--out", out, code=code)
    assert not out.exists()
