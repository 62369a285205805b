"""What is said of rows before something is learnt from them, and of colours that are stored in another way."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from specsia_build.dataset import schema
from specsia_build.dataset.convert.write import to_published
from specsia_build.dataset.reading import open_dataset
from specsia_build.dataset.verify.check import verify
from specsia_build.dataset.verify.colours import is_exchanged, is_premultiplied
from specsia_build.dataset.verify.report import ALPHA, IMAGES
from specsia_build.dataset.verify.sample import doubts_of_split
from specsia_build.films import Pixels
from tests.dataset.small import StoredRow, build_small, change, found, pixels, put, read_rows, reseal, shard, write_rows


def _exchanged(image: Pixels) -> Pixels:
    return image[..., [2, 1, 0, 3]]


def _multiplied(image: Pixels) -> Pixels:
    out = image.astype(np.float32)
    out[..., :3] = np.round(out[..., :3] * out[..., 3:] / 255)
    return out.astype(np.uint8)


def _shifted(image: Pixels) -> Pixels:
    return np.roll(image, (4, 4), (0, 1))


def _inverted(image: Pixels) -> Pixels:
    return 255 - image


FAULTS = {
    "red and blue of color seem to be exchanged": (_exchanged, ("color",)),
    "color seems to be multiplied by its alpha": (_multiplied, ("color",)),
    "pos lands": (_exchanged, ("pos",)),
    "iou is": (_shifted, ("gt", "gt_mask")),
    "mask differs from the alpha of color": (_inverted, ("mask", "gt_mask")),
}


def _changed(folder: Path, how: Callable[[Pixels], Pixels], columns: tuple[str, ...]) -> Path:
    made = build_small(folder, ["a"])

    def apply(rows: dict[str, StoredRow]) -> None:
        for row in rows.values():
            for name in columns:
                put(row, name, how(pixels(row, name)))

    change(made, apply)
    return made


@pytest.mark.parametrize("said", FAULTS)
def test_rows_that_are_unsound_are_told(tmp_path: Path, said: str) -> None:
    made = _changed(tmp_path / "dataset", *FAULTS[said])
    (doubt,) = doubts_of_split(open_dataset(made), "default", "train")
    assert "4 of 4 rows of train that were looked at are unsound, such as a_00" in doubt
    assert said in doubt
    assert f"specsia verify {made}" in doubt


def test_a_single_row_is_told_by_its_name(tmp_path: Path) -> None:
    made = _changed(tmp_path / "dataset", *FAULTS["iou is"])
    (doubt,) = doubts_of_split(open_dataset(made), "default", "train", [0])
    assert doubt.startswith("a_00 is unsound: iou is ")


@pytest.mark.parametrize("pos_frame", ["character", "view"])
def test_nothing_is_said_of_sound_rows(tmp_path: Path, pos_frame: str) -> None:
    made = build_small(tmp_path / "dataset", ["a", "b", "c"], backends=("fat", "thin"), pos_frame=pos_frame)
    opened = open_dataset(made)
    assert all(not doubts_of_split(opened, c, s) for c in opened.configs for s in opened.splits(c))


def test_nothing_is_said_of_a_sound_dataset_of_the_published_schema(tmp_path: Path) -> None:
    made = build_small(tmp_path / "dataset", ["a"])
    to_published(open_dataset(made), tmp_path / "published")
    opened = open_dataset(tmp_path / "published")
    assert opened.kind == "published"
    assert doubts_of_split(opened, "default", "train") == ()


def test_nothing_is_asked_of_columns_that_are_not_there(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    made = build_small(tmp_path / "dataset", ["a"])
    (path,) = (made / "data").glob("*.parquet")
    pq.write_table(pq.read_table(path).drop_columns(["mask", "edge", "bbox_min", "yaw_deg", "license"]), path)
    assert doubts_of_split(open_dataset(made), "default", "train") == ()


def test_verify_tells_how_colours_are_stored(tmp_path: Path) -> None:
    exchanged = verify(_changed(tmp_path / "exchanged", _exchanged, ("color",)))
    assert found(exchanged, IMAGES) == [
        ("default", "red and blue of color seem to be exchanged, as it is far nearer to gt that way in 4 of 4 rows")
    ]
    multiplied = verify(_changed(tmp_path / "multiplied", _multiplied, ("color",)))
    assert len(found(multiplied, ALPHA)) == 4


def test_one_side_of_another_colour_is_no_exchange(tmp_path: Path) -> None:
    made = build_small(tmp_path / "dataset", ["a"])
    change(made, lambda rows: put(rows["a_02"], "color", _exchanged(pixels(rows["a_02"], "color"))))
    reseal(made)
    assert found(verify(made), IMAGES) == []
    assert doubts_of_split(open_dataset(made), "default", "train") == ()


def test_grey_figures_and_dark_rims_say_nothing() -> None:
    y, x = np.mgrid[:64, :64]
    alpha = np.clip((20 - np.hypot(y - 32, x - 32)) * 100 + 128, 0, 255).astype(np.uint8)
    grey = np.dstack([np.full((64, 64, 3), 128, np.uint8), alpha])
    assert not is_exchanged(grey, grey)
    rim = grey.copy()
    rim[alpha < 255, :3] = 0
    assert not is_premultiplied(rim)
    assert is_premultiplied(_multiplied(grey))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        (pa.float64(), [None, 0.0, 0.0], [1.0, 1.0, 1.0]),
        (pa.float64(), [0.0, 0.0], [1.0, 1.0]),
        (pa.string(), ["a", "b", "c"], ["d", "e", "f"]),
    ],
)
def test_a_box_of_whatever_a_list_may_hold_is_told(
    tmp_path: Path, kind: pa.DataType, low: list[object], high: list[object]
) -> None:
    made = build_small(tmp_path / "dataset", ["a"])
    rows = [{**row, "bbox_min": low, "bbox_max": high, "yaw_deg": math.inf} for row in read_rows(shard(made))]
    arrow = schema.arrow_schema()
    for name in ("bbox_min", "bbox_max"):
        arrow = arrow.set(arrow.get_field_index(name), pa.field(name, pa.list_(kind)))
    write_rows(shard(made), rows, arrow)
    (said,) = doubts_of_split(open_dataset(made), "default", "train")
    assert "bbox_min and bbox_max are no box" in said
