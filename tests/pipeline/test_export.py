"""Runs and datasets written in another layout by `specsia export`."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import specsia_build
from specsia_build.dataset.reading import open_dataset
from tests.artefacts import artefact
from tests.checksums import file_sums
from tests.clips import clips_config, run_clips, write_figures
from tests.commands import specsia


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three samples by two backends."""
    out = tmp_path_factory.mktemp("run") / "a run"
    flags = ("--size", "96", "--min-iou", "0", "--workers", "1", "--backend", "relief", "--backend", "fusion")
    specsia("build", "sample:3", "--out", out, *flags)
    return out


def export(where: Path, layout: str, out: Path, *more: str, code: int = 0) -> str:
    options = ("--layout", layout, "--out", out, "--workers", "1", *more)
    return str(specsia("export", where, *options, code=code).stdout)


def test_dataset_again_has_its_shards(run: Path, tmp_path: Path) -> None:
    export(run, "pairs", tmp_path / "all")
    export(run / "dataset", "pairs", tmp_path / "again")
    sums = [file_sums(folder) for folder in (run / "dataset", tmp_path / "all", tmp_path / "again")]
    shards = [{name: digest for name, digest in each.items() if "data/" in name} for each in sums]
    assert shards[0] == shards[1] and shards[0].keys() == shards[2].keys()
    export(run, "pairs", tmp_path / "one", "--backend", "fusion")
    assert open_dataset(tmp_path / "one").configs == ("default",)


def test_rows_and_tree_of_a_run_and_of_its_dataset(run: Path, tmp_path: Path) -> None:
    for layout in ("specsia-15k-rows", "specsia-15k"):
        for where in (run, run / "dataset"):
            out = tmp_path / f"{layout} of {where.name}"
            export(where, layout, out, "--backend", "relief")
            specsia("verify", out)
            pairs = list(specsia_build.open_dataset(out))
            assert len(pairs) == 30 and all(pair.gt[..., 3].any() for pair in pairs)
        export(run, layout, tmp_path / "none", code=2)
    told = export(run / "dataset", layout, tmp_path / "again", "--backend", "relief", "--json")
    assert json.loads(told)["rows"] == 30
    assert file_sums(tmp_path / "again") == file_sums(tmp_path / "specsia-15k of dataset")


def stored(folder: Path) -> dict[tuple[str, str], bytes]:
    """PNG of each picture of published rows, by uid and column."""
    rows = [row for path in sorted((folder / "data").iterdir()) for row in pq.read_table(path).to_pylist()]
    return {(row["uid"], name): row[name]["bytes"] for row in rows for name in row if name != "uid"}


def test_published_forms_of_each_other(run: Path, tmp_path: Path) -> None:
    """Rows and tree give the same rows; a tree made of rows has lost the alpha of Z."""
    export(run, "specsia-15k-rows", tmp_path / "rows", "--backend", "relief")
    export(run, "specsia-15k", tmp_path / "tree", "--backend", "relief")
    for source in ("rows", "tree"):
        export(tmp_path / source, "specsia-15k-rows", tmp_path / f"rows of {source}")
    rows, again, of_tree = (stored(tmp_path / name) for name in ("rows", "rows of rows", "rows of tree"))
    assert of_tree == rows and again.keys() == rows.keys()
    for key, data in rows.items():
        levels = [np.asarray(Image.open(io.BytesIO(each))).astype(int) for each in (data, again[key])]
        # Y* is laid on grey once more.
        assert np.abs(levels[0] - levels[1]).max() <= (2 if key[1] == "gt" else 0), key
    export(tmp_path / "rows", "specsia-15k", tmp_path / "tree of rows")
    specsia("verify", tmp_path / "tree of rows")
    export(tmp_path / "rows", "pairs", tmp_path / "pairs", code=2)


def test_what_cannot_be_exported(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(run, "conr", out, code=2)
    export(run / "dataset", "conr", out, code=2)
    export(run, "pears", out, code=2)
    export(run, "specsia-15k", out, "--backend", "fushion", code=2)
    export(tmp_path / "nothing", "pairs", out, code=2)
    artefact(run, "project", "1", "relief").rename(tmp_path / "lost.tar")
    export(run, "specsia-15k", out, "--backend", "relief", code=2)
    assert not out.exists()
    (tmp_path / "lost.tar").rename(artefact(run, "project", "1", "relief"))
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    export(run, "pairs", out, code=2)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


def test_clips_in_another_layout(tmp_path: Path) -> None:
    source = write_figures(tmp_path / "figures", 1)
    config = clips_config(source, layouts=["frames", "conr"], views=1, frames=2, turntable=False)
    paths, _ = run_clips(tmp_path / "run", config)
    export(paths.root, "frames", tmp_path / "frames")
    theirs = file_sums(paths.root / "frames")
    assert file_sums(tmp_path / "frames") == theirs
    # It was drawn without tracks, and holds no views of stills.
    export(paths.root, "anidoc", tmp_path / "other", code=2)
    export(paths.root, "specsia-15k", tmp_path / "other", code=2)
