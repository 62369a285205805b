"""Contours in colour: pixels, columns and checks of datasets, and datasets that lack the column."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specsia_build.dataset import schema
from specsia_build.dataset.diff import diff
from specsia_build.dataset.pairs import Pair, decode_pair, pair_columns
from specsia_build.dataset.reading import OpenedDataset, open_dataset
from specsia_build.dataset.verify.check import verify
from specsia_build.errors import SpecsiaError
from tests.checksums import write_sums
from tests.dataset.small import build_small, change, failed, pixels, put, read_rows, shard, write_rows

BLUE = (32, 64, 128)


@pytest.fixture(scope="module")
def coloured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("coloured") / "dataset", ("0", "1"), outline="coloured")


def pairs_of(dataset: OpenedDataset, split: str = "train") -> list[Pair]:
    return [decode_pair(row) for row in dataset.stream("default", split, pair_columns(dataset))]


def line(pair: Pair) -> np.ndarray[Any, Any]:
    """Colours (N, 3) of the contour of Y*."""
    assert pair.gt_mask is not None
    return np.asarray(pair.gt[(pair.gt_mask == 0) & (pair.gt[..., 3] > 64)][:, :3].astype(int))


def test_one_colour(tmp_path: Path) -> None:
    folder = build_small(tmp_path / "d", ("0", "1"), outline="#204080")
    assert verify(folder).ok, verify(folder).lines()
    for pair in pairs_of(open_dataset(folder)):
        assert np.abs(line(pair) - BLUE).max() <= 1
        assert (pair.outline_rgb, pair.outline_grey) == (BLUE, 62)


def test_darker_than_the_figure_beside_it(coloured: Path) -> None:
    assert verify(coloured).ok, verify(coloured).lines()
    for pair in pairs_of(open_dataset(coloured)):
        colours = line(pair)
        assert colours.std(axis=0).max() > 4
        assert np.abs(colours.mean(axis=0) - pair.outline_rgb).max() < 6
        assert colours.mean() < 0.75 * pair.gt[pair.gt_mask == 255][:, :3].mean()


def test_other_pictures_are_those_of_the_default(coloured: Path, tmp_path: Path) -> None:
    """But for the contour, and its thickness is the same."""
    default = build_small(tmp_path / "d", ("0", "1"))
    for one, other in zip(*(pairs_of(open_dataset(folder)) for folder in (coloured, default)), strict=True):
        assert one.outline_px == other.outline_px
        for name in ("z", "pos", "gt_mask"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        np.testing.assert_array_equal(one.gt[..., 3], other.gt[..., 3])


@pytest.mark.parametrize("column", ["outline_rgb", "outline_grey", "gt"])
def test_wrong_colours_are_found(tmp_path: Path, column: str) -> None:
    folder = build_small(tmp_path / "d", ("0", "1"), outline="coloured")

    def plant(rows: dict[str, dict[str, Any]]) -> None:
        row = rows["0_01"]
        if column == "gt":
            gt = pixels(row, "gt")
            put(row, "gt", np.dstack([gt[..., :3] // 2, gt[..., 3]]))
        else:
            row[column] = [1, 2, 3] if column == "outline_rgb" else 255

    change(folder, plant)
    assert failed(verify(folder)) == {"contour"}


def test_impossible_colour_is_refused(tmp_path: Path) -> None:
    folder = build_small(tmp_path / "d", ("0",))
    change(folder, lambda rows: rows["0_00"].update(outline_rgb=[0, 256, 0]))
    with pytest.raises(SpecsiaError, match="outline_rgb"):
        pairs_of(open_dataset(folder))


def test_older_dataset_without_the_column(tmp_path: Path) -> None:
    new = build_small(tmp_path / "new", ("0", "1"))
    old = build_small(tmp_path / "old", ("0", "1"))
    columns = [name for name in schema.COLUMNS if name != "outline_rgb"]
    for split in open_dataset(old).splits("default"):
        write_rows(shard(old, split), read_rows(shard(old, split)), schema.arrow_schema(columns))
    write_sums(old)
    assert verify(old).ok, verify(old).lines()
    opened = open_dataset(old), open_dataset(new)
    result = diff(*opened)
    assert result.columns == ("outline_rgb",) and not any(config.changed for config in result.configs)
    for before, after in zip(*map(pairs_of, opened), strict=True):
        assert before.outline_rgb == after.outline_rgb == (before.outline_grey,) * 3
