"""What points on a surface look like."""

from __future__ import annotations

import numpy as np
import pytest

from specsia_build.characters.shape import shape_of


@pytest.mark.parametrize("count", [16, 300, 499, 500, 4000])
def test_a_shape_is_judged_by_however_few_points(count: int) -> None:
    points = np.random.default_rng(0).random((count, 3)) * (1.0, 0.2, 2.0)
    shape = shape_of(np.where(points[:, :1] > 0.5, points + np.array((0.4, 0, 0)), points))
    assert shape.height == pytest.approx(2.0, rel=0.3)
