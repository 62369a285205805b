"""Values of stored rows, checked as they are read."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from specsia_build.dataset import schema
from specsia_build.errors import SpecsiaError, brief
from specsia_build.files.names import file_name

_RANGES = {
    "view": (0, schema.MOST_VIEWS - 1),
    "iou": (0.0, 1.0),
    "outline_px": (0, 16),
    "outline_grey": (0, 255),
    "frame": (0, schema.MOST_FRAMES - 1),
    "time": (0.0, 1e9),
}
"""Minimum and maximum of the numbers that other modules compute with."""

_SCALARS = (*schema.SCALAR_COLUMNS, *schema.CLIP_COLUMNS)
_ARROW = {
    **{field.name: field.type for field in schema.arrow_schema(_SCALARS)},
    **dict.fromkeys(("bbox_min", "bbox_max"), pa.list_(pa.float64())),
    "outline_rgb": pa.list_(pa.int32()),
    **dict.fromkeys(schema.ALL_IMAGES, pa.binary()),
}
"""Arrow types that columns are cast to when they are read."""


def checked_rows(batch: pa.RecordBatch | pa.Table, where: str) -> Iterator[dict[str, Any]]:
    """Checked rows of a batch; images as bytes, whether they are stored as such or as `datasets` does."""
    # Takes 0.1 s to import, which commands that read no row need not wait for.
    import pyarrow.compute as pc

    columns = {}
    for column in batch.schema:
        values = batch.column(column.name)
        if pa.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
            values = pc.struct_field(values, "bytes")
        columns[column.name] = values.cast(_ARROW.get(column.name, values.type)).to_pylist()
    ids = [name for name in ("uid", "character_id", "clip") if name in columns]
    ranges = [(name, *limits) for name, limits in _RANGES.items() if name in columns]
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(columns, values, strict=True))
        for name in ids:
            file_name(row[name] or "", f"{name} of a row of {where}")
        for name, least, most in ranges:
            value = row[name]
            if not least <= value <= most if value is not None else name in ("view", "frame", "time"):
                name_of_row = f"the row {brief(str(row.get('uid', '')), 80)} of {where}"
                raise SpecsiaError(f"{name_of_row} has {value} for {name}: it must be {least:g} to {most:g}")
        colour = row.get("outline_rgb")
        if colour is not None and not (len(colour) == 3 and all(level in range(256) for level in colour)):
            problem = f"a row of {where} has {brief(str(colour), 80)} for outline_rgb: it must be R, G, B"
            raise SpecsiaError(problem)
        yield row
