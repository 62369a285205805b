"""Textures of every kind become straight RGBA bytes."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from specsia_build.characters.images import load_texture
from specsia_build.errors import CharacterError
from specsia_build.rendering.colour import srgb_to_linear


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


def test_reads_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "ärm 1.png"
    path.write_bytes(encoded(corners_image(), "PNG"))
    assert load_texture(path, path.name)[0, 0].tolist() == [255, 0, 0, 255]


def test_palette_with_transparent_entry() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60] + [0] * 762)
    image.putpixel((1, 0), 1)
    pixels = load_texture(encoded(image, "PNG", transparency=1), "t")
    assert pixels[0].tolist() == [[10, 20, 30, 255], [40, 50, 60, 0]]


def test_straight_alpha_is_kept() -> None:
    image = Image.new("RGBA", (1, 1), (200, 100, 50, 10))
    assert load_texture(encoded(image, "PNG"), "t")[0, 0].tolist() == [200, 100, 50, 10]


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    image = Image.fromarray(np.array([[0, 0x8080, 0xFFFF]], np.uint16))
    assert load_texture(encoded(image, "PNG"), "t")[0, :, 0].tolist() == [0, 128, 255]


def test_grey_with_alpha_and_cmyk() -> None:
    assert load_texture(encoded(Image.new("LA", (1, 1), (7, 9)), "PNG"), "t")[0, 0].tolist() == [7, 7, 7, 9]
    white = load_texture(encoded(Image.new("CMYK", (1, 1), (0, 0, 0, 0)), "TIFF"), "t")
    assert white[0, 0].tolist() == [255, 255, 255, 255]


@pytest.mark.parametrize(
    ("upright", "most", "shape"), [(False, 6, (3, 2, 4)), (True, 6, (2, 3, 4)), (True, 5, (1, 2, 4))]
)
def test_an_orientation_tag_is_followed_where_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, upright: bool, most: int, shape: tuple[int, ...]
) -> None:
    monkeypatch.setattr("specsia_build.characters.images.KEPT_TEXTURE_PIXELS", most)
    exif = Image.Exif()
    exif[0x0112] = 6
    assert load_texture(encoded(corners_image(), "JPEG", exif=exif), "t", upright=upright).shape == shape


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(CharacterError, match=r"gone\.png cannot be read: No such file"):
        load_texture(tmp_path / "gone.png", "gone.png")


def test_what_is_no_image_is_named() -> None:
    with pytest.raises(CharacterError, match=r"notes\.png is not an image of a known kind"):
        load_texture(b"hello there", "notes.png")
    with pytest.raises(CharacterError, match=r"^hero\.glb is a GLB file and no image$"):
        load_texture(b"glTF\2\0\0\0", "hero.glb")
    with pytest.raises(CharacterError, match=r"^skin\.png is a ZIP archive: unpack it$"):
        load_texture(b"PK\3\4", "skin.png")


def test_a_cut_image_is_named() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    data = encoded(Image.fromarray(noise), "PNG")
    with pytest.raises(CharacterError, match=r"cut\.png is a damaged image"):
        load_texture(data[: len(data) // 2], "cut.png")


@pytest.mark.parametrize("side", [17000, 60000])
def test_a_decompression_bomb_is_refused_before_decoding(side: int) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    with pytest.raises(CharacterError, match=r"pixels.*16384x16384"):
        load_texture(data, "bomb.png")


def test_a_larger_texture_than_is_kept_is_halved() -> None:
    image = Image.new("L", (8200, 8301), 10)
    image.paste(30, (0, 0, 1, 8301))
    pixels = load_texture(encoded(image, "PNG", compress_level=1), "t")
    assert pixels.shape == (4151, 4100, 4)
    assert pixels[0, 0].tolist() == pixels[4150, 0].tolist() == [20, 20, 20, 255]
    assert pixels[4150, 4099].tolist() == [10, 10, 10, 255]


def test_postscript_is_not_decoded() -> None:
    data = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    with pytest.raises(CharacterError, match="not an image of a known kind"):
        load_texture(data, "t.eps")


@given(st.binary(max_size=200), st.sampled_from(["PNG", "BMP", "TGA", "GIF", "TIFF", "JPEG", "WEBP"]))
def test_damage_never_raises_anything_else(damage: bytes, kind: str) -> None:
    data = bytearray(encoded(corners_image(), kind))
    at = len(data) // 3
    data[at : at + len(damage)] = damage
    with contextlib.suppress(CharacterError):
        assert load_texture(bytes(data), "t").dtype == np.uint8


def test_srgb_to_linear_known_values() -> None:
    assert_allclose(srgb_to_linear(np.array([0.0, 0.04045, 0.5, 1.0])), [0, 0.0031308, 0.2140411, 1], atol=1e-6)
    assert_array_equal(srgb_to_linear(np.array([-1.0, 2.0])), [0, 1])


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


def test_a_png_that_pillow_forgives_is_read() -> None:
    values = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    data = encoded(Image.fromarray(values), "PNG")
    at = data.index(b"IDAT")
    for forgiven in (data[:-12], data[:-16] + bytes(4) + data[-12:], data + b"more"):
        assert_array_equal(load_texture(forgiven, "t")[..., :3], values)
    moving = io.BytesIO()
    frames = [Image.fromarray(values), Image.fromarray(values[::-1].copy())]
    frames[0].save(moving, "PNG", save_all=True, append_images=frames[1:])
    assert_array_equal(load_texture(moving.getvalue(), "t")[..., :3], values)
    with pytest.raises(CharacterError, match="t is a damaged image"):
        load_texture(data[: at + 12], "t")


@pytest.mark.parametrize(
    ("start", "kind"),
    [(b"v/1\x01\x02", "an OpenEXR"), (b"#?RADIANCE\n", "a Radiance HDR"), (b"\0\0\0\x20ftypavif", "an AVIF")],
)
def test_kinds_that_are_not_read_are_named(start: bytes, kind: str) -> None:
    with pytest.raises(CharacterError, match=f"t is {kind} image, which is not read: save it as PNG"):
        load_texture(start + bytes(64), "t")
