"""Decoded frames: what they hold, and that a cache is whole or made again."""

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
from specsia_build.dravie.config import REACH
from specsia_build.dravie.data import frames as frames_module
from specsia_build.dravie.data.frames import PIXEL_BYTES, Extent, Frames, frames_of, open_frames
from specsia_build.errors import SpecsiaError
from tests.dataset.small import build_small, change, pixels, put
from tests.dravie.pairs import make_pair


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("frames") / "dataset", ["a", "b", "c", "d"], backends=("fat", "thin"))


@pytest.fixture(scope="module")
def dataset(folder: Path) -> OpenedDataset:
    return open_dataset(folder)


def _open(dataset: OpenedDataset, cache: Path, config: str = "fat", split: str = "train") -> Frames:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(cache))
        return open_frames(dataset, config, split)


def _same(one: Frames, two: Frames) -> bool:
    return one.rows == two.rows and all(
        np.array_equal(getattr(one, name), getattr(two, name)) for name in ("pixels", "runs", "extents")
    )


def test_frames_hold_the_rows_of_the_dataset(dataset: OpenedDataset, tmp_path: Path) -> None:
    frames = _open(dataset, tmp_path)
    rows = list(dataset.stream("fat", "train", PAIR_COLUMNS(dataset.schema)))
    assert len(frames) == len(rows) == 8
    for index, row in enumerate(rows):
        pair = decode_pair(row)
        assert frames.rows[index][:3] == (pair.uid, pair.character_id, pair.view)
        at = Extent(*map(int, frames.extents[index]))
        box = frames.pixels[at.offset :][: at.height * at.width * PIXEL_BYTES].reshape(at.height, at.width, PIXEL_BYTES)
        whole = np.zeros((*pair.z.shape[:2], PIXEL_BYTES), np.uint8)
        whole[at.top : at.top + at.height, at.left : at.left + at.width] = box
        held = whole[..., :4], whole[..., [4, 5, 6, 3]], whole[..., 7:11]
        assert all(map(np.array_equal, held, (pair.z, pair.pos, pair.gt)))
    assert not _same(frames, _open(dataset, tmp_path, "thin"))


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
    dataset: OpenedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _open(dataset, tmp_path)
    decoded: list[str] = []

    def counted(row: Mapping[str, Any]) -> Pair:
        decoded.append(row["uid"])
        return decode_pair(row)

    monkeypatch.setattr(frames_module, "decode_pair", counted)
    assert _same(first, _open(dataset, tmp_path))
    assert not decoded
    for name in ("pixels.bin", "index.json"):
        (path,) = tmp_path.rglob(name)
        path.write_bytes(path.read_bytes()[:-1])
        decoded.clear()
        assert _same(first, _open(dataset, tmp_path))
        assert len(decoded) == 8


def test_the_cache_of_a_shard_that_was_replaced_is_not_used(folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "dataset"
    shutil.copytree(folder, mine)
    assert len(_open(open_dataset(mine), tmp_path / "cache")) == 8
    cut = next((mine / "data" / "fat").glob("train-*"))
    cut.write_bytes(cut.read_bytes()[:-100])
    with pytest.raises(SpecsiaError, match="damaged"):
        _open(open_dataset(mine), tmp_path / "cache")


def test_rows_that_are_all_background_are_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = build_small(tmp_path / "dataset", ["a"])
    change(folder, lambda rows: put(rows["a_01"], "gt", np.zeros_like(pixels(rows["a_01"], "gt"))))
    frames = _open(open_dataset(folder), tmp_path / "cache", "default")
    assert [row.uid for row in frames.rows] == ["a_00", "a_02", "a_03"]
    assert "a_01" in capsys.readouterr().err
    pair = make_pair(0)
    with pytest.raises(SpecsiaError, match="'c0_00' is all background"):
        frames_of([pair, replace(pair, z=np.zeros_like(pair.z))])
