"""Geometry of the fast renderer: places, visibility, and coverage of pixels."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from specsia_build.errors import CharacterError
from specsia_build.frame import Camera, view_cameras
from specsia_build.rendering.fast.renderer import FastRenderer, glance
from specsia_build.rendering.mesh import Material, concatenate
from tests.rendering.reference import reference
from tests.rendering.scenes import (
    BLUE,
    GREEN,
    PIXEL,
    RED,
    SIZE,
    box,
    compass,
    inside_out,
    look_at,
    mesh_of,
    net,
    sheet,
    soup,
    sphere,
)


@pytest.mark.parametrize("view", range(10))
def test_boxes_project_where_expected(view: int) -> None:
    yaw, centres = 36.0 * view, {(0.4, 0.0, 0.0): RED, (0.0, -0.4, 0.0): GREEN, (0.0, 0.0, 0.4): BLUE}
    layers, (right, _, away) = look_at(compass(), yaw), Camera(yaw, SIZE).basis()
    for centre, color in centres.items():
        nearer = [c for c in centres if c[2] == centre[2] and away @ np.subtract(c, centre) < -0.4]
        if not nearer or abs(right @ (0.4, 0.4, 0)) >= 0.2:
            column, row, _ = Camera(yaw, SIZE).project(np.array(centre)).astype(int)
            assert layers.color[row, column].tolist() == [int(255 * c) for c in color]


def test_positions_of_nearest_surface() -> None:
    layers = look_at(compass(), 0)
    row, column = 25, 41
    x, z = (column + 0.5 - SIZE / 2) * PIXEL, (SIZE / 2 - row - 0.5) * PIXEL
    assert_allclose(layers.position[row, column], [x, -0.1, z], atol=1e-5)
    assert_allclose(layers.position[25, 27], [0.5 * PIXEL, -0.5, z], atol=1e-5)
    left = look_at(compass(), 90)
    assert_allclose(left.position[27, 27], [0.5, 0.5 * PIXEL, -0.5 * PIXEL], atol=1e-5)


def test_no_cracks_between_neighbours() -> None:
    generator = np.random.default_rng(3)
    n = 12
    x, z = np.meshgrid(np.linspace(-0.5, 0.5, n), np.linspace(-0.5, 0.5, n))
    inner = np.s_[1:-1, 1:-1]
    x[inner] += generator.uniform(-0.03, 0.03, x[inner].shape)
    z[inner] += generator.uniform(-0.03, 0.03, x[inner].shape)
    vertices = np.stack([x, 0.1 * np.sin(9 * x), z], axis=-1).reshape(-1, 3)
    faces = net(n, n)
    # Each face has vertices of its own: only their places are shared.
    loose = mesh_of(vertices[faces.ravel()], np.arange(faces.size).reshape(-1, 3))
    coverage = look_at(loose).coverage
    assert_array_equal(coverage[7:47, 7:47], 255)
    assert int((coverage > 0).sum()) == 40 * 40


def test_turned_mesh_equals_turned_camera() -> None:
    mesh = concatenate([compass(), soup(1, 20)])
    yaw = 36.0
    turned = replace(mesh.with_vertices(mesh.vertices @ Camera(yaw, SIZE).turn().T), rest=mesh.vertices)
    camera, back = look_at(mesh, yaw), look_at(turned, 0)
    assert np.abs(camera.coverage.astype(int) - back.coverage).max() <= 255 // 10
    assert np.abs(camera.coverage.astype(int) - back.coverage).mean() < 0.05
    assert np.abs(camera.color.astype(int) - back.color).mean() < 0.1
    # The rest positions are carried along: every surface point keeps its position whatever the pose.
    both = (camera.coverage == 255) & (back.coverage == 255)
    difference = np.abs(camera.position - back.position).max(axis=-1)[both]
    assert np.quantile(difference, 0.99) < 1e-2
    assert np.median(difference) < 1e-3


def test_order_does_not_matter() -> None:
    mesh = concatenate([compass(), sphere(0.2)])
    cameras = view_cameras(6, SIZE)
    forth = list(FastRenderer().render(mesh, cameras))
    back = list(FastRenderer().render(mesh, cameras[::-1]))[::-1]
    for a, b in zip(forth, back, strict=True):
        for name in ("color", "coverage", "position"):
            assert_array_equal(getattr(a, name), getattr(b, name))
    order = np.random.default_rng(0).permutation(len(mesh.faces))
    shuffled = replace(mesh, faces=mesh.faces[order], face_material=mesh.face_material[order])
    for a, b in zip(forth, FastRenderer().render(shuffled, cameras), strict=True):
        assert_array_equal(a.coverage, b.coverage)
        assert np.abs(a.color.astype(int) - b.color).max() <= 1


def test_depth_at_pixel_centres() -> None:
    for opacity, seen in ((0.4, 0.2), (0.6, -0.2)):
        glass = Material(base_color=(1.0, 1.0, 1.0, opacity), alpha_mode="blend")
        before = replace(sheet(10, 10, 30, 30, y=-0.2), materials=(glass,))
        (depth,) = glance(concatenate([before, sheet(20, 20, 40, 40, y=0.2)]), [Camera(0.0, SIZE)])
        shown = np.full((SIZE, SIZE), np.inf)
        shown[20:40, 20:40] = 0.2
        shown[10:30, 10:30] = np.minimum(shown[10:30, 10:30], np.inf if seen > 0 else seen)
        assert_allclose(depth, shown, atol=1e-6)


def test_open_meshes_have_two_sides() -> None:
    mesh = sheet(10, 10, 30, 30)
    front, back = look_at(mesh, 0), look_at(mesh, 180)
    assert_array_equal(front.coverage, back.coverage[:, ::-1])
    assert_array_equal(look_at(inside_out(mesh)).color, front.color)
    # A box without its front shows its inside.
    whole = box((0, 0, 0), (0.3, 0.3, 0.3))
    facing = whole.vertices[whole.faces].mean(axis=1)[:, 1] < -0.29
    opened = replace(whole, faces=whole.faces[~facing], face_material=whole.face_material[~facing])
    layers = look_at(opened)
    assert layers.coverage[27, 27] == 255
    assert layers.position[27, 27, 1] == pytest.approx(0.3, abs=1e-6)
    assert look_at(whole).position[27, 27, 1] == pytest.approx(-0.3, abs=1e-6)


def test_degenerate_faces_change_nothing() -> None:
    mesh = compass()
    clean = look_at(mesh, 20)
    v = len(mesh.vertices)
    extra = np.array([[0.45, -0.1, 0.05], [0.4, -0.1, 0.0], [0.35, -0.1, -0.05]], np.float32)
    bad = np.array([[0, 0, 1], [3, 3, 3], [0, 1, 0], [v, v + 1, v + 2]], np.int32)
    dirty = replace(
        mesh,
        vertices=np.concatenate([mesh.vertices, extra]),
        faces=np.concatenate([mesh.faces, bad]),
        face_material=np.concatenate([mesh.face_material, np.full(len(bad), 1, np.int32)]),
    )
    layers = look_at(dirty, 20)
    assert_array_equal(layers.coverage, clean.coverage)
    assert_array_equal(layers.color, clean.color)
    edge_on = look_at(sheet(10, 10, 30, 30), 90)
    assert not edge_on.color.any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e3, 1e12, 3e38])
def test_non_finite_or_distant_vertices(value: float) -> None:
    for axis in (0, 2):
        vertices = compass().vertices.copy()
        vertices[3, axis] = value
        with pytest.raises(CharacterError, match="far out" if np.isfinite(value) else "not finite"):
            look_at(compass().with_vertices(vertices))


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.sampled_from([0.0, 36.0, 77.7, 180.0]))
def test_agrees_with_brute_force(seed: int, count: int, yaw: float) -> None:
    mesh = soup(seed, count)
    layers, expected = look_at(mesh, yaw, 48), reference(mesh, Camera(yaw, 48))
    assert layers.color.dtype == layers.coverage.dtype == np.uint8 and layers.position.dtype == np.float32
    assert not layers.color[layers.mask == 0].any() and not layers.position[layers.mask == 0].any()
    assert_array_equal(layers.mask, layers.coverage)
    error: NDArray[np.float64] = np.abs(layers.coverage / 255 - expected.coverage)
    edge = (expected.coverage > 0) & (expected.coverage < 1)
    assert error[edge].sum() <= 0.02 * edge.sum()
    # An unlucky edge may pass between the lines of the sample lattice: 7 of its 55 samples.
    assert error.max() <= 7 / 55 and error[~edge].max() <= 0.04
    solid = expected.coverage > 0.2
    colour_error = np.abs(layers.color[..., :3].astype(float) - expected.color)[solid]
    assert colour_error.mean() <= 1.5 and np.quantile(colour_error, 0.98) <= 16


def test_small_and_thin_things_survive() -> None:
    left = np.linspace(-0.4, 0.3, 7)
    corners = [[[x, 0, -0.4], [x + 0.3 * PIXEL, 0, -0.4], [x + 0.1, 0, 0.4]] for x in left]
    hairs = [mesh_of(points, [[0, 1, 2]]) for points in corners]
    specks = [box((x, 0, 0.5), (0.2 * PIXEL, 0.01, 0.2 * PIXEL)) for x in np.linspace(-0.4, 0.4, 9)]
    mesh = concatenate([*hairs, *specks])
    layers, expected = look_at(mesh), reference(mesh, Camera(0, SIZE))
    assert np.abs(layers.coverage / 255 - expected.coverage).max() < 0.06
    assert layers.coverage.sum() / 255 == pytest.approx(expected.coverage.sum(), rel=0.02)
