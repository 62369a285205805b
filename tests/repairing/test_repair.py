"""`specsia repair`, from a drawing to its film, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image

from specsia_build.cli.main import main
from tests.pipeline.moving import write_moving_figure
from tests.repairing.figures import write_drawing, write_turned

SMALL = ("--views", "4", "--size", "64")


def repair(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["repair", *map(str, arguments), *SMALL])


def pictures(folder: Path) -> list[NDArray[np.uint8]]:
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))]


def test_drawing_with_the_mesh_of_another_tool(tmp_path: Path) -> None:
    drawing, out = write_drawing(tmp_path, ground=(255, 255, 255)), tmp_path / "out"
    mesh = write_turned(tmp_path / "other.obj", np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]]), 3.0)
    first = repair(drawing, "--mesh", mesh, "--out", out, "--json")
    assert first.exit_code == 0, first.output
    told = json.loads(first.stdout)
    assert told["frames"] == 4
    for layer in ("color", "mask", "pos", "repaired"):
        assert [path.name for path in sorted((out / layer).iterdir())] == [f"{k:04d}.png" for k in range(4)]
    for z, mask, pos in zip(*(pictures(out / layer) for layer in ("color", "mask", "pos")), strict=True):
        assert np.array_equal(z[..., 3], mask)
        assert np.array_equal(pos[..., 3], mask)
        assert (mask > 127).mean() > 0.05
    # The frames are what `enhance` takes, and the first shows the drawing.
    drawn, shown = np.asarray(Image.open(drawing).convert("RGB")), pictures(out / "color")[0]
    assert abs(int((shown[..., 3] > 127).sum()) * 4 - int((drawn < 250).any(axis=2).sum())) < 0.2 * drawn.size / 3
    assert {path.name for path in out.iterdir()} >= {"film.webp", "sheet.png", "repair.json"}
    with Image.open(out / "film.webp") as film:
        assert (getattr(film, "n_frames", 1), film.size) == (4, (136, 64))
    # It writes over its own folder, the same bytes, and over no other.
    before = {path.name: path.read_bytes() for path in (out / "repaired").iterdir()}
    assert repair(drawing, "--mesh", mesh, "--out", out).exit_code == 0
    assert {path.name: path.read_bytes() for path in (out / "repaired").iterdir()} == before
    (out / "notes.txt").write_text("mine")
    assert repair(drawing, "--mesh", mesh, "--out", out).exit_code == 2
    assert (out / "notes.txt").read_text() == "mine"


def test_character_in_motion_by_its_own_rig(tmp_path: Path) -> None:
    figure, out = write_moving_figure(tmp_path / "figure.glb"), tmp_path / "out"
    result = repair(figure, "--mesh", figure, "--motion", "wave", "--out", out)
    assert result.exit_code == 0, result.output
    still = tmp_path / "still"
    assert repair(figure, "--mesh", figure, "--out", still).exit_code == 0
    assert any(
        not np.array_equal(moved, at_rest)
        for moved, at_rest in zip(pictures(out / "mask"), pictures(still / "mask"), strict=True)
    )
    # Positions are those at rest.
    codes, rest = (
        {tuple(code // 32) for code in picture[picture[..., 3] == 255]}
        for picture in (pictures(folder / "pos")[0] for folder in (out, still))
    )
    assert len(codes & rest) > 0.5 * len(rest)


def test_fitted_model_is_kept(tmp_path: Path) -> None:
    drawing, out = write_drawing(tmp_path, size=64), tmp_path / "out"
    assert repair(drawing, "--adapt", "--out", out).exit_code == 0
    again = CliRunner().invoke(main, ["enhance", str(out / "model"), str(out), "--out", str(tmp_path / "again")])
    assert again.exit_code == 0, again.output
    for one, two in zip(pictures(out / "repaired"), pictures(tmp_path / "again"), strict=True):
        assert np.array_equal(one, two)


def test_refusals(tmp_path: Path) -> None:
    drawing, out = write_drawing(tmp_path), tmp_path / "out"
    noise = np.random.default_rng(0).integers(0, 255, (128, 128, 3))
    uneven = write_drawing(tmp_path, "uneven.png", ground=noise)
    flat = write_turned(tmp_path / "flat.obj", np.diag([1.0, 0.2, 1.0]))
    stiff = write_turned(tmp_path / "stiff.obj", np.eye(3))
    assert repair(tmp_path / "none.png", "--out", out).exit_code == 2
    assert repair(uneven, "--out", out).exit_code == 2
    assert repair(drawing, "--mesh", flat, "--out", out).exit_code == 1
    assert repair(drawing, "--motion", "walk", "--out", out).exit_code == 2
    assert repair(drawing, "--mesh", stiff, "--motion", "walk", "--out", out).exit_code == 2
    assert repair(drawing, "--backend", "fusion", "--out", out).exit_code == 2
    assert not out.exists()
