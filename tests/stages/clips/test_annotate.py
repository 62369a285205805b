"""Layers of a clip's frames agree with each other, and only requested ones are written."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig, ClipSettings
from specsia_build.dataset import layers
from specsia_build.dataset.layers import LAYERS, frame_file
from specsia_build.stages.clips import draw, motions
from specsia_build.stages.clips.annotate import ANNOTATIONS, REGIONS
from specsia_build.stages.stage import Artefact, Job, seal
from tests.pipeline.moving import write_moving_figure


def drawn_with(wanted: tuple[str, ...], folder: Path, patch: pytest.MonkeyPatch) -> tuple[Artefact, Artefact]:
    """The artefacts of `motions` and `draw` of a figure that waves, of layouts that ask for those layers."""
    write_moving_figure(folder / "figure.glb")
    for stage in (motions, draw):
        patch.setattr(stage, "layers_of", lambda _: wanted)
    config = BuildConfig(size=96, clips=ClipSettings(views=1, fps=8, frames=4, patterns=("wave",)))
    entry = Entry("figure", "gltf", folder / "figure.glb")
    motion_file, _ = motions.find(Job(entry, config), {})
    motion_file = seal(motion_file, "motions", "mark", {})
    (clip,) = motions.clips_of(motion_file.meta)
    drawn, _ = draw.draw(Job(entry, config, clip=clip), {motions.MOTIONS: motion_file})
    return motion_file, drawn


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artefact, Artefact]:
    with pytest.MonkeyPatch.context() as patch:
        return drawn_with(tuple(LAYERS), tmp_path_factory.mktemp("figure"), patch)


def frame(drawn: Artefact, layer: str, k: int) -> Any:
    return LAYERS[layer].decode(drawn.files[frame_file(layer, k)])


def test_only_requested_layers(whole: tuple[Artefact, Artefact], tmp_path: Path) -> None:
    _, drawn = whole
    frames = range(len(drawn.meta["times"]))
    forward, back = {layers.FLOW, layers.UNMATCHED}, {layers.BACK, layers.BACK_UNMATCHED}
    expected = {
        frame_file(layer, k)
        for layer in LAYERS
        for k in frames
        if not (layer in forward and k == frames[-1]) and not (layer in back and k == 0)
    }
    assert set(drawn.files) == expected
    with pytest.MonkeyPatch.context() as patch:
        moving, plain = drawn_with((layers.COLOR,), tmp_path, patch)
    assert set(plain.files) == {frame_file(layers.COLOR, k) for k in frames}
    assert not moving.files and "palette" not in moving.meta
    assert plain.files[frame_file(layers.COLOR, 1)] == drawn.files[frame_file(layers.COLOR, 1)]


@pytest.mark.parametrize("layer", sorted(ANNOTATIONS))
def test_layers_are_independent(
    layer: str, whole: tuple[Artefact, Artefact], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, alone = drawn_with((layer,), tmp_path, monkeypatch)
    assert alone.files
    for name, data in alone.files.items():
        assert data == whole[1].files[name], name


def test_layers_agree(whole: tuple[Artefact, Artefact]) -> None:
    moving, drawn = whole
    palette = drawn.meta["palette"]
    assert palette == moving.meta["palette"]
    assert REGIONS in moving.files
    for k in range(len(drawn.meta["times"])):
        names = (layers.MASK, layers.LABEL, layers.SEG, layers.LINE)
        mask, label, seg, line = (frame(drawn, layer, k) for layer in names)
        np.testing.assert_array_equal(label >= 0, mask > 0)
        assert label.max() < len(palette)
        assert (seg[line < 200] == 0).all() and seg.max() > 1
        udp = frame(drawn, layers.UDP, k)
        assert udp.dtype == np.float32 and 0 <= udp.min() <= udp.max() <= 1
        np.testing.assert_array_equal(udp[..., 3] > 0, mask >= 128)
        strokes = frame(drawn, layers.STROKES, k)
        places, numbers = strokes["vertex location"], set(strokes["original index"])
        assert len(places) == len(strokes["connection"]) == len(numbers)


def test_flow_matches_points(whole: tuple[Artefact, Artefact]) -> None:
    _, drawn = whole
    for here, there, (layer, hidden) in (
        (1, 2, (layers.FLOW, layers.UNMATCHED)),
        (2, 1, (layers.BACK, layers.BACK_UNMATCHED)),
    ):
        flow, unmatched = frame(drawn, layer, here), frame(drawn, hidden, here)
        row, column = np.nonzero(~unmatched)
        to = np.floor(np.stack([column, row], axis=1) + 0.5 + flow[row, column]).astype(int)
        before = frame(drawn, layers.POS, here)[row, column]
        after = frame(drawn, layers.POS, there)[to[:, 1], to[:, 0]]
        assert len(row) > 0.8 * np.count_nonzero(frame(drawn, layers.MASK, here))
        # A pixel is 1.35 / 96 wide, and the box of positions about 1.
        apart = np.abs(before[:, :3].astype(int) - after[:, :3]).max(axis=1)
        assert np.quantile(apart[after[:, 3] == 255], 0.95) < 255 * 2 * 1.35 / 96


def test_tracks_match_flow(whole: tuple[Artefact, Artefact]) -> None:
    _, drawn = whole
    first, second, last = (frame(drawn, layers.TRACKS, k) for k in (0, 1, 3))
    assert first.shape == second.shape == last.shape and first.dtype == np.float32
    assert (first[:, 2] == 1).all()
    column, row = np.floor(first[:, :2]).astype(int).T
    flow = frame(drawn, layers.FLOW, 0)[row, column]
    np.testing.assert_allclose(second[:, :2] - first[:, :2], flow, atol=1e-3)
    np.testing.assert_array_equal(second[:, 2] == 0, frame(drawn, layers.UNMATCHED, 0)[row, column])
    to = np.floor(last[last[:, 2] == 1, :2]).astype(int)
    assert (frame(drawn, layers.MASK, 3)[to[:, 1], to[:, 0]] > 0).all()
