"""Where a user's own files lie, and where those that come with the package do."""

from __future__ import annotations

import os
from pathlib import Path


def user_cache() -> Path:
    """Where this package keeps what it can make again: below `XDG_CACHE_HOME`, else below ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "specsia"


def shipped(name: str) -> Path:
    """A folder that comes with the package: inside it where it is installed, beside it in a checkout.

    Args:
        name: ``manifests`` or ``blender_scripts``.
    """
    package = Path(__file__).resolve().parent
    return package / name if (package / name).is_dir() else package.parent / name
