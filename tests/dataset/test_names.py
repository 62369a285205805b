"""Unsafe names, links and rows of downloaded datasets are refused on opening."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specsia_build.dataset import schema
from specsia_build.dataset.push import read_local
from specsia_build.dataset.reading import open_dataset
from specsia_build.dataset.verify.check import verify
from specsia_build.errors import SpecsiaError
from tests.checksums import write_sums
from tests.dataset.small import StoredRow, found, read_rows, shard, write_rows


def write_card(folder: Path, configs: list[tuple[str, str]]) -> None:
    """A card with configurations of one split each, by name and pattern."""
    line = "- config_name: {!r}\n  data_files:\n  - split: train\n    path: {!r}"
    lines = [line.format(name, pattern) for name, pattern in configs]
    (folder / schema.CARD).write_text("---\nconfigs:\n" + "\n".join(lines) + "\n---\n", encoding="utf-8")
    (folder / schema.SUMS_FILE).unlink(missing_ok=True)


@pytest.mark.parametrize("name", ["../../x", "c:x", "a\x1bb", "x" * 200, ""])
def test_configuration_name_is_refused(dataset: Path, upload: Callable[[Path], str], name: str) -> None:
    write_card(dataset, [(name, "data/train-*.parquet")])
    for where in (dataset, upload(dataset)):
        with pytest.raises(SpecsiaError, match="configuration") as raised:
            open_dataset(where)
        assert str(raised.value).isprintable()
    write_card(dataset, [("Fat", "data/train-*.parquet"), ("fat", "data/test-*.parquet")])
    with pytest.raises(SpecsiaError, match="differ in case only: Fat, fat"):
        open_dataset(dataset)


@pytest.mark.parametrize("pattern", ["../other/*.parquet", "/etc/*.parquet", "s3://b/*.parquet"])
def test_escaping_pattern_is_refused(dataset: Path, pattern: str) -> None:
    write_card(dataset, [("default", pattern)])
    with pytest.raises(SpecsiaError, match="pattern of data_files"):
        open_dataset(dataset)
    assert any("pattern of data_files" in message for _, message in found(verify(dataset), "files"))


@pytest.mark.parametrize(
    "front_matter",
    [
        "configs: " + "[" * 5000,
        "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40)),
        "configs: [5]",
        "configs: [{config_name: [a], data_files: [{split: train, path: 'data/*'}]}]",
        "configs: [{config_name: a, data_files: [{split: train, path: [5]}]}]",
        "n: " + "9" * 10_000,
    ],
)
def test_harmful_yaml_is_refused(dataset: Path, front_matter: str) -> None:
    (dataset / schema.CARD).write_text(f"---\n{front_matter}\n---\n", encoding="utf-8")
    with pytest.raises(SpecsiaError, match=r"README\.md"):
        open_dataset(dataset)
    assert not verify(dataset).ok


def test_escaping_link_is_ignored(dataset: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    (dataset / schema.CARD).rename(secret)
    (dataset / schema.CARD).symlink_to(secret)
    with pytest.raises(SpecsiaError, match=r"README\.md .* leads out"):
        open_dataset(dataset)
    with pytest.raises(SpecsiaError, match=r"README\.md .* leads out"):
        read_local(dataset)
    assert schema.CARD in [where for where, _ in found(verify(dataset), "files")]
    path = shard(dataset)
    path.rename(tmp_path / "rows.parquet")
    path.symlink_to(tmp_path / "rows.parquet")
    secret.replace(dataset / schema.CARD)
    with pytest.raises(SpecsiaError, match="is a link that leads out"):
        open_dataset(dataset)


def test_hub_cache_links_are_followed(dataset: Path, tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "datasets--o--n" / "blobs", tmp_path / "datasets--o--n" / "snapshots" / "abc"
    blobs.mkdir(parents=True)
    for number, path in enumerate(path for path in sorted(dataset.rglob("*")) if path.is_file()):
        place = snapshot / path.relative_to(dataset)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path.rename(blobs / str(number)))
    assert schema.CARD not in [where for where, _ in found(verify(snapshot), "files")]
    assert read_local(snapshot)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"uid": None}, "uid of a row .* is empty"),
        ({"uid": "../../x_00"}, "cannot be a file name"),
        ({"character_id": "/tmp/x"}, "cannot be a file name"),
        ({"view": None}, "has None for view"),
        ({"view": 2**31 - 1}, "for view"),
        ({"iou": float("nan")}, "has nan for iou"),
        ({"outline_px": 10**9}, "for outline_px"),
    ],
)
def test_impossible_row_is_refused(dataset: Path, change: dict[str, Any], says: str) -> None:
    rows = read_rows(shard(dataset))
    rows[1].update(change)
    write_rows(shard(dataset), rows)
    opened = open_dataset(dataset)
    wanted = ("uid", "character_id", "view", "iou", "outline_px")
    with pytest.raises(SpecsiaError, match=says):
        list(opened.stream("default", "train", wanted))
    with pytest.raises(SpecsiaError, match=says):
        opened.take("default", "train", [1], wanted)
    assert not verify(dataset).ok


@pytest.mark.parametrize(("column", "value"), [("view", "x"), ("gt", 1.0), ("iou", "x"), ("bbox_min", 1.0)])
def test_wrong_column_type_is_refused(dataset: Path, column: str, value: object) -> None:
    table = pq.read_table(shard(dataset))
    table = table.set_column(table.column_names.index(column), column, pa.array([value] * len(table)))
    pq.write_table(table, shard(dataset))
    with pytest.raises(SpecsiaError, match="is damaged"):
        list(open_dataset(dataset).stream("default", "train", [column]))
    assert not verify(dataset).ok


def test_problems_are_short_and_printable(dataset: Path) -> None:
    rows: list[StoredRow] = read_rows(shard(dataset))
    rows[0]["uid"] = "\x1b]0;owned\x07" + "x" * 5000
    write_rows(shard(dataset), rows)
    (dataset / "data" / "a\nb\u202e.parquet").write_bytes(b"")
    write_sums(dataset)
    text = "\n".join(verify(dataset).lines())
    assert all(line.isprintable() and len(line) < 800 for line in text.split("\n"))
    assert "a\\nb" in text
