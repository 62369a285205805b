"""`specsia verify` on datasets of clips, good and damaged."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specsia_build.dataset import schema
from specsia_build.dataset.verify.check import verify
from specsia_build.pipeline.run import RunPaths
from tests.checksums import write_sums
from tests.dataset.small import StoredRow, failed, found, pixels, put, read_rows, shard

ARROW = schema.arrow_schema(schema.MOVING_COLUMNS)

Rows = list[StoredRow]


@pytest.fixture
def dataset(clips_run: RunPaths, tmp_path: Path) -> Path:
    """A copy of a dataset of clips."""
    return Path(shutil.copytree(clips_run.dataset, tmp_path / "dataset"))


def rewrite(folder: Path, split: str, how: Callable[[Rows], object], arrow: pa.Schema = ARROW) -> None:
    """Change the rows of a split, and make all sums fit."""
    path = shard(folder, split)
    rows = read_rows(path)
    how(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=arrow), path)
    write_sums(folder)


def of(rows: Rows, action: str, view: int = 0) -> Rows:
    """The frames of a clip."""
    return [row for row in rows if (row["action"], row["view"]) == (action, view)]


def test_clean_clips_pass(clips_run: RunPaths) -> None:
    report = verify(clips_run.dataset)
    assert report.ok, report.lines()
    assert report.notes


def _other_uid(rows: Rows) -> None:
    rows[1]["uid"] = rows[1]["uid"].replace("_0001", "_0011")
    for name in schema.IMAGE_COLUMNS:
        rows[1][name]["path"] = f"{rows[1]['uid']}_{name}.png"


def _roll(rows: Rows, name: str) -> None:
    row = of(rows, "sway")[1]
    put(row, name, np.roll(pixels(row, name), 2, axis=1))


DAMAGE: dict[str, tuple[Callable[[Rows], object], str]] = {
    "another uid": (_other_uid, "views"),
    "exchanged frames": (lambda rows: rows.insert(1, rows.pop(2)), "views"),
    "a missing frame": (lambda rows: rows.pop(2), "views"),
    "a frame apart": (lambda rows: rows.append(rows.pop(3)), "views"),
    "time that stops": (lambda rows: rows[2].update(time=rows[1]["time"]), "views"),
    "a late clip": (lambda rows: [row.update(time=row["time"] + 1.0) for row in of(rows, "sway")], "views"),
    "another action": (lambda rows: of(rows, "sway")[2].update(action="walk"), "views"),
    "another view": (lambda rows: of(rows, "sway")[2].update(view=1), "views"),
    "another character": (lambda rows: of(rows, "sway")[2].update(character_id="somebody"), "views"),
    "another box": (lambda rows: [row.update(bbox_max=[0.9, 0.9, 0.9]) for row in of(rows, "sway")], "views"),
    "another licence": (lambda rows: of(rows, "walk")[0].update(license="MIT"), "licences"),
    "no frame": (lambda rows: rows[2].update(frame=None), "schema"),
    "a wrong IoU": (lambda rows: of(rows, "sway")[1].update(iou=0.1), "iou"),
    "another mask": (lambda rows: _roll(rows, "mask"), "alpha"),
    "a moved target": (lambda rows: _roll(rows, "gt"), "contour"),
    "moved positions": (lambda rows: of(rows, "turntable")[1].update(bbox_min=[-0.9] * 3), "position"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found(dataset: Path, damage: str) -> None:
    plant, check = DAMAGE[damage]
    rewrite(dataset, "test", plant)
    report = verify(dataset)
    assert check in failed(report), report.lines()


def test_clips_under_two_ids(dataset: Path) -> None:
    taken: Rows = []
    rewrite(dataset, "train", lambda rows: taken.extend(of(rows, "turntable")))

    def put_in(rows: Rows) -> None:
        for mine, other in zip(of(rows, "turntable"), taken, strict=True):
            mine["gt"]["bytes"], mine["gt_mask"]["bytes"] = other["gt"]["bytes"], other["gt_mask"]["bytes"]

    rewrite(dataset, "test", put_in)
    assert any("shows the same character as" in message for _, message in found(verify(dataset), "splits"))


@pytest.mark.parametrize("column", list(schema.CLIP_COLUMNS))
def test_missing_column(dataset: Path, column: str) -> None:
    arrow = schema.arrow_schema([name for name in schema.MOVING_COLUMNS if name != column])
    rewrite(dataset, "test", lambda rows: [row.pop(column) for row in rows], arrow)
    name = str(shard(dataset, "test").relative_to(dataset))
    assert name in [where for where, _ in found(verify(dataset), "schema")]
