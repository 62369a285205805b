"""What the network sees, and decoded frames: what they hold, and that a cache is whole or made again."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from specsia_build.dataset.pairs import PAIR_COLUMNS, Pair, decode_pair
from specsia_build.dataset.reading import OpenedDataset, open_dataset
from specsia_build.dravie.config import REACH, ModelConfig
from specsia_build.dravie.data import frames as frames_module
from specsia_build.dravie.data.encoding import decode_output, encode_input
from specsia_build.dravie.data.frames import PIXEL_BYTES, Extent, Frames, frames_of, open_frames
from specsia_build.dravie.train.train import validation_pairs
from specsia_build.errors import SpecsiaError
from specsia_build.pipeline.run import RunLayout
from tests.dataset.small import change, pixels, put
from tests.dravie.made import make_pair, sampler


def test_the_input_is_z_on_white_then_its_mask_then_the_position() -> None:
    z, pos = np.zeros((2, 1, 4), np.uint8), np.zeros((2, 1, 4), np.uint8)
    z[0, 0], pos[0, 0] = (255, 0, 51, 255), (0, 255, 102, 255)
    seen = encode_input(z, pos, ModelConfig())
    assert seen.dtype == np.float32
    assert seen[0, 0].tolist() == pytest.approx([1, -1, -0.6, 1, -1, 1, -0.2])
    assert seen[1, 0].tolist() == [1, 1, 1, -1, -1, -1, -1]
    assert encode_input(z[1:], pos[:1], ModelConfig())[0, 0, 4:].tolist() == [-1, -1, -1]
    assert np.array_equal(encode_input(z, pos, ModelConfig(with_pos=False)), seen[..., :4])


def test_a_target_decodes_to_its_picture_and_what_a_network_overdoes_is_clipped() -> None:
    gt = np.random.default_rng(0).integers(0, 256, (20, 30, 4), dtype=np.uint8)
    gt[:5, :, 3], gt[5:15, :, 3] = 0, 255
    gt[gt[..., 3] == 0] = 0
    back = decode_output(encode_input(gt, gt, ModelConfig(with_pos=False)))
    assert back.dtype == np.uint8 and np.array_equal(back, gt)
    painted = np.array([[[5, -5, 0, 5], [0, 0, 0, -5]]], np.float32)
    assert decode_output(painted).tolist() == [[[255, 0, 128, 255], [0, 0, 0, 0]]]


@pytest.fixture(scope="module")
def opened(dataset: Path) -> OpenedDataset:
    return open_dataset(dataset)


def _open(dataset: OpenedDataset, cache: Path, config: str = "fat", split: str = "train") -> Frames:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(cache))
        return open_frames(dataset, config, split)


def _same(one: Frames, two: Frames) -> bool:
    return one.rows == two.rows and all(
        np.array_equal(getattr(one, name), getattr(two, name)) for name in ("pixels", "runs", "extents")
    )


def test_frames_hold_the_rows_of_the_dataset(opened: OpenedDataset, tmp_path: Path) -> None:
    frames = _open(opened, tmp_path)
    rows = list(opened.stream("fat", "train", PAIR_COLUMNS(opened.schema)))
    assert len(frames) == len(rows) == 4
    for index, row in enumerate(rows):
        pair = decode_pair(row)
        assert frames.rows[index][:3] == (pair.uid, pair.character_id, pair.view)
        at = Extent(*map(int, frames.extents[index]))
        box = frames.pixels[at.offset :][: at.height * at.width * PIXEL_BYTES].reshape(at.height, at.width, PIXEL_BYTES)
        whole = np.zeros((*pair.z.shape[:2], PIXEL_BYTES), np.uint8)
        whole[at.top : at.top + at.height, at.left : at.left + at.width] = box
        held = whole[..., :4], whole[..., [4, 5, 6, 3]], whole[..., 7:11]
        assert all(map(np.array_equal, held, (pair.z, pair.pos, pair.gt)))
    assert not _same(frames, _open(opened, tmp_path, "thin"))


def test_centres_are_all_pixels_near_z_or_the_target_and_no_others() -> None:
    pair = make_pair(3)
    frames = frames_of([pair])
    at = Extent(*frames.extents[0])
    ends = np.append(frames.runs[1:, 0], at.centres)
    found = np.zeros((40, 40), bool)
    for (before, y, x), end in zip(frames.runs, ends, strict=True):
        found[at.top + y, at.left + x : at.left + x + end - before] = True
    shown = (pair.z[..., 3] > 0) | (pair.gt[..., 3] > 0)
    assert np.array_equal(found, ndimage.binary_dilation(shown, np.ones((2 * REACH + 1,) * 2, bool)))
    assert found.sum() == at.centres


def test_a_whole_cache_is_used_and_a_cut_one_is_made_again(
    opened: OpenedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _open(opened, tmp_path)
    decoded: list[str] = []

    def counted(row: Mapping[str, Any]) -> Pair:
        decoded.append(row["uid"])
        return decode_pair(row)

    monkeypatch.setattr(frames_module, "decode_pair", counted)
    assert _same(first, _open(opened, tmp_path))
    assert not decoded
    for name in ("pixels.bin", "index.json"):
        (path,) = tmp_path.rglob(name)
        path.write_bytes(path.read_bytes()[:-1])
        decoded.clear()
        assert _same(first, _open(opened, tmp_path))
        assert len(decoded) == 4


def test_the_cache_of_a_shard_that_was_replaced_is_not_used(dataset: Path, tmp_path: Path) -> None:
    mine = tmp_path / "dataset"
    shutil.copytree(dataset, mine)
    assert len(_open(open_dataset(mine), tmp_path / "cache")) == 4
    cut = next((mine / "data" / "fat").glob("train-*"))
    cut.write_bytes(cut.read_bytes()[:-100])
    with pytest.raises(SpecsiaError, match="damaged"):
        _open(open_dataset(mine), tmp_path / "cache")


def test_rows_that_are_all_background_are_left_out_and_named(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(dataset, tmp_path / "dataset"))
    change(folder, lambda rows: put(rows["c_01"], "gt", np.zeros_like(pixels(rows["c_01"], "gt"))), "train", "fat")
    frames = _open(open_dataset(folder), tmp_path / "cache")
    assert [row.uid for row in frames.rows] == ["c_00", "c_02", "c_03"]
    assert "c_01" in capsys.readouterr().err
    pair = make_pair(0)
    with pytest.raises(SpecsiaError, match="'c0_00' is all background"):
        frames_of([pair, replace(pair, z=np.zeros_like(pair.z))])


def test_frames_of_clips_are_decoded_and_patches_drawn(clips_run: RunLayout, tmp_path: Path) -> None:
    opened = open_dataset(clips_run.dataset)
    frames = _open(opened, tmp_path, "default")
    assert len({row.uid for row in frames.rows}) == len(frames) == opened.splits("default")["train"]
    inputs, targets = sampler((frames,), 4).batch(0)
    assert inputs.shape[:3] == targets.shape[:3] == (4, 32, 32)
    assert len(validation_pairs(opened, ["default"], ModelConfig())) == 6
