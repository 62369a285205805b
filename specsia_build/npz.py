"""Arrays in files: NumPy's `.npz`, of the same bytes everywhere."""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from isal import isal_zlib
from numpy.lib import format as npy
from numpy.typing import NDArray

from specsia_build import deflate
from specsia_build.jit import ready

KEY = "i"
"""Name of the array in its file."""

THERE = "there"
"""Name of what says where a sparse array's values belong."""

_STORED, _DEFLATED, _MADE, _NEEDED, _DOS_DATE = 0, 8, 20, 20, 0x21
"""Of the zip format: its methods, versions, and the first of January 1980."""

_HEADER = 30
"""Bytes before the name of a member."""

_DAMAGES: tuple[type[Exception], ...] = (
    KeyError,
    ValueError,
    OSError,
    EOFError,
    zipfile.BadZipFile,
    isal_zlib.error,  # type: ignore[assignment, unused-ignore]
    struct.error,
)
"""What parsers of damaged files raise."""


def encode(array: NDArray[Any]) -> bytes:
    """A `.npz` as `np.load` reads it, with the array named `KEY`."""
    return encode_named({KEY: array})


def encode_sparse(array: NDArray[np.float32]) -> bytes:
    """A `.npz` of an array (H, W, 2) that is zero at most places: where it is not, and what it has there.

    The values are not compressed: of numbers whose last bits are noise that would take long and gain little.
    """
    words = ready(array, np.float32).view(np.uint64)[..., 0]
    there = words != 0
    return encode_named({THERE: there, KEY: words[there].view(np.float32).reshape(-1, 2)}, stored=(KEY,))


def encode_named(arrays: Mapping[str, NDArray[Any]], stored: Collection[str] = ()) -> bytes:
    """A `.npz` as `np.load` reads it, with arrays by their names, plain ASCII; those that are `stored` uncompressed."""
    body, directory = bytearray(), bytearray()
    for name, array in ((name, ready(array)) for name, array in arrays.items()):
        stream = io.BytesIO()
        npy.write_array_header_1_0(stream, npy.header_data_from_array_1_0(array))
        plain, member = b"".join([stream.getvalue(), array.data]), f"{name}.npy".encode()
        # Without the two bytes before and the four behind that make zlib's container of a deflated stream.
        packed = plain if name in stored else deflate.compress(plain)[2:-4]
        sizes = (isal_zlib.crc32(plain), len(packed), len(plain), len(member))
        method = _STORED if name in stored else _DEFLATED
        facts = struct.pack("<HHHHHIIIHH", _NEEDED, 0, method, 0, _DOS_DATE, *sizes, 0)
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
    return _decoded(data, KEY)[0]


def decode_sparse(data: bytes) -> NDArray[Any]:
    """The array (H, W, K) of a `.npz` that `encode_sparse` wrote.

    Raises:
        ValueError: if the bytes are no such file.
    """
    there, values = _decoded(data, THERE, KEY)
    found = np.zeros((*there.shape, *values.shape[1:]), values.dtype)
    found[there] = values
    return found


def _decoded(data: bytes, *names: str) -> list[NDArray[Any]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            return [_array(_unpacked(data, packed.getinfo(f"{name}.npy"))) for name in names]
    except _DAMAGES as error:
        raise ValueError(f"is no array in a .npz under the name '{names[-1]}': {error}") from error


def _unpacked(data: bytes, member: zipfile.ZipInfo) -> bytes:
    """What a member of a zip file holds; Python's own reader takes three times as long.

    Raises:
        ValueError: if it is packed in a way that arrays are not, or not what the file's directory says.
    """
    begin = member.header_offset + _HEADER + sum(struct.unpack_from("<HH", data, member.header_offset + _HEADER - 4))
    plain = data[begin : begin + member.compress_size]
    if member.compress_type == _DEFLATED:
        # No more than is to be there, whatever it would unpack to.
        plain = isal_zlib.decompressobj(-zlib.MAX_WBITS).decompress(plain, member.file_size)
    elif member.compress_type != _STORED:
        raise ValueError(f"it is packed by method {member.compress_type} of the zip format")
    if len(plain) != member.file_size or isal_zlib.crc32(plain) != member.CRC:
        raise ValueError("its content is not what its sum says")
    return plain


def _array(content: bytes) -> NDArray[Any]:
    """The array of a `.npy` file.

    Raises:
        ValueError: if it is none of plain values.
    """
    stream = io.BytesIO(content)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(npy.read_magic(stream))
    if read is None:
        raise ValueError("its header is of an unknown version")
    shape, by_columns, dtype = read(stream)
    if dtype.hasobject:
        raise ValueError("it holds objects of Python")
    values = np.frombuffer(content, dtype, math.prod(shape), stream.tell())
    return values.reshape(shape, order="F" if by_columns else "C").copy()
