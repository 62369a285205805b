"""First steps of new users: manifests, smaller runs, empty splits, contours, full disks."""

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import Result

from tests.commands import specsia
from tests.shapes import write_figure, write_folder

pytestmark = pytest.mark.usefixtures("no_workers")

SMALL = ("--size", "64", "--views", "4", "--workers", "1", "--max-failures", "100%")


def build(source: Path, out: Path, *more: object, code: int = 0) -> Result:
    return specsia("build", source, "--out", out, *SMALL, *more, code=code)


def test_suggested_manifest_builds(tmp_path: Path) -> None:
    folder, manifest = write_folder(tmp_path / "zoo", 3), tmp_path / "zoo" / "all.jsonl"
    specsia("characters", folder, "--suggest", manifest)
    first, *others = map(json.loads, manifest.read_text().splitlines())
    lines = (first | {"license": "CC0-1.0"}, *others[:1])
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    built = build(manifest, tmp_path / "run")
    assert "8 rows of all.jsonl" in built.stdout
    assert "CC0-1.0" in (tmp_path / "run" / "dataset" / "README.md").read_text()
    assert "all.jsonl was not read" in build(folder, tmp_path / "other").stderr


def test_empty_split_warns(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "zoo", 3)
    (folder / "2.obj").write_text("")
    lines = [{"id": str(k), "path": f"{k}.obj", "split": "test" if k == 2 else "train"} for k in range(3)]
    manifest, run = folder / "mine.jsonl", tmp_path / "run"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for said in (
        build(manifest, run).stderr,
        specsia("status", run).stdout,
        specsia("verify", run / "dataset").stderr,
    ):
        assert "test has no rows" in said
    moved = [line | ({"split": "test"} if line["id"] == "1" else {}) for line in lines]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in moved))
    assert "has no rows" not in build(manifest, run).stderr
    assert json.loads(specsia("status", run, "--json").stdout)["empty_splits"] == []


def test_smaller_dataset_needs_fresh(tmp_path: Path) -> None:
    folder, run = write_folder(tmp_path / "zoo", 3), tmp_path / "run"
    build(folder, run)
    before = (run / "dataset" / "SHA256SUMS").read_text()
    less = write_folder(tmp_path / "less", 2)
    refused = build(less, run, code=2).stderr
    assert "another source" in refused and "--fresh" in refused
    assert (run / "dataset" / "SHA256SUMS").read_text() == before
    build(folder, run, "--limit", 2)
    build(less, run, "--fresh")


def test_contour_has_the_chosen_grey(tmp_path: Path) -> None:
    folder, run = write_folder(tmp_path / "zoo", 1), tmp_path / "run"
    build(folder, run, "--outline", "7")
    specsia("verify", run / "dataset")
    table = pq.read_table(next((run / "dataset" / "data").glob("train-*")))
    assert set(table["outline_grey"].to_pylist()) == {7}
    for wrong in ("256", "#2040", "blue"):
        build(folder, tmp_path / "x", "--outline", wrong, code=2)


def test_blank_views_are_quarantined(tmp_path: Path) -> None:
    write_figure(tmp_path / "zoo" / "seen.obj")
    white = write_figure(tmp_path / "zoo" / "white.obj").read_text()
    bleached = re.sub(r"^(v \S+ \S+ \S+).*$", r"\1 1 1 1", white, flags=re.MULTILINE)
    (tmp_path / "zoo" / "white.obj").write_text(bleached)
    run = tmp_path / "run"
    said = json.loads(build(tmp_path / "zoo", run, "--outline", "252", "--json").stdout)
    (failure,) = said["failures"]
    assert [failure[name] for name in ("id", "stage", "low_quality")] == ["white", "render", True]
    assert said["rows"] == 4
    assert next((run / "quarantine").rglob("gt_00.png"))
    assert build(tmp_path / "zoo", tmp_path / "dark", "--outline", "dark").exit_code == 0
