"""Arrays in files: NumPy's `.npz` of one array, of the same bytes everywhere."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from specsia_build import deflate

KEY = "i"
"""Name of the array in its file."""

_MEMBER = f"{KEY}.npy".encode()

_DEFLATED, _MADE, _NEEDED, _DOS_DATE = 8, 20, 20, 0x21
"""Of the zip format: its method, versions, and the first of January 1980."""


def encode(array: NDArray[Any]) -> bytes:
    """A `.npz` as `np.load` reads it, with the array named `KEY`."""
    stream = io.BytesIO()
    npy.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
    plain = stream.getbuffer()
    # Without the two bytes before and the four behind that make zlib's container of a deflated stream.
    packed = deflate.compress(plain)[2:-4]
    facts = struct.pack(
        "<HHHHHIIIHH", _NEEDED, 0, _DEFLATED, 0, _DOS_DATE, zlib.crc32(plain), len(packed), len(plain), len(_MEMBER), 0
    )
    local = b"PK\x03\x04" + facts + _MEMBER
    listed = b"PK\x01\x02" + struct.pack("<H", _MADE) + facts + struct.pack("<HHHII", 0, 0, 0, 0, 0) + _MEMBER
    at = len(local) + len(packed)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(listed), at, 0)
    return local + packed + listed + end


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
