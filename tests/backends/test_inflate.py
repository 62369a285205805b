"""One picture becomes a closed, round, rightly coloured figure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import trimesh

from specsia_build.backends.base import Context
from specsia_build.backends.inflate import create
from specsia_build.errors import CharacterError, UsageError
from specsia_build.frame import ORTHO_WIDTH, Camera
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Mesh
from tests.backends.drawings import HAIR, LEGS, SHIRT, Field, Image, disc, figure, iou, limb, painted, seen

SIZE = 192


def inflated(image: Image, *, framed: bool = False) -> Mesh:
    return create(None).reconstruct(image, Context("7", 1, framed=framed))


def solid(mesh: Mesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


def thickness(mesh: Mesh, x: float, z: float) -> float:
    """Depth along y through the point (x, z) of the frame, in units, to a pixel's accuracy."""
    front, back = FastRenderer().render(mesh, [Camera(0.0, 512), Camera(180.0, 512)])
    row, column = int((0.5 - z / ORTHO_WIDTH) * 512), int((0.5 + x / ORTHO_WIDTH) * 512)
    return float(back.position[row, 511 - column, 1] - front.position[row, column, 1])


SHAPES: dict[str, tuple[Callable[[], Field], int, float]] = {
    "disc": (lambda: disc(512, 0.5, 0.5, 0.36), 2, 0.99),
    "ring": (lambda: np.minimum(disc(512, 0.5, 0.5, 0.35), -disc(512, 0.5, 0.5, 0.15)), 0, 0.99),
    "two blobs": (lambda: np.maximum(disc(512, 0.3, 0.5, 0.15), disc(512, 0.72, 0.45, 0.1)), 4, 0.99),
    "figure": (lambda: figure(512)[0], 2, 0.97),
    "line": (lambda: limb(512, (0.2, 0.2), (0.8, 0.75), 0.004), 2, 0.9),
    "cut by the border": (lambda: disc(512, 0.05, 0.95, 0.4), 2, 0.97),
    "small": (lambda: disc(512, 0.5, 0.5, 0.03), 2, 0.95),
    "few pixels": (lambda: figure(64)[0], 2, 0.93),
    "many pixels": (lambda: figure(1100)[0], 2, 0.93),
}
"""What is inflated; its Euler number; least IoU of its silhouette."""


@pytest.mark.parametrize("name", SHAPES)
def test_surface_is_closed_and_fills_the_silhouette(name: str) -> None:
    draw, euler, least = SHAPES[name]
    image = painted(draw())
    mesh = inflated(image)
    surface = solid(mesh)
    assert surface.is_watertight and surface.is_winding_consistent
    assert surface.volume > 0
    assert surface.euler_number == euler
    assert iou(seen(mesh, size=len(image)), image) >= least


def test_limb_is_round() -> None:
    mesh = inflated(painted(limb(512, (0.15, 0.5), (0.85, 0.5), 0.03)))
    radius = 0.03 * ORTHO_WIDTH
    heights = np.array([-0.8, -0.5, 0.0, 0.5, 0.8])
    depths = np.array([thickness(mesh, 0.0013, h * radius) for h in heights])
    np.testing.assert_allclose(depths, 2 * radius * np.sqrt(1 - heights**2), rtol=0.3)


def test_a_figure_that_leaves_room_in_the_frame_is_long() -> None:
    def depth(distance: Field, framed: bool = True) -> float:
        return float(np.ptp(inflated(painted(distance), framed=framed).vertices[:, 1]))

    small = disc(SIZE, 0.5, 0.5, 0.5 * 0.5 / ORTHO_WIDTH)
    assert depth(small) > 0.7
    assert depth(small, framed=False) == pytest.approx(0.5, abs=0.1)
    assert depth(disc(SIZE, 0.5, 0.5, 0.5 / ORTHO_WIDTH)) == pytest.approx(1.0, abs=0.15)


def test_back_has_hair_and_no_face() -> None:
    back = seen(inflated(painted(*figure(512))), 180.0).astype(int)
    for (row, column), colour in {(0.27, 0.5): HAIR, (0.52, 0.5): SHIRT, (0.78, 0.45): LEGS}.items():
        assert np.abs(back[int(row * 512), int(column * 512), :3] - colour).max() < 20


@pytest.mark.parametrize("yaw", [0.0, 36.0, 180.0])
def test_no_foreign_colour_at_any_angle(yaw: float) -> None:
    """Transparent black, and a white matte in the fringe, must not bleed onto a red figure."""
    image = painted(figure(512)[0], SHIRT)
    fringe = (image[..., 3] > 0) & (image[..., 3] < 255)
    image[fringe, :3] = 255
    shown = seen(inflated(image), yaw)
    covered = shown[..., 3] > 0
    assert np.abs(shown[covered][:, :3].astype(int) - SHIRT).max() <= 2


def test_pictures_and_arguments_that_cannot_be_used() -> None:
    with pytest.raises(CharacterError):
        inflated(np.zeros((128, 128, 4), np.uint8))
    with pytest.raises(UsageError):
        create("x")
