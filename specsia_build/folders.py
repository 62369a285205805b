"""Where a user's own files lie, and where those that come with the package do."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The user's home folder, or one that cannot be: a container may run as a number that the system does not know."""
    # pathlib's own raises an error then.
    found = os.path.expanduser("~")  # noqa: PTH111
    return Path(found if os.path.isabs(found) else os.devnull)  # noqa: PTH117


def homed() -> dict[str, str]:
    """This process's variables with a `HOME` among them, without which other programs may crash, as Blender does."""
    return {"HOME": str(home()), **os.environ}


def expanded(path: str) -> Path:
    """A path that a user gave, with a home folder for ``~`` as shells have it; without such a user it stays."""
    return Path(os.path.expanduser(path))  # noqa: PTH111


def caches_home() -> Path:
    """Where a user's programs keep what they can make again: `XDG_CACHE_HOME`, else ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache")


def user_cache() -> Path:
    """Where this package keeps what it can make again."""
    return caches_home() / "specsia"


def shipped(name: str) -> Path:
    """A folder that comes with the package: inside it where it is installed, beside it in a checkout.

    Args:
        name: ``manifests`` or ``blender_scripts``.
    """
    package = Path(__file__).resolve().parent
    return package / name if (package / name).is_dir() else package.parent / name
