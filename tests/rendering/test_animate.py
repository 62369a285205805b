"""A moving mesh is drawn as each of its poses would be by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from specsia_build.frame import Camera
from specsia_build.rendering.fast.renderer import FastRenderer, Still
from specsia_build.rendering.mesh import Mesh
from tests.rendering.scenes import box


def block() -> Mesh:
    return box((0, 0, 0), (0.2, 0.2, 0.2))


def test_poses_are_drawn_as_by_themselves() -> None:
    still, cameras = block(), [Camera(30.0, 64), Camera(100.0, 64, width=2.0)]
    moves = [np.array([0.0, 0, 0]), np.array([0.1, 0, 0.2]), np.array([0, 0, -0.3])]
    moved = [replace(still.with_vertices(still.vertices + move), rest=still.vertices) for move in moves]
    bound = np.zeros(len(still.vertices), np.int32)
    expected = [layers for mesh in moved for layers in FastRenderer().render(mesh, cameras)]
    assert len(expected) == 6
    laid = Still.of(still, bound, cameras[0].pixels_per_unit)
    # Each is looked at before the next is drawn over one before it.
    for ours, theirs in zip(FastRenderer().animate(laid, iter(moved), cameras), expected, strict=True):
        np.testing.assert_array_equal(ours.color, theirs.color)
        np.testing.assert_array_equal(ours.position, theirs.position)


def test_parts_that_come_apart_show_their_inside() -> None:
    """A closed box whose lid hangs on something else shows its inside once the lid is off."""
    mesh = block()
    corners = mesh.vertices[mesh.faces]
    lid = (corners[..., 2] == corners[..., 2].max()).all(axis=1)
    vertices = corners.reshape(-1, 3)
    apart = replace(mesh, vertices=vertices, faces=np.arange(len(vertices), dtype=np.int32).reshape(-1, 3))
    bound = np.repeat(lid, 3).astype(np.int32)
    off = vertices + np.where(bound[:, None], [0, 0, 5.0], 0).astype(np.float32)
    # The near side goes too, so that the camera looks into the box.
    near = (corners[..., 1] == corners[..., 1].min()).all(axis=1)
    bound[np.repeat(near, 3)] = 2
    off[np.repeat(near, 3)] += [0, 0, 5]
    moved = replace(apart, vertices=off.astype(np.float32), rest=vertices)
    camera = Camera(0.0, 64)
    (layers,) = FastRenderer().animate(Still.of(apart, bound, camera.pixels_per_unit), [moved], [camera])
    assert layers.mask[32, 32] == 255
