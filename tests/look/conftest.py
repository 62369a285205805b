"""A run that all tests of pages look at, and its page."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from specsia_build.config import BuildConfig
from specsia_build.pipeline.run import RunLayout
from tests.look.shown import report_of
from tests.look.tiny_run import tiny_run

Run = tuple[BuildConfig, RunLayout]


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that went through all stages, with one broken character."""
    return tiny_run(tmp_path_factory.mktemp("report"))


@pytest.fixture
def copied(whole: Run, tmp_path: Path) -> Run:
    """A copy of the run that a test may spoil."""
    shutil.copytree(whole[1].root, tmp_path / "run")
    return whole[0], RunLayout(tmp_path / "run")


@pytest.fixture(scope="session")
def shown(whole: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """The document of its page, and the page."""
    page = tmp_path_factory.mktemp("shown") / "page.html"
    return report_of(whole[1].root, page), page
