"""Normals under the matrices of skins and nodes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from specsia_build.rendering.mesh import cofactors


@given(st.integers(0, 2**32 - 1), st.integers(0, 9))
def test_cofactors_are_cross_products_of_columns(seed: int, count: int) -> None:
    matrices = np.random.default_rng(seed).normal(size=(count, 3, 3))
    a, b, c = matrices[..., 0], matrices[..., 1], matrices[..., 2]
    assert_array_equal(cofactors(matrices), np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=-1))
