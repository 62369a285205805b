"""What is measured of meshes, against NumPy."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from specsia_build.rendering.mesh import lengths


@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.integers(-9, 9))
def test_lengths_are_those_of_numpy_to_the_last_bit(seed: int, count: int, power: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(count, 3)) * 10.0**power
    assert_array_equal(lengths(vectors), np.linalg.norm(vectors, axis=1))
