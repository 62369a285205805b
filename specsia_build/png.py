"""PNG, fast to write and valid for every reader: the Up filter and ISA-L's deflate.

The encoder is part of the package's pinned dependencies, so that bytes do not depend on what a machine has installed.
"""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray
from PIL import Image

from specsia_build import deflate

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG colour type of a channel count: grey, grey + alpha, RGB, RGBA."""

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}

_MOST_BYTES = 1 << 28
"""Largest image that is inflated without asking Pillow, which has its own limits."""


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def encode(image: NDArray[np.uint8]) -> bytes:
    """A PNG of (H, W) grey or (H, W, C) uint8 with C = 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.

    Raises:
        ValueError: if the array is not such an image.
    """
    pixels = image[..., None] if image.ndim == 2 else image
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in _COLOUR_TYPES or 0 in pixels.shape:
        raise ValueError(f"cannot write an array of shape {image.shape} and type {image.dtype} as PNG")
    height, width, channels = pixels.shape
    # Filter type 2 (Up): each row less the row above it, the first row less zero.
    rows = np.empty((height, 1 + width * channels), np.uint8)
    flat = np.ascontiguousarray(pixels).reshape(height, width * channels)
    rows[:, 0] = 2
    rows[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    data = deflate.compress(rows.data.cast("B"))
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _check_whole(data: bytes) -> None:
    """Walk the chunks; readers fill in what a cut or damaged file lacks without a word."""
    if data[:8] != SIGNATURE:
        raise ValueError("the PNG cannot be read: it does not begin as one")
    at, kind = 8, b""
    while kind != b"IEND":
        if at + 12 > len(data):
            raise ValueError("the PNG cannot be read: it ends too early")
        (length,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 8 + length
        if end + 4 > len(data):
            raise ValueError("the PNG cannot be read: it ends too early")
        if struct.unpack_from(">I", data, end)[0] != zlib.crc32(memoryview(data)[at + 4 : end]):
            raise ValueError("the PNG cannot be read: a checksum does not match")
        at = end + 4


def _decode_own(data: bytes, channels: int) -> NDArray[np.uint8] | None:
    """Pixels of a PNG as `encode` writes it, in half of Pillow's time; None of any other, or a damaged one."""
    if data[12:16] != b"IHDR" or data[37:41] != b"IDAT":
        return None
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    (length,) = struct.unpack_from(">I", data, 33)
    if (depth, colour, interlaced) != (8, _COLOUR_TYPES[channels], 0) or data[49 + length : 53 + length] != b"IEND":
        return None
    wanted = height * (1 + width * channels)
    if wanted > _MOST_BYTES:
        return None
    inflate = isal_zlib.decompressobj()
    try:
        raw = inflate.decompress(memoryview(data)[41 : 41 + length], wanted + 1)
    except isal_zlib.error:  # type: ignore[misc]  # its stub calls it an instance
        return None
    if len(raw) != wanted or not inflate.eof:
        return None
    rows = np.frombuffer(raw, np.uint8).reshape(height, 1 + width * channels)
    if (rows[:, 0] != 2).any():
        return None
    pixels = rows[:, 1:].copy()
    for y in range(1, height):
        pixels[y] += pixels[y - 1]
    return pixels.reshape((height, width) if channels == 1 else (height, width, channels))


def decode(data: bytes, channels: int) -> NDArray[np.uint8]:
    """Pixels of a PNG as (H, W) for one channel or (H, W, channels) uint8.

    Raises:
        ValueError: if the bytes are no whole PNG, or one of other channels.
    """
    if channels not in _MODES:
        raise ValueError(f"a PNG has 1 to 4 channels, not {channels}")
    _check_whole(data)
    own = _decode_own(data, channels)
    if own is not None:
        return own
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            image.load()
            if image.mode != _MODES[channels]:
                raise ValueError(f"the PNG's mode is {image.mode}, not {_MODES[channels]}")
            return np.asarray(image)
    except (OSError, SyntaxError, struct.error, zlib.error, Image.DecompressionBombError) as error:
        raise ValueError(f"the PNG cannot be read: {error}") from error
