"""Arrays in files: what numpy reads of them, and that sparse ones come back to the bit."""

from __future__ import annotations

import io
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


def test_what_is_no_such_array_is_told() -> None:
    whole = npz.encode(np.zeros((2, 2), np.float32))
    for data in (whole[:-30], whole):
        with pytest.raises(ValueError, match="is no array"):
            npz.decode_sparse(data)
