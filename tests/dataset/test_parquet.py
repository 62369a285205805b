"""Shards: whole or not there, small row groups, bytes passed through, readable by others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from specsia_build import png
from specsia_build.dataset import parquet, schema
from specsia_build.dataset.checksums import file_sums, read_checksums, write_checksums, write_sums
from specsia_build.dataset.parquet import plan_shards, write_shard
from specsia_build.errors import SpecsiaError
from tests.dataset.small import read_rows, shard


def row(view: int, fill: int = 7) -> schema.Row:
    grey = np.full((4, 4), fill, np.uint8)
    images = {
        name: png.encode(grey if mode == "L" else np.repeat(grey[..., None], 4, -1))
        for name, mode in schema.IMAGE_COLUMNS.items()
    }
    scalars = {
        "uid": schema.row_uid("hero", view),
        "character_id": "hero",
        "view": view,
        "yaw_deg": 36.0 * view,
        "iou": 0.5,
        "backend": "inflate",
        "outline_px": 2,
        "outline_grey": 40,
        "bbox_min": [-0.5, -0.25, -0.5],
        "bbox_max": [0.5, 0.25, 0.5],
        "license": None,
    }
    return schema.Row(scalars, images)


@given(st.lists(st.integers(0, 400), max_size=30))
def test_shards_take_every_item_once_and_stay_small(sizes: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "SHARD_BYTES", 500)
        shards = plan_shards(sizes)
    assert [i for s in shards for i in range(len(sizes))[s]] == list(range(len(sizes)))
    assert all(sum(sizes[s]) <= 500 for s in shards)
    assert shards


def test_an_item_that_is_too_large_has_a_shard_of_its_own() -> None:
    assert plan_shards([10, parquet.SHARD_BYTES + 1, 10]) == [slice(0, 1), slice(1, 2), slice(2, 3)]


def test_bytes_pass_through(tmp_path: Path) -> None:
    path = tmp_path / "train-00000-of-00001.parquet"
    assert write_shard(path, [row(view, view) for view in range(7)], schema.arrow_schema()) == 7
    for view, stored in enumerate(read_rows(path)):
        made = row(view, view)
        assert {name: stored[name] for name in schema.SCALAR_COLUMNS} == made.scalars
        for name in schema.IMAGE_COLUMNS:
            assert stored[name] == {"bytes": made.images[name], "path": f"hero_{view:02d}_{name}.png"}
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_row_groups_are_bounded_by_rows_and_by_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def groups() -> list[int]:
        write_shard(tmp_path / "a.parquet", (row(view) for view in range(120)), schema.arrow_schema())
        footer = pq.read_metadata(tmp_path / "a.parquet")
        return [footer.row_group(i).num_rows for i in range(footer.num_row_groups)]

    assert groups() == [50, 50, 20]
    monkeypatch.setattr(parquet, "GROUP_BYTES", 30 * sum(map(len, row(0).images.values())))
    assert groups() == [30, 30, 30, 30]


def test_images_are_not_compressed_twice_and_the_rest_is(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.parquet", [row(0)], schema.arrow_schema())
    group = pq.read_metadata(tmp_path / "a.parquet").row_group(0)
    kinds = {group.column(i).path_in_schema: group.column(i).compression for i in range(group.num_columns)}
    assert {name: kinds[f"{name}.bytes"] for name in schema.IMAGE_COLUMNS} == dict.fromkeys(
        schema.IMAGE_COLUMNS, "UNCOMPRESSED"
    )
    assert kinds["bbox_min.list.element"] == kinds["uid"] == "ZSTD"


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_shard(tmp_path / name, (row(view) for view in range(60)), schema.arrow_schema())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_failure_leaves_no_shard_behind(tmp_path: Path) -> None:
    def rows() -> Iterator[schema.Row]:
        yield row(0)
        raise SpecsiaError("stop")

    (tmp_path / "a.parquet").write_bytes(b"before")
    with pytest.raises(SpecsiaError, match="stop"):
        write_shard(tmp_path / "a.parquet", rows(), schema.arrow_schema())
    assert (tmp_path / "a.parquet").read_bytes() == b"before"


def test_datasets_reads_what_was_packed(one_backend: Path, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(str(one_backend), cache_dir=str(tmp_path))
    assert {name: len(split) for name, split in loaded.items()} == {"train": 16, "validation": 4, "test": 4}
    assert loaded["train"].column_names == list(schema.COLUMNS)
    first = loaded["train"][0]
    for name, mode in schema.IMAGE_COLUMNS.items():
        assert isinstance(first[name], Image.Image)
        assert (first[name].mode, first[name].size) == (mode, (96, 96))


def test_datasets_reads_each_backend(two_backends: Path, tmp_path: Path) -> None:
    assert datasets.get_dataset_config_names(str(two_backends)) == ["fat", "thin"]
    loaded = datasets.load_dataset(str(two_backends), "thin", split="train", cache_dir=str(tmp_path))
    assert set(loaded["backend"]) == {"thin"}


def test_digests_of_every_image(one_backend: Path) -> None:
    listed = read_checksums(one_backend)
    assert len(listed) == 24
    for stored in read_rows(shard(one_backend, "test")):
        digests = [hashlib.sha256(stored[name]["bytes"]).digest() for name in schema.IMAGE_COLUMNS]
        assert listed["default", stored["uid"]] == b"".join(digests)


@pytest.mark.parametrize(
    "lines",
    [
        [("default", "a_00", "color", "00" * 31)],
        [("default", "a_00", "colour", "01" * 32)],
        [("default", "a_00", "color", "xy" * 32)],
        [("default", "a_00", "color", "01" * 32)] * 2,
    ],
)
def test_a_list_of_digests_that_cannot_be_used(tmp_path: Path, lines: list[tuple[str, str, str, str]]) -> None:
    write_checksums(tmp_path, lines)
    with pytest.raises(SpecsiaError, match="does not hold the digests of images"):
        read_checksums(tmp_path)


def test_sums_of_all_files_but_their_own(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    for name in ("a", "inner/b", "inner/SHA256SUMS"):
        (tmp_path / name).write_text(name)
    write_sums(tmp_path)
    assert list(file_sums(tmp_path)) == ["a", "inner/SHA256SUMS", "inner/b"]
    first = (tmp_path / "SHA256SUMS").read_text().splitlines()[0]
    assert first == f"{hashlib.sha256(b'a').hexdigest()}  a"
