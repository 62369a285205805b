"""Images that are derived from positions, against NumPy."""

from __future__ import annotations

import numpy as np
import scipy
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from specsia_build.dataset.images import edge_image


def _plain_edges(pos: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What the published script draws: the largest of three Sobel gradients, with a border that is mirrored."""
    channels = np.where(pos[..., 3:] < 255, 2.0, pos[..., :3] / 255)
    found = [
        np.hypot(*(scipy.ndimage.sobel(channels[..., c], axis, mode="mirror") for axis in (0, 1))) for c in range(3)
    ]
    return np.where(np.max(found, axis=0) > 0.3, 0, 255).astype(np.uint8)


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(2, 40), st.integers(1, 60))
def test_edges_are_where_positions_jump_and_around_the_figure(seed: int, height: int, width: int, levels: int) -> None:
    random = np.random.default_rng(seed)
    pos = random.integers(0, levels, (height, width, 4), dtype=np.uint8)
    pos[..., 3] = np.where(random.random((height, width)) < 0.9, 255, random.integers(0, 255))
    assert_array_equal(edge_image(pos), _plain_edges(pos))
