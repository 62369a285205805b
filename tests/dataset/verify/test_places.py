"""Verify on URLs, and on the published schema."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specsia_build.dataset import schema
from specsia_build.dataset.verify.check import verify
from tests.dataset.small import StoredRow, failed, found, pixels, put, read_rows, shard, write_rows

Rows = dict[str, StoredRow]


@pytest.fixture
def published(converted: Path, copied: Callable[[Path], Path]) -> Path:
    """A copy, in the published schema, without the sums, so that only the content can tell."""
    folder = copied(converted)
    (folder / schema.SUMS_FILE).unlink()
    return folder


def edit(folder: Path, how: Callable[[Rows], object]) -> None:
    rows = {row["uid"]: row for row in read_rows(shard(folder))}
    how(rows)
    write_rows(shard(folder), list(rows.values()), schema.arrow_schema(schema.PUBLISHED_COLUMNS))


def test_url_is_verified_like_a_folder(dataset: Path, upload: Callable[[Path], str]) -> None:
    path = shard(dataset)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    here, there = verify(dataset), verify(upload(dataset))
    assert (there.checks, there.rows, there.notes) == (here.checks, here.rows, here.notes)
    assert {(p.check, p.where) for p in there.problems} == {(p.check, p.where) for p in here.problems}
    assert not here.ok


def test_converted_dataset_passes(converted: Path) -> None:
    report = verify(converted)
    assert report.ok, report.lines()
    assert {check.name for check in report.checks} == {"files", "sums", "schema", "splits", "views", "images"}
    assert report.notes


def _cut(rows: Rows) -> None:
    rows["2_01"]["gt"]["bytes"] = rows["2_01"]["gt"]["bytes"][:-30]


def _with_alpha(rows: Rows) -> None:
    image = pixels(rows["2_01"], "gt")
    put(rows["2_01"], "gt", np.dstack([image, image[..., 0]]))


@pytest.mark.parametrize(
    ("plant", "check", "where"),
    [
        (_cut, "images", "2_01"),
        (_with_alpha, "images", "2_01"),
        (lambda rows: rows.pop("2_01"), "views", "2"),
        (lambda rows: rows["2_01"].update(uid="2_00"), "views", "2_00"),
        (lambda rows: rows["2_01"].update(uid="hat"), "views", "train"),
    ],
)
def test_faults_in_published_schema(
    published: Path, plant: Callable[[Rows], Any], check: str, where: str
) -> None:
    edit(published, plant)
    report = verify(published)
    assert check in failed(report), report.lines()
    assert any(where in place for place, _ in found(report, check)), report.lines()
