"""Shards: atomic writes, small row groups, unchanged bytes, readable by other libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specsia_build import png
from specsia_build.dataset import parquet, schema
from specsia_build.dataset.checksums import parse_sums
from specsia_build.dataset.parquet import array_of, plan_shards, write_shard
from tests.dataset.small import read_rows


def row(view: int, fill: int = 7, character: str = "hero") -> schema.Row:
    grey = np.full((4, 4), fill, np.uint8)
    images = {
        name: png.encode(grey if mode == "L" else np.repeat(grey[..., None], 4, -1))
        for name, mode in schema.IMAGE_COLUMNS.items()
    }
    scalars = {
        "uid": schema.row_uid(character, view),
        "character_id": character,
        "view": view,
        "yaw_deg": 36.0 * view,
        "iou": 0.5,
        "backend": "relief",
        "outline_px": 2,
        "outline_grey": 40,
        "outline_rgb": [40, 40, 40],
        "elevation_deg": 0.0,
        "roll_deg": 0.0,
        "fov_deg": None,
        "radius": 2.0,
        "bbox_min": [-0.5, -0.25, -0.5],
        "bbox_max": [0.5, 0.25, 0.5],
        "license": None,
    }
    return schema.Row(scalars, images)


def cuts(sizes: list[int], ids: list[str] | None = None, most: int = 500) -> list[tuple[int, int]]:
    """Where `plan_shards` cuts, for shards of `most` bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "SHARD_BYTES", most)
        shards = plan_shards(ids or [str(k) for k in range(len(sizes))], sizes)
    return [(s.start, s.stop) for s in shards]


@given(st.lists(st.integers(0, 400), max_size=30))
def test_shards_are_complete_and_small(sizes: list[int]) -> None:
    shards = cuts(sizes)
    assert [i for a, b in shards for i in range(a, b)] == list(range(len(sizes)))
    assert all(sum(sizes[a:b]) <= 500 for a, b in shards)
    assert all(sum(sizes[a : b + 1]) >= 400 for a, b in shards[:-1])


def test_cuts_survive_changes() -> None:
    sizes, ids = [20 + k % 7 for k in range(3000)], [f"c{k}" for k in range(3000)]

    def parts(ids: list[str], sizes: list[int]) -> set[tuple[str, ...]]:
        return {tuple(ids[a:b]) for a, b in cuts(sizes, ids, most=4600)}

    before = parts(ids, sizes)
    assert len(before) > 15
    lost = []
    for k in range(0, 900, 30):
        grown = [size + 3 * (n == k) for n, size in enumerate(sizes)]
        lost.append(len(before - parts(ids, grown)))
        # The shard that lost a character is another one in any case.
        lost.append(len(before - parts(ids[:k] + ids[k + 1 :], sizes[:k] + sizes[k + 1 :])) - 1)
    assert np.mean(lost) < 1


@pytest.mark.parametrize("columns", [schema.COLUMNS, schema.MOVING_COLUMNS, schema.PUBLISHED_COLUMNS])
def test_schema_matches_datasets(columns: tuple[str, ...]) -> None:
    ours = schema.arrow_schema(columns)
    features = datasets.Features.from_arrow_schema(ours)
    assert [name for name, kind in features.items() if kind == datasets.Image()] == [
        column for column in columns if column in schema.IMAGE_COLUMNS
    ]
    assert features.arrow_schema.equals(ours, check_metadata=True)


def test_bytes_pass_through(tmp_path: Path) -> None:
    path = tmp_path / "train-00000-of-00001.parquet"
    assert write_shard(path, [row(view, view) for view in range(7)], schema.arrow_schema()) == 7
    for view, stored in enumerate(read_rows(path)):
        written = row(view, view)
        assert {name: stored[name] for name in schema.SCALAR_COLUMNS} == written.scalars
        for name in schema.IMAGE_COLUMNS:
            assert stored[name] == {"bytes": written.images[name], "path": f"hero_{view:02d}_{name}.png"}
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    write_shard(path, [row(0, 0)], schema.arrow_schema(schema.PUBLISHED_COLUMNS), named=False)
    assert [stored["gt"]["path"] for stored in read_rows(path)] == [None]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.string(), ["ä", None, ""]),
        (pa.binary(), [b"\0", b"", None]),
        (pa.int32(), [2**31 - 1, -(2**31)]),
        (pa.float64(), [0.1, -1e300]),
        (pa.list_(pa.float64(), 3), [[0.1, 2.0, 3.0]]),
        (pa.list_(pa.int32(), 2), []),
    ],
)
def test_values_match_pyarrow(kind: pa.DataType, values: list[Any]) -> None:
    array = array_of(values, kind)
    array.validate(full=True)
    assert array.equals(pa.array(values, kind)) and array.null_count == values.count(None)


def test_row_groups_hold_whole_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row_bytes = sum(map(len, row(0).images.values()))

    def groups(characters: int, views: int) -> list[int]:
        rows = (row(view, character=str(c)) for c in range(characters) for view in range(views))
        write_shard(tmp_path / "a.parquet", rows, schema.arrow_schema())
        footer = pq.read_metadata(tmp_path / "a.parquet")
        return [footer.row_group(i).num_rows for i in range(footer.num_row_groups)]

    assert groups(12, 10) == [120]
    monkeypatch.setattr(parquet, "GROUP_BYTES", 15 * row_bytes)
    assert groups(5, 10) == [20, 20, 10]
    monkeypatch.setattr(parquet, "MOST_GROUP_BYTES", 30 * row_bytes)
    assert groups(2, 50) == [30, 20, 30, 20]


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_shard(tmp_path / name, (row(view) for view in range(60)), schema.arrow_schema())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    group = pq.read_metadata(tmp_path / "a").row_group(0)
    assert all(group.column(k).has_offset_index for k in range(group.num_columns))
    kinds = {group.column(i).path_in_schema: group.column(i).compression for i in range(group.num_columns)}
    assert {kinds[f"{name}.bytes"] for name in schema.IMAGE_COLUMNS} == {"UNCOMPRESSED"}
    assert kinds["bbox_min.list.element"] == kinds["uid"] == "ZSTD"


@pytest.mark.parametrize(
    "line", ["no sum", "a" * 63 + "  short", "A" * 64 + "  upper", "b" * 64 + "  /etc/passwd"]
)
def test_malformed_sums_are_listed(line: str) -> None:
    good = "c" * 64 + "  data/a"
    up, again = "d" * 64 + "  data/../../a", "e" * 64 + "  data/a"
    assert parse_sums("\n".join([good, line, up, again])) == ({"data/a": "c" * 64}, [line, up, again])
