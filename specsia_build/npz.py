"""Arrays in files: NumPy's `.npz`, of the same bytes everywhere."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from specsia_build import deflate

KEY = "i"
"""Name of the array in its file."""

_DEFLATED, _MADE, _NEEDED, _DOS_DATE = 8, 20, 20, 0x21
"""Of the zip format: its method, versions, and the first of January 1980."""


def encode(array: NDArray[Any]) -> bytes:
    """A `.npz` as `np.load` reads it, with the array named `KEY`."""
    return encode_named({KEY: array})


def encode_named(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """A `.npz` as `np.load` reads it, with arrays by their names, plain ASCII."""
    body, directory = bytearray(), bytearray()
    for name, array in arrays.items():
        stream = io.BytesIO()
        npy.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
        plain = stream.getbuffer()
        # Without the two bytes before and the four behind that make zlib's container of a deflated stream.
        packed, member = deflate.compress(plain)[2:-4], f"{name}.npy".encode()
        sizes = (zlib.crc32(plain), len(packed), len(plain), len(member))
        facts = struct.pack("<HHHHHIIIHH", _NEEDED, 0, _DEFLATED, 0, _DOS_DATE, *sizes, 0)
        directory += b"PK\x01\x02" + struct.pack("<H", _MADE) + facts
        directory += struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + member
        body += b"PK\x03\x04" + facts + member + packed
    end = struct.pack("<HHHHIIH", 0, 0, len(arrays), len(arrays), len(directory), len(body), 0)
    return bytes(body + directory + b"PK\x05\x06" + end)


def decode(data: bytes) -> NDArray[Any]:
    """The array of a `.npz` that `encode` wrote.

    Raises:
        ValueError: if the bytes are no such file.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as opened:
            found: NDArray[Any] = opened[KEY]
            return found
    except (KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"is no array in a .npz under the name '{KEY}': {error}") from error
