"""Measures of meshes, and groups of linked members, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specsia_build.rendering.mesh import cofactors
from specsia_build.rendering.topology import linked_groups
from tests.rendering.scenes import box


def test_cached_values_are_read_only_and_not_those_of_another_mesh() -> None:
    mesh = box((0, 0, 0), (0.5, 0.5, 0.5))
    assert mesh.used is mesh.used
    assert mesh.doubled_areas is mesh.doubled_areas
    for cached in (mesh.used, mesh.doubled_areas):
        with pytest.raises(ValueError, match="read-only"):
            cached[0] = 0
    low, _ = mesh.bounds()
    low -= 1
    assert mesh.bounds()[0].tolist() == [-0.5, -0.5, -0.5]
    larger = mesh.with_vertices(mesh.vertices * 2)
    assert larger.bounds()[0].tolist() == [-1, -1, -1]
    assert np.allclose(larger.doubled_areas, 4 * mesh.doubled_areas)
    half = mesh.of_faces(np.arange(len(mesh.faces)) < 2)
    assert half.used.sum() == 4
    assert len(half.doubled_areas) == 2


@given(st.integers(0, 2**32 - 1), st.integers(0, 9))
def test_cofactors_are_cross_products_of_columns(seed: int, count: int) -> None:
    matrices = np.random.default_rng(seed).normal(size=(count, 3, 3))
    a, b, c = np.moveaxis(matrices, -1, 0)
    expected = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=-1)
    np.testing.assert_array_equal(cofactors(matrices), expected)


def test_groups_are_numbered_in_the_order_of_their_first_members() -> None:
    # 0-3 and 3-5, 1-4 many times over, which no count of links may hide, and 2 to itself.
    one, other = np.array([3, 0, 2, *[4] * 256]), np.array([5, 3, 2, *[1] * 256])
    assert linked_groups(one, other, 6).tolist() == [0, 1, 2, 0, 1, 0]
    none = np.zeros(0, np.int64)
    assert linked_groups(none, none, 3).tolist() == [0, 1, 2]
    assert linked_groups(none, none, 0).tolist() == []
