"""Fixtures that tests of several packages share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def characters_dir() -> Path:
    """The folder of real characters that lies beside the checkout; tests that need it are skipped without it."""
    folder = Path(__file__).resolve().parent.parent.parent / "shared" / "characters"
    if not folder.is_dir():
        pytest.skip(f"needs the real characters at {folder}")
    return folder
