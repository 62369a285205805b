"""PNG and deflate by ISA-L: fast, and the same bytes on every machine, as the encoder is pinned."""

import io
import struct
import zlib

import numpy as np
from isal import isal_zlib
from isal.igzip_lib import IsalError
from numpy.typing import NDArray
from PIL import Image

from specsia_build.jit import compiled, inlined

ZLIB, GZIP = 15, 31  # Containers of deflated bytes, as the `wbits` of zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # PNG colour types by channel count: grey, grey + alpha, RGB, RGBA
_MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}  # Pillow's names of colour types

_MOST_PIXELS = 1 << 26


def deflate(data: bytes | memoryview, container: int = ZLIB) -> bytes:
    """Compress bytes at level 1; a memory view must have one dimension and bytes."""
    # ISA-L (up to 2.32) finds matches that depend on an address on its stack at the third position of a long
    # stream, but not of short inputs or streams that have begun: compress the first apart, for 20 bytes more.
    stream = isal_zlib.compressobj(level=1, wbits=container)
    beginning = stream.compress(data[:8]) + stream.flush(isal_zlib.Z_SYNC_FLUSH)
    return beginning + stream.compress(data[8:]) + stream.flush()


def _chunk(kind: bytes, body: bytes) -> bytes:
    content = kind + body
    return struct.pack(">I", len(body)) + content + struct.pack(">I", isal_zlib.crc32(content))


def encode(image: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Encode (H, W) or (H, W, C) uint8 or uint16, C = 1 grey, 2 grey, alpha, 3 RGB, 4 RGBA, as PNG."""
    pixels = image[..., None] if image.ndim == 2 else image
    is_picture = pixels.dtype in (np.uint8, np.uint16) and pixels.ndim == 3 and pixels.size > 0
    if not is_picture or pixels.shape[2] not in _COLOUR_TYPES:
        raise ValueError(f"cannot write an array of shape {image.shape} and type {image.dtype} as PNG")
    height, width, channels = pixels.shape
    big_endian = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">"))
    plain = big_endian.view(np.uint8).reshape(height, -1)
    # Filter 2 (Up): each row begins with its number and holds each value minus the one above.
    rows = np.full((height, 1 + plain.shape[1]), np.uint8(2))
    rows[0, 1:] = plain[0]
    np.subtract(plain[1:], plain[:-1], out=rows[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, _COLOUR_TYPES[channels], 0, 0, 0)
    data = deflate(rows.data.cast("B"))
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


@inlined
def _undo(kind, row, here, left, above, corner):  # type: ignore[no-untyped-def]
    """Undo a filter of (N,) uint8 `row` into `here`, which may overlap `left`."""
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
            a = np.int32(left[x])
            b = np.int32(above[x])
            c = np.int32(corner[x])
            # Special cases of the rule below, for flat colours: three times faster.
            if a == c:
                guess = b
            elif b == c:
                guess = a
            else:
                along = abs(b - c)
                down = abs(a - c)
                across = abs(a + b - c - c)
                guess = a if along <= down and along <= across else (b if down <= across else c)
            here[x] = row[x] + guess


@compiled
def _unfiltered(rows, channels):  # type: ignore[no-untyped-def]
    """Unfilter rows (H, 1 + W * channels) of a PNG to (H, W * channels); no rows if a filter is unknown."""
    height, width = rows.shape[0], rows.shape[1] - 1
    pixels = np.zeros((1 + height, width), np.uint8)
    zeros = np.zeros(channels, np.uint8)
    for y in range(height):
        kind = rows[y, 0]
        row = rows[y, 1:]
        here = pixels[y + 1]
        above = pixels[y]
        if kind > 4:
            return pixels[:0]
        _undo(kind, row[:channels], here[:channels], zeros, above[:channels], zeros)
        _undo(kind, row[channels:], here[channels:], here[:-channels], above[channels:], above[:-channels])
    return pixels[1:]


def _unpacked(data: bytes) -> tuple[tuple[int, ...], bytes | memoryview]:
    """Check a PNG's chunks; returns the header's fields and the compressed pixels."""
    if data[:8] != SIGNATURE or data[12:16] != b"IHDR" or len(data) < 33:
        raise ValueError("is not a PNG file")
    parts: list[memoryview] = []
    at = 8
    kind = b""
    view = memoryview(data)
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
    """Decode a PNG, checking all of it, to (H, W) uint8 for one channel or (H, W, channels).

    Raises ValueError with the end of a sentence if the bytes are not a whole 8-bit PNG of so many channels.
    """
    return _decoded(data, channels, 8)


def decode16(data: bytes, channels: int) -> NDArray[np.uint16]:
    """Decode a PNG of 16 bits as `decode` does, to uint16."""
    plain = _decoded(data, channels, 16)
    levels = np.ascontiguousarray(plain).view(">u2").astype(np.uint16)
    return levels[..., 0] if channels == 1 else levels


def _decoded(data: bytes, channels: int, bits: int) -> NDArray[np.uint8]:
    """Decode a PNG to (H, W, channels * bits / 8) uint8, or (H, W) if that is one."""
    (width, height, depth, colour, *other_forms), packed = _unpacked(data)
    if depth != bits or colour != _COLOUR_TYPES[channels]:
        mode = _MODES.get(colour, f"colour type {colour}") if depth == bits else f"{depth} bits"
        raise ValueError(f"is of mode {mode}, not {_MODES[_COLOUR_TYPES[channels]]}")
    if not 0 < width * height <= _MOST_PIXELS:
        raise ValueError(f"has {width} x {height} pixels")
    if any(other_forms):
        if bits != 8:
            raise ValueError("is interlaced")
        return _by_pillow(data)
    step = channels * bits // 8
    wanted = height * (1 + width * step)
    inflate = isal_zlib.decompressobj()
    try:
        raw = inflate.decompress(packed, wanted + 1)
    except (IsalError, IndexError) as error:  # type: ignore[misc]  # its stub forgets what it derives from
        raise ValueError("is damaged: its pixels cannot be unpacked") from error
    if len(raw) != wanted or not inflate.eof or inflate.unused_data:
        raise ValueError("is damaged: it holds fewer or more pixels than it says")
    pixels: NDArray[np.uint8] = _unfiltered(np.frombuffer(raw, np.uint8).reshape(height, -1), step)
    if len(pixels) < height:
        raise ValueError("is damaged: a row has no known filter")
    return pixels if step == 1 else pixels.reshape(height, width, step)


def decode_rgba(data: bytes) -> NDArray[np.uint8]:
    """Decode any PNG to (H, W, 4) uint8: slower than `decode`, but without loading compiled code."""
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
