"""Upload a dataset to a URL: complete or absent, nothing sent twice."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from specsia_build.dataset import schema
from specsia_build.dataset.places import Place, open_target, upload
from specsia_build.errors import SpecsiaError, UsageError
from tests.artefacts import contents
from tests.checksums import write_sums


@pytest.fixture
def memory() -> Iterator[Place]:
    target = open_target("memory://bucket/run/dataset")
    yield target
    target.fs.store.clear()


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Files named as a dataset's are."""
    folder = tmp_path / "dataset"
    shards = [f"data/train-0000{k}-of-00002.parquet" for k in (0, 1)]
    for name in (*shards, "README.md", "build.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"content of {name} " * 50)
    write_sums(folder)
    return folder


def send(folder: Path, target: Place) -> int:
    return upload(folder, target.where, lambda _: None)


def there(target: Place) -> dict[str, bytes]:
    base = target.fs._strip_protocol(target.root) + "/"
    return {name.removeprefix(base): target.fs.cat_file(name) for name in target.fs.find(target.root)}


def test_second_upload_sends_nothing(dataset: Path, memory: Place) -> None:
    assert send(dataset, memory) == 4
    assert there(memory) == contents(dataset)
    assert send(dataset, memory) == 0
    memory.fs.rm_file(f"{memory.root}/build.json")
    assert send(dataset, memory) == 1


def test_only_changes_are_uploaded(dataset: Path, memory: Place) -> None:
    send(dataset, memory)
    (dataset / "data/train-00000-of-00002.parquet").rename(dataset / "data/train-00000-of-00003.parquet")
    (dataset / "data/train-00001-of-00002.parquet").unlink()
    for k in (1, 2):
        (dataset / f"data/train-0000{k}-of-00003.parquet").write_text(f"new {k}")
    write_sums(dataset)
    memory.fs.pipe_file(f"{memory.root}/notes.txt", b"somebody else's")
    assert send(dataset, memory) == 3
    assert there(memory) == {**contents(dataset), "notes.txt": b"somebody else's"}


def test_stopped_upload_continues(dataset: Path, memory: Place, monkeypatch: pytest.MonkeyPatch) -> None:
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
        with pytest.raises(SpecsiaError, match=r"dataset .*: the line is dead"):
            send(dataset, memory)
    assert schema.SUMS_FILE not in there(memory)
    assert send(dataset, memory) == 4
    assert there(memory) == contents(dataset)


def test_foreign_files_survive(dataset: Path, memory: Place) -> None:
    memory.fs.pipe_file(f"{memory.root}/README.md", b"my card")
    with pytest.raises(UsageError, match=r"README\.md already exists"):
        send(dataset, memory)
    assert there(memory) == {"README.md": b"my card"}
    memory.fs.mv(f"{memory.root}/README.md", f"{memory.root}/SHA256SUMS")
    with pytest.raises(UsageError, match=r"SHA256SUMS already exists"):
        send(dataset, memory)
    memory.fs.rm_file(f"{memory.root}/SHA256SUMS")
    memory.fs.pipe_file(f"{memory.root}/data/train-00000-of-00009.parquet", b"somebody else's")
    memory.fs.pipe_file(f"{memory.root}/notes.txt", b"somebody else's")
    assert [send(dataset, memory) for _ in range(2)] == [4, 0]
    for name in ("notes.txt", "data/train-00000-of-00009.parquet"):
        assert there(memory)[name] == b"somebody else's"


@pytest.mark.parametrize("url", ["nonesuch://a/b", "hf://datasets/a/b"])
def test_unwritable_urls(url: str) -> None:
    with pytest.raises(UsageError):
        open_target(url)
