"""NumPy's `.npz`, with the same bytes everywhere, and faster than NumPy's own reader."""

import io
import struct
import zipfile
import zlib
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from isal import isal_zlib
from numpy.lib import format as npy
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.jit import ready

KEY, THERE = "i", "there"  # Names of an array in its file, and of the mask of a sparse one

# Constants of the zip format
_STORED, _DEFLATED = 0, 8  # Methods
_CREATED, _NEEDED = 20, 20  # Versions
_DOS_DATE = 0x21  # 1 January 1980

_HEADER = 30  # Bytes before the name of a zip member

_DAMAGES: Any = (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile, isal_zlib.error, struct.error)
"""Errors that parsers raise for damaged files."""


def encode(array: NDArray[Any]) -> bytes:
    """Encode an array as `.npz`, under the name `KEY`."""
    return encode_named({KEY: array})


def encode_sparse(array: NDArray[np.float32]) -> bytes:
    """Encode a mostly zero array (H, W, 2) as a mask and values, which are noise and not compressed."""
    words = ready(array, np.float32).view(np.uint64)[..., 0]
    there = words != 0
    return encode_named({THERE: there, KEY: words[there].view(np.float32).reshape(-1, 2)}, stored=(KEY,))


def encode_named(arrays: Mapping[str, NDArray[Any]], stored: Collection[str] = ()) -> bytes:
    """Encode arrays as `.npz` by their names, plain ASCII; those that are `stored` uncompressed."""
    body, directory = bytearray(), bytearray()
    for name, array in ((name, ready(array)) for name, array in arrays.items()):
        stream = io.BytesIO()
        npy.write_array_header_1_0(stream, npy.header_data_from_array_1_0(array))
        plain, member = b"".join([stream.getvalue(), array.data]), f"{name}.npy".encode()
        # Without the 2 bytes before and the 4 behind that make zlib's container.
        packed = plain if name in stored else png.deflate(plain)[2:-4]
        sizes = (isal_zlib.crc32(plain), len(packed), len(plain), len(member))
        method = _STORED if name in stored else _DEFLATED
        facts = struct.pack("<HHHHHIIIHH", _NEEDED, 0, method, 0, _DOS_DATE, *sizes, 0)
        directory += b"PK\x01\x02" + struct.pack("<H", _CREATED) + facts
        directory += struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + member
        body += b"PK\x03\x04" + facts + member + packed
    end = struct.pack("<HHHHIIH", 0, 0, len(arrays), len(arrays), len(directory), len(body), 0)
    return bytes(body + directory + b"PK\x05\x06" + end)


def decode(data: bytes) -> NDArray[Any]:
    """Decode what `encode` wrote; raises ValueError if the bytes are not such a file."""
    return _decoded(data, KEY)[0]


def decode_sparse(data: bytes) -> NDArray[Any]:
    """Decode what `encode_sparse` wrote, (H, W, K)."""
    there, values = _decoded(data, THERE, KEY)
    array = np.zeros((*there.shape, *values.shape[1:]), values.dtype)
    array[there] = values
    return array


def _decoded(data: bytes, *names: str) -> list[NDArray[Any]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = (io.BytesIO(_unpacked(data, archive.getinfo(f"{name}.npy"))) for name in names)
            return [npy.read_array(member, allow_pickle=False) for member in members]
    except _DAMAGES as error:
        raise ValueError(f"is not an array in a .npz under the name '{names[-1]}': {error}") from error


def _unpacked(data: bytes, member: zipfile.ZipInfo) -> bytes:
    """Content of a zip member; `zipfile` takes three times as long."""
    named = member.header_offset + _HEADER
    begin = named + sum(struct.unpack_from("<HH", data, named - 4))
    plain = data[begin : begin + member.compress_size]
    if member.compress_type == _DEFLATED:
        plain = isal_zlib.decompressobj(-zlib.MAX_WBITS).decompress(plain, member.file_size)
    elif member.compress_type != _STORED:
        raise ValueError(f"it is packed by method {member.compress_type} of the zip format")
    if len(plain) != member.file_size or isal_zlib.crc32(plain) != member.CRC:
        raise ValueError("its content does not match its checksum")
    return plain
