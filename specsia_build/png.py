"""PNG, fast to write and read: written with the Up filter and ISA-L's deflate, valid for every reader.

The encoder is part of the package's pinned dependencies, so that bytes do not depend on what a machine has installed.
"""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from isal import isal_zlib
from isal.igzip_lib import IsalError
from numpy.typing import NDArray
from PIL import Image

from specsia_build import deflate
from specsia_build.jit import compiled, inlined, ready

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG colour type of a channel count: grey, grey + alpha, RGB, RGBA."""

_MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}
"""Pillow's name of a colour type."""

_MOST_PIXELS = 1 << 26


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", isal_zlib.crc32(body, isal_zlib.crc32(kind)))


def encode(image: NDArray[np.uint8]) -> bytes:
    """A PNG of (H, W) grey or (H, W, C) uint8 with C = 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.

    Raises:
        ValueError: if the array is not such an image.
    """
    pixels = image[..., None] if image.ndim == 2 else image
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in _COLOUR_TYPES or 0 in pixels.shape:
        raise ValueError(f"cannot write an array of shape {image.shape} and type {image.dtype} as PNG")
    height, width, channels = pixels.shape
    rows = _filtered(ready(pixels).reshape(height, width * channels))
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    data = deflate.compress(rows.data.cast("B"))
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


@compiled
def _filtered(pixels):  # type: ignore[no-untyped-def]
    """Filter type 2 (Up) of rows (H, N): each less the row above it, the first less zero; a byte before says which."""
    height, width = pixels.shape
    rows = np.empty((height, 1 + width), np.uint8)
    for y in range(height):
        rows[y, 0] = 2
        to, here = rows[y, 1:], pixels[y]
        if y == 0:
            to[:] = here
            continue
        above = pixels[y - 1]
        for x in range(width):
            to[x] = here[x] - above[x]
    return rows


@inlined
def _undo(kind, row, here, left, above, corner):  # type: ignore[no-untyped-def]
    """Undo a filter where all that it looks at is known; each (N,) uint8, `here` is written and may overlap `left`."""
    if kind == 0:
        for x in range(len(row)):
            here[x] = row[x]
    elif kind == 1:
        for x in range(len(row)):
            here[x] = row[x] + left[x]
    elif kind == 2:
        for x in range(len(row)):
            here[x] = row[x] + above[x]
    elif kind == 3:
        for x in range(len(row)):
            here[x] = row[x] + ((np.int32(left[x]) + np.int32(above[x])) >> 1)
    else:
        for x in range(len(row)):
            a, b, c = np.int32(left[x]), np.int32(above[x]), np.int32(corner[x])
            # Both are special cases of what follows, and all that there is where colours are flat: three times faster.
            if a == c:
                guess = b
            elif b == c:
                guess = a
            else:
                along, down, across = abs(b - c), abs(a - c), abs(a + b - c - c)
                guess = a if along <= down and along <= across else (b if down <= across else c)
            here[x] = row[x] + guess


@compiled
def _unfiltered(rows, channels):  # type: ignore[no-untyped-def]
    """Pixels (H, W * channels) of the filtered rows (H, 1 + W * channels) of a PNG; no rows if a filter is unknown."""
    height, width = rows.shape[0], rows.shape[1] - 1
    # A row of zeros above the first, and a pixel of zeros left of each.
    pixels = np.zeros((1 + height, width), np.uint8)
    zeros = np.zeros(channels, np.uint8)
    for y in range(height):
        kind, row, here, above = rows[y, 0], rows[y, 1:], pixels[y + 1], pixels[y]
        if kind > 4:
            return pixels[:0]
        _undo(kind, row[:channels], here[:channels], zeros, above[:channels], zeros)
        _undo(kind, row[channels:], here[channels:], here[:-channels], above[channels:], above[:-channels])
    return pixels[1:]


def _unpacked(data: bytes) -> tuple[tuple[int, ...], bytes | memoryview]:
    """Header and compressed pixels of a PNG whose chunks are whole."""
    if data[:8] != SIGNATURE or data[12:16] != b"IHDR" or len(data) < 33:
        raise ValueError("is not a PNG file")
    parts: list[memoryview] = []
    at, kind, view = 8, b"", memoryview(data)
    while kind != b"IEND":
        if at + 12 > len(data):
            raise ValueError("is cut off")
        (length,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 8 + length
        if end + 4 > len(data):
            raise ValueError("is cut off")
        if struct.unpack_from(">I", data, end)[0] != isal_zlib.crc32(view[at + 4 : end]):
            raise ValueError(f"is damaged: a checksum inside of it does not match ({kind.decode('latin-1')})")
        if kind == b"IDAT":
            parts.append(view[at + 8 : end])
        at = end + 4
    return struct.unpack_from(">IIBBBBB", data, 16), parts[0] if len(parts) == 1 else b"".join(parts)


def decode(data: bytes, channels: int) -> NDArray[np.uint8]:
    """Pixels of a PNG, every byte of it checked, as (H, W) for one channel or (H, W, channels) uint8.

    Raises:
        ValueError: with what is wrong with it, from its verb on, if the bytes are no whole PNG of 8 bits and so many
            channels.
    """
    if channels not in _COLOUR_TYPES:
        raise ValueError(f"a PNG has 1 to 4 channels, not {channels}")
    (width, height, depth, colour, *other_forms), packed = _unpacked(data)
    if depth != 8 or colour != _COLOUR_TYPES[channels]:
        found = _MODES.get(colour, f"colour type {colour}") if depth == 8 else f"{depth} bits"
        raise ValueError(f"is of mode {found}, not {_MODES[_COLOUR_TYPES[channels]]}")
    if not 0 < width * height <= _MOST_PIXELS:
        raise ValueError(f"has {width} x {height} pixels")
    if any(other_forms):
        return _by_pillow(data)
    wanted = height * (1 + width * channels)
    inflate = isal_zlib.decompressobj()
    try:
        raw = inflate.decompress(packed, wanted + 1)
    except (IsalError, IndexError) as error:  # type: ignore[misc]  # its stub forgets what it derives from
        raise ValueError("is damaged: its pixels cannot be unpacked") from error
    if len(raw) != wanted or not inflate.eof or inflate.unused_data:
        raise ValueError("is damaged: it holds fewer or more pixels than it says")
    pixels: NDArray[np.uint8] = _unfiltered(np.frombuffer(raw, np.uint8).reshape(height, -1), channels)
    if len(pixels) < height:
        raise ValueError("is damaged: a row has no known filter")
    return pixels if channels == 1 else pixels.reshape(height, width, channels)


def decode_rgba(data: bytes) -> NDArray[np.uint8]:
    """Pixels of a PNG of any kind, (H, W, 4) uint8: slower than `decode`, but nothing compiled is loaded for it.

    Raises:
        ValueError: with what is wrong with it, if it cannot be read.
    """
    return _by_pillow(data, "RGBA")


def _by_pillow(data: bytes, mode: str | None = None) -> NDArray[np.uint8]:
    width, height = struct.unpack_from(">II", data.ljust(24), 16)
    if data.startswith(SIGNATURE) and width * height > _MOST_PIXELS:
        raise ValueError(f"has {width} x {height} pixels")
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            return np.asarray(image if mode is None else image.convert(mode))
    except (OSError, SyntaxError, struct.error, zlib.error, Image.DecompressionBombError) as error:
        raise ValueError(f"is a PNG file that cannot be read: {error}") from error
