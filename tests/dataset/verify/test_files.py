"""What `verify` says of a dataset's files, sums, texts and columns."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specsia_build.dataset import schema
from specsia_build.dataset.checksums import write_sums
from specsia_build.dataset.verify.check import verify
from specsia_build.dataset.verify.files import machine_path
from tests.dataset.small import failed, found, read_rows, shard, write_rows


def test_files_that_nobody_listed(dataset: Path) -> None:
    (dataset / "notes.txt").write_text("x")
    (dataset / ".cache" / "huggingface").mkdir(parents=True)
    (dataset / ".cache" / "huggingface" / "x.lock").write_text("")
    (dataset / ".gitattributes").write_text("*.parquet filter=lfs\n")
    report = verify(dataset)
    assert failed(report) == {"sums"}
    assert found(report, "sums") == [("notes.txt", "is not listed in SHA256SUMS")]
    (dataset / schema.SUMS_FILE).unlink()
    assert found(verify(dataset), "files") == [("notes.txt", "is no part of a dataset")]


@pytest.mark.parametrize("name", ["textures/m.png", "hero.GLB", "raw.zip"])
def test_a_texture_or_an_archive_is_no_part_of_a_dataset_though_it_is_listed(dataset: Path, name: str) -> None:
    (dataset / name).parent.mkdir(exist_ok=True)
    (dataset / name).write_bytes(b"\x89PNG")
    write_sums(dataset)
    assert [where for where, _ in found(verify(dataset), "files")] == [name]


@pytest.mark.parametrize("name", ["README.md", "splits.json", "build.json", "checksums.parquet"])
def test_a_missing_file(dataset: Path, name: str) -> None:
    (dataset / name).unlink()
    report = verify(dataset)
    assert ("sums", name) in {(p.check, p.where) for p in report.problems}
    assert ("files" in failed(report)) == (name != "checksums.parquet")


def test_a_missing_shard(dataset: Path) -> None:
    shard(dataset).rename(dataset / "data" / "train-00001-of-00003.parquet")
    write_sums(dataset)
    report = verify(dataset)
    assert found(report, "files") == [
        ("data/train-00000-of-00003.parquet", "is missing from the shards of train (default)"),
        ("data/train-00002-of-00003.parquet", "is missing from the shards of train (default)"),
    ]


@pytest.mark.parametrize("sums", [True, False])
def test_a_bit_flipped_in_an_image(dataset: Path, sums: bool) -> None:
    row = read_rows(shard(dataset))[3]
    content = bytearray(shard(dataset).read_bytes())
    at = content.find(row["gt"]["bytes"]) + len(row["gt"]["bytes"]) // 2
    content[at] ^= 4
    shard(dataset).write_bytes(content)
    if not sums:
        (dataset / schema.SUMS_FILE).unlink()
        (dataset / schema.CHECKSUMS_FILE).unlink()
    report = verify(dataset)
    assert failed(report) == ({"sums", "images"} if sums else {"images"})
    message = "gt is damaged: a checksum inside of it does not match (IDAT)"
    assert found(report, "images") == [(row["uid"], message)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), from_end=st.booleans())
def test_any_flipped_bit_is_told_by_the_sums(dataset: Path, place: float, bit: int, from_end: bool) -> None:
    path = shard(dataset, "test")
    whole = path.read_bytes()
    span = min(len(whole), 12_000) if from_end else len(whole)
    content = bytearray(whole)
    content[len(whole) - span + int(place * span)] ^= 1 << bit
    path.write_bytes(content)
    report = verify(dataset)
    path.write_bytes(whole)
    assert "sums" in failed(report)


@pytest.mark.parametrize("kept", [0, 3, 1000])
def test_a_shard_that_was_cut_off(dataset: Path, kept: int) -> None:
    shard(dataset, "test").write_bytes(shard(dataset, "test").read_bytes()[:kept])
    report = verify(dataset)
    where, message = found(report, "files")[0]
    assert where == "data/test-00000-of-00001.parquet"
    assert message.startswith("cannot be read as parquet: ")
    assert report.rows == 20


def test_a_damaged_list_of_image_sums(dataset: Path) -> None:
    (dataset / schema.CHECKSUMS_FILE).write_bytes(b"PAR1")
    write_sums(dataset)
    report = verify(dataset)
    assert failed(report) == {"files"}
    assert found(report, "files")[0][0] == "checksums.parquet"


def card(dataset: Path, old: str, new: str) -> None:
    text = (dataset / schema.CARD).read_text()
    assert old in text
    (dataset / schema.CARD).write_text(text.replace(old, new, 1))
    write_sums(dataset)


def test_a_card_that_names_no_shard(dataset: Path) -> None:
    card(dataset, "path: data/test-*.parquet", "path: data/tests-*.parquet")
    wanted = ["README.md", "data/test-00000-of-00001.parquet"]
    assert [where for where, _ in found(verify(dataset), "files")] == wanted


def test_a_card_that_takes_one_split_for_another(dataset: Path) -> None:
    card(dataset, "path: data/test-*.parquet", "path: data/train-*.parquet")
    assert "data/train-00000-of-00001.parquet" in [where for where, _ in found(verify(dataset), "files")]


@pytest.mark.parametrize("text", ["# no front matter\n", "---\nconfigs: 3\n---\n", "---\n: [\n---\n"])
def test_a_card_without_configurations(dataset: Path, text: str) -> None:
    (dataset / schema.CARD).write_text(text)
    write_sums(dataset)
    (problem,) = found(verify(dataset), "files")
    assert problem[0] == "README.md"


@pytest.mark.parametrize(
    "text", ["", "[]", '{"config": 3}', '{"config": {"views": 0, "size": "x", "pos_frame": 1, "backends": [3]}}']
)
def test_a_build_record_that_cannot_be_used(dataset: Path, text: str) -> None:
    (dataset / schema.BUILD_FILE).write_text(text)
    write_sums(dataset)
    report = verify(dataset)
    assert failed(report) == {"files"}
    assert {where for where, _ in found(report, "files")} == {"build.json"}


@pytest.mark.parametrize("text", ["{}", "nonsense", '{"train": ["0"], "validation": ["0"], "test": []}'])
def test_splits_that_cannot_be_used(dataset: Path, text: str) -> None:
    (dataset / schema.SPLITS_FILE).write_text(text)
    write_sums(dataset)
    (problem,) = found(verify(dataset), "splits")
    assert problem[0] == "splits.json"
    assert problem[1].startswith("is not a splits file: ")


def test_columns_that_are_not_as_promised(dataset: Path) -> None:
    table = pq.read_table(shard(dataset))
    index = table.schema.get_field_index("outline_px")
    altered = table.set_column(index, "outline_px", table.column("outline_px").cast(pa.int64()))
    altered = altered.drop_columns(["license"]).append_column("extra", pa.array([1] * len(table)))
    pq.write_table(altered.replace_schema_metadata(None), shard(dataset))
    write_sums(dataset)
    report = verify(dataset)
    assert [message for _, message in found(report, "schema")] == [
        "has outline_px as int64, not int32",
        "has no column license",
        "lacks the huggingface metadata by which datasets decodes the images",
    ]


def test_paths_of_a_machine_in_texts_and_schema(dataset: Path) -> None:
    card(dataset, "# SPECSIA", "built in /home/somebody/specsia\n# SPECSIA")
    arrow = schema.arrow_schema()
    arrow = arrow.with_metadata({**arrow.metadata, b"made": b"C:\\Users\\somebody"})
    write_rows(shard(dataset), read_rows(shard(dataset)), arrow)
    write_sums(dataset)
    wanted = ["README.md", "data/train-00000-of-00001.parquet"]
    assert [where for where, _ in found(verify(dataset), "files")] == wanted


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("data/train-*.parquet", None),
        ("https://example.org/home/page", None),
        ("see example.org/Users/x", None),
        ("and/or /home", None),
        ('{"a": "/root/x.png", "b": 1}', "/root/x.png"),
        ("file:///x", "file:///x"),
        ("D:\\data", "D:\\data"),
        ("(/tmp/a)", "/tmp/a"),
        ("at /export/jane/specsia/x", "/export/jane/specsia"),
    ],
)
def test_what_looks_like_a_path_of_a_machine(text: str, path: str | None) -> None:
    assert machine_path(text, ("/export/jane/specsia",)) == path
