"""The figures that say how alike two pictures are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.parity import compare
from specsia_build.rendering.layers import Layers

BOX = ([0.0, 0.0, 0.0], [1.0, 2.0, 0.5])


def layers() -> Layers:
    """A covered square of 4 x 4 in 8 x 8 pixels whose left column is covered by half."""
    coverage = np.zeros((8, 8), np.uint8)
    coverage[2:6, 2:6] = 255
    coverage[2:6, 2] = 128
    color = np.zeros((8, 8, 4), np.uint8)
    color[..., 3] = coverage
    color[coverage > 0, :3] = 100
    position = np.zeros((8, 8, 3), np.float32)
    position[coverage > 0] = [0.5, 1.0, 0.25]
    return Layers(color, coverage, position)


def test_the_same_picture() -> None:
    parity = compare(layers(), layers(), *BOX)
    assert parity.iou == 1
    assert {v for k, v in parity.as_dict().items() if k != "iou"} == {0}


def test_coverage_counts_at_edges_and_at_half() -> None:
    other = layers()
    coverage = other.coverage.copy()
    coverage[2:6, 2] = 127
    parity = compare(layers(), replace(other, coverage=coverage), *BOX)
    assert parity.iou == 12 / 16
    assert parity.coverage_edge_mae == pytest.approx(1 / 255)
    assert parity.coverage_mae == pytest.approx(4 / 64 / 255)


def test_colour_counts_inside_only() -> None:
    color = layers().color.copy()
    color[2:6, 2, :3] = 0
    assert compare(layers(), replace(layers(), color=color), *BOX).color_mae == 0
    color[2, 3, 0] = 112
    parity = compare(layers(), replace(layers(), color=color), *BOX)
    assert parity.color_mae == pytest.approx(12 / 36)
    assert parity.color_p99 > 0


def test_positions_count_in_shares_of_the_box() -> None:
    position = layers().position.copy()
    position[3, 4] += [0, 0, 0.5 * 3 / 255]
    parity = compare(layers(), replace(layers(), position=position), *BOX)
    assert parity.position_max == pytest.approx(3, rel=1e-5)
    assert parity.position_off == 1 / 12
    assert parity.position_p95 == pytest.approx(3 * 0.45, rel=1e-3)
