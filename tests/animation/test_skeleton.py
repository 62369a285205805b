"""Transforms taken apart and put together again."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from specsia_build.animation.skeleton import composed, decomposed

_SCALES = st.floats(-3, 3).filter(lambda value: value == 0 or abs(value) > 1e-3)


@given(
    arrays(np.float64, (2, 3), elements=st.floats(-5, 5)),
    arrays(np.float64, (2, 4), elements=st.floats(-1, 1)),
    arrays(np.float64, (2, 3), elements=_SCALES),
)
def test_what_is_composed_comes_apart_into_the_same(
    translations: np.ndarray, rotations: np.ndarray, scales: np.ndarray
) -> None:
    matrices = composed(translations, rotations, scales)
    parts = decomposed(matrices)
    np.testing.assert_allclose(composed(*parts), matrices, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(parts[1], axis=-1), 1)


def test_of_a_sheared_matrix_the_nearest_rotation_is_taken() -> None:
    sheared = np.eye(4)
    sheared[0, 1] = 0.5
    translation, rotation, scale = decomposed(sheared)
    assert np.abs(composed(translation, rotation, scale) - sheared).max() < 0.3
    np.testing.assert_allclose(scale, (1, 1.25**0.5, 1))
