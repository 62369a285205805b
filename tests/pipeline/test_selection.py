"""Splits of a source: drawn, from a packed dataset, and files in several splits."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from specsia_build.characters.character import Entry
from specsia_build.characters.sources import open_source
from specsia_build.config import BuildConfig, read_settings, with_settings
from specsia_build.dataset import schema
from specsia_build.dataset.pairs import splits_of
from specsia_build.dataset.reading import open_dataset
from specsia_build.dataset.splits import from_json, to_json
from specsia_build.errors import UsageError
from specsia_build.files.sources import source_digest
from specsia_build.frame import view_yaws
from specsia_build.pipeline.folder import settings_before
from specsia_build.pipeline.run import RunPaths
from specsia_build.pipeline.selection import _split, duplicates_across_splits
from tests.commands import specsia
from tests.shapes import write_folder

pytestmark = pytest.mark.usefixtures("no_workers")

MANIFEST = Path(__file__).resolve().parents[2] / "manifests" / "specsia-15k.yaml"


def write_like(folder: Path, split_of: dict[str, str], views: int = 2) -> Path:
    """A dataset in the published schema whose pictures are empty: only its ids matter here."""
    (folder / "data").mkdir(parents=True)
    for split in set(split_of.values()):
        uids = [f"{i}_{view:02d}" for i, s in split_of.items() if s == split for view in range(views)]
        columns = {name: pa.nulls(len(uids), pa.binary()) for name in schema.PUBLISHED_COLUMNS[1:]}
        table = pa.table({"uid": pa.array(uids, pa.string()), **columns})
        pq.write_table(table, folder / "data" / schema.shard_name(split, 0, 1))
    return folder


def entries(*ids: str) -> list[Entry]:
    return [Entry(i, "glb", Path(f"{i}.glb")) for i in ids]


def test_manifest_has_published_settings() -> None:
    settings = {k: v for k, v in read_settings(MANIFEST).items() if k != "out"}
    config = with_settings(BuildConfig(), settings, "the manifest")
    assert (config.views, config.size, config.seed) == (10, 512, 42)
    assert config.frontal == "outlined"
    assert view_yaws(config.views) == tuple(36.0 * k for k in range(10))


def test_contradictions(tmp_path: Path) -> None:
    like = write_like(tmp_path / "like", {"2": "test", "7": "train"})
    paths = RunPaths(tmp_path / "run")
    paths.root.mkdir()
    with pytest.raises(UsageError, match="has 2 characters"):
        _split(BuildConfig(like=str(like)), paths, entries("5"), settings_before(paths))
    paths.splits.write_text(to_json({"2": "train", "7": "train"}))
    with pytest.raises(UsageError, match="splits are not those of"):
        _split(BuildConfig(like=str(like)), paths, entries("2", "7"), settings_before(paths))


def test_build_follows_a_dataset(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "figures", 4)
    ids = sorted(entry.id for entry in open_source(str(source), tmp_path).entries)
    like = write_like(tmp_path / "like", {ids[0]: "test", ids[2]: "train", "gone": "train"})
    out = tmp_path / "out"
    small = ("--size", 64, "--views", 2, "--workers", 1)
    result = specsia("build", source, "--out", out, "--like", like, *small)
    assert "lacks 1 character: gone" in result.stderr
    assert f"{like} lacks 2 characters: {ids[1]}, {ids[3]}" in result.stderr
    packed = open_dataset(out / "dataset")
    assert splits_of(packed) == {ids[0]: "test", ids[2]: "train"}
    assert from_json(out / "splits.json") == {ids[0]: "test", ids[2]: "train", "gone": "train"}
    assert read_settings(out / "config.yaml")["like"] == str(like)
    (like / "data" / schema.shard_name("train", 0, 1)).unlink()
    assert yaml.safe_load(packed.place.read(schema.BUILD_FILE))["config"]["like"] == "like"
    assert "all stages are up to date" in specsia("status", out).output


def test_one_file_in_several_splits(tmp_path: Path) -> None:
    for name, content in (("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")):
        (tmp_path / f"{name}.glb").write_text(content)
    entries = open_source(str(tmp_path), tmp_path / "scratch").entries
    splits = {"a": "train", "b": "test", "c": "train", "d": "train"}
    (double,) = duplicates_across_splits(entries, splits, source_digest)
    assert double.startswith("a, b are one file and lie in test and train")
    assert not duplicates_across_splits(entries, splits | {"b": "train"}, source_digest)
