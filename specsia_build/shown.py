"""How what holds arrays shows itself in a notebook and in tests: by their types and shapes, in a few lines."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar

MOST_SHOWN = 8
"""Entries of a tuple that are shown one by one."""


class ByShape:
    """A dataclass with ``repr=False`` that shows arrays by type and shape, and long tuples by their length."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __repr__(self) -> str:
        shown = (f"{field.name}={_shown(getattr(self, field.name))}" for field in fields(self) if field.repr)
        return f"{type(self).__name__}({', '.join(shown)})"


def _shown(value: Any) -> str:
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, tuple) and len(value) > MOST_SHOWN:
        return f"({len(value):,} entries)"
    return repr(value)
