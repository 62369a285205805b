"""Counts over frames tell right layers from wrong ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import layers
from benchmarks.layer_measures import Counts, Frame, flow_counts
from specsia_build.characters.character import Entry
from specsia_build.config import ClipSettings
from specsia_build.rendering.mesh import Mesh
from specsia_build.stages.clips.actor import shot_of
from tests.pipeline.moving import write_moving_figure

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


def flowing(here: Frame, there: Frame, mesh: Mesh) -> Counts:
    return flow_counts(here, there, mesh, 10, np.random.default_rng(0))


def with_layer(frame: Frame, name: str, value: object) -> Frame:
    return replace(frame, layers={**frame.layers, name: value})


def test_right_layers_are_counted_as_right(entry: Entry) -> None:
    result = layers.measured([entry], 1, SETTINGS, 96)
    for row in layers.ROWS:
        (share,) = (row.share(counts) for counts in result.values())
        if row.goal is not None and "hides" not in row.what and "interpolated" not in row.what:
            assert share is None or share >= row.goal, row.what
    assert layers.table(result).count("\n|") > 20


def test_flow_that_is_a_pixel_off_is_counted(pair: tuple[Frame, Frame, Mesh]) -> None:
    here, there, mesh = pair
    right, wrong = (flowing(frame, there, mesh) for frame in (here, with_layer(here, "flow", here.layers["flow"] + 1)))
    for name in ("matched, projected", "matched, same position"):
        assert wrong[name] < 0.1 * right[name]
    assert right["matched, same place"] > wrong["matched, same place"]
