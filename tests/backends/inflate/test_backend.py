"""One picture becomes a closed, round, rightly coloured figure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from specsia_build.backends.inflate.backend import create
from specsia_build.backends.inflate.colour import contour_width, extended_front, guessed_back
from specsia_build.backends.inflate.depth import find_build
from specsia_build.backends.inflate.shape import clean_silhouette, lattice, poisson, signed_distance
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.errors import CharacterError, UsageError
from specsia_build.frame import ORTHO_WIDTH, Camera, normalise, view_cameras
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.light import smooth_normals
from specsia_build.rendering.mesh import Mesh
from tests.backends.drawings import (
    EYE,
    HAIR,
    LEGS,
    SHIRT,
    SKIN,
    Field,
    Image,
    disc,
    figure,
    iou,
    limb,
    painted,
    pixels,
    seen,
)
from tests.backends.inflate.drawings import inflated, solid


def ring(size: int) -> Field:
    return np.minimum(disc(size, 0.5, 0.5, 0.35), -disc(size, 0.5, 0.5, 0.15))


def two_blobs(size: int) -> Field:
    return np.maximum(disc(size, 0.3, 0.5, 0.15), disc(size, 0.72, 0.45, 0.1))


def square(size: int) -> Field:
    columns, rows = pixels(size)
    return np.asarray(0.3 - np.maximum(np.abs(columns - 0.5), np.abs(rows - 0.5)))


def blobs(size: int) -> Field:
    """Random smooth noise with islands, holes and necks of every kind."""
    columns, rows = pixels(size)
    rng = np.random.default_rng(5)
    total = np.zeros((size, size))
    for _ in range(60):
        fx, fy, phase = rng.uniform(-60, 60), rng.uniform(-60, 60), rng.uniform(0, 6.3)
        total += np.cos(fx * columns + fy * rows + phase) / 60**0.5
    return np.minimum((total - 0.3) / 40, 0.45 - np.maximum(np.abs(columns - 0.5), np.abs(rows - 0.5)))


def thickness(mesh: Mesh, x: float, z: float) -> float:
    """Depth along y through the point (x, z) of the frame, in units, to a pixel's accuracy."""
    front, back = FastRenderer().render(mesh, [Camera(0.0, 512), Camera(180.0, 512)])
    row, column = int((0.5 - z / ORTHO_WIDTH) * 512), int((0.5 + x / ORTHO_WIDTH) * 512)
    return float(back.position[row, 511 - column, 1] - front.position[row, column, 1])


SHAPES: dict[str, tuple[Callable[[], Field], int | None, float]] = {
    "disc": (lambda: disc(512, 0.5, 0.5, 0.36), 2, 0.99),
    "ring": (lambda: ring(512), 0, 0.99),
    "two blobs": (lambda: two_blobs(512), 4, 0.99),
    "figure": (lambda: figure(512)[0], 2, 0.99),
    "square": (lambda: square(512), 2, 0.99),
    "line": (lambda: limb(512, (0.2, 0.2), (0.8, 0.75), 0.004), 2, 0.97),
    "cut by the border": (lambda: disc(512, 0.05, 0.95, 0.4), 2, 0.99),
    "small": (lambda: disc(512, 0.5, 0.5, 0.03), 2, 0.98),
    "blobs": (lambda: blobs(512), None, 0.98),
}
"""What is inflated, drawn where it is needed; its Euler number; how much of its silhouette is filled."""


@pytest.mark.parametrize("name", SHAPES)
def test_surface_is_closed_and_fills_the_silhouette(name: str) -> None:
    draw, euler, least = SHAPES[name]
    image = painted(draw())
    mesh = inflated(image)
    surface = solid(mesh)
    edges = np.sort(surface.edges, axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    assert surface.is_watertight and surface.is_winding_consistent
    assert surface.volume > 0
    assert euler is None or surface.euler_number == euler
    assert 1_000 <= len(mesh.faces) <= 12_000
    assert np.degrees(surface.face_angles.min(axis=1)).min() > 0.5
    assert iou(seen(mesh), image) >= least


@pytest.mark.parametrize("size", [64, 200, 512, 1100])
def test_any_size(size: int) -> None:
    distance, colours = figure(size)
    image = painted(distance, colours)
    mesh = inflated(image)
    assert solid(mesh).is_watertight
    assert 1_000 <= len(mesh.faces) <= 12_000
    assert iou(seen(mesh, size=size), image) >= (0.95 if size < 100 else 0.985)


def test_hard_matte_gives_a_smooth_outline() -> None:
    image = painted(disc(256, 0.5, 0.5, 0.3))
    image[..., 3] = np.where(image[..., 3] >= 128, 255, 0)
    vertices = inflated(image).vertices
    rim = vertices[np.abs(vertices[:, 1]) < 1e-6]
    radius = np.hypot(rim[:, 0], rim[:, 2])
    assert np.ptp(radius) < 0.9 * ORTHO_WIDTH / 256


def test_disc_becomes_about_a_ball() -> None:
    mesh = inflated(painted(disc(512, 0.5, 0.5, 0.3)))
    width = 0.6 * ORTHO_WIDTH
    assert thickness(mesh, 0, 0) == pytest.approx(width, rel=0.15)
    low, high = mesh.bounds()
    np.testing.assert_allclose([low[0], high[0], low[2], high[2]], [-width / 2, width / 2] * 2, atol=0.001)


def test_limb_is_round() -> None:
    mesh = inflated(painted(limb(512, (0.15, 0.5), (0.85, 0.5), 0.03)))
    radius = 0.03 * ORTHO_WIDTH
    heights = np.array([-0.8, -0.5, 0.0, 0.5, 0.8])
    depths = np.array([thickness(mesh, 0.0013, h * radius) for h in heights])
    np.testing.assert_allclose(depths, 2 * radius * np.sqrt(1 - heights**2), rtol=0.3)


def test_body_is_flatter_than_head_and_limbs() -> None:
    mesh = inflated(painted(*figure(512)))
    head = thickness(mesh, 0.0, (0.5 - 0.27) * ORTHO_WIDTH) / (0.24 * ORTHO_WIDTH)
    torso = thickness(mesh, 0.0, (0.5 - 0.52) * ORTHO_WIDTH) / (0.19 * ORTHO_WIDTH)
    arm = thickness(mesh, -0.25 * ORTHO_WIDTH, (0.5 - 0.42) * ORTHO_WIDTH) / (0.07 * ORTHO_WIDTH)
    assert 0.95 < head < 1.3
    assert 0.6 < torso < 0.9
    assert 0.9 < arm < 1.25


def test_sample_characters(tmp_path: Path) -> None:
    for entry in open_source("sample:3", tmp_path).entries:
        character = read_character(entry).mesh
        cameras = view_cameras(10, 512)
        truth = character.with_vertices(normalise(character.vertices, cameras, 4.0).apply(character.vertices))
        pictures = [layers.color for layers in FastRenderer().render(truth, cameras)]
        mesh = inflated(pictures[0])
        assert solid(mesh).is_watertight
        found = [iou(layers.color, p) for layers, p in zip(FastRenderer().render(mesh, cameras), pictures, strict=True)]
        assert found[0] > 0.99
        assert np.mean(found[1:]) > 0.75


def test_poisson_of_a_strip_is_a_half_circle() -> None:
    rows = np.arange(-15.0, 16.0)[:, None] + np.zeros((1, 200))
    distance = 10.3 - np.abs(rows)
    distance[:, [0, -1]] = -1
    u = poisson(distance)
    np.testing.assert_allclose(u[:, 100], np.maximum(10.3**2 - rows[:, 100] ** 2, 0), atol=0.3)


def test_signed_distance_is_sub_pixel() -> None:
    distance = disc(200, 0.503, 0.498, 0.3) * 200
    coverage = np.clip(distance + 0.5, 0, 1)
    found = signed_distance(coverage - 0.5)
    near = np.abs(distance) < 2
    assert np.abs(found - distance)[near].max() < 0.4
    assert abs((found - distance)[near].mean()) < 0.05


def test_finds_head_and_body() -> None:
    grid = lattice(clean_silhouette(painted(figure(512)[0])[..., 3]))
    build = find_build(grid.distance)
    assert build is not None
    column = build.column * grid.cell + grid.first[0]
    row = build.row * grid.cell + grid.first[1]
    assert (column / 512, row / 512) == pytest.approx((0.5, 0.27), abs=0.02)
    assert build.radius * grid.cell / 512 == pytest.approx(0.12, abs=0.005)
    assert find_build(lattice(clean_silhouette(painted(disc(512, 0.5, 0.5, 0.3))[..., 3])).distance) is None


def test_specks_and_pinholes_are_dropped() -> None:
    image = painted(disc(512, 0.5, 0.5, 0.3))
    image[20:23, 20:23] = 255
    image[250:253, 250:253] = 0
    surface = solid(inflated(image))
    assert surface.euler_number == 2
    assert surface.bounds[0, 0] > -0.45


def test_front_shows_the_picture() -> None:
    distance, colours = figure(512)
    image = painted(distance, colours)
    # Where colours do not change from pixel to pixel, so that anti-aliasing has nothing to average.
    same = np.zeros((512, 512), bool)
    for name in (SKIN, HAIR, SHIRT, LEGS, EYE):
        mask = (image[..., :3] == name).all(axis=2)
        inner = mask.copy()
        for axis in (0, 1):
            for step in (-2, -1, 1, 2):
                inner &= np.roll(mask, step, axis)
        same |= inner
    same &= distance > 3 / 512
    shown = seen(inflated(image))
    error = np.abs(shown.astype(int) - image)[same]
    assert same.sum() > 20_000
    assert error.max() <= 2


def test_texture_pattern_is_crisp() -> None:
    columns = pixels(512)[0]
    stripes = np.where((np.floor(columns * 64) % 2 == 0)[..., None], (250, 200, 60), (60, 110, 220)).astype(float)
    distance = disc(512, 0.5, 0.5, 0.35)
    image = painted(distance, stripes)
    shown = seen(inflated(image))
    middles = (np.floor(columns * 512) % 8 > 1) & (np.floor(columns * 512) % 8 < 6) & (distance > 0.02)
    assert np.abs(shown.astype(int) - image)[middles].max() <= 3


def test_back_has_hair_and_no_face() -> None:
    mesh = inflated(painted(*figure(512)))
    back = seen(mesh, 180.0).astype(int)
    row, column = int(0.27 * 512), 256
    assert np.abs(back[row, column, :3] - HAIR).max() < 20
    assert np.abs(back[int(0.52 * 512), column, :3] - SHIRT).max() < 20
    assert np.abs(back[int(0.78 * 512), int(0.45 * 512), :3] - LEGS).max() < 20


@pytest.mark.parametrize("yaw", [0.0, 36.0, 72.0, 90.0, 144.0, 180.0, 270.0])
def test_no_foreign_colour_at_any_angle(yaw: float) -> None:
    """Transparent black, and a white matte in the fringe, must not bleed onto a red figure."""
    image = painted(figure(512)[0], SHIRT)
    fringe = (image[..., 3] > 0) & (image[..., 3] < 255)
    image[fringe, :3] = 255
    shown = seen(inflated(image), yaw)
    covered = shown[..., 3] > 0
    assert np.abs(shown[covered][:, :3].astype(int) - SHIRT).max() <= 2


def test_drawn_contour_stays_out_of_the_texture() -> None:
    distance, colours = figure(512)
    outlined = colours.copy()
    outlined[distance < 3.5 / 512] = 0
    image = painted(distance, outlined)
    side = seen(inflated(image), 90.0)
    assert side[side[..., 3] == 255][:, :3].max(axis=1).min() >= min(EYE)


def test_contour_width() -> None:
    distance = disc(256, 0.5, 0.5, 0.35)
    image = painted(distance, (180, 180, 180))
    assert contour_width(image) == 0
    image[distance * 256 < 4, :3] = 30
    assert 4 <= contour_width(image) <= 6
    image[distance * 256 < 20, :3] = 30
    assert contour_width(image) == 0


def test_back_equals_front_at_the_rim() -> None:
    image = painted(*figure(256))
    front = extended_front(image).astype(np.float32)
    depth = ndimage.distance_transform_edt(image[..., 3] >= 128).astype(np.float32)
    back = guessed_back(front, depth, 3.0)
    np.testing.assert_array_equal(back[depth == 0], front[depth == 0])
    assert np.abs(back - front)[depth == 1].max() < 40


def test_same_bytes_twice() -> None:
    image = painted(*figure(256))
    one, two = inflated(image), inflated(image.copy())
    assert one.vertices.tobytes() == two.vertices.tobytes()
    assert one.faces.tobytes() == two.faces.tobytes()
    assert one.uv is not None and two.uv is not None and one.uv.tobytes() == two.uv.tobytes()
    texture, again = one.materials[0].texture, two.materials[0].texture
    assert texture is not None and again is not None and texture.pixels.tobytes() == again.pixels.tobytes()


def test_attributes_are_well_formed() -> None:
    mesh = inflated(painted(*figure(256)))
    assert mesh.vertices.dtype == np.float32 and mesh.faces.dtype == np.int32 and mesh.face_material.dtype == np.int32
    assert mesh.uv is not None and mesh.uv.dtype == np.float32
    assert mesh.uv.min() > 0 and mesh.uv.max() < 1
    assert mesh.normals is None
    normals = smooth_normals(mesh)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=2), 1, atol=1e-4)
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    flat = np.cross(b - a, c - a)
    assert (np.einsum("ij,ij->i", flat, normals.mean(axis=1)) > 0).mean() > 0.999
    assert mesh.rest is None and replace(mesh).colors is None


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.zeros((128, 128, 4), np.uint8), "no character"),
        (np.full((128, 128, 4), 255, np.uint8), "no background"),
        (np.zeros((128, 64, 4), np.uint8), "64 x 128 pixels; it must be square"),
        (np.zeros((32, 32, 4), np.uint8), "at least 64"),
        (np.zeros((128, 128, 3), np.uint8), "alpha"),
    ],
)
def test_pictures_that_show_nothing(image: Image, reason: str) -> None:
    with pytest.raises(CharacterError, match=reason):
        inflated(image)


def test_two_tiny_blobs_far_apart_stay_small_work() -> None:
    image = np.zeros((512, 512, 4), np.uint8)
    image[5:9, 5:9] = image[500:504, 500:504] = 255
    surface = solid(inflated(image))
    assert surface.is_watertight and surface.euler_number == 4


def test_single_pixel() -> None:
    image = np.zeros((128, 128, 4), np.uint8)
    image[60, 60] = 255
    with pytest.raises(CharacterError, match="thinner than a pixel"):
        inflated(image)


def test_declares_itself() -> None:
    backend = create(None)
    assert (backend.name, backend.sees_ground_truth, backend.needs_yaw) == ("inflate", False, False)
    assert backend.settings() == {} and backend.inputs("7") == ()
    with pytest.raises(UsageError, match="inflate takes no argument"):
        create("x")
