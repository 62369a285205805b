"""Registration on the drawing finds the frame of a mesh of any axes and scale."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from specsia_build.errors import SpecsiaError
from specsia_build.repairing.drawing import read_drawing, render_front
from specsia_build.repairing.placing import place_file, read_one
from tests.repairing.figures import front_of_figure, write_drawing, write_turned

AXES = {
    "as it is": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "z up, faces -y": [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
    "z up, faces +x": [[0, 0, 1], [1, 0, 0], [0, 1, 0]],
    "on its head": [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
}


@pytest.mark.parametrize("matrix", list(AXES.values()), ids=list(AXES))
def test_known_axes_are_found(tmp_path: Path, matrix: list[list[int]]) -> None:
    front = front_of_figure(tmp_path, 256)
    assert front.mesh is not None
    drawn = read_drawing(write_drawing(tmp_path, size=256), 256)
    mesh = read_one(write_turned(tmp_path / "turned.obj", np.array(matrix), 37.0, 12.0))
    placed = place_file(mesh, drawn, 4)
    assert placed.iou > 0.93
    assert np.abs(placed.mesh.vertices - front.mesh.vertices).max() < 0.04
    own = np.hstack([mesh.character.mesh.vertices, np.ones((len(front.mesh.vertices), 1))])
    assert np.allclose((own @ placed.matrix.T)[:, :3], placed.mesh.vertices, atol=1e-4)


def test_mirrored_file_is_mirrored_back(tmp_path: Path) -> None:
    front = render_front(read_one(write_turned(tmp_path / "painted.obj", np.eye(3), painted=True)), 128)
    own = read_one(write_turned(tmp_path / "mirrored.obj", np.diag([-1.0, 1.0, 1.0]), painted=True))
    placed = place_file(own, replace(front, mesh=None), 4)
    assert front.mesh is not None
    assert np.linalg.det(placed.matrix[:3, :3]) < 0
    assert np.abs(placed.mesh.vertices - front.mesh.vertices).max() < 0.04


def test_another_figure_is_refused(tmp_path: Path) -> None:
    drawn = read_drawing(write_drawing(tmp_path, size=128), 128)
    other = read_one(write_turned(tmp_path / "flat.obj", np.diag([1.0, 0.2, 1.0])))
    with pytest.raises(SpecsiaError):
        place_file(other, drawn, 4)


def test_what_views_would_cut_is_shrunk_with_the_drawing(tmp_path: Path) -> None:
    drawn = read_drawing(write_drawing(tmp_path, size=128), 128)
    deep = read_one(write_turned(tmp_path / "deep.obj", np.diag([1.0, 1.0, 8.0])))
    placed = place_file(deep, drawn, 8)
    assert placed.fit < 1
    assert np.abs(placed.mesh.vertices).max() < 1.35 / 2
    shrunk = drawn.shrunk(placed.fit)
    assert (shrunk.mask > 127).sum() == pytest.approx((drawn.mask > 127).sum() * placed.fit**2, rel=0.1)
