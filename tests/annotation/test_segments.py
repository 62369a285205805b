"""Segments: drawn areas with known answers, and frames of real characters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from specsia_build.annotation.lines import contents, draw_lines, feature_edges, matching, segments, visible_lines
from specsia_build.annotation.regions import regions
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.config import BuildConfig
from specsia_build.frame import view_cameras
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.stages.render import in_frame

WHITE, BLACK = 255, 0


def paper(*shape: int) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.uint8]]:
    """White paper with nothing on it: lines, regions and mask."""
    return np.full(shape, WHITE, np.uint8), np.full(shape, -1, np.int32), np.zeros(shape, np.uint8)


def ring() -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.uint8]]:
    """A square of region 0 with a hole, outlined, and region 3 beside 0 in its lower half without a line between."""
    line, label, mask = paper(20, 20)
    label[2:18, 2:18], label[11:18, 10:18], label[6:9, 6:9] = 0, 3, -1
    mask[label >= 0] = 255
    line[2:18, [2, 17]] = line[[2, 17], 2:18] = line[5:10, [5, 9]] = line[[5, 9], 5:10] = BLACK
    return line, label, mask


def test_lines_are_0_background_and_holes_1_and_segments_follow_in_reading_order() -> None:
    line, label, mask = ring()
    seg = segments(line, label, mask)
    assert seg.dtype == np.int32
    assert (seg[line == BLACK] == 0).all()
    assert (seg[[0, 19]] == 1).all()
    assert (seg[6:9, 6:9] == 1).all()
    assert (seg[3, 3:17] == 2).all()
    assert (seg[12:17, 10:17] == 3).all()
    assert np.unique(seg).tolist() == [0, 1, 2, 3]


def test_a_frame_that_shows_nothing_is_background() -> None:
    seg = segments(*paper(5, 7))
    assert (seg == 1).all()
    found = contents(seg, paper(5, 7)[1], np.empty((0, 3), np.uint8))
    assert (found.region.tolist(), found.pixels.tolist(), found.colors.tolist()) == ([-1, -1], [0, 35], [[0] * 4] * 2)
    flow, unmatched = np.zeros((5, 7, 2), np.float32), np.ones((5, 7), np.bool_)
    assert matching(seg, paper(5, 7)[1], seg, paper(5, 7)[1], flow, unmatched).tolist() == [0, 1]


def test_what_segments_hold() -> None:
    line, label, mask = ring()
    palette = np.array([[10, 20, 30], [0, 0, 0], [0, 0, 0], [200, 100, 50]], np.uint8)
    seg = segments(line, label, mask)
    found = contents(seg, label, palette)
    assert found.region.tolist() == [-1, -1, 0, 3]
    assert found.pixels.tolist() == [int((seg == k).sum()) for k in range(4)]
    assert found.colors.tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [10, 20, 30, 255], [200, 100, 50, 255]]
    label[3, 3:6] = 3
    assert contents(seg, label, palette).region.tolist() == [-1, -1, 0, 3]


def figure(shift: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Segments and regions of two boxes of regions 0 and 1 with a line around, and a third of region 1, moved."""
    line, label, mask = paper(20, 40)
    for left, region in ((2, 0), (10, 1), (22, 1)):
        label[4:14, left + shift : left + shift + 8] = region
        line[4:14, [left + shift, left + shift + 7]] = line[[4, 13], left + shift : left + shift + 8] = BLACK
    mask[label >= 0] = 255
    return segments(line, label, mask), label


def test_segments_go_where_their_points_go_and_nowhere_where_these_are_hidden() -> None:
    (seg, label), (later, later_label) = figure(0), figure(5)
    flow = np.zeros((20, 40, 2), np.float32)
    flow[..., 0] = 5
    unmatched = label < 0
    assert matching(seg, label, later, later_label, flow, unmatched).tolist() == [0, 1, 2, 3, 4]
    assert matching(later, later_label, seg, label, -flow, later_label < 0).tolist() == [0, 1, 2, 3, 4]
    unmatched[seg == 3] = True
    assert matching(seg, label, later, later_label, flow, unmatched).tolist() == [0, 1, 2, -1, 4]


def test_segments_go_only_where_the_same_region_is_and_never_outside() -> None:
    (seg, label), (later, later_label) = figure(0), figure(0)
    flow = np.zeros((20, 40, 2), np.float32)
    flow[..., 0] = 8
    assert matching(seg, label, later, later_label, flow, label < 0).tolist() == [0, 1, -1, 4, -1]
    assert matching(seg, label, later, later_label, flow + 100, label < 0).tolist() == [0, 1, -1, -1, -1]


@pytest.mark.parametrize("character", ["kaykit/Knight.glb", "animated/animal_stag.glb", "animated/mech_mike.glb"])
def test_segments_of_real_frames_hold_one_region(characters_dir: Path, tmp_path: Path, character: str) -> None:
    read = read_character(open_source(str(characters_dir / character), tmp_path).entries[0])
    mesh, _ = in_frame(read, BuildConfig())
    found = regions(mesh)
    features = feature_edges(mesh, found.of_face)
    for layers in FastRenderer().render(mesh, view_cameras(3, 256), seen=True):
        assert layers.seen is not None
        label = np.where(layers.seen.face >= 0, found.of_face[layers.seen.face], -1).astype(np.int32)
        line = draw_lines(visible_lines(layers.seen, features), 256, 1.0)
        seg = segments(line, label, layers.mask)
        held = contents(seg, label, found.colors)
        assert len(held.region) > 12
        assert (held.pixels[2:] >= 4).all()
        right = np.bincount(seg.ravel(), held.region[seg].ravel() == label.ravel(), len(held.region))
        assert (right[2:] >= 0.98 * held.pixels[2:]).all()
        flow = np.zeros((*seg.shape, 2), np.float32)
        assert matching(seg, label, seg, label, flow, label < 0).tolist() == list(range(len(held.region)))
