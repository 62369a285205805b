"""PNG and .npz files: round trips with other libraries, and detected damage."""

import io
import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from PIL import Image

from specsia_build import npz, png
from specsia_build.png import decode, decode16, encode


def test_memory_layout_does_not_matter() -> None:
    # From 100 bytes before each multiple of 32768, the reach of a match, rows repeat what lies so far behind
    # them; two positions after it, inside of that match and so not remembered by the encoder, begin four
    # bytes that come again.
    random = np.random.default_rng(0)
    width, blocks = 1024, 400
    rows = np.tile(random.integers(0, 256, width, dtype=np.uint8), (32 * blocks, 1))
    rows[:, 0] = 2
    flat = rows.reshape(-1)
    for block in range(1, blocks):
        at, again = 32768 * block, 32768 * block + 200 + 8 * (block % 90)
        flat[at - 100] = random.integers(256)
        flat[at + 4 : at + 6] = random.integers(0, 256, 2)
        flat[again : again + 4] = flat[at + 2 : at + 6]
    image = np.cumsum(rows[:, 1:], axis=0, dtype=np.uint8)
    everyone = Barrier(64)

    def encoded(_: int) -> bytes:
        everyone.wait()
        return encode(image)

    with ThreadPoolExecutor(64) as threads:
        results = set(threads.map(encoded, range(64)))
    assert len(results) == 1
    assert_array_equal(decode(results.pop(), 1), image)


def test_16_bits() -> None:
    image = np.random.default_rng(0).integers(0, 65536, (7, 5, 3)).astype(np.uint16)
    assert_array_equal(decode16(encode(image), 3), image)
    grey = image[..., 0].copy()
    assert_array_equal(decode16(encode(grey), 1), grey)
    assert_array_equal(np.asarray(Image.open(io.BytesIO(encode(grey)))), grey)
    with pytest.raises(ValueError, match="16 bits"):
        decode(encode(grey), 1)
    with pytest.raises(ValueError, match="8 bits"):
        decode16(encode(np.zeros((2, 2), np.uint8)), 1)


def test_other_arrays_are_refused() -> None:
    for array in (np.zeros((4, 4), np.int32), np.zeros((4, 4, 5), np.uint8), np.zeros((0, 4), np.uint8)):
        with pytest.raises(ValueError, match="cannot write"):
            encode(array)  # type: ignore[arg-type]


def test_truncated_or_changed_file() -> None:
    data = encode(np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8))
    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= 0x10
        for damaged in (bytes(broken), data[:at]):
            with pytest.raises(ValueError, match=r"PNG|cut off|damaged"):
                decode(damaged, 3)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from(["L", "LA", "RGB", "RGBA"]),
    st.booleans(),
    st.integers(0),
)
def test_readers_get_the_pixels(height: int, width: int, mode: str, smooth: bool, seed: int) -> None:
    shape = (height, width) if mode == "L" else (height, width, len(mode))
    image = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    if smooth:
        image = np.cumsum(image // 64, axis=1, dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    assert_array_equal(decode(stream.getvalue(), len(mode)), image)
    data = png.encode(image)
    assert_array_equal(decode(data, len(mode)), image)
    with Image.open(io.BytesIO(data)) as opened:
        assert (opened.format, opened.mode) == ("PNG", mode)
        assert_array_equal(np.asarray(opened), image)


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
    return (
        data[:33] + struct.pack(">I", len(body)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[-12:]
    )


@pytest.mark.parametrize("kind", range(5))
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_filter(kind: int, channels: int) -> None:
    image = np.random.default_rng(kind).integers(0, 256, (7, 9, channels)).astype(np.uint8)
    data = filtered(image, kind)
    assert_array_equal(decode(data, channels), image[..., 0] if channels == 1 else image)
    assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), image[..., 0] if channels == 1 else image)


def test_corrupt_pixels() -> None:
    data = png.encode(np.arange(60, dtype=np.uint8).reshape(6, 10))
    body = zlib.compress(b"\x02" + b"\x00" * 10)
    longer, unknown = zlib.compress(bytes(66) + b"x"), zlib.compress(bytes([9]) + bytes(65))
    for other in (body, body[:-3], b"\x00" * 30, longer, unknown, b""):
        with pytest.raises(ValueError, match=r"pixels|unpacked|filter"):
            decode(rebuilt(data, other), 1)


def test_only_reasonable_png_as_rgba() -> None:
    sound = png.encode(np.zeros((9, 14, 4), np.uint8))
    header = struct.pack(">II", 2**16, 2**11) + sound[24:29]
    huge = sound[:16] + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + sound[33:]
    for data in (b"", sound[:40], b"GIF89a" + bytes(50), huge):
        with pytest.raises(ValueError, match=r"cannot be read|has 65536 x 2048"):
            png.decode_rgba(data)


RNG = np.random.default_rng(7)


def test_numpy_reads_ours() -> None:
    arrays: dict[str, NDArray[Any]] = {
        "one": RNG.random((3, 5, 2), np.float32),
        "other": np.arange(6)[::-2],
        "none": np.empty((0, 4)),
    }
    for stored in ((), ("one",), tuple(arrays)):
        with np.load(io.BytesIO(npz.encode_named(arrays, stored))) as loaded:
            assert list(loaded) == list(arrays)
            for name, array in arrays.items():
                np.testing.assert_array_equal(loaded[name], array)


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_sparse_array_round_trip(share: float) -> None:
    array = RNG.standard_normal((9, 13, 2)).astype(np.float32) * (RNG.random((9, 13, 1)) < share)
    array[:, ::2, 0] = 0
    decoded = npz.decode_sparse(npz.encode_sparse(array))
    assert (decoded.dtype, decoded.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(decoded, array)


@pytest.mark.parametrize(
    "array", [np.arange(24.0).reshape(2, 3, 4), np.asfortranarray(np.eye(3, 5)), np.float32(2.0)]
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_we_read_numpys(save: Any, array: NDArray[Any]) -> None:
    stream = io.BytesIO()
    save(stream, **{npz.KEY: array})
    decoded = npz.decode(stream.getvalue())
    np.testing.assert_array_equal(decoded, array, strict=True)
    assert decoded.flags.writeable


def test_damaged_array() -> None:
    whole = npz.encode(RNG.random((40, 30), np.float32).round(2))
    for place in range(0, len(whole), 7):
        spoilt = bytearray(whole)
        spoilt[place] ^= 0x55
        try:
            array = npz.decode(bytes(spoilt))
        except ValueError as error:
            assert "is not an array" in str(error)
        else:
            np.testing.assert_array_equal(array, npz.decode(whole))


@pytest.mark.parametrize("more", [0, 2**31 - 2**20])
def test_unpacking_is_bounded(more: int) -> None:
    whole = bytearray(npz.encode(np.zeros(1 << 20, np.uint8)))
    at = whole.rindex(b"PK\x01\x02") + 24
    (size,) = struct.unpack_from("<I", whole, at)
    struct.pack_into("<I", whole, at, size + more if more else 1000)
    with pytest.raises(ValueError, match="does not match its checksum"):
        npz.decode(bytes(whole))


def test_objects_are_refused() -> None:
    objects, packed = io.BytesIO(), io.BytesIO()
    np.savez(objects, allow_pickle=True, **{npz.KEY: np.array([{}])})
    with pytest.raises(ValueError, match="allow_pickle"):
        npz.decode(objects.getvalue())
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("i.npy", b"\x93NUMPY")
    with pytest.raises(ValueError, match="packed by method 14"):
        npz.decode(packed.getvalue())
