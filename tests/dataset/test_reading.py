"""Open datasets in folders, behind URLs and on the Hub, and decode their rows."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specsia_build.dataset import schema
from specsia_build.dataset.reading import OpenedDataset, find_shards, open_dataset
from specsia_build.errors import SpecsiaError, UsageError
from tests.dataset.small import VIEWS, read_rows, shard


def everything(dataset: OpenedDataset) -> list[dict[str, object]]:
    return [
        row
        for config in dataset.configs
        for split in dataset.splits(config)
        for row in dataset.stream(config, split, dataset.columns)
    ]


def test_folder_streams_in_order(one_backend: Path) -> None:
    opened = open_dataset(str(one_backend))
    assert (opened.kind, opened.configs, opened.columns) == ("specsia", ("default",), schema.COLUMNS)
    rows_of_splits = list(opened.splits("default").items())
    assert rows_of_splits == [("train", 4 * VIEWS), ("validation", VIEWS), ("test", VIEWS)]
    stored = read_rows(shard(one_backend))
    rows = list(opened.stream("default", "train", ("uid", "gt", "bbox_min")))
    assert [row["uid"] for row in rows] == [row["uid"] for row in stored]
    row = stored[5]
    assert rows[5] == {"uid": row["uid"], "gt": row["gt"]["bytes"], "bbox_min": row["bbox_min"]}


def test_rows_by_number(one_backend: Path, tmp_path: Path) -> None:
    folder = tmp_path / "d"
    (folder / schema.DATA).mkdir(parents=True)
    table = pq.read_table(shard(one_backend))
    half = table.num_rows // 2
    for index, part in enumerate((table.slice(0, half), table.slice(half))):
        pq.write_table(part, folder / schema.DATA / schema.shard_name("train", index, 2), row_group_size=3)
    opened = open_dataset(folder)
    uids = table["uid"].to_pylist()
    numbers = [half, 0, 5, half]
    assert [r["uid"] for r in opened.take("default", "train", numbers, ["uid"])] == [uids[i] for i in numbers]
    assert [r["uid"] for r in opened.stream("default", "train", ["uid"])] == uids
    for wrong in ([len(uids)], [-1]):
        with pytest.raises(IndexError):
            opened.take("default", "train", wrong, ["uid"])


def test_url_reads_like_a_folder(one_backend: Path, upload: Callable[[Path], str]) -> None:
    here, there = open_dataset(one_backend), open_dataset(upload(one_backend))
    assert everything(there) == everything(here)
    wanted = ("default", "test", [2, 0], ["uid", "gt"])
    assert there.take(*wanted) == here.take(*wanted)
    assert there.digest() == here.digest()
    assert everything(pickle.loads(pickle.dumps(there))) == everything(here)


def test_digest_follows_content(dataset: Path, one_backend: Path) -> None:
    assert open_dataset(dataset).digest() == open_dataset(one_backend).digest()
    (dataset / schema.SUMS_FILE).unlink()
    without_sums = open_dataset(dataset).digest()
    pq.write_table(pq.read_table(shard(dataset)).slice(1), shard(dataset))
    assert len({without_sums, open_dataset(dataset).digest(), open_dataset(one_backend).digest()}) == 3


@pytest.mark.parametrize(
    ("card", "files", "expected"),
    [
        ("", ["data/train-00000-of-00001.parquet"], [("default", "train")]),
        ("", ["train-00000-of-00001-0123abc.parquet"], [("default", "train")]),
        ("", ["data/b/val-00000-of-00001.parquet"], [("b", "validation")]),
        ("", ["data/train.parquet", "other.parquet", "a.txt"], []),
        (
            "---\nconfigs:\n"
            "- {config_name: a, data_files: [{split: train, path: x/*}]}\n"
            "- {config_name: b, default: true, data_files: [{split: val, path: [y/1.parquet]}]}\n---\n",
            ["x/0.parquet", "y/1.parquet", "y/2.parquet"],
            [("b", "validation"), ("a", "train")],
        ),
        (
            # A star ends where a folder does, so that what lies in test/ is not of train as well.
            "---\nconfigs:\n- config_name: a\n"
            "  data_files: [{split: test, path: test/*}, {split: train, path: '*.parquet'}]\n---\n",
            ["0.parquet", "test/0.parquet"],
            [("a", "train"), ("a", "test")],
        ),
        (
            "---\nconfigs:\n- config_name: a\n"
            "  data_files: [{split: train, path: x/**}, {split: test, path: x/y/1*}]\n---\n",
            ["x/0.parquet", "x/y/1.parquet", "z/2.parquet"],
            [("a", "train"), ("a", "train"), ("a", "test")],
        ),
    ],
)
def test_shards_by_card_or_name(card: str, files: list[str], expected: list[tuple[str, str]]) -> None:
    assert [(s.config, s.split) for s in find_shards(files, card)] == expected


@pytest.mark.parametrize(
    "where",
    ["nowhere", "memory://nowhere", "nosuch://bucket/x", "github://owner/x", "my--run/d", "~no-such-user/d"],
)
def test_missing_folder(where: str) -> None:
    with pytest.raises(UsageError, match=where):
        open_dataset(where)


def test_folder_without_a_dataset(one_backend: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a packed dataset"):
        open_dataset(tmp_path)
    with pytest.raises(UsageError, match=f"did you mean {one_backend}"):
        open_dataset(one_backend.parent)
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "data" / "train-00000-of-00001.parquet")
    with pytest.raises(UsageError, match="is not a dataset of pairs"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("keep", [0, 0.999])
def test_damaged_shard_is_named(dataset: Path, keep: float) -> None:
    path, opened = shard(dataset), open_dataset(dataset)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(SpecsiaError, match=f"{path.name} is damaged"):
        open_dataset(dataset)
    path.write_bytes(b"\xff" * (len(data) - 9) + data[-9:])
    with pytest.raises(SpecsiaError, match=path.name):
        list(opened.stream("default", "train", ["uid", "gt"]))
    with pytest.raises(SpecsiaError, match=path.name):
        opened.take("default", "train", [0], ["gt"])


def test_missing_shard_or_split(dataset: Path) -> None:
    path = shard(dataset)
    part = path.rename(path.with_name("train-00000-of-00002.parquet"))
    with pytest.raises(SpecsiaError, match=r"-00001-of-00002\.parquet is missing"):
        open_dataset(dataset)
    part.unlink()
    opened = open_dataset(dataset)
    assert list(opened.splits("default")) == ["validation", "test"]
    with pytest.raises(UsageError):
        opened.take("default", "train", [0], ("uid",))
