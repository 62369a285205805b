"""Figures that say how alike two pictures are, and counts over frames that tell right layers from wrong ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import layers
from benchmarks.layer_measures import Frame, flow_counts
from benchmarks.parity import compare
from specsia_build.characters.character import Entry
from specsia_build.config import ClipSettings
from specsia_build.rendering.layers import Layers
from specsia_build.rendering.mesh import Mesh
from specsia_build.stages.clips.actor import shot_of
from tests.pipeline.moving import write_moving_figure

BOX = ([0.0, 0.0, 0.0], [1.0, 2.0, 0.5])


def square() -> Layers:
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
    parity = compare(square(), square(), *BOX)
    assert parity.iou == 1
    assert {v for k, v in parity.as_dict().items() if k != "iou"} == {0}


def test_coverage_counts_at_edges_and_at_half() -> None:
    other = square()
    coverage = other.coverage.copy()
    coverage[2:6, 2] = 127
    parity = compare(square(), replace(other, coverage=coverage), *BOX)
    assert parity.iou == 12 / 16
    assert parity.coverage_edge_mae == pytest.approx(1 / 255)
    assert parity.coverage_mae == pytest.approx(4 / 64 / 255)


def test_colour_counts_inside_only() -> None:
    color = square().color.copy()
    color[2:6, 2, :3] = 0
    assert compare(square(), replace(square(), color=color), *BOX).color_mae == 0
    color[2, 3, 0] = 112
    parity = compare(square(), replace(square(), color=color), *BOX)
    assert parity.color_mae == pytest.approx(12 / 36)
    assert parity.color_p99 > 0


def test_positions_count_in_shares_of_the_box() -> None:
    position = square().position.copy()
    position[3, 4] += [0, 0, 0.5 * 3 / 255]
    parity = compare(square(), replace(square(), position=position), *BOX)
    assert parity.position_max == pytest.approx(3, rel=1e-5)
    assert parity.position_off == 1 / 12
    assert parity.position_p95 == pytest.approx(3 * 0.45, rel=1e-3)


SETTINGS = ClipSettings(fps=8, frames=3, patterns=("wave",))


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Entry:
    path = tmp_path_factory.mktemp("figure") / "figure.glb"
    write_moving_figure(path)
    return Entry("figure", "gltf", path)


@pytest.fixture(scope="module")
def pair(entry: Entry) -> tuple[Frame, Frame, Mesh]:
    """Two frames of a figure that waves, from its left, and the figure at rest."""
    ((job, clip, actor),) = layers.shots([entry], 1, SETTINGS, 96)
    surface = layers.surface_in_mind(actor)
    first, second, _ = layers.frames_of(actor, shot_of(replace(clip, yaw=90.0), actor, job.config, 2), surface, 1.0)
    return first, second, actor.mesh


def test_right_layers_are_counted_as_right(entry: Entry) -> None:
    result = layers.measured([entry], 1, SETTINGS, 96)
    for row in layers.ROWS:
        (share,) = (row.share(counts) for counts in result.values())
        if row.goal is not None and "hides" not in row.what and "interpolated" not in row.what:
            assert share is None or share >= row.goal, row.what
    assert layers.table(result).count("\n|") > 20


def test_flow_that_is_a_pixel_off_is_counted(pair: tuple[Frame, Frame, Mesh]) -> None:
    here, there, mesh = pair
    off = replace(here, layers={**here.layers, "flow": here.layers["flow"] + 1})
    right, wrong = (flow_counts(frame, there, mesh, 10, np.random.default_rng(0)) for frame in (here, off))
    for name in ("matched, projected", "matched, same position"):
        assert wrong[name] < 0.1 * right[name]
    assert right["matched, same place"] > wrong["matched, same place"]
