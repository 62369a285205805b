"""`verify` on a dataset of clips, and what it finds in damaged ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specsia_build.dataset import schema
from specsia_build.dataset.verify.check import verify
from specsia_build.dataset.verify.report import ALPHA, CONTOUR, IOU, LICENSES, POSITION, SCHEMA, SPLITS, SUMS, VIEWS
from specsia_build.pipeline.layout import RunLayout
from tests.dataset.small import StoredRow, failed, found, pixels, put, read_rows, reseal, shard, swap

ARROW = schema.arrow_schema(schema.MOVING_COLUMNS)

Rows = list[StoredRow]


@pytest.fixture
def dataset(clips_run: RunLayout, tmp_path: Path) -> Path:
    """A copy of a dataset of clips."""
    return Path(shutil.copytree(clips_run.dataset, tmp_path / "dataset"))


def rewrite(folder: Path, split: str, how: Callable[[Rows], object], arrow: pa.Schema = ARROW) -> None:
    """Change the rows of a split, and make all sums fit."""
    path = shard(folder, split)
    rows = read_rows(path)
    how(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=arrow), path)
    reseal(folder)


def of(rows: Rows, action: str, view: int = 0) -> Rows:
    """The frames of a clip."""
    return [row for row in rows if (row["action"], row["view"]) == (action, view)]


def test_a_clean_dataset_of_clips_passes(clips_run: RunLayout) -> None:
    report = verify(clips_run.dataset)
    assert report.ok, report.lines()
    assert report.notes


def _other_uid(rows: Rows) -> None:
    rows[1]["uid"] = rows[1]["uid"].replace("_0001", "_0011")
    for name in schema.IMAGE_COLUMNS:
        rows[1][name]["path"] = f"{rows[1]['uid']}_{name}.png"


def _exchange(rows: Rows) -> None:
    rows[1], rows[2] = rows[2], rows[1]


def _leave_out(rows: Rows) -> None:
    del rows[2]


def _part(rows: Rows) -> None:
    rows.append(rows.pop(3))


def _stop_time(rows: Rows) -> None:
    rows[2]["time"] = rows[1]["time"]


def _later(rows: Rows) -> None:
    for row in of(rows, "sway"):
        row["time"] += 1.0


def _other_action(rows: Rows) -> None:
    of(rows, "sway")[2]["action"] = "walk"


def _other_view(rows: Rows) -> None:
    of(rows, "sway")[2]["view"] = 1


def _other_character(rows: Rows) -> None:
    of(rows, "sway")[2]["character_id"] = "somebody"


def _other_box(rows: Rows) -> None:
    for row in of(rows, "sway"):
        row["bbox_max"] = [value + 0.01 for value in row["bbox_max"]]


def _other_licence(rows: Rows) -> None:
    of(rows, "walk")[0]["license"] = "MIT"


def _no_such_view(rows: Rows) -> None:
    for row in of(rows, "sway", 1):
        row["view"] = 2


def _no_frame(rows: Rows) -> None:
    rows[2]["frame"] = None


def _wrong_iou(rows: Rows) -> None:
    of(rows, "sway")[1]["iou"] *= 0.9


def _other_mask(rows: Rows) -> None:
    row = of(rows, "sway")[1]
    put(row, "mask", np.roll(pixels(row, "mask"), 2, axis=1))


def _moved_target(rows: Rows) -> None:
    row = of(rows, "sway")[1]
    put(row, "gt", np.roll(pixels(row, "gt"), 2, axis=1))


def _moved_position(rows: Rows) -> None:
    row = of(rows, "turntable")[1]
    row["bbox_min"] = [value - 0.2 for value in row["bbox_min"]]


def _exchanged_views(rows: Rows) -> None:
    clip = of(rows, "turntable")
    swap(clip[2], clip[8], ["gt", "gt_mask"])
    clip[2]["iou"], clip[8]["iou"] = clip[8]["iou"], clip[2]["iou"]


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        (_other_uid, VIEWS),
        (_exchange, VIEWS),
        (_leave_out, VIEWS),
        (_part, VIEWS),
        (_stop_time, VIEWS),
        (_later, VIEWS),
        (_other_action, VIEWS),
        (_other_view, VIEWS),
        (_other_character, VIEWS),
        (_other_box, VIEWS),
        (_other_licence, LICENSES),
        (_no_such_view, VIEWS),
        (_no_frame, SCHEMA),
        (_wrong_iou, IOU),
        (_other_mask, ALPHA),
        (_moved_target, CONTOUR),
        (_moved_position, POSITION),
        (_exchanged_views, IOU),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else value,
)
def test_damage_is_found(dataset: Path, damage: Callable[[Rows], None], check: str) -> None:
    rewrite(dataset, "test", damage)
    report = verify(dataset)
    assert check in failed(report), report.lines()
    assert all(where for where, _ in found(report, check))


def test_a_character_in_two_splits_is_found(dataset: Path) -> None:
    taken: Rows = []
    rewrite(dataset, "train", lambda rows: taken.extend(of(rows, "walk")))
    rewrite(dataset, "test", lambda rows: rows.extend(taken))
    report = verify(dataset)
    assert SPLITS in failed(report), report.lines()


def test_the_same_character_under_two_ids_in_two_splits_is_found(dataset: Path) -> None:
    taken: Rows = []
    rewrite(dataset, "train", lambda rows: taken.extend(of(rows, "turntable")))

    def put_in(rows: Rows) -> None:
        for mine, other in zip(of(rows, "turntable"), taken, strict=True):
            mine["gt"]["bytes"], mine["gt_mask"]["bytes"] = other["gt"]["bytes"], other["gt_mask"]["bytes"]

    rewrite(dataset, "test", put_in)
    assert any("shows the same character as" in message for _, message in found(verify(dataset), SPLITS))


def test_pictures_written_anew_are_found(dataset: Path) -> None:
    path = shard(dataset, "test")
    rows = read_rows(path)
    swap(rows[0], rows[1], ["edge"])
    pq.write_table(pa.Table.from_pylist(rows, schema=ARROW), path)
    assert SUMS in failed(verify(dataset))


@pytest.mark.parametrize("column", list(schema.CLIP_COLUMNS))
def test_a_lacking_column_is_found(dataset: Path, column: str) -> None:
    arrow = schema.arrow_schema([name for name in schema.MOVING_COLUMNS if name != column])
    rewrite(dataset, "test", lambda rows: [row.pop(column) for row in rows], arrow)
    assert (str(shard(dataset, "test").relative_to(dataset)), f"has no column {column}") in found(
        verify(dataset), SCHEMA
    )
