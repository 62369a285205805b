"""Datasets shared by tests, each of which changes its own copy."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest

from tests.dataset.small import build_small

IDS = ("0", "1", "2", "3", "10", "hero")


@pytest.fixture(scope="session")
def one_backend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six characters and a quarantined one, in three splits, one backend; not to be changed."""
    return build_small(tmp_path_factory.mktemp("one") / "dataset", IDS, planned=["lost"])


@pytest.fixture(scope="session")
def two_backends(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three characters, two backends; not to be changed."""
    return build_small(tmp_path_factory.mktemp("two") / "dataset", ("a", "b", "c"), backends=("fat", "thin"))


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Path], Path]:
    """Makes a copy to plant faults in."""

    def copy(folder: Path) -> Path:
        return Path(shutil.copytree(folder, tmp_path / "dataset"))

    return copy


@pytest.fixture
def upload() -> Iterator[Callable[[Path], str]]:
    """Puts a folder behind a URL, which it gives."""
    fs, url = fsspec.filesystem("memory"), "memory://uploaded/dataset"

    def put_there(folder: Path) -> str:
        fs.put(f"{folder}/", url, recursive=True)
        return url

    yield put_there
    fs.rm("memory://uploaded", recursive=True)


@pytest.fixture
def dataset(one_backend: Path, copied: Callable[[Path], Path]) -> Path:
    """A copy of `one_backend`."""
    return copied(one_backend)
