"""Textures of every kind, KTX2 too, become straight RGBA bytes."""

from __future__ import annotations

import base64
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image

from specsia_build import memory
from specsia_build.characters.images import load_texture
from specsia_build.errors import CharacterError, CostError
from tests.hostile.bombs import chunk


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def corners_image(mode: str = "RGB") -> Image.Image:
    """2 wide, 3 high; red top left, blue bottom right, grey elsewhere."""
    image = Image.new("RGB", (2, 3), (128, 128, 128))
    image.putpixel((0, 0), (255, 0, 0))
    image.putpixel((1, 2), (0, 0, 255))
    return image.convert(mode)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TGA", "TIFF", "PPM", "GIF"])
def test_lossless_kinds_keep_corners_and_are_opaque(kind: str) -> None:
    pixels = load_texture(encoded(corners_image(), kind), "t")
    assert pixels.shape == (3, 2, 4)
    assert pixels.dtype == np.uint8
    assert pixels[0, 0].tolist() == [255, 0, 0, 255]
    assert pixels[2, 1].tolist() == [0, 0, 255, 255]


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    image = Image.fromarray(np.array([[0, 0x8080, 0xFFFF]], np.uint16))
    assert load_texture(encoded(image, "PNG"), "t")[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize(("upright", "shape"), [(False, (3, 2, 4)), (True, (2, 3, 4))])
def test_an_orientation_tag_is_followed_where_that_is_asked_for(upright: bool, shape: tuple[int, ...]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert load_texture(encoded(corners_image(), "JPEG", exif=exif), "t", upright=upright).shape == shape


@pytest.mark.parametrize("side", [17000, 60000])
def test_a_decompression_bomb_is_refused_before_decoding(side: int) -> None:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    with pytest.raises(CharacterError, match=r"^bomb\.png has more than 8192x8192 pixels: make it smaller$"):
        load_texture(data, "bomb.png")


@given(
    st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(0, 2**32 - 1),
    st.sampled_from([{}, {"transparency": 3}, {"compress_level": 0}, {"dpi": (72, 72)}]),
)
def test_a_png_of_any_kind_has_the_pixels_that_pillow_reads(
    mode: str, height: int, width: int, seed: int, options: dict[str, object]
) -> None:
    if mode in ("RGB", "RGBA", "LA") and "transparency" in options:
        options = {"transparency": (3, 3, 3)} if mode == "RGB" else {}
    random = np.random.default_rng(seed)
    values = random.integers(0, 5, (height, width, 4), np.uint8) * random.integers(1, 60, dtype=np.uint8)
    grey = Image.fromarray(values[..., 0].astype(np.uint16) * 257)
    image = grey if mode == "I;16" else Image.fromarray(values).convert(mode)
    data = encoded(image, "PNG", **({} if mode == "I;16" else options))
    with Image.open(io.BytesIO(data)) as opened:
        expected = np.asarray((Image.fromarray(values[..., 0]) if mode == "I;16" else opened).convert("RGBA"))
    assert_array_equal(load_texture(data, "t"), expected)


UASTC = base64.b64decode(
    "q0tUWCAyMLsNChoKAAAAAAEAAAAQAAAAEAAAAAAAAAAAAAAAAQAAAAEAAAAAAAAAaAAAACwAAACUAAAALAAAAAAAAAAAAAAAAAAAAAAA"
    "AADAAAAAAAAAAAABAAAAAAAAAAEAAAAAAAAsAAAAAAAAAAIAKACmAQIAAwMAABAAAAAAAAAAAAB/AAAAAAAAAAAA/////x8AAABLVFh3"
    "cml0ZXIAQmFzaXMgVW5pdmVyc2FsIDIuMTAAAAQAAAB/fwAAlxuZ5//iOgEAAAAAAAAAAJcbmef/4joBAAAAAAAAAAAXBZnnPx22AAAA"
    "AAAAAAAAFwWZ5z8dtgAAAAAAAAAAAJcbmef/4joBAAAAAAAAAACXG5nn/+I6AQAAAAAAAAAAFwWZ5z8dtgAAAAAAAAAAABcFmec/HbYA"
    "AAAAAAAAAACX24Pnf9TjAAAAAAAAAAAAl9uD53/U4wAAAAAAAAAAABfFg+d/JOMAAAAAAAAAAAAXxYPnfyTjAAAAAAAAAAAAl9uD53/U"
    "4wAAAAAAAAAAAJfbg+d/1OMAAAAAAAAAAAAXxYPnfyTjAAAAAAAAAAAAF8WD538k4wAAAAAAAAAAAA=="
)
"""16 x 16 texels in four squares: red changes from left to right, green from top to bottom."""


def test_what_basis_universal_wrote_is_decoded() -> None:
    pixels = load_texture(UASTC, "skin")
    assert pixels.dtype == np.uint8
    y, x = np.indices((16, 16))
    expected = np.stack([np.where(x < 8, 220, 40), np.where(y < 8, 200, 30), 0 * x + 60, 0 * x + 255], axis=-1)
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("data", [UASTC[:60], UASTC[:300], UASTC[:12]])
def test_what_cannot_be_decoded_says_how_to_export_it(data: bytes) -> None:
    with pytest.raises(CharacterError, match=r"^skin "):
        load_texture(data, "skin")


def test_a_header_that_promises_more_than_may_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    huge = UASTC[:20] + (60_000).to_bytes(4, "little") * 2 + UASTC[28:]
    with pytest.raises((CharacterError, CostError)):
        load_texture(huge, "skin")
    monkeypatch.setattr(memory, "_allowed", 500)
    with pytest.raises(CostError):
        load_texture(UASTC, "skin")
