"""Silhouettes drawn from outlines: exactly the pixels whose centre some triangle covers, and places on their border."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from specsia_build.frame import view_cameras
from specsia_build.registration import Similarity
from specsia_build.registration.descent import Target, descend, drawn, ious
from specsia_build.registration.masks import outline_distance
from specsia_build.registration.outline import shape_of
from specsia_build.rendering.fast.renderer import silhouettes
from specsia_build.rendering.mesh import Material, Mesh, concatenate
from tests.rendering.scenes import box, sphere

SIZE = 48
CAMERAS = view_cameras(3, SIZE)


def target() -> Target:
    return Target.of(np.zeros((3, SIZE, SIZE), np.uint8), CAMERAS, SIZE, reach=0)


def triangles(points: NDArray[np.float64]) -> Mesh:
    """Loose triangles (F, 3, 3)."""
    faces = np.arange(3 * len(points), dtype=np.int32).reshape(-1, 3)
    return Mesh(points.reshape(-1, 3).astype(np.float32), faces, (Material(),), np.zeros(len(points), np.int32))


def covered(mesh: Mesh, view: NDArray[np.float64], size: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Pixels whose centre lies in a triangle by more, and by no more, than a thousandth of a pixel."""
    corners = (mesh.vertices.astype(np.float64) @ view[:, :3].T + view[:, 3])[mesh.faces]
    rows, columns = np.indices((size, size)) + 0.5
    deepest = np.full((size, size), -np.inf)
    for triangle in corners:
        (ax, ay), (bx, by), (cx, cy) = triangle
        turn = np.sign((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))
        inside = np.full((size, size), np.inf)
        for (px, py), (qx, qy) in zip(triangle, np.roll(triangle, -1, axis=0), strict=True):
            length = max(float(np.hypot(qx - px, qy - py)), 1e-9)
            inside = np.minimum(inside, turn * ((qx - px) * (rows - py) - (qy - py) * (columns - px)) / length)
        deepest = np.maximum(deepest, inside)
    return deepest > 1e-3, np.abs(deepest) <= 1e-3


SCENES = {
    "closed": lambda: concatenate([sphere(0.3, 9, 14, (0.1, 0, 0.1)), box((-0.2, 0, -0.1), (0.1, 0.3, 0.2))]),
    "loose": lambda: triangles(np.random.default_rng(3).uniform(-0.7, 0.7, (12, 3, 3))),
    "tiny": lambda: triangles(np.random.default_rng(4).uniform(-0.5, 0.5, (200, 1, 3)) + 0.02 * np.eye(3)),
    "out of the frame": lambda: triangles(np.random.default_rng(5).uniform(-3, 3, (12, 3, 3))),
    "three faces on an edge": lambda: triangles(
        np.array([[[0, 0, -0.4], [0, 0, 0.4], [x, y, 0.1]] for x, y in ((0.4, 0.1), (-0.3, 0.2), (0.1, -0.4))])
    ),
}


@pytest.mark.parametrize("scene", SCENES)
def test_a_silhouette_is_the_union_of_triangles(scene: str) -> None:
    mesh = SCENES[scene]()
    similarity = Similarity(1.1, 9, 20, (0.03, 0.01, -0.02))
    masks = drawn(shape_of(mesh), similarity, target())
    for mask, view in zip(masks, target().views(similarity), strict=True):
        sure, edge = covered(mesh, view, SIZE)
        assert sure.any()
        assert (mask == sure)[~edge].all()


def test_a_step_counts_the_pixels_that_are_drawn() -> None:
    shape, cameras = shape_of(sphere(0.31)), view_cameras(3, 256)
    aim = Target.of(silhouettes(sphere(0.3), cameras), cameras, 256)
    for k in range(100):
        start = Similarity(1 + 4e-3 * k, 0.4 * k, 0.0, (4e-4 * k, 0.0, 8e-4 * k))
        assert descend(shape, aim, start, with_yaw=False, steps=1)[0] == ious(shape, start, aim).mean()


def test_outline_distance_of_a_half_plane() -> None:
    for border in (20.0, 20.3, 20.75):
        share = np.clip(border - np.arange(SIZE), 0, 1)
        coverage = np.broadcast_to(np.round(255 * share).astype(np.uint8), (SIZE, SIZE)).copy()
        distance = outline_distance(coverage, 6.0)
        assert_allclose(distance[24], np.clip(np.arange(SIZE) + 0.5 - border, -6, 6), atol=0.06)
