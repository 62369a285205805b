"""Reading PNGs byte by byte, and where positions land."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from PIL import Image

from specsia_build import png
from specsia_build.dataset.images import position_image
from specsia_build.dataset.verify.images import check_iou, check_position, extra_chunks, landing_errors, read_image
from specsia_build.frame import Camera

RAMP = np.arange(60, dtype=np.uint8).reshape(6, 10)


def saved(image: NDArray[Any], **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", **options)
    return stream.getvalue()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 20), st.integers(1, 20), st.sampled_from(["L", "LA", "RGB", "RGBA"]), st.booleans(), st.integers(0)
)
def test_reads_what_pillow_writes(height: int, width: int, mode: str, smooth: bool, seed: int) -> None:
    shape = (height, width) if mode == "L" else (height, width, len(mode))
    image = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    if smooth:
        image = np.cumsum(image // 64, axis=1, dtype=np.uint8)
    assert_array_equal(read_image(saved(image), mode), image)
    assert_array_equal(read_image(png.encode(image), mode), image)


def filtered(image: NDArray[np.uint8], kind: int) -> bytes:
    """A PNG of (H, W, C) whose rows all use one filter, which encoders seldom do."""
    height, width, channels = image.shape
    wide = np.zeros((height + 1, width + 1, channels), np.int64)
    wide[1:, 1:] = image
    here, left, above, corner = wide[1:, 1:], wide[1:, :-1], wide[:-1, 1:], wide[:-1, :-1]
    a, b, c = abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)
    paeth = np.where((a <= b) & (a <= c), left, np.where(b <= c, above, corner))
    guess = [np.zeros_like(here), left, above, (left + above) // 2, paeth][min(kind, 4)]
    rows = ((here - guess) & 255).astype(np.uint8).reshape(height, -1)
    body = np.hstack([np.full((height, 1), kind, np.uint8), rows]).tobytes()
    return rebuilt(png.encode(image), zlib.compress(body))


def rebuilt(data: bytes, body: bytes) -> bytes:
    """The PNG with other compressed pixels, checksums right."""
    chunk = b"IDAT" + body
    return data[:33] + struct.pack(">I", len(body)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[-12:]


@pytest.mark.parametrize("kind", range(5))
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_filter(kind: int, channels: int) -> None:
    image = np.random.default_rng(kind).integers(0, 256, (7, 9, channels)).astype(np.uint8)
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    data = filtered(image, kind)
    assert_array_equal(read_image(data, mode), image[..., 0] if channels == 1 else image)
    assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), image[..., 0] if channels == 1 else image)


def test_pixels_that_do_not_unpack() -> None:
    data = png.encode(RAMP)
    body = zlib.compress(b"\x02" + b"\x00" * 10)
    for other, message in (
        (body, "fewer or more pixels"),
        (body[:-3], "fewer or more pixels"),
        (b"\x00" * 30, "cannot be unpacked"),
        (zlib.compress(bytes(66) + b"x"), "fewer or more pixels"),
        (zlib.compress(bytes([9]) + bytes(65)), "no known filter"),
        (b"", "fewer or more pixels|cannot be unpacked"),
    ):
        with pytest.raises(ValueError, match=message):
            read_image(rebuilt(data, other), "L")


@pytest.mark.parametrize("cut", [0, 8, 20, 33, 40, -1, -12, -13])
def test_no_whole_png(cut: int) -> None:
    data = png.encode(RAMP)
    with pytest.raises(ValueError, match=r"is cut off|is not a PNG file"):
        read_image(data[:cut], "L")
    assert extra_chunks(data[:cut]) == []


def test_other_kinds_of_png() -> None:
    with pytest.raises(ValueError, match="is of mode P, not L"):
        read_image(palette(), "L")
    with pytest.raises(ValueError, match="is of mode 16 bits, not L"):
        read_image(saved(RAMP.astype(np.uint16)), "L")
    with pytest.raises(ValueError, match="is of mode RGB, not RGBA"):
        read_image(saved(np.zeros((3, 3, 3), np.uint8)), "RGBA")


def palette() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(RAMP).convert("P").save(stream, "PNG")
    return stream.getvalue()


def test_chunks_beyond_pixels() -> None:
    assert extra_chunks(png.encode(RAMP)) == []
    assert extra_chunks(saved(RAMP, dpi=(72, 72))) == ["pHYs"]
    assert extra_chunks(png.encode(RAMP) + b"more") == ["trailing bytes"]


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
    alpha = np.where((abs(u) < 0.25) & (abs(v) < 0.4), 255, 0).astype(np.uint8)
    return position_image(points.astype(np.float32), alpha, np.array(BOX[0]), np.array(BOX[1]))


@pytest.mark.parametrize("yaw", [0.0, 36.0, 90.0, 200.0])
@pytest.mark.parametrize("size", [64, 512, 1024])
@pytest.mark.parametrize("frame", ["character", "view"])
def test_positions_land_on_their_pixel(yaw: float, size: int, frame: str) -> None:
    camera = Camera(yaw, size)
    pos = card(camera, frame)
    dx, dy = landing_errors(pos, camera, BOX, frame)
    assert len(dx) == np.count_nonzero(pos[..., 3])
    half_steps = (np.array(BOX[1]) - BOX[0]) / 255 / 2 * camera.pixels_per_unit
    weight = np.array([1.0, 0.0, 0.0]) if frame == "view" else abs(camera.basis()[0])
    assert abs(dx).max() <= half_steps @ weight + 1e-3
    assert abs(dy).max() <= half_steps[2] + 1e-3
    assert check_position(pos, camera, BOX, frame) == []


@pytest.mark.parametrize("yaw", [0.0, 36.0, 200.0])
def test_positions_that_land_elsewhere(yaw: float) -> None:
    camera = Camera(yaw, 512)
    pos = card(camera, "character")
    assert "off its own pixel" in check_position(pos[:, ::-1], camera, BOX, "character")[0]
    assert "is shifted by" in check_position(np.roll(pos, 1, 1), camera, BOX, "character")[0]
    assert "is shifted by" in check_position(np.roll(pos, -1, 0), camera, BOX, "character")[0]
    assert "off its own pixel" in check_position(pos, Camera(yaw + 36, 512), BOX, "character")[0]
    torn = pos.copy()
    torn[300:310, 200:230] = (0, 0, 0, 255)
    assert "off its own pixel in 300 of" in check_position(torn, camera, BOX, "character")[0]


def test_too_few_pixels_say_nothing() -> None:
    camera = Camera(0, 64)
    assert check_position(np.zeros((64, 64, 4), np.uint8), camera, BOX, "character") == []


def test_the_iou_that_is_stored() -> None:
    one, two = np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8)
    one[:2], two[1:3] = 255, 128
    assert check_iou(one, two, 1 / 3) == []
    assert check_iou(one, two, 1 / 3 + 2e-6)
    assert check_iou(one, two, float("nan"))
    assert check_iou(np.zeros_like(one), np.zeros_like(one), 1.0) == []
