"""Colours of the fast renderer: textures, factors, vertex colours, cut-outs, light, mip levels."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from specsia_build.rendering.colour import DECODE, DECODE_STEPS, ENCODE, linear_to_srgb, srgb_to_linear
from specsia_build.rendering.fast.textures import _texels_per_unit, halve
from specsia_build.rendering.layers import Layers
from specsia_build.rendering.mesh import Material, Mesh, Texture, Wrap, concatenate
from tests.rendering.scenes import (
    BLUE,
    RED,
    RGBA,
    checker,
    encoded,
    inside_out,
    look_at,
    mesh_of,
    net,
    sheet,
    sphere,
    textured,
)


def grid(*rows: list[int]) -> NDArray[np.uint8]:
    """A texture of grey texels."""
    grey = np.array(rows, np.uint8)
    return np.dstack([grey, grey, grey, np.full_like(grey, 255)])


def inner(layers: Layers) -> NDArray[np.uint8]:
    """The pixels well inside a sheet from 10 to 30."""
    return layers.color[12:28, 12:28]


def test_bytes_survive_tables() -> None:
    levels = np.arange(256)
    linear = DECODE[levels * DECODE_STEPS]
    assert_array_equal(ENCODE[(linear * 65535 + 0.5).astype(int)], levels)


def test_texels_interpolate_encoded() -> None:
    # Two texels over 20 pixels: the first's centre at 5, the second's at 15.
    pixels = grid([20, 220])
    drawn = look_at(sheet(10, 10, 30, 30, material=textured(pixels, wrap=("clamp", "clamp"))))
    expected = np.clip(20 + 200 * (np.arange(20) + 0.5 - 5) / 10, 20, 220)
    assert_allclose(drawn.color[20, 10:30, 0].astype(float), expected, atol=0.51)


WRAPPED: dict[Wrap, list[int]] = {
    "repeat": [0, 80, 160, 240] * 3,
    "clamp": [0] * 4 + [0, 80, 160, 240] + [240] * 4,
    "mirror": [240, 160, 80, 0, 0, 80, 160, 240, 240, 160, 80, 0],
}


@pytest.mark.parametrize("wrap", ["repeat", "clamp", "mirror"])
@pytest.mark.parametrize("vertical", [False, True])
@pytest.mark.parametrize("nearest", [False, True])
def test_outside_0_to_1(wrap: Wrap, vertical: bool, nearest: bool) -> None:
    # Three periods, sixteen texels of four greys to four pixels: every pixel falls on texels of one grey.
    pixels = grid([v for v in (0, 80, 160, 240) for _ in range(8)])
    wraps: tuple[Wrap, Wrap] = (wrap, "repeat")
    uv = (-1.0, 0.0, 2.0, 1.0)
    area = (10.0, 10.0, 22.0, 14.0)
    if vertical:
        pixels, wraps, uv = pixels.swapaxes(0, 1).copy(), ("repeat", wrap), (0.0, -1.0, 1.0, 2.0)
        area = (10.0, 10.0, 14.0, 22.0)
    mesh = sheet(*area, material=textured(pixels, wrap=wraps, nearest=nearest), uv=uv)
    color = look_at(mesh).color
    line = color[10:22, 12, 1] if vertical else color[12, 10:22, 1]
    assert_allclose(line.astype(int), WRAPPED[wrap], atol=1 if nearest else 16)


@pytest.mark.parametrize(
    ("value", "wrap"), [(1e9, "repeat"), (-3e38, "clamp"), (np.inf, "mirror"), (np.nan, "repeat")]
)
def test_absurd_uv(value: float, wrap: Wrap) -> None:
    for mode in ("opaque", "mask"):
        material = replace(textured(checker(16), wrap=(wrap, wrap)), alpha_mode=mode)
        mesh = sheet(10, 10, 30, 30, material=material)
        assert mesh.uv is not None
        uv = mesh.uv.copy()
        uv[0, 1, 0] = value
        layers = look_at(replace(mesh, uv=uv))
        assert (inner(layers)[..., 3] == 255).all()


def test_factors_multiply() -> None:
    half = 188
    plain = textured(np.array([[[half, 255, half, 255]]], np.uint8))
    material = replace(plain, base_color=(0.5, 1.0, 0.25, 1.0))
    colors: list[RGBA] = [(1.0, 0.5, 0.5, 1.0)] * 4
    color = inner(look_at(sheet(10, 10, 30, 30, material=material, colors=colors)))
    light = float(srgb_to_linear(np.array(half / 255)))
    assert_allclose(color[0, 0, :3].astype(float), encoded(0.5 * light, 0.5, 0.125 * light), atol=0.6)
    assert (color == color[0, 0]).all()


@pytest.mark.parametrize(("cutoff", "factor"), [(0.5, 1.0), (0.25, 1.0), (0.4, 0.8)])
def test_cutout_ends_at_cutoff(cutoff: float, factor: float) -> None:
    pixels = np.full((1, 64, 4), 255, np.uint8)
    pixels[0, :, 3] = np.rint(np.linspace(0, 255, 64))
    fading = textured(pixels, wrap=("clamp", "clamp"))
    material = replace(fading, base_color=(1, 1, 1, factor), alpha_mode="mask", alpha_cutoff=cutoff)
    layers = look_at(sheet(10, 10, 42, 30, material=material))
    # 64 texels over 32 pixels, the first one's centre a quarter pixel in.
    border = 10 + (cutoff / factor * 63 + 0.5) / 2
    row = layers.coverage[20] / 255
    assert row[10:42].sum() == pytest.approx(42 - border, abs=0.05)
    assert_array_equal(row[10 : int(border)], 0)
    assert_array_equal(row[int(border) + 1 : 42], 1)
    assert_array_equal(layers.mask, layers.coverage)


@pytest.mark.parametrize(("yaw", "tilt"), [(0.0, 0.0), (36.0, 0.0), (17.0, 31.0)])
def test_no_seam_in_translucent_sheet(yaw: float, tilt: float) -> None:
    n = 9
    x, z = np.meshgrid(np.arange(n), np.arange(n))
    # Vertices on pixel centres and borders, so that samples fall on edges exactly.
    vertices = np.stack([(x - 4) * 0.075, 0 * x, (z - 4) * 0.075], axis=-1).reshape(-1, 3)
    mesh = mesh_of(vertices, net(n, n), Material(base_color=(1, 1, 1, 0.5), alpha_mode="blend"))
    layers = look_at(mesh.rotated(Rotation.from_euler("x", tilt, degrees=True).as_matrix()), yaw)
    assert (layers.coverage == 255).sum() > 100
    assert_array_equal(np.unique(layers.mask[layers.coverage == 255]), [128])


def test_invisible_card_parts() -> None:
    pixels = np.full((1, 2, 4), 255, np.uint8)
    pixels[0, 0, 3] = 0
    texture = Texture(pixels, wrap=("clamp", "clamp"), nearest=True)
    card = Material(base_color=RED, texture=texture, alpha_mode="blend")
    layers = look_at(sheet(10, 10, 30, 30, material=card))
    assert not any(array[:, :20].any() for array in (layers.coverage, layers.color, layers.position))
    assert_array_equal(layers.color[20, 22], [255, 0, 0, 255])
    behind = sheet(10, 10, 30, 30, y=0.3, material=Material(base_color=BLUE))
    layers = look_at(concatenate([sheet(10, 10, 30, 30, y=-0.3, material=card), behind]))
    assert_array_equal(layers.color[20, 15], [0, 0, 255, 255])
    assert_allclose(layers.position[20, [15, 25], 1], [0.3, -0.3], atol=1e-6)


def lit_values(layers: Layers) -> dict[int, NDArray[np.int64]]:
    """RGB by place, to a hundredth of a unit."""
    covered = layers.coverage == 255
    places = np.rint(layers.position[covered] * 100).astype(np.int64) @ (1, 1_000, 1_000_000)
    return dict(zip(places.tolist(), layers.color[covered, :3].astype(np.int64), strict=True))


def test_light_does_not_depend_on_view() -> None:
    coarse = sphere(0.45, 10, 14)
    smooth = replace(coarse, normals=(coarse.vertices / 0.45)[coarse.faces].astype(np.float32))
    for mesh in (sphere(0.45, 48, 96), smooth):
        seen = [lit_values(look_at(mesh, yaw, 160, "lit")) for yaw in (0.0, 36.0, 72.0)]
        for one, two in combinations(seen, 2):
            common = sorted(one.keys() & two.keys())
            assert len(common) > 50
            difference = np.max([np.abs(one[place] - two[place]) for place in common], axis=1)
            assert np.quantile(difference, 0.98) <= 8
            assert np.mean(difference) <= 2.5


def test_single_sided_sheet_from_behind() -> None:
    plain = sheet(10, 10, 30, 30, material=Material(base_color=RED, double_sided=False))
    ghost = Material(base_color=(1.0, 0.0, 0.0, 0.5), alpha_mode="blend", double_sided=False)
    holed = textured(checker(4))
    cut = replace(holed, alpha_mode="mask", double_sided=False)
    for mesh in (plain, replace(plain, materials=(ghost,)), replace(plain, materials=(cut,))):
        both = mesh.with_sides(double=True)
        for yaw in (0.0, 30.0):
            one, two = look_at(mesh, yaw), look_at(both, yaw)
            assert_array_equal(one.color, two.color)
            assert_array_equal(one.position, two.position)
        behind = look_at(mesh, 180)
        assert not any(array.any() for array in (behind.color, behind.coverage, behind.position))
        assert look_at(both, 180).color.any()


def test_hull_is_a_rim() -> None:
    ball = replace(sphere(0.3), materials=(Material(base_color=RED),))
    black = Material("outline", (0.0, 0.0, 0.0, 1.0), double_sided=False)
    hulled = look_at(concatenate([ball, replace(inside_out(sphere(0.35)), materials=(black,))]), 20)
    alone = look_at(ball, 20)
    inside = alone.coverage == 255
    assert_array_equal(hulled.color[inside], alone.color[inside])
    assert_array_equal(hulled.position[inside], alone.position[inside])
    rim = (hulled.coverage == 255) & (alone.coverage == 0)
    assert rim.sum() > 50
    assert not hulled.color[rim, :3].any()
    # Its silhouette is the hull's own.
    assert_array_equal(hulled.coverage, look_at(sphere(0.35), 20).coverage)


def test_thin_hair_is_seen() -> None:
    hair = sheet(20.55, 10.2, 20.95, 40.7, material=Material(double_sided=False))
    crowded = replace(
        hair,
        faces=np.concatenate([inside_out(hair).faces, inside_out(hair).faces, hair.faces]),
        face_material=np.zeros(6, np.int32),
        uv=None,
    )
    expected = look_at(replace(hair, uv=None)).coverage
    assert expected.any()
    assert_array_equal(look_at(crowded).coverage, expected)


def picture(mesh: Mesh, size: int) -> bytes:
    """The colours of its front."""
    return look_at(mesh, size=size).color.tobytes()


def renewed(mesh: Mesh) -> Mesh:
    """The same mesh, with textures without computed levels."""
    return replace(
        mesh, materials=tuple(replace(m, texture=replace(m.texture)) for m in mesh.materials if m.texture)
    )


@pytest.mark.parametrize("sizes", [(16, 32), (32, 16)], ids=["from afar first", "closely first"])
@pytest.mark.parametrize("images", [1, 2])
def test_views_are_independent(images: int, sizes: tuple[int, int]) -> None:
    grain = np.random.default_rng(0).integers(0, 256, (images, 256, 256, 4), np.uint8)
    looks = enumerate(map(textured, grain[:images]))
    mesh = concatenate([sheet(11 + 16 * k, 11, 27 + 16 * k, 27, material=look) for k, look in looks])
    for size in sizes:
        assert picture(mesh, size) == picture(renewed(mesh), size)
    swapped = replace(mesh, materials=mesh.materials[::-1])
    assert picture(swapped, 16) == picture(renewed(swapped), 16)


@pytest.mark.parametrize("shape", [(8, 16), (6, 10), (7, 9), (2, 2), (1, 12), (12, 1), (1, 1)])
@pytest.mark.parametrize("opaque", [True, False])
@pytest.mark.parametrize("spread", [4, 200])
def test_mip_level_is_mean_light(shape: tuple[int, int], opaque: bool, spread: int) -> None:
    random = np.random.default_rng(5)
    image = random.integers(40, 40 + spread, (*shape, 4)).astype(np.uint8)
    image[..., 3] = 255 if opaque else random.integers(0, 256, shape)
    rows, columns = max(1, shape[0] // 2), max(1, shape[1] // 2)
    y, x = np.minimum(np.arange(2 * rows), shape[0] - 1), np.minimum(np.arange(2 * columns), shape[1] - 1)
    four = image[y][:, x].reshape(rows, 2, columns, 2, 4).astype(float)
    light = srgb_to_linear(four[..., :3] / 255) * four[..., 3:]
    mean = light.sum((1, 3)) / np.maximum(four[..., 3:].sum((1, 3)), 1e-9)
    level = halve(image)
    assert_allclose(level[..., :3], linear_to_srgb(mean) * 255, atol=1.0)
    assert_array_equal(level[..., 3], np.floor(four[..., 3].mean((1, 3)) + 0.5))


def test_density_of_texels() -> None:
    side = np.array([[0, 0], [0.5, 0], [0.5, 0.5], [0, 0.5]])
    vertices = (side @ np.array([[0.6, 0.8, 0.0], [0.0, 0.0, -1.0]]) + (3, 1, 2)).astype(np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3], [0, 0, 1]], np.int32)
    uv = (side * (1, 2))[faces].astype(np.float32)
    density = _texels_per_unit(vertices, faces, uv, np.arange(3), 64, 32)
    assert_allclose(density, [np.sqrt(0.5 * 64 * 32) / 0.5] * 2 + [0], rtol=1e-6)
