"""The user's settings of backends: one YAML file for all runs on the machine."""

import math
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from specsia_build.errors import UsageError
from specsia_build.folders import expanded, home

SETTINGS_VARIABLE = "SPECSIA_BACKENDS"  # Path of the settings file instead of the default one


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of a user's own program, and of the mesh files that it writes."""

    # Signed axes of the file that are x, y, z of the frame; None for its format's convention
    axes: tuple[str, str, str] | None = None
    # `free` to fit the mesh to the picture's silhouette, `kept` if it has its scale and position
    framing: Literal["free", "kept"] = "free"
    # Encoding of vertex colours: `own` of the format, which is linear in glTF, or `srgb`
    colors: Literal["own", "srgb"] = "own"
    seconds: Annotated[float, msgspec.Meta(ge=1, le=1e6)] = 600.0  # Time limit for one picture
    slots: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 1  # Pictures at a time
    # Number set by the user; another one makes all meshes again
    version: Annotated[int, msgspec.Meta(ge=0, le=2**31)] = 1
    command: Any = None  # Command of a backend defined in the settings: a text, or a list of words

    def settings(self) -> dict[str, Any]:
        """Settings that decide the mesh."""
        axes = self.axes and list(self.axes)
        return {"axes": axes, "framing": self.framing, "colors": self.colors, "version": self.version}


def strength_of(name: str, argument: str | None) -> float:
    """The strength that a backend's argument states, 1 by default; a UsageError unless it is from 0 to 2."""
    try:
        strength = 1.0 if argument is None else float(argument)
    except ValueError:
        strength = math.nan
    if not 0 <= strength <= 2:
        raise UsageError(f"{name} takes a strength from 0 to 2, such as {name}:0.5, not '{argument}'")
    return strength


def settings_file() -> Path:
    """Path of the user's settings of backends."""
    if path := os.environ.get(SETTINGS_VARIABLE):
        return expanded(path)
    return Path(os.environ.get("XDG_CONFIG_HOME") or home() / ".config") / "specsia" / "backends.yaml"


def stated_in(name: str) -> str:
    """Place of a backend's settings for messages, without folders of this machine."""
    return f"{settings_file().name}, under {name}"


def all_settings() -> dict[str, dict[str, Any]]:
    """Settings by backend, unchecked; empty without a file. A UsageError unless a mapping of mappings."""
    path = settings_file()
    if not path.is_file():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return {str(name): dict(settings or {}) for name, settings in content.items()}
    except (OSError, ValueError, RecursionError, yaml.YAMLError, AttributeError, TypeError) as error:
        problem = f"{path} cannot be read as settings by backend: {' '.join(str(error).split())}"
        raise UsageError(problem) from error
