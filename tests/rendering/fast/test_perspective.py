"""Perspective views: faces split and cut for them, and meshes that move before them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from specsia_build.errors import CharacterError
from specsia_build.frame import Camera
from specsia_build.rendering.fast.renderer import FastRenderer, Still
from specsia_build.rendering.layers import Layers
from specsia_build.rendering.mesh import Mesh, concatenate
from tests.rendering.scenes import BLUE, GREEN, RED, box

NEAR = Camera(30.0, 64, fov_deg=70.0, radius=1.2, elevation_deg=20.0)
FAR = Camera(120.0, 64, fov_deg=40.0)


def boxes() -> Mesh:
    places = {(0.31, 0, 0): RED, (-0.17, 0.12, 0.01): GREEN, (0.02, 0.01, 0.33): BLUE}
    return concatenate([box(centre, (0.2, 0.19, 0.15), color) for centre, color in places.items()])


def poses(mesh: Mesh) -> list[Mesh]:
    """A mesh in three poses, in the last of them with a box inside out, as a mirroring bone makes it."""
    moves = [np.array([0.0, 0, 0]), np.array([0.1, 0, 0.2]), np.array([0, -0.1, -0.3])]
    moved = [mesh.with_vertices(mesh.vertices + move) for move in moves]
    moved[2] = moved[2].rewound(np.arange(len(mesh.faces)) < 12)
    return [replace(pose, rest=mesh.vertices) for pose in moved]


def assert_alike(ours: Layers, theirs: Layers) -> None:
    """Splits of other sizes move what is shown by a tenth of a pixel at most."""
    np.testing.assert_allclose(ours.coverage, theirs.coverage, atol=26)
    assert np.abs(ours.color.astype(int) - theirs.color).mean() < 0.2
    inside = (ours.coverage == 255) & (theirs.coverage == 255)
    assert np.quantile(np.abs(ours.position - theirs.position)[inside], 0.99) < 0.1 * NEAR.span / NEAR.size


def test_perspective_poses_match_single_meshes() -> None:
    mesh, cameras = boxes(), [NEAR, Camera(0.0, 64), FAR]
    still = Still.of(mesh, np.zeros(len(mesh.vertices), np.int32), 80.0)
    expected = [layers for pose in poses(mesh) for layers in FastRenderer().render(pose, cameras)]
    drawn = FastRenderer().animate(still, iter(poses(mesh)), cameras)
    count = 0
    for ours, theirs in zip(drawn, expected, strict=True):
        assert_alike(ours, theirs)
        count += 1
    assert count == 9


def test_orbit_sees_each_pose_once() -> None:
    mesh, cameras = boxes(), [NEAR, FAR]
    still = Still.of(mesh, np.zeros(len(mesh.vertices), np.int32), 80.0)
    drawn = FastRenderer().animate(still, iter(poses(mesh)), cameras, orbit=True)
    for ours, pose, camera in zip(drawn, poses(mesh), [NEAR, FAR, NEAR], strict=True):
        (theirs,) = FastRenderer().render(pose, [camera])
        assert_alike(ours, theirs)


def test_pose_behind_the_camera_is_refused() -> None:
    mesh = boxes()
    still = Still.of(mesh, np.zeros(len(mesh.vertices), np.int32), 80.0)
    passing = replace(mesh.with_vertices(mesh.vertices - np.array([0, 2.0, 0])), rest=mesh.vertices)
    with pytest.raises(CharacterError, match="behind"):
        list(FastRenderer().animate(still, [passing], [FAR, Camera(0.0, 64, fov_deg=40.0)]))
