"""Measures of meshes, visible surface points, moving meshes, and the external contour."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.config import BuildConfig
from specsia_build.frame import Camera
from specsia_build.rendering.colour import linear_to_srgb, srgb_to_linear
from specsia_build.rendering.contour import draw_contour
from specsia_build.rendering.fast.renderer import FastRenderer, Still
from specsia_build.rendering.layers import Layers, Seen
from specsia_build.rendering.mesh import Mesh, cofactors, concatenate
from specsia_build.rendering.topology import linked_groups, topology
from specsia_build.stages.render import in_frame
from tests.rendering.scenes import box


def test_cached_values_are_read_only() -> None:
    mesh = box((0, 0, 0), (0.5, 0.5, 0.5))
    assert mesh.used is mesh.used
    assert mesh.doubled_areas is mesh.doubled_areas
    for cached in (mesh.used, mesh.doubled_areas):
        with pytest.raises(ValueError, match="read-only"):
            cached[0] = 0
    low, _ = mesh.bounds()
    low -= 1
    assert mesh.bounds()[0].tolist() == [-0.5, -0.5, -0.5]
    larger = mesh.with_vertices(mesh.vertices * 2)
    assert larger.bounds()[0].tolist() == [-1, -1, -1]
    assert np.allclose(larger.doubled_areas, 4 * mesh.doubled_areas)
    half = mesh.of_faces(np.arange(len(mesh.faces)) < 2)
    assert half.used.sum() == 4
    assert len(half.doubled_areas) == 2


@given(st.integers(0, 2**32 - 1), st.integers(0, 9))
def test_cofactors_are_cross_products(seed: int, count: int) -> None:
    matrices = np.random.default_rng(seed).normal(size=(count, 3, 3))
    a, b, c = np.moveaxis(matrices, -1, 0)
    expected = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=-1)
    np.testing.assert_array_equal(cofactors(matrices), expected)


def test_groups_in_order() -> None:
    # 0-3 and 3-5, 1-4 many times over, which no count of links may hide, and 2 to itself.
    one, other = np.array([3, 0, 2, *[4] * 256]), np.array([5, 3, 2, *[1] * 256])
    assert linked_groups(one, other, 6).tolist() == [0, 1, 2, 0, 1, 0]
    none = np.zeros(0, np.int64)
    assert linked_groups(none, none, 3).tolist() == [0, 1, 2]
    assert linked_groups(none, none, 0).tolist() == []


def seen_in(mesh: Mesh, camera: Camera) -> tuple[Layers, Seen]:
    (layers,) = FastRenderer().render(mesh, [camera], seen=True)
    assert layers.seen is not None
    return layers, layers.seen


@pytest.mark.parametrize("opacity", [None, 0.5])
def test_attributes_match_positions(opacity: float | None) -> None:
    far, near = box((0, 0.3, 0), (0.3, 0.1, 0.2)), box((0.1, -0.3, 0.1), (0.1, 0.1, 0.3))
    if opacity is not None:
        glass = replace(near.materials[0], base_color=(1.0, 0.0, 0.0, opacity), alpha_mode="blend")
        near = replace(near, materials=(glass,) * len(near.materials))
    mesh = concatenate([far, near])
    for yaw in (0.0, 33.0):
        layers, seen = seen_in(mesh, Camera(yaw, 96))
        np.testing.assert_allclose(seen.weights[layers.mask > 0].sum(axis=-1), 1, atol=1e-5)
        np.testing.assert_allclose(seen.values(mesh.vertices), layers.position, atol=2e-6)


def test_edges_of_a_turned_face_are_not_opposed() -> None:
    mesh = box((0, 0, 0), (0.2, 0.3, 0.4))
    assert topology(mesh).opposed.all() and topology(mesh).closed.all()
    turned = topology(mesh.rewound(np.arange(len(mesh.faces)) == 5))
    assert np.count_nonzero(~turned.opposed) == 3 and (turned.sides[~turned.opposed] == 5).any(axis=1).all()


def test_attributes_stay_at_their_vertices() -> None:
    mesh = box((0, 0, 0), (0.2, 0.3, 0.4))
    mesh = replace(mesh, uv=mesh.vertices[mesh.faces][..., :2].copy(), rest=mesh.vertices)
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    again = concatenate([mesh.rewound(np.arange(len(mesh.faces)) % 2 == 0), box((1, 0, 0), (0.1, 0.1, 0.1))])
    for changed in (again, again.rotated(quarter)):
        assert changed.uv is not None and changed.rest is not None
        own = changed.faces[: len(mesh.faces)]
        assert (np.sort(own) == np.sort(mesh.faces)).all() and (own != mesh.faces).any()
        assert_allclose(changed.uv[: len(own)], mesh.vertices[own][..., :2])
        assert_allclose(changed.rest, changed.vertices)


def test_points_of_a_real_character(characters_dir: Path) -> None:
    """Cut-out textures, thousands of small faces and close looks at edges included."""
    entry = Entry("knight", "gltf", characters_dir / "kaykit" / "Knight.glb")
    mesh, _ = in_frame(read_character(entry), BuildConfig())
    layers, seen = seen_in(mesh, Camera(30.0, 256))
    np.testing.assert_array_equal(seen.face >= 0, layers.mask > 0)
    np.testing.assert_allclose(seen.values(mesh.vertices), layers.position, atol=1e-5)


def test_poses_match_single_meshes() -> None:
    still, cameras = box((0, 0, 0), (0.2, 0.2, 0.2)), [Camera(30.0, 64), Camera(100.0, 64, width=2.0)]
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


def test_separated_parts_show_inside() -> None:
    """A closed box whose lid hangs on something else shows its inside once the lid is off."""
    mesh = box((0, 0, 0), (0.2, 0.2, 0.2))
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


SIZE = 64
FINE = 16


def turned(degrees: float, fine: int = 1) -> NDArray[np.float64]:
    """Distances to the right and down from (32.3, 31.8) in turned axes, (2, SIZE * fine, SIZE * fine)."""
    v, u = (np.indices((SIZE * fine,) * 2) + 0.5) / fine - np.reshape((31.8, 32.3), (2, 1, 1))
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.stack([u * c + v * s, v * c - u * s])


def painted(coverage: NDArray[np.uint8], rgb: tuple[int, int, int] = (200, 40, 90)) -> NDArray[np.uint8]:
    color = np.zeros((*coverage.shape, 4), np.uint8)
    color[..., :3] = np.where(coverage[..., None] > 0, rgb, 0)
    color[..., 3] = coverage
    return color


@pytest.mark.parametrize("thickness", [1, 2, 3, 4])
@pytest.mark.parametrize("degrees", [0, 15, 30, 45, 63])
def test_points_along_a_square(thickness: int, degrees: float) -> None:
    inside = (np.abs(turned(degrees, FINE)) <= 13).all(axis=0)
    share = inside.reshape(SIZE, FINE, SIZE, FINE).mean(axis=(1, 3))
    coverage = np.asarray(share * 255 + 0.5).astype(np.uint8)
    out = draw_contour(painted(coverage), coverage, thickness, 0)
    right, down = turned(degrees)
    for along, across in ((right, down), (down, right)):
        for side in (-1, 1):
            beside = (np.abs(across) < 8) & (along * side > 0)
            added = out[..., 3][beside].astype(float).sum() - coverage[beside].astype(float).sum()
            assert added / 255 / 16 == pytest.approx(thickness, abs=0.15)


def test_line_mixes_in_linear_light() -> None:
    coverage = np.zeros((9, 9), np.uint8)
    coverage[:, :4] = 255
    coverage[:, 4] = 64
    out = draw_contour(painted(coverage, (255, 128, 0)), coverage, 2, 50)
    share = 64 / 255
    figure, line = srgb_to_linear(np.array([255, 128, 0]) / 255), srgb_to_linear(np.array([50.0]) / 255)
    expected = linear_to_srgb(share * figure + (1 - share) * line) * 255
    assert_allclose(out[4, 4, :3], expected, atol=1)
    assert out[4, 4, 3] == 255
    # The border lies a quarter of the way into column 4, so that the line ends a quarter of the way into
    # column 6.
    assert_allclose(out[4, 4:8, 3], [255, 255, 64, 0], atol=2)


def test_line_of_many_colours() -> None:
    """Each pixel takes the colour there; a grey, and the same three levels, give the same bytes."""
    coverage = np.zeros((9, 9), np.uint8)
    coverage[:, :4] = 255
    colours = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
    out = draw_contour(painted(coverage), coverage, 2, colours)
    assert_array_equal(out[:, 4:6, :3], colours[:, 4:6])
    assert_array_equal(out[:, :4], painted(coverage)[:, :4])
    assert_array_equal(draw_contour(out, coverage, 2, 50), draw_contour(out, coverage, 2, (50, 50, 50)))
    for wrong in (256, -1, (1, 2), colours[:5]):
        with pytest.raises(ValueError, match="cannot be drawn"):
            draw_contour(out, coverage, 2, wrong)
