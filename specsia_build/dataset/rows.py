"""Rows as they are read: columns of the right kind, and values that everything else may rely on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from specsia_build.dataset.schema import IMAGE_COLUMNS, MOST_FRAMES, MOST_VIEWS, VALUE_COLUMNS
from specsia_build.errors import SpecsiaError, brief, plural
from specsia_build.files.names import file_name

TEXT, WHOLE, NUMBER, LIST, IMAGE, NOTHING = "text", "whole numbers", "numbers", "lists", "images", "nothing"
"""Kinds of columns, whatever their width and encoding."""

_KINDS = {"string": TEXT, "int32": WHOLE, "float64": NUMBER, "float64[3]": LIST}

_RANGES = {
    "view": (0, MOST_VIEWS - 1),
    "iou": (0.0, 1.0),
    "outline_px": (0, 16),
    "outline_grey": (0, 255),
    "frame": (0, MOST_FRAMES - 1),
    "time": (0.0, 1e9),
}
"""Least and most of what is computed with; where it may be absent it is so as null."""


def _kind(found: pa.DataType) -> str:
    kinds = {
        TEXT: (pa.types.is_string, pa.types.is_large_string),
        WHOLE: (pa.types.is_integer,),
        NUMBER: (pa.types.is_floating,),
        LIST: (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list),
        IMAGE: (pa.types.is_binary, pa.types.is_large_binary),
        NOTHING: (pa.types.is_null,),
    }
    if pa.types.is_dictionary(found):
        return _kind(found.value_type)
    if pa.types.is_struct(found):
        held = found.get_field_index("bytes")
        return _kind(found.field(held).type) if held >= 0 else str(found)
    return next((kind for kind, checks in kinds.items() if any(check(found) for check in checks)), str(found))


def check_columns(found: pa.Schema, wanted: Sequence[str]) -> None:
    """That a shard has columns once each, and of the kind that they must be.

    Raises:
        ValueError: if not.
    """
    for name in wanted:
        places = found.get_all_field_indices(name)
        if not places:
            raise ValueError(f"has no column '{name}': it has {', '.join(found.names)}")
        if len(places) > 1:
            raise ValueError(f"has the column '{name}' {plural(len(places), 'time')}")
        must = IMAGE if name in IMAGE_COLUMNS else _KINDS.get(VALUE_COLUMNS.get(name, ""))
        kind = _kind(found.field(places[0]).type)
        if must is None or kind == must or (must, kind) in ((NUMBER, WHOLE), (TEXT, NOTHING)):
            continue
        raise ValueError(f"holds {kind} in its column '{name}', which must be {must}")


def checked_row(row: dict[str, Any], where: str) -> dict[str, Any]:
    """A row whose ids can be file names and whose numbers are in range.

    Args:
        row: of a shard whose columns are of the right kind; of all columns or of some.
        where: it comes from, for the message.

    Raises:
        SpecsiaError: if an id, the view, or a clip's frame or time is missing or cannot be one, or a number is out of
            range.
    """
    for name in ("uid", "character_id", "clip"):
        if name in row:
            file_name(row[name] or "", f"{name} of a row of {where}")
    for name in ("view", "frame", "time"):
        if name in row and row[name] is None:
            raise SpecsiaError(f"{_named(row)} of {where} has no {name}")
    for name, (least, most) in _RANGES.items():
        value = row.get(name)
        if value is not None and not least <= value <= most:
            raise SpecsiaError(f"{_named(row)} of {where} has {value:g} for {name}: it must be {least:g} to {most:g}")
    return row


def _named(row: Mapping[str, Any]) -> str:
    return f"the row {brief(str(row['uid']), 80)}" if "uid" in row else "a row"
