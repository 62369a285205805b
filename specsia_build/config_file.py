"""Settings as names and values: from flags and YAML files to a `BuildConfig`, and with every run to a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import yaml

from specsia_build.config import BuildConfig, ClipSettings, result_settings
from specsia_build.errors import UsageError, no_such
from specsia_build.files.plain_yaml import PlainLoader
from specsia_build.files.writing import write_bytes

_SETTINGS = {field.name: str(field.type) for field in fields(BuildConfig)}
"""Types of the settings by name."""

_CLIP_SETTINGS = {field.name: str(field.type) for field in fields(ClipSettings)}

_KINDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "bool": ((bool,), "true or false"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "str": ((str,), "text"),
}
"""What values of a type are, and are called."""

_ENDS = ("source", "low_iou")
"""The first and the last setting in the file that every run keeps, so that one that is cut off anywhere lacks one."""


def _clip_settings(before: ClipSettings | None, settings: Any, where: str) -> ClipSettings:
    """Settings of clips, some of them replaced; see `with_settings`."""
    if not isinstance(settings, Mapping):
        raise UsageError(f"{where}: clips must hold settings as `name: value`")
    unknown = next((key for key in settings if key not in _CLIP_SETTINGS), None)
    if unknown is not None:
        raise UsageError(f"{where}: clips have no setting '{unknown}'; they are {', '.join(sorted(_CLIP_SETTINGS))}")
    changes = {name: _checked(name, _CLIP_SETTINGS[name], value, where) for name, value in settings.items()}
    changes |= {name: tuple(dict.fromkeys(value)) for name, value in changes.items() if isinstance(value, tuple)}
    return replace(before or ClipSettings(), **changes)


def _checked(name: str, of_type: str, value: Any, where: str) -> Any:
    """A value that is of a setting's type; of several names one may stand alone."""
    kind, _, or_none = of_type.partition(" | ")
    if value is None and or_none:
        return None
    if kind == "tuple[str, ...]":
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list | tuple) or not all(isinstance(one, str) for one in values):
            raise UsageError(f"{where}: {name} must be a name or a list of names")
        return tuple(values)
    types, called = _KINDS[kind]
    # To Python, true and false are numbers.
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise UsageError(f"{where}: {name} must be {called}, not {value!r}")
    return value


def _converted(name: str, value: Any, where: str) -> Any:
    if name in ("max_failures", "memory") and value is not None:
        # YAML has those of them that are no words for numbers.
        return str(value)
    found = _checked(name, _SETTINGS[name], value, where)
    return float(found) if _SETTINGS[name] == "float" else found


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
            changes[name] = _converted(name, value, where)
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
    except UnicodeDecodeError as error:
        raise UsageError(f"the config file {path} is not UTF-8 text") from error
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"the config file {path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"the config file {path} is not valid YAML: {' '.join(str(error).split())}") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise UsageError(f"the config file {path} must hold settings as `name: value`")
    return loaded


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
