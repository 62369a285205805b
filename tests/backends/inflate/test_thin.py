"""Limbs thinner than a cell of the lattice stay in one piece, as wide as they are drawn; what is lost is told."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from specsia_build.backends.inflate.shape import clean_silhouette, lattice
from specsia_build.backends.inflate.thin import thin_limbs
from specsia_build.rendering.topology import topology
from tests.backends.drawings import Field, disc, figure, limb, painted, seen
from tests.backends.inflate.drawings import inflated, solid

SIZE = 384


def line(start: tuple[float, float], end: tuple[float, float], width: float) -> Field:
    """A line `width` pixels wide."""
    return limb(SIZE, start, end, width / 2 / SIZE)


def stick(width: float) -> list[Field]:
    """A head on thin limbs: signed distances of the limbs."""
    ends = (((0.5, 0.2), (0.5, 0.6)), ((0.5, 0.4), (0.2, 0.5)), ((0.5, 0.6), (0.37, 0.93)), ((0.5, 0.6), (0.7, 0.9)))
    return [line(*both, width) for both in ends]


DRAWN: dict[str, Callable[[], tuple[Field, list[Field]]]] = {
    "a stick figure": lambda: (disc(SIZE, 0.5, 0.2, 0.17), stick(2)),
    "an antenna": lambda: (figure(SIZE)[0], [line((0.5, 0.2), (0.57, 0.03), 2)]),
    "a spear": lambda: (figure(SIZE)[0], [line((0.815, 0.1), (0.815, 0.9), 2)]),
    "a bow string": lambda: (
        np.maximum(figure(SIZE)[0], line((0.75, 0.2), (0.75, 0.64), 8)),
        [line((0.75, 0.21), (0.88, 0.42), 1.2), line((0.88, 0.42), (0.75, 0.63), 1.2)],
    ),
    "hair": lambda: (figure(SIZE)[0], [line((x, 0.2), (2 * x - 0.5, 0.06), 2) for x in (0.43, 0.5, 0.56)]),
}
"""A body, and the thin limbs that it has."""


@pytest.mark.parametrize("name", DRAWN)
def test_thin_limbs_stay_in_one_piece_and_as_wide_as_they_are(name: str) -> None:
    body, limbs = DRAWN[name]()
    whole = np.maximum.reduce([body, *limbs])
    mesh = inflated(painted(whole))
    assert solid(mesh).is_watertight and len(topology(mesh).areas) == 1
    shown, thin = seen(mesh, size=SIZE)[..., 3] >= 128, np.maximum.reduce(limbs) * SIZE
    assert shown[(thin > 0.1) & (body < 0)].mean() > 0.98
    beside = (whole * SIZE < -1) & (thin > -6) & (body * SIZE < -8)
    assert shown[beside].mean() < 0.02


def test_thin_limbs_are_round() -> None:
    mesh = inflated(painted(np.maximum(figure(SIZE)[0], line((0.8, 0.1), (0.8, 0.9), 3))))
    tip = mesh.vertices[mesh.vertices[:, 2] > 0.48]
    assert len(tip) >= 12
    assert np.ptp(tip[:, 1]) == pytest.approx(np.ptp(tip[:, 0]), rel=0.35)


def test_a_figure_without_thin_limbs_has_none() -> None:
    silhouette = clean_silhouette(painted(figure(SIZE)[0])[..., 3])
    assert thin_limbs(silhouette, lattice(silhouette)) is None
