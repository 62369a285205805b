"""JSON of our own and of strangers, as plain values."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from specsia_build.errors import SpecsiaError, printable

MOST_JSON_BYTES = 64 * 2**20

MOST_JSON_DEPTH = 100
"""Lists and objects in one another; what walks through them goes one call deeper for each."""


def parse_json(data: bytes | str, what: str) -> Any:
    """JSON as plain values.

    Args:
        data: UTF-8, or text.
        what: names it in messages.

    Raises:
        SpecsiaError: if it is damaged, nested too deeply or larger than `MOST_JSON_BYTES`.
    """
    if len(data) > MOST_JSON_BYTES:
        raise SpecsiaError(f"{what} cannot be read: it has {len(data) / 2**20:,.0f} MB")
    try:
        found = json.loads(data)
    except (RecursionError, ValueError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else f"it is not JSON ({error})"
        raise SpecsiaError(f"{what} cannot be read: {why}") from error
    level = [found]
    for _ in range(MOST_JSON_DEPTH):
        level = [inner for outer in level for inner in _values(outer) if isinstance(inner, dict | list)]
    if level:
        raise SpecsiaError(f"{what} cannot be read: it is nested too deeply")
    return found


def _values(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def remembered_json(path: Path) -> Any:
    """JSON of a file that only remembers what can be found out again; None where there is none that can be read."""
    try:
        return read_json(path)
    except (FileNotFoundError, SpecsiaError):
        return None


def read_json(path: Path, what: str | None = None) -> Any:
    """JSON of a file as plain values.

    Raises:
        SpecsiaError: if it cannot be read, as `parse_json` says; FileNotFoundError passes.
    """
    what = what or str(path)
    try:
        with path.open("rb") as stream:
            return parse_json(stream.read(MOST_JSON_BYTES + 1), what)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SpecsiaError(f"{printable(what)} cannot be read: {error.strerror or error}") from error
