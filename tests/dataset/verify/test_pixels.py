"""Verify chunks of PNGs, and where positions land on the image."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from specsia_build import png
from specsia_build.dataset.verify.rows import check_iou, check_position, extra_chunks, landing_errors
from specsia_build.frame import POSITION_CHANNELS, Camera
from specsia_build.rendering.positions import position_image

RAMP = np.arange(60, dtype=np.uint8).reshape(6, 10)


def test_chunks_other_than_pixels() -> None:
    assert extra_chunks(png.encode(RAMP)) == []
    stream = io.BytesIO()
    Image.fromarray(RAMP).save(stream, "PNG", dpi=(72, 72))
    assert extra_chunks(stream.getvalue()) == ["pHYs"]
    assert extra_chunks(png.encode(RAMP) + b"more") == ["trailing bytes"]
    for cut in (0, 8, 20, 33, 40, -1, -12, -13):
        assert extra_chunks(png.encode(RAMP)[:cut]) == []


BOX = (-0.4, -0.3, -0.5), (0.45, 0.35, 0.5)


def card(camera: Camera, frame: str) -> NDArray[np.uint8]:
    """Zpos of a card through the origin that faces the camera, 0.5 units wide and 0.8 high."""
    size = camera.size
    centres = (np.arange(size) + 0.5 - size / 2) / camera.pixels_per_unit
    u, v = np.meshgrid(centres, -centres)
    right, up, _ = camera.basis()
    points = u[..., None] * right + v[..., None] * up
    if frame == "view":
        points = points @ camera.turn().T
    low, high = (np.array(corner) for corner in BOX)
    alpha = np.where((abs(u) < 0.25) & (abs(v) < 0.4), 255, 0).astype(np.uint8)
    return position_image(points.astype(np.float32), alpha, low, high, POSITION_CHANNELS[frame])


@pytest.mark.parametrize("yaw", [0.0, 36.0, 90.0, 200.0])
@pytest.mark.parametrize("size", [64, 512, 1024])
@pytest.mark.parametrize("frame", ["character", "view"])
def test_positions_on_their_pixel(yaw: float, size: int, frame: str) -> None:
    camera = Camera(yaw, size)
    pos = card(camera, frame)
    dx, dy = landing_errors(pos, camera, BOX, frame).T
    assert len(dx) == np.count_nonzero(pos[..., 3])
    half_steps = (np.array(BOX[1]) - BOX[0]) / 255 / 2 * camera.pixels_per_unit
    weight = np.array([1.0, 0.0, 0.0]) if frame == "view" else abs(camera.basis()[0])
    assert abs(dx).max() <= half_steps @ weight + 1e-3
    assert abs(dy).max() <= half_steps[2] + 1e-3
    assert not list(check_position(pos, camera, BOX, frame))


@pytest.mark.parametrize("yaw", [0.0, 36.0, 200.0])
def test_positions_elsewhere(yaw: float) -> None:
    camera = Camera(yaw, 512)
    pos = card(camera, "character")
    assert "off its own pixel" in next(check_position(pos[:, ::-1], camera, BOX, "character"))
    assert "off its own pixel" in next(check_position(np.roll(pos, 1, 1), camera, BOX, "character"))
    assert "off its own pixel" in next(check_position(np.roll(pos, -1, 0), camera, BOX, "character"))
    assert "off its own pixel" in next(check_position(pos, Camera(yaw + 36, 512), BOX, "character"))
    torn = pos.copy()
    torn[300:310, 200:230] = (0, 0, 0, 255)
    assert "off its own pixel in 300 of" in next(check_position(torn, camera, BOX, "character"))
    assert not list(check_position(np.zeros((64, 64, 4), np.uint8), Camera(yaw, 64), BOX, "character"))


def test_stored_iou() -> None:
    one, two = np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8)
    one[:2], two[1:3] = 255, 128
    assert not list(check_iou(one, two, 1 / 3))
    assert list(check_iou(one, two, 1 / 3 + 2e-6))
    assert list(check_iou(one, two, float("nan")))
    assert not list(check_iou(np.zeros_like(one), np.zeros_like(one), 1.0))
