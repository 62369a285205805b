"""`specsia stats` and `select`: counts, characters that look the same, and chosen rows."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from specsia_build.dataset.reading import open_dataset
from specsia_build.dataset.schema import SPLITS
from specsia_build.dataset.stats import statistics
from specsia_build.dataset.twins import Appearance, twins_across_splits
from tests.commands import specsia
from tests.dataset.small import build_small, read_rows, shard, write_character
from tests.published.figures import write_rows as write_rows_as_published


def test_counts(two_backends: Path, tmp_path: Path) -> None:
    report = json.loads(specsia("stats", two_backends, "--json").stdout)
    rows = {(entry["config"], entry["split"]): entry["rows"] for entry in report["quality"]}
    assert rows == {(name, split): 4 for name in ("fat", "thin") for split in SPLITS}
    stored = [row for split in SPLITS for row in read_rows(shard(two_backends, split, "fat"))]
    ious = [row["iou"] for row in stored if row["view"] == 2]
    assert report["iou_by_view"]["fat"]["2"] == pytest.approx(np.mean(ious))
    assert (report["licenses"], report["sizes"]) == ({"CC0-1.0": 3}, {"96": 3})
    assert 3 <= report["shapes"]["colours"][0] <= report["shapes"]["colours"][4] <= 5
    assert report["twins"] == []
    published = write_rows_as_published(tmp_path / "published", splits={"test": (5,)})
    assert statistics(open_dataset(published)).iou_by_view == {"default": {}}


def test_one_character_under_two_names(tmp_path: Path) -> None:
    def write(path: Path, number: int):  # type: ignore[no-untyped-def]
        return write_character(path, 0 if path.stem == "again" else number)

    fixed = {"0": "train", "1": "train", "2": "validation", "again": "test"}
    dataset = build_small(tmp_path / "dataset", ("0", "1", "2", "again"), fixed=fixed, write=write)
    (twins,) = statistics(open_dataset(dataset)).twins
    assert twins.ids == {"0", "again"}
    assert twins.difference < 0.01
    page = tmp_path / "page.html"
    specsia("report", dataset, "--out", page)
    assert "Look the same" in page.read_text(encoding="utf-8")


def test_twins_of_many() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (600, 24, 24, 4)).astype(np.uint8)
    pictures[::2, :, :12] = 0
    looks = [Appearance(str(k), "train" if k < 500 else "test", p, None) for k, p in enumerate(pictures)]
    near = np.clip(pictures[7].astype(int) + rng.integers(-20, 21, pictures[7].shape), 0, 255)
    looks[560] = Appearance("560", "test", near.astype(np.uint8), None)
    # A twin in the same split is none, and neither is one of another shape.
    looks[8] = Appearance("8", "train", pictures[7], (1.0, 0.2, 0.9))
    looks[570] = Appearance("570", "test", pictures[8], None)
    looks[571] = Appearance("571", "test", pictures[7], (1.0, 0.5, 0.9))
    found = {tuple(sorted(twins.ids)) for twins in twins_across_splits(looks)}
    assert found == {("560", "7"), ("560", "8"), ("571", "7")}


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return build_small(tmp_path / "other", ("x", "y", "z"))


def test_selected_rows(one_backend: Path, other: Path, tmp_path: Path) -> None:
    out = tmp_path / "chosen"
    where = "view in (0, 2) and dataset == 1 or split == 'train' and dataset == 2"
    specsia("select", one_backend, other, where, "--weight", "max(0, 1 - iou)", "--out", out)
    rows = [row for path in out.rglob("*.parquet") for row in read_rows(path)]
    assert len(rows) == 6 * 2 + 4
    assert all(row["weight"] == pytest.approx(1 - row["iou"]) for row in rows)
    assert {row["view"] for row in rows if row["character_id"] == "hero"} == {0, 2}
    # Images and values are those of the datasets.
    kept = {row["uid"]: row for row in read_rows(shard(one_backend))}
    assert all(
        {**row, "weight": 0} == {**kept[row["uid"]], "weight": 0} for row in rows if row["uid"] in kept
    )
    build = json.loads((out / "build.json").read_text())
    assert build["config"].keys() == json.loads((one_backend / "build.json").read_text())["config"].keys()
    record = build["selected"]
    digests = [open_dataset(d).digest() for d in (one_backend, other)]
    assert [origin["digest"] for origin in record["of"]] == digests
    again = tmp_path / "again"
    specsia("select", out, "weight > 0", "--out", again, "--workers", 1)
    assert pq.read_table(shard(again)).equals(pq.read_table(shard(out)))


@pytest.mark.parametrize(
    "words",
    [
        ("sharpness > 1",),
        ("iou >",),
        ("iou > 2",),
        ("().__class__",),
        ("iou > 0", "--weight", "-1"),
        ("iou > 0", "--weight", "license"),
    ],
)
def test_mistakes(one_backend: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    specsia("select", one_backend, *words, "--out", tmp_path / "out", code=2)
    assert not (tmp_path / "out").exists()


def test_datasets_that_cannot_be_joined(
    one_backend: Path, two_backends: Path, other: Path, tmp_path: Path, copied: Callable[[Path], Path]
) -> None:
    small = build_small(tmp_path / "small", ("s", "t", "u"), size=64)
    out = ("iou > 0", "--out", tmp_path / "out")
    specsia("select", one_backend, small, *out, code=2)
    specsia("select", one_backend, copied(one_backend), *out, code=2)
    specsia("select", two_backends, other, *out)
