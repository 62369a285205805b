"""Settings as names and values: from flags and YAML files to a `BuildConfig`, and with every run to a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import msgspec
import yaml

from specsia_build.config import BuildConfig, ClipSettings, result_settings
from specsia_build.errors import UsageError, no_such
from specsia_build.files.plain_yaml import PlainLoader
from specsia_build.files.writing import write_bytes

_SETTINGS, _CLIP_SETTINGS = (get_type_hints(kind) for kind in (BuildConfig, ClipSettings))
"""Types of the settings by name."""

_ENDS = ("source", "low_iou")
"""The first and the last setting in the file that every run keeps, so that one that is cut off anywhere lacks one."""


def _checked(name: str, kind: Any, value: Any, where: str) -> Any:
    """A value as a setting of a type; of several names one may stand alone."""
    if isinstance(value, str) and get_origin(kind) is tuple:
        value = [value]
    if name in ("max_failures", "memory") and value is not None:
        # YAML has those of them that are no words for numbers.
        value = str(value)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: {name} cannot be {value!r}: {error}") from error


def _clip_settings(before: ClipSettings | None, settings: Any, where: str) -> ClipSettings:
    """Settings of clips, some of them replaced; see `with_settings`."""
    if not isinstance(settings, Mapping):
        raise UsageError(f"{where}: clips must hold settings as `name: value`")
    changes: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in _CLIP_SETTINGS:
            raise UsageError(f"{where}: {no_such('setting of clips', str(name), sorted(_CLIP_SETTINGS))}")
        found = _checked(name, _CLIP_SETTINGS[name], value, where)
        changes[name] = tuple(dict.fromkeys(found)) if isinstance(found, tuple) else found
    return replace(before or ClipSettings(), **changes)


def with_settings(config: BuildConfig, settings: Mapping[str, Any], where: str) -> BuildConfig:
    """The configuration with some settings replaced.

    Args:
        config: what they replace.
        settings: by name; `backend` is taken for `backends`.
        where: names their origin in messages.

    Raises:
        UsageError: if a setting is unknown or its value cannot be used.
    """
    changes: dict[str, Any] = {}
    for key, value in settings.items():
        name = "backends" if key == "backend" else str(key).replace("-", "_")
        if name not in _SETTINGS:
            raise UsageError(f"{where}: {no_such('setting', str(key), sorted(_SETTINGS))}")
        if name == "clips":
            changes[name] = None if value is None else _clip_settings(config.clips, value, where)
        else:
            changes[name] = _checked(name, _SETTINGS[name], value, where)
    return replace(config, **changes)


class _Loader(PlainLoader):
    """Without mappings that say one thing twice, of which the last would count."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.YAMLError(f"'{twice}' is there twice: keep one")
        return super().construct_mapping(node, deep)


def read_settings(path: Path) -> dict[str, Any]:
    """Settings of a YAML file, unchecked; `out` may be among them.

    Raises:
        UsageError: if the file cannot be read or is no mapping.
    """
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506  a loader of plain values
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UsageError(f"the config file {path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(loaded, dict | None):
        raise UsageError(f"the config file {path} must hold settings as `name: value`")
    return loaded or {}


def read_run_settings(path: Path) -> dict[str, Any]:
    """Settings that a run keeps, as `write_settings` wrote them, unchecked.

    Raises:
        UsageError: if the file cannot be read, or was emptied or cut off.
    """
    found = read_settings(path)
    for name in _ENDS:
        if name not in found:
            raise UsageError(
                f"{path} is cut off, as it has no '{name}': delete it and give the whole command again, with SOURCE "
                "and all settings"
            )
    return found


def write_settings(config: BuildConfig, path: Path) -> None:
    """Write what the next command inherits of the effective settings as YAML, whole or not at all."""
    kept = result_settings(config)
    kept[_ENDS[1]] = kept.pop(_ENDS[1])
    write_bytes(path, yaml.safe_dump(kept, sort_keys=False, allow_unicode=True).encode(), lasting=True)
