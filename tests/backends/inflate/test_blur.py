"""Blurred images, against SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from specsia_build.backends.inflate.blur import blurred


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 30), st.floats(0.3, 9.0), st.sampled_from([3.0, 4.0])
)
def test_blurring_is_that_of_scipy_to_the_last_bit(
    dtype: type[Any], seed: int, height: int, width: int, sigma: float, truncate: float
) -> None:
    image = (np.random.default_rng(seed).random((height, width)) * 255).astype(dtype)
    expected = scipy.ndimage.gaussian_filter(image, sigma, mode="constant", truncate=truncate)
    assert_array_equal(blurred(image, sigma, truncate), expected)
