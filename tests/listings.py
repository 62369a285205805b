"""Which folders a piece of code lists."""

import os
from pathlib import Path
from typing import Any

import pytest


def noted_listings(patch: pytest.MonkeyPatch) -> list[Path]:
    """Every folder that is listed from now on, in order."""
    listed: list[Path] = []

    def noted(function: Any) -> Any:
        def called(path: Any) -> Any:
            listed.append(Path(path))
            return function(path)

        return called

    for name in ("listdir", "scandir"):
        patch.setattr(os, name, noted(getattr(os, name)))
    return listed
