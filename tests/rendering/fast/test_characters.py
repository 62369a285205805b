"""Real characters: no holes, no seams, the same picture as a far finer one, positions on their pixels."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.frame import normalise, view_cameras
from specsia_build.rendering.colour import linear_to_srgb, srgb_to_linear
from specsia_build.rendering.layers import Layers, Look
from specsia_build.rendering.mesh import Mesh
from tests.rendering.scenes import look_at

NAMES = ["kaykit_knight", "kaykit_barbarian", "kenney_character"]


@cache
def character(folder: Path, name: str) -> Mesh:
    (entry,) = [e for e in open_source(str(folder / "characters.jsonl"), folder).entries if e.id == name]
    mesh = read_character(entry).mesh
    return mesh.with_vertices(normalise(mesh.vertices, view_cameras(10, 512), 4).apply(mesh.vertices))


@cache
def view(folder: Path, name: str, yaw: float, size: int = 512, look: Look = "unlit") -> Layers:
    return look_at(character(folder, name), yaw, size, look)


@pytest.mark.parametrize(("name", "look"), [*((name, "unlit") for name in NAMES), ("kaykit_knight", "lit")])
def test_a_picture_is_the_mean_of_a_finer_one(characters_dir: Path, name: str, look: Look) -> None:
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
