"""Which point of the surface each pixel shows; all other layers of a view follow from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.config import BuildConfig
from specsia_build.frame import Camera
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import Layers, Seen
from specsia_build.rendering.mesh import Mesh, concatenate
from specsia_build.stages.render import in_frame
from tests.rendering.scenes import box


def seen_in(mesh: Mesh, camera: Camera) -> tuple[Layers, Seen]:
    (layers,) = FastRenderer().render(mesh, [camera], seen=True)
    assert layers.seen is not None
    return layers, layers.seen


@pytest.mark.parametrize("opacity", [None, 0.5])
def test_attributes_at_points_are_those_of_positions(opacity: float | None) -> None:
    far, near = box((0, 0.3, 0), (0.3, 0.1, 0.2)), box((0.1, -0.3, 0.1), (0.1, 0.1, 0.3))
    if opacity is not None:
        glass = replace(near.materials[0], base_color=(1.0, 0.0, 0.0, opacity), alpha_mode="blend")
        near = replace(near, materials=(glass,) * len(near.materials))
    mesh = concatenate([far, near])
    for yaw in (0.0, 33.0):
        layers, seen = seen_in(mesh, Camera(yaw, 96))
        np.testing.assert_allclose(seen.weights[layers.mask > 0].sum(axis=-1), 1, atol=1e-5)
        np.testing.assert_allclose(seen.values(mesh.vertices), layers.position, atol=2e-6)


def test_a_real_character_shows_the_same_points(characters_dir: Path) -> None:
    """Cut-out textures, thousands of small faces and close looks at edges included."""
    entry = Entry("knight", "gltf", characters_dir / "kaykit" / "Knight.glb")
    mesh, _ = in_frame(read_character(entry), BuildConfig())
    layers, seen = seen_in(mesh, Camera(30.0, 256))
    np.testing.assert_array_equal(seen.face >= 0, layers.mask > 0)
    np.testing.assert_allclose(seen.values(mesh.vertices), layers.position, atol=1e-5)
