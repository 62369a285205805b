"""A dataset that several tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dataset.small import build_small


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three characters, one in each split, four views of 96 px, two backends; not to be changed."""
    return build_small(tmp_path_factory.mktemp("pairs") / "dataset", ("a", "b", "c"), backends=("fat", "thin"))
