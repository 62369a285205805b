"""Arrays in files: what numpy reads of them, and that sparse ones come back to the bit."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from specsia_build import npz

RNG = np.random.default_rng(7)


def test_numpy_reads_what_is_written() -> None:
    arrays: dict[str, NDArray[Any]] = {
        "one": RNG.random((3, 5, 2), np.float32),
        "other": np.arange(6)[::-2],
        "none": np.empty((0, 4)),
    }
    for stored in ((), ("one",), tuple(arrays)):
        with np.load(io.BytesIO(npz.encode_named(arrays, stored))) as found:
            assert list(found) == list(arrays)
            for name, array in arrays.items():
                np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_a_sparse_array_comes_back(share: float) -> None:
    array = RNG.standard_normal((9, 13, 2)).astype(np.float32) * (RNG.random((9, 13, 1)) < share)
    array[:, ::2, 0] = 0
    found = npz.decode_sparse(npz.encode_sparse(array))
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("array", [np.arange(24.0).reshape(2, 3, 4), np.asfortranarray(np.eye(3, 5)), np.float32(2.0)])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_writes_is_read(save: Any, array: NDArray[Any]) -> None:
    stream = io.BytesIO()
    save(stream, **{npz.KEY: array})
    found = npz.decode(stream.getvalue())
    np.testing.assert_array_equal(found, array, strict=True)
    assert found.flags.writeable


def test_whatever_is_damaged_is_told() -> None:
    whole = npz.encode(RNG.random((40, 30), np.float32).round(2))
    for place in range(0, len(whole), 7):
        spoilt = bytearray(whole)
        spoilt[place] ^= 0x55
        try:
            found = npz.decode(bytes(spoilt))
        except ValueError as error:
            assert "is no array" in str(error)
        else:
            np.testing.assert_array_equal(found, npz.decode(whole))


@pytest.mark.parametrize("more", [0, 2**31 - 2**20])
def test_no_more_is_unpacked_than_is_to_be_there(more: int) -> None:
    whole = bytearray(npz.encode(np.zeros(1 << 20, np.uint8)))
    at = whole.rindex(b"PK\x01\x02") + 24
    (size,) = struct.unpack_from("<I", whole, at)
    struct.pack_into("<I", whole, at, size + more if more else 1000)
    with pytest.raises(ValueError, match="does not match its checksum"):
        npz.decode(bytes(whole))


def test_objects_and_other_methods_are_refused() -> None:
    objects, packed = io.BytesIO(), io.BytesIO()
    np.savez(objects, allow_pickle=True, **{npz.KEY: np.array([{}])})
    with pytest.raises(ValueError, match="objects of Python"):
        npz.decode(objects.getvalue())
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("i.npy", b"\x93NUMPY")
    with pytest.raises(ValueError, match="packed by method 14"):
        npz.decode(packed.getvalue())
