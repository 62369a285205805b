"""JSON and YAML from files, as plain values of limited depth."""

import json
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from specsia_build.errors import SpecsiaError, printable

MOST_JSON_BYTES = 64 * 2**20
MOST_DEPTH = 100  # Of lists and objects inside one another


def parse_json(data: bytes | str, what: str) -> Any:
    """Parse JSON; SpecsiaError if damaged, deeper than `MOST_DEPTH` or larger than `MOST_JSON_BYTES`."""
    if len(data) > MOST_JSON_BYTES:
        raise SpecsiaError(f"{what} cannot be read: it has {len(data) / 2**20:,.0f} MB")
    try:
        parsed = json.loads(data)
    except (RecursionError, ValueError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else f"it is not JSON ({error})"
        raise SpecsiaError(f"{what} cannot be read: {why}") from error
    level = [parsed] if isinstance(parsed, dict | list) else []
    for _ in range(MOST_DEPTH):
        values = (outer.values() if isinstance(outer, dict) else outer for outer in level)
        level = [inner for inner in chain.from_iterable(values) if isinstance(inner, dict | list)]
    if level:
        raise SpecsiaError(f"{what} cannot be read: it is nested too deeply")
    return parsed


def read_json(path: Path, what: str | None = None) -> Any:
    """Read a JSON file; raises FileNotFoundError if it does not exist, and SpecsiaError as `parse_json`."""
    what = what or str(path)
    try:
        with path.open("rb") as stream:
            return parse_json(stream.read(MOST_JSON_BYTES + 1), what)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SpecsiaError(f"{printable(what)} cannot be read: {error.strerror or error}") from error


def remembered_json(path: Path) -> Any:
    """Read a JSON file that serves as a cache; None if it cannot be read."""
    try:
        return read_json(path)
    except (FileNotFoundError, SpecsiaError):
        return None


class PlainLoader(yaml.SafeLoader):
    """A loader of plain values, nested at most `MOST_DEPTH` deep: PyYAML's time is quadratic in the depth.

    Merge keys are refused, a few lines of which expand beyond all memory, and so are keys that occur twice.
    """

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise yaml.YAMLError("it merges mappings")
        super().flatten_mapping(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise yaml.YAMLError(f"'{twice[0]}' occurs twice: keep one")
        return super().construct_mapping(node, deep)

    def fetch_flow_collection_start(self, TokenClass: type[yaml.Token]) -> None:
        if self.flow_level == MOST_DEPTH:
            raise yaml.YAMLError("it is nested too deeply")
        super().fetch_flow_collection_start(TokenClass)
