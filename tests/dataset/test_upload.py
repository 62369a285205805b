"""Sending a dataset to a URL: whole or not there, nothing twice; in memory and to a local S3 server."""

from __future__ import annotations

import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from specsia_build.dataset import schema
from specsia_build.dataset.checksums import write_sums
from specsia_build.dataset.exchange import Uploaded, open_target, upload
from specsia_build.dataset.places import Place
from specsia_build.dataset.reading import open_dataset
from specsia_build.errors import SpecsiaError, UsageError
from tests.artefacts import contents


@pytest.fixture
def memory() -> Iterator[Place]:
    target = open_target("memory://bucket/run/dataset")
    yield target
    target.fs.store.clear()


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Files named as a dataset's are."""
    folder = tmp_path / "dataset"
    for name in ("data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet", "README.md", "build.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"content of {name} " * 50)
    write_sums(folder)
    return folder


def send(folder: Path, target: Place) -> Uploaded:
    return upload(folder, target, folder.parent / "uploaded.json", lambda _: None)


def there(target: Place) -> dict[str, bytes]:
    base = target.fs._strip_protocol(target.root) + "/"
    return {name.removeprefix(base): target.fs.cat_file(name) for name in target.fs.find(target.root)}


def test_all_of_it_is_sent_and_then_nothing(dataset: Path, memory: Place) -> None:
    assert send(dataset, memory).sent == 4
    assert there(memory) == contents(dataset)
    assert send(dataset, memory) == Uploaded(0, 0, 0, 4)
    # Without the journal, by what the complete dataset there lists.
    (dataset.parent / "uploaded.json").unlink()
    assert send(dataset, memory) == Uploaded(0, 0, 0, 4)


def test_of_a_grown_dataset_only_what_changed_travels(dataset: Path, memory: Place) -> None:
    send(dataset, memory)
    (dataset / "data/train-00000-of-00002.parquet").rename(dataset / "data/train-00000-of-00003.parquet")
    (dataset / "data/train-00001-of-00002.parquet").unlink()
    for k in (1, 2):
        (dataset / f"data/train-0000{k}-of-00003.parquet").write_text(f"new {k}")
    write_sums(dataset)
    memory.fs.pipe_file(f"{memory.root}/notes.txt", b"somebody else's")
    done = send(dataset, memory)
    assert (done.sent, done.copied, done.bytes) == (2, 1, 10)
    assert there(memory) == {**contents(dataset), "notes.txt": b"somebody else's"}


def test_stopped_anywhere_it_goes_on(dataset: Path, memory: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    send(dataset, memory)
    for name in ("README.md", "data/train-00001-of-00002.parquet", "build.json"):
        (dataset / name).write_text(f"new {name}")
    write_sums(dataset)
    put = memory.fs.put_file
    sent: list[str] = []

    def failing(path: str, *more: Any) -> None:
        if len(sent) == 2:
            raise OSError("the line is dead")
        sent.append(path)
        put(path, *more)

    with monkeypatch.context() as patch:
        patch.setattr(memory.fs, "put_file", failing)
        with pytest.raises(SpecsiaError, match=r"memory://bucket/run/dataset cannot be .*: the line is dead"):
            send(dataset, memory)
    assert schema.SUMS_FILE not in there(memory)
    assert send(dataset, memory).sent == 1
    assert there(memory) == contents(dataset)


def test_only_what_an_upload_sent_is_removed_or_replaced(dataset: Path, memory: Place) -> None:
    memory.fs.pipe_file(f"{memory.root}/README.md", b"my card")
    with pytest.raises(UsageError, match=r"README\.md already exists and was not sent by a build"):
        send(dataset, memory)
    assert there(memory) == {"README.md": b"my card"}
    memory.fs.rm_file(f"{memory.root}/README.md")
    memory.fs.pipe_file(f"{memory.root}/data/train-00000-of-00009.parquet", b"somebody else's")
    memory.fs.pipe_file(f"{memory.root}/notes.txt", b"somebody else's")
    first = send(dataset, memory)
    assert first.sent == 4
    assert first.spared == ("data/train-00000-of-00009.parquet", "notes.txt")
    assert send(dataset, memory).spared == first.spared
    assert there(memory)["notes.txt"] == there(memory)["data/train-00000-of-00009.parquet"] == b"somebody else's"


@pytest.mark.parametrize("journal", [True, False])
def test_what_was_changed_there_is_sent_again(dataset: Path, memory: Place, journal: bool) -> None:
    send(dataset, memory)
    if not journal:
        (dataset.parent / "uploaded.json").unlink()
    changed = (dataset / "README.md").read_bytes().replace(b"content", b"CONTENT")
    memory.fs.pipe_file(f"{memory.root}/README.md", changed)
    assert send(dataset, memory).sent == 1
    assert there(memory) == contents(dataset)


@pytest.mark.parametrize("url", ["nonesuch://a/b", "hf://datasets/a/b"])
def test_urls_that_cannot_be_written(url: str) -> None:
    with pytest.raises(UsageError):
        open_target(url)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An object store of S3's kind on the loopback interface, empty but for one bucket.

    What it holds belongs to the process, not to the server: it is emptied, as another test may have had one before.
    """
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    for method, path in (("POST", "moto-api/reset"), ("PUT", "bucket")):
        urllib.request.urlopen(urllib.request.Request(f"{address}/{path}", method=method)).close()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    yield
    server.stop()


@pytest.mark.slow
@pytest.mark.usefixtures("s3")
def test_an_s3_server_gives_the_same(one_backend: Path, tmp_path: Path) -> None:
    pytest.importorskip("s3fs")
    folder = Path(shutil.copytree(one_backend, tmp_path / "dataset"))
    target = open_target("s3://bucket/run/dataset")
    assert send(folder, target).sent == len(contents(folder)) - 1
    assert there(target) == contents(folder)
    assert send(folder, target).sent == 0
    assert open_dataset("s3://bucket/run/dataset").splits("default") == {"train": 16, "validation": 4, "test": 4}
    (folder / "README.md").write_text("another card")
    write_sums(folder)
    assert send(folder, target).sent == 1
    assert there(target) == contents(folder)
    target.fs.rm("bucket/run", recursive=True)
    with pytest.raises(SpecsiaError, match="cannot be read or written"):
        send(folder, open_target("s3://no-such-bucket/run"))
