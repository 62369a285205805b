"""Small Parquet files that would need much memory are refused wherever rows are read."""

import shutil
from pathlib import Path

import pytest

from specsia_build import memory
from specsia_build.dataset.reading import open_dataset
from specsia_build.dataset.verify.check import verify
from specsia_build.errors import SpecsiaError
from tests.dataset.parquet_bombs import KINDS, write_bombs
from tests.dataset.small import failed, shard

REFUSED = r"takes [\d.]+ (MB|GB) of memory and may take 64 MB|alloc"


@pytest.fixture(autouse=True)
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_allowed", 2**26)


@pytest.fixture(scope="module")
def bombs(one_backend: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of bombs in the place of a shard, by kind."""
    folder = tmp_path_factory.mktemp("bombs")
    write_bombs(folder, [shard(one_backend)])
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_shard_larger_than_memory(dataset: Path, bombs: Path, kind: str) -> None:
    shutil.copy(bombs / kind / shard(dataset).name, shard(dataset))
    assert shard(dataset).stat().st_size < 200_000
    opened = open_dataset(dataset)
    with pytest.raises(SpecsiaError, match=rf"train-00000-of-00001\.parquet is damaged .*({REFUSED})"):
        opened.take("default", "train", [0], opened.columns)
    with pytest.raises(SpecsiaError):
        list(opened.stream("default", "train", opened.columns))
    assert {"files", "schema"} & failed(verify(dataset))


def test_memory_limit_is_restored(dataset: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    list(open_dataset(dataset).stream("default", "train", ["uid"]))
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
