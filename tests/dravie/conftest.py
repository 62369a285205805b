"""A dataset that several tests look at, and a cache of its frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dataset.small import build_small


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three characters, one in each split, four views of 96 px, two backends; not to be changed."""
    return build_small(tmp_path_factory.mktemp("pairs") / "dataset", ("a", "b", "c"), backends=("fat", "thin"))


@pytest.fixture(scope="module", autouse=True)
def frames_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Frames are decoded once for all tests of a session, but not into the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
        yield
