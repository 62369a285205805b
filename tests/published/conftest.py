"""Rows and a tree, drawn once, which tests copy before they change them."""

from pathlib import Path

import pytest

from tests.published import figures


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of four characters; not to be changed."""
    return figures.write_rows(tmp_path_factory.mktemp("rows") / "hub")


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the same characters; not to be changed."""
    return figures.write_tree(tmp_path_factory.mktemp("tree") / "SPECSIA-15k")
