"""Where a user's own files lie."""

from __future__ import annotations

import os
from pathlib import Path


def user_cache() -> Path:
    """Where this package keeps what it can make again: below `XDG_CACHE_HOME`, else below ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "specsia"
