"""Perspective views: faces split and cut for them."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from specsia_build.errors import CharacterError
from specsia_build.frame import Camera
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.fast.splitting import by_camera, split
from specsia_build.rendering.layers import Layers
from specsia_build.rendering.mesh import Material, Mesh, Texture, concatenate
from tests.rendering.scenes import BLUE, GREEN, RED, box, checker, mesh_of, sphere


def boxes() -> Mesh:
    places = {(0.31, 0, 0): RED, (-0.17, 0.12, 0.01): GREEN, (0.02, 0.01, 0.33): BLUE}
    return concatenate([box(centre, (0.2, 0.19, 0.15), color) for centre, color in places.items()])


def assert_on_rays(layers: Layers, camera: Camera, most: float = 0.2) -> None:
    """What each covered pixel shows lies on the ray through its middle, nearly: samples lie about that."""
    rows, columns = np.nonzero(layers.coverage == 255)
    seen = camera.project(layers.position[rows, columns])
    off = np.abs(seen[:, :2] - np.stack([columns, rows], axis=1) - 0.5)
    assert len(rows) > 100
    assert np.median(off) < 0.05 and np.quantile(off, 0.99) < most


def checkered(corners: NDArray[np.floating], cells: int) -> Mesh:
    """A rectangle of two faces with a checkerboard of black and white cells, seen from both sides."""
    look = Material("board", texture=Texture(checker(cells), ("clamp", "clamp"), nearest=True), unlit=True)
    uv = [[0, 0], [1, 0], [1, 1], [0, 1]]
    return mesh_of(corners, [[0, 1, 2], [0, 2, 3]], replace(look, double_sided=True), uv=uv)


FLOOR = np.array([(-0.5, -0.5, -0.2), (0.5, -0.5, -0.2), (0.5, 0.5, -0.2), (-0.5, 0.5, -0.2)])


@pytest.mark.parametrize("yaw", [0.0, 33.0])
def test_board_at_a_slant(yaw: float) -> None:
    camera = Camera(yaw, 128, elevation_deg=12.0, fov_deg=60.0, radius=0.9)
    board = checkered(FLOOR, 8)
    (layers,) = FastRenderer().render(board, [camera])
    assert_on_rays(layers, camera)
    rows, columns = np.nonzero((layers.coverage == 255) & ((layers.color[..., 0] % 255) == 0))
    origin, basis = camera.position(), camera.basis()
    right, down = (columns + 0.5 - 64) / camera.focal_length, (rows + 0.5 - 64) / camera.focal_length
    rays = basis[2] + right[:, None] * basis[0] - down[:, None] * basis[1]
    points = origin + rays * ((-0.2 - origin[2]) / rays[:, 2])[:, None]
    cells = np.floor((points[:, :2] + 0.5) * 8).astype(int)
    white = layers.color[rows, columns, 0] > 127
    odd = cells.sum(axis=1) % 2 == 1
    assert len(rows) > 1000 and (white == odd).mean() in (0.0, 1.0)


def test_what_lies_behind_is_cut_off() -> None:
    """A camera stands over a floor that goes on behind it, and looks along it."""
    camera = Camera(0.0, 128, fov_deg=90.0, radius=0.1)
    (layers,) = FastRenderer().render(checkered(FLOOR, 2), [camera])
    assert_on_rays(layers, camera)
    # The floor's far edge is 0.6 away and 0.2 below: at a slope of a third, that is row 64 + 64 / 3.
    assert not layers.coverage[:84].any() and (layers.coverage[87:, 64] == 255).all()
    assert layers.position[layers.coverage > 0][:, 1].min() > -0.1

    # Cut where it is 6 times as far beside the camera as before it: y is -0.2 / 3 there, and x 0.2 to 0.5.
    ((drawn, _),) = by_camera(checkered(FLOOR, 2), [camera])
    assert drawn.doubled_areas.sum() / 2 == pytest.approx(0.7 * 0.05 + 1.0 * (0.5 + 0.1 / 6), rel=1e-4)


def test_a_surface_behind_the_camera_is_refused() -> None:
    behind = box((0, -3, 0), (0.2, 0.2, 0.2))
    with pytest.raises(CharacterError, match="behind"):
        list(FastRenderer().render(behind, [Camera(0.0, 64, fov_deg=60.0)]))


def test_split_faces_have_no_cracks() -> None:
    ball, camera = sphere(0.4, 8, 12), Camera(20.0, 256, elevation_deg=30.0, fov_deg=75.0, radius=0.75)
    (layers,) = FastRenderer().render(ball, [camera])
    rows, columns = np.indices(layers.coverage.shape) - 127.5
    inner = np.hypot(rows, columns) < 0.85 * camera.focal_length * np.tan(np.arcsin(0.4 / 0.75))
    assert (layers.coverage[inner] == 255).all()
    whole = split(ball, [camera])
    volumes = [np.linalg.det(mesh.vertices[mesh.faces].astype(float)).sum() for mesh in (whole, ball)]
    assert volumes[0] == pytest.approx(volumes[1], rel=1e-5) and len(whole.faces) > 4 * len(ball.faces)


@pytest.mark.parametrize("radius", [0.53, 0.41, 0.1])
def test_near_cameras_split_what_is_near(radius: float) -> None:
    whole = split(sphere(0.4), [Camera(0.0, 512, fov_deg=60.0, radius=radius)])
    assert len(whole.faces) < 200_000


@pytest.mark.parametrize("fov", [None, 60.0])
def test_picture_beside_the_middle_is_part_of_a_larger_one(fov: float | None) -> None:
    large = Camera(25.0, 128, elevation_deg=15.0, roll_deg=20.0, fov_deg=fov)
    part = replace(large, size=64, rows=40, width=large.width / 2, centre=(64.0 - 30, 64.0 - 50))
    if fov is not None:
        part = replace(part, fov_deg=float(np.rad2deg(2 * np.arctan(32 / large.focal_length))))
    (whole,), (cut,) = (FastRenderer().render(boxes(), [camera]) for camera in (large, part))
    assert cut.color.shape == (40, 64, 4)
    window = np.s_[50:90, 30:94]
    assert np.abs(whole.color[window].astype(int) - cut.color).max() <= 1
    np.testing.assert_allclose(whole.position[window], cut.position, atol=1e-3)
