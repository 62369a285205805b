"""The YAML header of a dataset card, read as untrusted input."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

from specsia_build.errors import SpecsiaError
from specsia_build.files.names import relative_name
from specsia_build.files.records import PlainLoader

MOST_CARD_BYTES = 1 << 22

_FRONT_MATTER = re.compile(r"---\r?\n(.*?\n)---\s*(?:\n|$)", re.DOTALL)
_WILDCARD = re.compile(r"\[!?[^]/]+\]|[*?]")
_MERGE = "tag:yaml.org,2002:merge"


class DataFiles(NamedTuple):
    """One entry of a card: configuration, split as it is written, and file pattern."""

    config: str
    split: str
    pattern: str


class _Loader(PlainLoader):
    """Without merged mappings, a few lines of which hold more than memory does."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        if any(key.tag == _MERGE for key, _ in node.value):
            raise yaml.YAMLError("it merges mappings")
        super().flatten_mapping(node)


def card_fields(text: str) -> dict[str, Any]:
    """The YAML at the head of a card; empty if it has none.

    Raises:
        ValueError: if what is there is no YAML mapping that can be read.
    """
    match = _FRONT_MATTER.match(text[:MOST_CARD_BYTES])
    if match is None:
        return {}
    try:
        fields = yaml.load(match[1], _Loader)  # noqa: S506  a loader of plain values
    # Numbers and dates that Python has none of are ValueErrors.
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ValueError("the YAML at its head cannot be read") from error
    if not isinstance(fields, dict):
        raise ValueError("the YAML at its head holds no fields")
    return fields


def data_files(fields: Mapping[str, Any]) -> list[DataFiles]:
    """The entries of `configs` of a card's YAML, the default configuration first; none where it has no `configs`.

    Raises:
        ValueError: if they cannot be understood, or a pattern could fit a file outside of the dataset.
    """
    try:
        configs = sorted(fields.get("configs") or (), key=lambda config: not config.get("default", False))
        found = [
            DataFiles(config["config_name"], entry["split"], path)
            for config in configs
            for entry in config["data_files"]
            for path in ([entry["path"]] if isinstance(entry["path"], str) else entry["path"])
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("its YAML names configurations without their data_files by split") from error
    for entry in found:
        if not all(isinstance(part, str) for part in entry):
            raise ValueError("its YAML gives a configuration, a split or a file that is no text")
        try:
            relative_name(_WILDCARD.sub("x", entry.pattern.removeprefix("./")), "pattern of data_files")
        except SpecsiaError as error:
            raise ValueError(str(error)) from error
    return [entry._replace(pattern=entry.pattern.removeprefix("./")) for entry in found]


def fits(name: str, pattern: str) -> bool:
    """Whether a file is one that a pattern of `data_files` names, as fsspec and so `datasets` understands it."""
    from fsspec.utils import glob_translate

    return re.fullmatch(glob_translate(pattern), name) is not None
