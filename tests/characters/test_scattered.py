"""That a character comes apart is said, and that floating hands are not taken for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from click.testing import CliRunner

from specsia_build.characters.scattered import Pieces, pieces_of
from specsia_build.cli.main import main

Box = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Where its middle lies and how large it is: width, depth, height."""

WHOLE: list[Box] = [((0, 0, 1), (0.6, 0.4, 2)), ((0.5, 0, 1.4), (0.1, 0.1, 0.3)), ((-0.5, 0, 1.4), (0.1, 0.1, 0.3))]
APART: list[Box] = [((0, 0, 0.3), (0.5, 0.4, 0.5)), ((0, 0, 1.2), (0.5, 0.4, 0.5)), ((0, 0, 2.1), (0.4, 0.4, 0.4))]


def written(boxes: list[Box], folder: Path) -> Path:
    shapes = []
    for at, size in boxes:
        shape = trimesh.creation.box(size)
        shape.apply_translation(at)
        shape.visual.vertex_colors = np.random.default_rng(0).integers(0, 255, (len(shape.vertices), 4), np.uint8) | 15
        shapes.append(shape)
    folder.mkdir()
    trimesh.util.concatenate(shapes).export(folder / "hero.ply")
    return folder


@pytest.mark.parametrize("size", (64, 128, 300))
def test_pieces_are_counted_and_a_seam_of_a_pixel_takes_nothing_apart(size: int) -> None:
    image = np.zeros((size, size), np.uint8)
    assert pieces_of(image) == Pieces(0, 1.0)
    image[: size // 2, : size // 2] = 255
    assert pieces_of(image) == Pieces(1, 1.0)
    image[: size // 2, -size // 4 :] = 128
    two = pieces_of(image)
    assert two.count == 2
    assert two.largest == pytest.approx(2 / 3, abs=0.02)
    image[:, -size // 4 :] = 127
    assert pieces_of(image).count == 1
    if size >= 256:
        image[: size // 2, size // 4] = 0
        assert pieces_of(image).count == 1


@pytest.mark.parametrize(("boxes", "said"), ((WHOLE, False), (APART, True)))
def test_who_comes_apart_in_every_view_is_named_before_and_by_a_build(
    boxes: list[Box], said: bool, tmp_path: Path
) -> None:
    source = written(boxes, tmp_path / "in")
    listed = CliRunner().invoke(main, ["characters", str(source)])
    assert listed.exit_code == 0, listed.output
    assert ("hero.ply comes apart: no view shows more than" in listed.output) == said
    out = tmp_path / "run"
    small = ["--stage", "render", "--size", "64", "--views", "4", "--workers", "1"]
    built = CliRunner().invoke(main, ["build", str(source), "--out", str(out), *small])
    assert built.exit_code == 0, built.output
    assert ("hero.ply comes apart: no view shows more than" in built.output) == said
