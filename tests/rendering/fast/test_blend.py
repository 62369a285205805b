"""Translucent surfaces: many layers, crossing ones, across tiles, and their memory."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from specsia_build.frame import Camera
from specsia_build.rendering.fast import stacks
from specsia_build.rendering.layers import Layers
from specsia_build.rendering.mesh import Material, Mesh, Texture, concatenate
from tests.rendering.reference import layered
from tests.rendering.scenes import PIXEL, RGBA, SIZE, WHITE, look_at, mesh_of, sheet, soup, sphere

ROUNDING = 0.6  # Levels by which a byte may differ from a number: half a level, and what look-up tables add


def glassy(mesh: Mesh, color: RGBA = (1.0, 1.0, 1.0, 0.5)) -> Mesh:
    """The mesh, to be looked through."""
    return replace(mesh, materials=(Material(base_color=color, alpha_mode="blend"),))


def shells(count: int, alpha: float = 0.1, rows: int = 6) -> Mesh:
    """Balls of several colours around one another."""
    colors = np.random.default_rng(0).uniform(0, 1, (count, 3)).tolist()
    radii = 0.3 + 0.2 * np.arange(1, count + 1) / count
    balls = zip(radii.tolist(), colors, strict=True)
    return concatenate([glassy(sphere(radius, rows, 2 * rows), (*rgb, alpha)) for radius, rgb in balls])


def assert_layered(mesh: Mesh, yaw: float = 0.0, size: int = SIZE, atol: float = ROUNDING) -> None:
    """Hold a picture against the plain way, wherever a translucent face is to be seen."""
    drawn, plain = look_at(mesh, yaw, size), layered(mesh, Camera(yaw, size))
    touched = plain.touched
    assert touched.sum() > 100
    assert_allclose(drawn.coverage[touched], plain.coverage[touched], atol=ROUNDING)
    assert_allclose(drawn.color[touched][:, 3], plain.color[touched][:, 3], atol=ROUNDING)
    clear = touched & (plain.color[..., 3] > 0.6)
    assert_allclose(drawn.color[clear][:, :3], plain.color[clear][:, :3], atol=atol)
    assert_allclose(drawn.position[clear], plain.position[clear], atol=1e-4)


def test_more_shells_than_layers() -> None:
    assert_layered(shells(stacks.MOST_LAYERS // 2 + 2), 25, stacks.TILE + 8)


def half_glassy(seed: int) -> Mesh:
    """Loose triangles through one another, every other one translucent, of colours that change along them."""
    mesh = soup(seed, 60)
    assert mesh.colors is not None
    colors = np.random.default_rng(seed).uniform(0, 1, mesh.colors.shape).astype(np.float32)
    materials = (Material(), Material(alpha_mode="blend"))
    return replace(mesh, materials=materials, face_material=np.arange(60, dtype=np.int32) % 2, colors=colors)


@pytest.mark.parametrize("seed", range(3))
def test_crossing_and_opaque_faces(seed: int) -> None:
    assert_layered(half_glassy(seed), 20.0 * seed)


def noise(texels: int, seed: int = 0) -> Material:
    """Texels of every colour and opacity."""
    pixels = np.random.default_rng(seed).integers(0, 256, (texels, texels, 4)).astype(np.uint8)
    return Material(texture=Texture(pixels, wrap=("clamp", "clamp")), alpha_mode="blend")


@pytest.mark.parametrize("texels", [3, 20, 60])
def test_texture_changes_within_a_pixel(texels: int) -> None:
    veils = [sheet(10.3, 8.6, 44.5, 40.2, y=0.1 * k, material=noise(texels, k)) for k in range(3)]
    assert_layered(concatenate(veils), atol=1.0)


@pytest.mark.parametrize("moved", [(1, 0), (stacks.TILE - 1, stacks.TILE + 3)])
def test_tiles_do_not_matter(moved: tuple[int, int]) -> None:
    generator = np.random.default_rng(8)
    middle = generator.uniform(6, 28, (40, 1, 2))
    columns, rows = (np.rint((middle + generator.uniform(-8, 8, (40, 3, 2))) * 256) / 256).reshape(-1, 2).T
    depths = generator.uniform(-0.5, 0.5, 120)
    colors = generator.uniform(0, 1, (120, 4))

    def drawn(right: int, down: int) -> Layers:
        x, z = (columns + right - SIZE / 2) * PIXEL, (SIZE / 2 - rows - down) * PIXEL
        loose = mesh_of(np.stack([x, depths, z], axis=1), np.arange(120), colors=colors)
        return look_at(glassy(loose, WHITE))

    here, there = drawn(0, 0), drawn(*moved)
    right, down = moved
    assert (here.coverage > 0).sum() > 400
    for one, two in ((here.color, there.color), (here.coverage, there.coverage)):
        assert_array_equal(one[: SIZE - down, : SIZE - right], two[down:, right:])


def peak_bytes(mesh: Mesh, size: int) -> int:
    """Largest amount of memory that arrays take together while a view is drawn."""
    look_at(mesh, size=16)
    tracemalloc.start()
    look_at(mesh, size=size)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_is_bounded() -> None:
    one, many = shells(1), shells(20)
    faces = len(many.faces) - len(one.faces)
    assert peak_bytes(many, 256) < peak_bytes(one, 256) + 600 * faces + 1_000_000
    # A pixel's layers, its fragments and its marks; 55 samples would take hundreds of bytes each time.
    assert peak_bytes(one, 1024) - peak_bytes(one, 512) < 200 * (1024**2 - 512**2)
