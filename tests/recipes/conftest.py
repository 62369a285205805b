"""A small run that tests of recipes share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clips import clips_config, run_clips, write_figures


@pytest.fixture(scope="session")
def frames_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three figures, one in each split, with the recipe `frames` alone; not to be changed."""
    folder = tmp_path_factory.mktemp("frames")
    config = clips_config(write_figures(folder / "figures"), recipes=["frames"], views=1, turntable=False)
    return run_clips(folder / "run", config)[0].root
