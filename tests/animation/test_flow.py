"""The flow of a surface: known moves give known pixels, and what is covered or leaves is unmatched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from specsia_build.animation.flow import Flow, flow, going
from specsia_build.frame import Camera
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import Layers
from specsia_build.rendering.mesh import Material, Mesh

CAMERA = Camera(0.0, 64, 1.0)
PX = 1 / 64


def boards(*boards: tuple[float, float, float, float, float]) -> Mesh:
    """Upright rectangles that face the camera: left, right, bottom and top in pixels about the centre, and depth."""
    corners = [[(x * PX, y, z * PX) for x, z in ((a, c), (b, c), (b, d), (a, d))] for a, b, c, d, y in boards]
    vertices = np.array(corners, np.float32).reshape(-1, 3)
    faces = np.concatenate([np.array([[0, 1, 2], [0, 2, 3]]) + 4 * k for k in range(len(boards))]).astype(np.int32)
    return Mesh(vertices, faces, (Material(),), np.zeros(len(faces), np.int32), rest=vertices)


def moved(mesh: Mesh, number: int, columns: float, rows: float) -> Mesh:
    """The mesh with one of its boards moved by pixels, rows downwards."""
    vertices = mesh.vertices.copy()
    vertices[4 * number : 4 * number + 4] += np.array([columns * PX, 0, -rows * PX], np.float32)
    return replace(mesh, vertices=vertices)


def drawn(mesh: Mesh) -> Layers:
    return next(FastRenderer().render(mesh, [CAMERA]))


def between(here: Mesh, there: Mesh) -> tuple[Flow, Layers]:
    shown = drawn(here)
    return flow(shown, drawn(going(here, there)).position, drawn(there), CAMERA), shown


def inside(layers: Layers) -> NDArray[np.bool_]:
    return np.asarray(layers.mask == 255)


@pytest.mark.parametrize(("columns", "rows"), [(3.0, -2.0), (-4.5, 7.25), (0.0, 0.0)])
def test_a_shift_is_the_flow_of_every_pixel(columns: float, rows: float) -> None:
    mesh = boards((-10, 12, -9, 8, 0.0))
    found, shown = between(mesh, moved(mesh, 0, columns, rows))
    there = inside(shown)
    np.testing.assert_allclose(found.pixels[there], [[columns, rows]] * there.sum(), atol=1e-3)
    assert not found.unmatched[there].any()
    assert found.unmatched[shown.mask == 0].all() and (found.pixels[shown.mask == 0] == 0).all()


def test_what_is_covered_in_the_next_frame_is_unmatched() -> None:
    mesh = boards((-30, 30, -30, 30, 0.2), (-20, -10, -10, 10, -0.2))
    found, shown = between(mesh, moved(mesh, 1, 30, 0))
    front = shown.position[..., 1] < 0
    covered = np.zeros_like(front)
    covered[23:41, 43:51] = True
    assert not found.unmatched[front & inside(shown)].any()
    assert found.unmatched[covered].all()
    clear = np.ones_like(front)
    clear[20:44, 40:54] = False
    assert not found.unmatched[clear & inside(shown) & ~front].any()


def test_what_leaves_the_frame_is_unmatched() -> None:
    mesh = boards((-20, 20, -20, 20, 0.0))
    found, shown = between(mesh, moved(mesh, 0, 22, 0))
    column = np.arange(64)
    assert found.unmatched[:, column >= 43][inside(shown)[:, column >= 43]].all()
    assert not found.unmatched[:, column < 40][inside(shown)[:, column < 40]].any()


def test_a_turn_carries_pixels_onto_the_same_place_of_the_surface() -> None:
    mesh = boards((-20, 20, -20, 20, 0.0))
    angle = np.deg2rad(12)
    turn = np.array([[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]])
    found, shown = between(mesh, replace(mesh, vertices=(mesh.vertices @ turn.T).astype(np.float32)))
    row, column = np.nonzero(inside(shown) & ~found.unmatched)
    place = np.stack([column, row], axis=1) + 0.5 + found.pixels[row, column]
    x, _, z = (turn @ shown.position[row, column].T) / PX
    np.testing.assert_allclose(place, np.stack([32 + x, 32 - z], axis=1), atol=2e-2)
    assert len(row) > 0.95 * inside(shown).sum()
