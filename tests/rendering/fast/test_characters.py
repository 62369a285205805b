"""Real characters: no holes, the mean of a finer picture, the same bytes on every processor."""

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from specsia_build.frame import view_cameras
from specsia_build.rendering.colour import linear_to_srgb, srgb_to_linear
from specsia_build.rendering.contour import draw_contour
from specsia_build.rendering.layers import Layers, Look
from specsia_build.rendering.mesh import concatenate
from tests.rendering.fast.test_blend import half_glassy, noise
from tests.rendering.scenes import (
    checker,
    digest_without_wide_vectors,
    look_at,
    real_mesh,
    sheet,
    sphere,
    textured,
)

NAMES = ["kaykit_knight", "kaykit_barbarian", "kenney_character"]


@cache
def view(folder: Path, name: str, yaw: float, size: int = 512, look: Look = "unlit") -> Layers:
    return look_at(real_mesh(folder, name, view_cameras(10, 512)), yaw, size, look)


@pytest.mark.parametrize(("name", "look"), [*((name, "unlit") for name in NAMES), ("kaykit_knight", "lit")])
def test_picture_is_mean_of_a_finer_one(characters_dir: Path, name: str, look: Look) -> None:
    size, finer = 160, 7
    for yaw in (0.0, 36.0):
        one, fine = (view(characters_dir, name, yaw, s, look) for s in (size, size * finer))
        blocks = (size, finer, size, finer)
        opacity = fine.color[..., 3:] / 255
        alpha = opacity.reshape(blocks).mean(axis=(1, 3))
        light = (srgb_to_linear(fine.color[..., :3] / 255) * opacity).reshape(*blocks, 3).mean(axis=(1, 3))
        expected = linear_to_srgb(light / np.maximum(alpha, 1e-9)[..., None]) * 255
        inside = (alpha > 0.9999) & (one.coverage == 255)
        error = np.abs(expected - one.color[..., :3])[inside]
        assert error.mean() < 0.5
        # A jump of up to 16 levels is let be; where it halves a pixel it leaves up to 8.
        assert np.quantile(error, 0.99) < 5
        edge = (alpha > 0) & (alpha < 1)
        assert np.abs(alpha - one.coverage / 255)[edge].mean() < 0.015
        assert np.abs(alpha - one.coverage / 255).max() < 0.12


@pytest.mark.parametrize("name", NAMES)
def test_no_pinholes(characters_dir: Path, name: str) -> None:
    for yaw in (0.0, 36.0, 252.0):
        full = view(characters_dir, name, yaw).coverage == 255
        around = np.lib.stride_tricks.sliding_window_view(full, (3, 3)).sum(axis=(2, 3))
        assert not ((around == 8) & ~full[1:-1, 1:-1]).any()


def digest() -> str:
    """Digest of pictures of opaque and translucent faces, textures near and far, light and contours."""
    results = hashlib.sha256()
    walls = [sheet(2.3, 4.1, 50.2, 49.7, y=0.4, material=textured(checker(texels))) for texels in (9, 200)]
    veiled = concatenate([walls[0], half_glassy(3), sheet(10.3, 8.6, 44.5, 40.2, material=noise(20))])
    for mesh, look in ((veiled, "unlit"), (concatenate([walls[1], sphere(0.3)]), "lit")):
        layers = look_at(mesh, 20, 54, look)  # type: ignore[arg-type]
        drawn = draw_contour(layers.color, np.ascontiguousarray(layers.coverage), 1.7, 40)
        for array in (layers.color, layers.coverage, layers.position, drawn):
            results.update(array.tobytes())
    return results.hexdigest()


@pytest.mark.slow
def test_bytes_without_wide_vectors() -> None:
    assert digest_without_wide_vectors(__name__) == digest()
