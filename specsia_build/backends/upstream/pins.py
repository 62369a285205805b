"""Requirements of a bridge in ``manifests/backends/NAME.yaml``, and the user's installation of it."""

import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from specsia_build.backends.settings import all_settings, settings_file
from specsia_build.errors import UsageError, meant
from specsia_build.folders import expanded, shipped

NAMES = (
    "wonder3d",
    "drawingspinup",
    "instantmesh",
    "crm",
    "triposr",
    "sf3d",
    "trellis2",
    "hunyuan3d",
    "anigen",
)

ENHANCERS = ("difix3d",)  # Bridges that repair views, and are no backends


@dataclass(frozen=True)
class Weights:
    """Weights from the Hugging Face Hub (`source`, `revision`, `files`; all if empty), or a file at `path`.

    `path` is relative to the checkout or in the home folder, and `fetch` the command that fetches it.
    """

    name: str
    source: str | None = None
    revision: str | None = None
    files: tuple[str, ...] = ()
    path: str | None = None
    fetch: str = ""


@dataclass(frozen=True)
class Pins:
    """Requirements of a bridge; fields of its YAML file."""

    name: str
    version: int  # Of the bridge; raised whenever the same picture would give another mesh
    repository: str
    commit: str
    python: str
    packages: Mapping[str, str]  # Packages by version or range
    imports: Mapping[str, str]  # Other modules with what pip installs for each
    # Files of the checkout that the bridge needs, and the names in each that it uses
    uses: Mapping[str, tuple[str, ...]]
    weights: tuple[Weights, ...]
    memory: Mapping[str, Any]
    axes: tuple[str, str, str]  # Of the mesh file, see `Terms`
    framing: Literal["kept", "free"]  # Of the mesh file, see `Terms`
    seconds: Mapping[Literal["start", "item"], float]  # Limits for `start` and `item`
    yaw: bool = False  # Whether the mesh may be turned about the vertical axis
    rigged: bool = False  # Whether the mesh file has a skeleton, which goes on
    limits: str = ""  # What its licence forbids that an owner of a dataset must know; a sentence


class Installation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an upstream project is installed, as the user's settings state it."""

    root: Path | None = None  # The checkout
    python: Path | None = None  # The interpreter of its environment
    # One worker each, as CUDA_VISIBLE_DEVICES names them
    devices: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("0",)
    offline: bool = False  # Whether the Hugging Face Hub may not be used
    weights: dict[str, str] = {}  # Folders or repositories that replace pinned ones
    # Limits that replace pinned ones
    seconds: dict[Literal["start", "item"], Annotated[float, msgspec.Meta(gt=0, le=1e9)]] = {}

    def source_of(self, weights: Weights) -> tuple[str, str | None]:
        """Folder or repository of weights, and the revision if these are the pinned ones."""
        own = self.weights.get(weights.name)
        return (weights.source or "", weights.revision) if own is None else (own, None)


@cache
def read_pins(name: str) -> Pins:
    """Read the pins of a bridge; a UsageError if there is no such bridge."""
    if name not in (bridges := NAMES + ENHANCERS):
        raise UsageError(f"'{name}' is not one of the bridges {', '.join(bridges)}.{meant(name, bridges)}")
    content = yaml.safe_load((shipped("manifests") / "backends" / f"{name}.yaml").read_text(encoding="utf-8"))
    return msgspec.convert({**content, **content["frame"]}, Pins)


def find_installation(name: str, root: Path | None = None, python: Path | None = None) -> Installation:
    """Find a project by arguments, else ``SPECSIA_NAME_ROOT``, ``_PYTHON``, ``_DEVICES``, else settings.

    The interpreter is that of the checkout's ``.venv`` by default. Raises a UsageError for unusable settings.
    """
    settings = dict(all_settings().get(name, {}))
    for key, path in (("root", root), ("python", python), ("devices", None)):
        if value := path or os.environ.get(f"SPECSIA_{name.upper()}_{key.upper()}"):
            settings[key] = str(value)
    # A scheduler sets CUDA_VISIBLE_DEVICES to the GPUs that it assigns.
    devices = settings.get("devices", os.environ.get("CUDA_VISIBLE_DEVICES") or "0")
    names = devices if isinstance(devices, list) else str(devices).split(",")
    settings["devices"] = list(dict.fromkeys(str(name).strip() for name in names))
    try:
        installed = msgspec.convert(settings, Installation, dec_hook=lambda _, p: expanded(p).absolute())
    except msgspec.ValidationError as error:
        raise UsageError(f"{settings_file()}: {name}: {error}") from error
    pinned = {weights.name for weights in read_pins(name).weights if weights.source}
    if unknown := installed.weights.keys() - pinned:
        raise UsageError(f"{settings_file()}: {name} loads no weights '{min(unknown)}'")
    if installed.python is None and installed.root is not None:
        default = installed.root / ".venv/bin/python"
        installed = msgspec.structs.replace(installed, python=default if default.exists() else None)
    return installed


def limits_of(backends: Iterable[str]) -> dict[str, str]:
    """What licences forbid to do with the results of some backends, by the names of those backends."""
    limits = {name: read_pins(name).limits for name in backends if name in NAMES}
    return {name: sentence for name, sentence in limits.items() if sentence}


@cache
def checkout_commit(root: Path) -> str | None:
    """Commit of a checkout; None if it is not a git checkout."""
    command = ["git", "-C", str(root), "rev-parse", "--show-toplevel", "HEAD"]
    try:
        printed = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    top, commit = printed.split("\n")[:2]
    # A folder without a history of its own must not pass for the repository that it lies in.
    return commit.strip() if Path(top).resolve() == root.resolve() else None
