"""Mip levels of a texture are computed once, whatever looks at it and from how near."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from specsia_build.frame import view_cameras
from specsia_build.rendering.colour import linear_to_srgb, srgb_to_linear
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.fast.textures import halve
from specsia_build.rendering.mesh import Material, Mesh, Texture


def grainy(seed: int, size: int = 256) -> Texture:
    """A texture of random texels."""
    return Texture(np.random.default_rng(seed).integers(0, 256, (size, size, 4), np.uint8))


def squares(*images: Texture) -> Mesh:
    """A square facing -Y for each texture, side by side."""
    corners = np.array([(0, 0, 0), (1, 0, 0), (1, 0, 1), (0, 0, 1)], np.float32) / len(images) - 0.5 / len(images)
    across = np.arange(len(images)) / len(images) - 0.5 + 0.5 / len(images)
    uv = np.array([(0, 1), (1, 1), (1, 0), (0, 0)], np.float32)
    faces = np.array([(0, 1, 2), (0, 2, 3)], np.int32)
    return Mesh(
        vertices=np.concatenate([corners + np.array((x, 0, 0)) for x in across]).astype(np.float32),
        faces=np.concatenate([faces + 4 * k for k in range(len(images))]).astype(np.int32),
        materials=tuple(Material(texture=image) for image in images),
        face_material=np.repeat(np.arange(len(images)), 2).astype(np.int32),
        uv=np.tile(uv[faces], (len(images), 1, 1)),
    )


def picture(mesh: Mesh, size: int) -> bytes:
    """The colours of its front."""
    (layers,) = FastRenderer().render(mesh, view_cameras(1, size))
    return layers.color.tobytes()


def renewed(mesh: Mesh) -> Mesh:
    """The same mesh, with textures without computed levels."""
    return replace(mesh, materials=tuple(replace(m, texture=replace(m.texture)) for m in mesh.materials if m.texture))


@pytest.mark.parametrize("sizes", [(16, 32), (32, 16)], ids=["from afar first", "closely first"])
@pytest.mark.parametrize("images", [1, 2])
def test_earlier_views_change_no_picture(images: int, sizes: tuple[int, int]) -> None:
    mesh = squares(*map(grainy, range(images)))
    for size in sizes:
        assert picture(mesh, size) == picture(renewed(mesh), size)
    swapped = replace(mesh, materials=mesh.materials[::-1])
    assert picture(swapped, 16) == picture(renewed(swapped), 16)


def random_texels(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 4), dtype=np.uint8)


@pytest.mark.parametrize("shape", [(8, 16), (6, 10), (7, 9), (2, 2), (1, 12), (12, 1), (1, 1)])
@pytest.mark.parametrize("opaque", [True, False])
@pytest.mark.parametrize("spread", [4, 200])
def test_a_mip_level_is_the_mean_of_light(shape: tuple[int, int], opaque: bool, spread: int) -> None:
    image = random_texels(5, *shape) % spread + np.uint8(40)
    image[..., 3] = 255 if opaque else random_texels(6, *shape)[..., 3]
    rows, columns = max(1, shape[0] // 2), max(1, shape[1] // 2)
    y, x = np.minimum(np.arange(2 * rows), shape[0] - 1), np.minimum(np.arange(2 * columns), shape[1] - 1)
    four = image[y][:, x].reshape(rows, 2, columns, 2, 4).astype(float)
    light = srgb_to_linear(four[..., :3] / 255) * four[..., 3:]
    mean = light.sum((1, 3)) / np.maximum(four[..., 3:].sum((1, 3)), 1e-9)
    level = halve(image)
    assert_allclose(level[..., :3], linear_to_srgb(mean) * 255, atol=1.0)
    assert_array_equal(level[..., 3], np.floor(four[..., 3].mean((1, 3)) + 0.5))
