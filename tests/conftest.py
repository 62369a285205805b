"""Fixtures that tests of several packages share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# The same examples on every machine and in every run, however slow the machine is.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")


@pytest.fixture(scope="session")
def characters_dir() -> Path:
    """The folder of real characters that lies beside the checkout; tests that need it are skipped without it."""
    folder = Path(__file__).resolve().parent.parent.parent / "shared" / "characters"
    if not folder.is_dir():
        pytest.skip(f"needs the real characters at {folder}")
    return folder
