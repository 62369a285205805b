"""The user's settings of backends: one YAML file for all runs on the machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from specsia_build.errors import UsageError
from specsia_build.folders import expanded, home

SETTINGS_VARIABLE = "SPECSIA_BACKENDS"
"""Names the settings file; without it, ``specsia/backends.yaml`` in the user's configuration folder counts."""


def settings_file() -> Path:
    """The user's settings of backends."""
    stated = os.environ.get(SETTINGS_VARIABLE)
    if stated:
        return expanded(stated)
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else home() / ".config") / "specsia" / "backends.yaml"


def stated_in(name: str) -> str:
    """Where the settings of a backend are, as a sentence names it: without the folders of this machine."""
    return f"{settings_file().name}, under {name}"


def all_settings() -> dict[str, dict[str, Any]]:
    """The whole file, unchecked but for its form; empty where there is none.

    Raises:
        UsageError: if it is no map from names to maps of settings.
    """
    path = settings_file()
    if not path.is_file():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return {str(name): dict(own or {}) for name, own in content.items()}
    except (OSError, ValueError, RecursionError, yaml.YAMLError, AttributeError, TypeError) as error:
        raise UsageError(f"{path} cannot be read as settings by backend: {' '.join(str(error).split())}") from error
