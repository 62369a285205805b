"""The page about a packed dataset without its run."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from specsia_build import png
from specsia_build.cli import main
from specsia_build.dataset.convert.write import to_published
from specsia_build.dataset.reading import open_dataset
from tests.dataset.small import VIEWS, build_small, change
from tests.report.shown import frames_of, item_of, report_of


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("page") / "dataset", ("0", "1", "2"))


def test_it_shows_every_character_and_its_quality(dataset: Path, tmp_path: Path) -> None:
    document = report_of(dataset, tmp_path / "page.html")
    assert (document["kind"], document["title"]) == ("dataset", str(dataset))
    assert [one["id"] for one in document["items"]] == ["0", "1", "2"]
    target, *makers = document["sides"]
    assert target == "Y*"
    rows = {
        (row["character_id"], row["view"]): row
        for split in open_dataset(dataset).splits(open_dataset(dataset).configs[0])
        for row in open_dataset(dataset).stream(
            open_dataset(dataset).configs[0], split, ["character_id", "view", "iou", "gt_mask", "license"]
        )
    }
    for item in document["items"]:
        assert item["license"] == rows[item["id"], 0]["license"] == "CC0-1.0"
        values = item["sides"][makers[0]]["values"]["iou"]
        assert values == pytest.approx([rows[item["id"], view]["iou"] for view in range(VIEWS)], abs=1e-5)
        masks = frames_of(item["sides"]["Y*"]["strips"]["gt_mask"], document, tmp_path / "page.html")
        assert all((masks[view] == png.decode(rows[item["id"], view]["gt_mask"], 1)).all() for view in range(VIEWS))
    html = "".join(section["html"] for section in document["sections"])
    for found in ("the schema of specsia", "CC0-1.0", open_dataset(dataset).digest(), "validation", "<svg"):
        assert found in html


def test_rows_of_unknown_iou_leave_the_rest_of_the_page(dataset: Path, tmp_path: Path) -> None:
    copy = tmp_path / "unknown"
    shutil.copytree(dataset, copy)
    for split in open_dataset(copy).splits(open_dataset(copy).configs[0]):
        change(copy, lambda rows: [row.update(iou=None) for row in rows.values() if row["view"] == 1], split)
    document = report_of(copy, tmp_path / "page.html")
    for item in document["items"]:
        values = item["sides"][document["sides"][1]]["values"]["iou"]
        assert [value is None for value in values] == [view == 1 for view in range(VIEWS)]


def test_the_published_schema_is_shown_without_what_it_lacks(dataset: Path, tmp_path: Path) -> None:
    to_published(open_dataset(dataset), tmp_path / "published")
    document = report_of(tmp_path / "published", tmp_path / "page.html")
    assert document["measures"] == []
    item = item_of(document, "1")
    assert set(item["sides"]["Y*"]["strips"]) == {"gt"}
    (made,) = document["sides"][1:]
    assert set(item["sides"][made]["strips"]) == {"color", "mask", "pos", "edge"}
    gt, mask = (
        frames_of(source, document, tmp_path / "page.html")
        for source in (item["sides"]["Y*"]["strips"]["gt"], item["sides"][made]["strips"]["mask"])
    )
    assert len(gt) == len(mask) == VIEWS
    assert np.abs(gt[0][:4, :4, :3].astype(int) - 240).max() < 4
    assert "the published schema" in document["lead"]
    assert "<svg" not in "".join(section["html"] for section in document["sections"])


def test_it_is_written_here_unless_told(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(main, ["report", str(dataset)]).stdout == "the report is in report.html\n"
    assert (tmp_path / "report.html").is_file()


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["report", "memory://nowhere", "--out", str(tmp_path / "page.html")])
    assert done.exit_code == 2
    assert done.stderr.startswith("specsia: there is no folder memory://nowhere\n")
    assert not (tmp_path / "page.html").exists()
