"""Verify a dataset's files, checksums, texts and columns, in folders and behind URLs."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specsia_build.dataset import schema
from specsia_build.dataset.verify import files
from specsia_build.dataset.verify.check import verify
from tests.checksums import write_sums
from tests.dataset.small import failed, found, read_rows, shard


def test_unlisted_files(dataset: Path) -> None:
    (dataset / "notes.txt").write_text("x")
    (dataset / "data" / "more.parquet").write_bytes(b"")
    (dataset / ".cache" / "huggingface").mkdir(parents=True)
    (dataset / ".cache" / "huggingface" / "x.lock").write_text("")
    (dataset / ".gitattributes").write_text("*.parquet filter=lfs\n")
    report = verify(dataset)
    assert [where for where, _ in found(report, "sums")] == ["data/more.parquet", "notes.txt"]
    assert [where for where, _ in found(report, "files")] == ["data/more.parquet"]


@pytest.mark.parametrize("name", ["textures/m.png", "hero.GLB", "raw.zip"])
def test_listed_foreign_files(dataset: Path, name: str) -> None:
    (dataset / name).parent.mkdir(exist_ok=True)
    (dataset / name).write_bytes(b"\x89PNG")
    write_sums(dataset)
    assert [where for where, _ in found(verify(dataset), "files")] == [name]


@pytest.mark.parametrize("name", ["README.md", "splits.json", "build.json"])
def test_a_missing_file(dataset: Path, name: str) -> None:
    (dataset / name).unlink()
    report = verify(dataset)
    assert ("sums", name) in {(p.check, p.where) for p in report.problems}
    assert "files" in failed(report)


def test_missing_shard(dataset: Path) -> None:
    shard(dataset).rename(dataset / "data" / "train-00001-of-00003.parquet")
    write_sums(dataset)
    missing = [f"data/train-0000{index}-of-00003.parquet" for index in (0, 2)]
    assert [where for where, _ in found(verify(dataset), "files")] == missing


@pytest.mark.parametrize("sums", [True, False])
def test_flipped_bit_in_an_image(dataset: Path, sums: bool) -> None:
    row = read_rows(shard(dataset))[3]
    content = bytearray(shard(dataset).read_bytes())
    content[content.find(row["gt"]["bytes"]) + len(row["gt"]["bytes"]) // 2] ^= 4
    shard(dataset).write_bytes(content)
    if not sums:
        (dataset / schema.SUMS_FILE).unlink()
    report = verify(dataset)
    assert failed(report) == ({"sums", "images"} if sums else {"images"})
    assert [where for where, _ in found(report, "images")] == [row["uid"]]


def test_url_is_verified_like_a_folder(dataset: Path, upload: Callable[[Path], str]) -> None:
    path = shard(dataset)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    here, there = verify(dataset), verify(upload(dataset))
    assert (there.checks, there.rows, there.notes) == (here.checks, here.rows, here.notes)
    assert {(p.check, p.where) for p in there.problems} == {(p.check, p.where) for p in here.problems}
    assert not here.ok


@pytest.mark.parametrize("kept", [0, 3, 1000])
def test_truncated_shard(dataset: Path, kept: int) -> None:
    shard(dataset, "test").write_bytes(shard(dataset, "test").read_bytes()[:kept])
    report = verify(dataset)
    assert found(report, "files")[0][0] == "data/test-00000-of-00001.parquet"
    assert report.rows == 20


@pytest.mark.parametrize(
    ("name", "check", "text"),
    [
        *((schema.CARD, "files", text) for text in ("# none\n", "---\nconfigs: 3\n---\n", "---\n: [\n---\n")),
        *(("build.json", "files", t) for t in ("", "[]", '{"config": 3}', '{"config": {"views": 0}}')),
        *(("splits.json", "splits", t) for t in ("{}", "nonsense", '{"train": ["0"], "test": ["0"]}')),
    ],
)
def test_unusable_file(dataset: Path, name: str, check: str, text: str) -> None:
    (dataset / name).write_text(text)
    write_sums(dataset)
    report = verify(dataset)
    assert [where for where, _ in found(report, check)] == [name]
    assert failed(report) == {check}


def card(dataset: Path, old: str, new: str) -> None:
    text = (dataset / schema.CARD).read_text()
    assert old in text
    (dataset / schema.CARD).write_text(text.replace(old, new, 1))
    write_sums(dataset)


@pytest.mark.parametrize("pattern", ["data/tests-*.parquet", "data/train-*.parquet"])
def test_card_names_other_shards(dataset: Path, pattern: str) -> None:
    card(dataset, "path: data/test-*.parquet", f"path: {pattern}")
    assert "data/test-00000-of-00001.parquet" in [where for where, _ in found(verify(dataset), "files")]


def test_wrong_columns(dataset: Path) -> None:
    table = pq.read_table(shard(dataset))
    index = table.schema.get_field_index("outline_px")
    altered = table.set_column(index, "outline_px", table.column("outline_px").cast(pa.int64()))
    altered = altered.drop_columns(["license"]).append_column("extra", pa.array([1] * len(table)))
    pq.write_table(altered.replace_schema_metadata(None), shard(dataset))
    write_sums(dataset)
    messages = [message for _, message in found(verify(dataset), "schema")]
    for word, message in zip(("outline_px", "license", "huggingface"), messages, strict=True):
        assert word in message


def test_machine_paths_in_texts(dataset: Path) -> None:
    card(dataset, "# SPECSIA", "built in /home/somebody/specsia\n# SPECSIA")
    assert [where for where, _ in found(verify(dataset), "files")] == ["README.md"]


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
        ("at /export/jane/x", "/export/jane"),
    ],
)
def test_what_counts_as_machine_path(text: str, path: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_own_folders", lambda: ("/export/jane",))
    assert files.machine_path(text) == path
