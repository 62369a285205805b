"""Polygons to triangles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from specsia_build.characters.polygons import triangulate

ARROW = [(0, 0), (4, 0), (4, 4), (3, 1), (1, 1), (0, 4)]
"""Concave at two corners, none of which sees all others."""


def cut(points: NDArray[np.floating]) -> NDArray[np.int64]:
    """Triangles of one polygon (N, 3)."""
    count = len(points)
    triangles, polygon = triangulate(points, np.arange(count), np.array([0, count]), np.ones(1, bool))
    assert (polygon == 0).all() and len(triangles) == len(polygon)
    return triangles


def areas(points: NDArray[np.floating], triangles: NDArray[np.integer]) -> NDArray[np.float64]:
    """(T, 3): vectors along the normals, as long as the areas."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    return np.cross(b - a, c - a) / 2


def turned(flat: NDArray[np.floating], seed: int) -> NDArray[np.float64]:
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return np.asarray(np.column_stack([flat, np.zeros(len(flat))]) @ turn.T)


@settings(max_examples=80, deadline=None)
@given(st.integers(4, 40), st.integers(0, 2**32 - 1), st.booleans())
def test_triangles_cover_a_polygon_of_any_shape_once_and_face_as_it_does(count: int, seed: int, back: bool) -> None:
    random = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    flat = random.uniform(0.2, 1.0, (count, 1)) * np.column_stack([np.cos(angle), np.sin(angle)])
    points = turned(flat[::-1] if back else flat, seed)
    whole = np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0) / 2
    found = areas(points, cut(points))
    size = float(np.linalg.norm(whole))
    assert float(np.linalg.norm(found, axis=1).sum()) == pytest.approx(size, rel=1e-3)
    assert (found @ whole > -1e-3 * size**2).all()


@pytest.mark.parametrize("start", range(4))
def test_a_concave_quad_is_cut_along_the_diagonal_inside(start: int) -> None:
    dart = np.roll(turned(np.array([(-1, 0), (0, 1), (1, 0), (0, 11)]), 3), start, axis=0)
    assert float(np.linalg.norm(areas(dart, cut(dart)), axis=1).sum()) == pytest.approx(10.0)


def test_several_polygons_keep_their_order_and_what_is_left_out_stays_out() -> None:
    points = np.column_stack([np.array(ARROW * 3, float), np.repeat([0.0, 1.0, 2.0], len(ARROW))])
    straight = np.array([(0, 0, 3), (2, 0, 3), (4, 0, 3), (4, 4, 3), (1, 1, 3), (0, 4, 3)], float)
    points = np.vstack([points, straight])
    first = np.array([0, 6, 12, 18, 24])
    triangles, polygon = triangulate(points, np.arange(24), first, np.array([True, False, True, True]))
    assert np.unique(polygon).tolist() == [0, 2, 3] and (np.diff(polygon) >= 0).all()
    assert (triangles // 6 == polygon[:, None]).all()
    for index, size in ((0, 7.0), (2, 7.0), (3, 10.0)):
        assert float(areas(points, triangles[polygon == index])[:, 2].sum()) == pytest.approx(size)
