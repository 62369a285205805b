"""The dataset's columns and file layout; no other module names a column type, a shard or a file of the dataset."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specsia_build.characters import character
from specsia_build.dataset.arrays import array_of
from specsia_build.files.names import file_name

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 1

SPLITS = character.SPLITS

MOST_VIEWS = 10_000
"""Of a character, in a dataset of whatever origin; more is damage."""

MOST_FRAMES = 1_000_000
"""Of a clip; more is damage."""

COLOR, MASK, POS, EDGE, GT, GT_MASK = "color", "mask", "pos", "edge", "gt", "gt_mask"

IMAGE_COLUMNS = {COLOR: "RGBA", MASK: "L", POS: "RGBA", EDGE: "L", GT: "RGBA", GT_MASK: "L"}
"""Pillow mode of each image column, in column order."""

SCALAR_COLUMNS = {
    "uid": "string",
    "character_id": "string",
    "view": "int32",
    "yaw_deg": "float64",
    "iou": "float64",
    "backend": "string",
    "outline_px": "int32",
    "outline_grey": "int32",
    "bbox_min": "float64[3]",
    "bbox_max": "float64[3]",
    "license": "string",
}
"""Type of each other column; `[3]` marks a list of three, in order x, y, z."""

CLIP_COLUMNS = {"clip": "string", "frame": "int32", "time": "float64", "action": "string"}
"""Type of the columns that a dataset of characters in motion has besides."""

VALUE_COLUMNS = {**SCALAR_COLUMNS, **CLIP_COLUMNS}

COLUMNS = (
    "uid",
    "character_id",
    "view",
    "yaw_deg",
    *IMAGE_COLUMNS,
    "iou",
    "backend",
    "outline_px",
    "outline_grey",
    "bbox_min",
    "bbox_max",
    "license",
)

MOVING_COLUMNS = (*COLUMNS, *CLIP_COLUMNS)
"""Columns of a dataset of characters in motion: a row is a frame of a clip, which is seen by one camera."""

PUBLISHED_COLUMNS = ("uid", COLOR, MASK, POS, EDGE, GT)
"""Columns of SPECSIA-15K, whose `color`, `pos` and `gt` are RGB on grey."""

MEANINGS = {
    "uid": "`{character_id}_{view:02d}`, unique in a configuration",
    "character_id": "id of the character in its source",
    "view": "number of the view; 0 is the frontal view",
    "yaw_deg": "turn of the camera about the vertical axis in degrees, counter-clockwise seen from above",
    COLOR: "Z: the reconstruction, rendered; straight alpha",
    MASK: "Zmask: the silhouette of the reconstruction; equals the alpha of `color` and of `pos`",
    POS: "Zpos: position on the registered reconstruction, R = x, G = z, B = -y over its bounding box",
    EDGE: "edges of `pos` (Sobel), black on white, as in the published set",
    GT: "Y*: the clean render with its contour; straight alpha, which covers the contour",
    GT_MASK: "the ground truth's silhouette without the contour",
    "iou": "intersection over union of `mask` and `gt_mask`, both at half coverage",
    "backend": "what made the reconstruction",
    "outline_px": "thickness of the contour in `gt` in pixels",
    "outline_grey": "sRGB level of the contour in `gt`",
    "bbox_min": "smallest x, y, z that `pos` spans, in units of the frame",
    "bbox_max": "largest x, y, z that `pos` spans",
    "license": "of the character, as its source states it; null where it states none",
}

MOVING_MEANINGS = {
    **MEANINGS,
    "uid": "`{clip}_{frame:04d}`, unique in a configuration",
    "view": "number of the camera that sees the clip; 0 looks at the character's front where it stands at rest",
    POS: "Zpos: where the visible point of the registered reconstruction is at rest, R = x, G = z, B = -y over the "
    "bounding box at rest; the same point has the same colour in every frame of every clip",
    "bbox_min": "smallest x, y, z that `pos` spans: of the reconstruction at rest, in units of the frame",
    "clip": "id of the clip: one motion of the character, seen by one camera",
    "frame": "number of the frame in its clip, from 0",
    "time": "seconds from the clip's first frame",
    "action": "name of the motion, as its file has it; `turntable` is the character at rest with a camera that walks",
}
"""The same for the columns of a dataset of characters in motion."""

CARD = "README.md"

TEASER = "teaser.webp"
"""What the card shows at its top."""

SPLITS_FILE = "splits.json"
BUILD_FILE = "build.json"
CHECKSUMS_FILE = "checksums.parquet"
SUMS_FILE = "SHA256SUMS"
DATA = "data"

RECIPE_FILE = "specsia.json"
"""Says that a folder is a recipe's, and which one's."""

PARTS_FILE = "parts.jsonl"
"""What a recipe's folder holds of each clip or character, a line for each."""

DEFAULT_CONFIG = "default"
"""Name of the only configuration of a dataset with one backend."""

SPLIT_NAMES = {name: name for name in SPLITS} | {"val": "validation", "valid": "validation"}
"""Split by the names that people give it."""

_SHARD = re.compile(rf"(?:{DATA}/)?(?:([^/]+)/)?({'|'.join(SPLIT_NAMES)})-(\d{{5}})-of-(\d{{5}})(?:-\w+)?\.parquet")

FOREIGN = frozenset({".git", ".gitattributes", ".cache", ".huggingface"})
"""What a download from the Hub adds beside a dataset's own files."""


def own_files(folder: Path) -> list[str]:
    """Relative names of a dataset's files, sorted, without what a download adds."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in paths if path.parts[0] not in FOREIGN)


@dataclass(frozen=True)
class Row:
    """One pair.

    Attributes:
        scalars: value of each of `SCALAR_COLUMNS`.
        images: PNG bytes of each of `IMAGE_COLUMNS`.
    """

    scalars: Mapping[str, Any]
    images: Mapping[str, bytes]


def is_moving(columns: Collection[str]) -> bool:
    """Whether columns are those of characters in motion, whose rows are frames of clips and not views."""
    return "clip" in columns


def row_uid(character_id: str, view: int) -> str:
    """Unique id of a character's view."""
    return f"{character_id}_{view:02d}"


def frame_uid(clip: str, frame: int) -> str:
    """Unique id of a clip's frame."""
    return f"{clip}_{frame:04d}"


def data_folder(backend: str, several: bool) -> str:
    """Folder of a configuration's shards, relative to the dataset."""
    return f"{DATA}/{file_name(backend, 'configuration')}" if several else DATA


def shard_name(split: str, index: int, count: int) -> str:
    """File name of one shard."""
    return f"{split}-{index:05d}-of-{count:05d}.parquet"


@dataclass(frozen=True)
class ShardName:
    """Configuration, split and number of a shard, from 0, and the number of shards of its split."""

    config: str
    split: str
    index: int
    count: int


def parse_shard_name(name: str, own: bool = False) -> ShardName | None:
    """Parse the name of a shard, relative to its dataset; None if it is not named as one.

    Args:
        name: of the file.
        own: accept only the names that `pack` gives, and not the others of the Hub and of people.
    """
    match = _SHARD.fullmatch(name)
    if match is None:
        return None
    parsed = ShardName(match[1] or DEFAULT_CONFIG, SPLIT_NAMES[match[2]], int(match[3]), int(match[4]))
    packed = f"{DATA}/{match[1]}/" if match[1] else f"{DATA}/"
    return parsed if not own or name == packed + shard_name(parsed.split, parsed.index, parsed.count) else None


def series_of(name: str) -> tuple[str, str] | None:
    """Configuration and split of a shard by its name; None if it is not named as one."""
    parsed = parse_shard_name(name)
    return None if parsed is None else (parsed.config, parsed.split)


def odd_shards(names: Iterable[str]) -> list[tuple[str, str]]:
    """Names of shards that are missing or do not fit the others, by the names of the others, and what is wrong."""
    series: dict[tuple[str, str], dict[str, ShardName]] = {}
    for name in names:
        if (parsed := parse_shard_name(name)) is not None:
            series.setdefault((parsed.config, parsed.split), {})[name] = parsed
    odd: list[tuple[str, str]] = []
    for (config, split), shards in series.items():
        count = max(shard.count for shard in shards.values())
        for name, shard in shards.items():
            if shard.count != count or shard.index >= count:
                odd.append((name, f"does not fit the other shards of {split}: by their names there should be {count}"))
        folder = next(iter(shards)).rpartition("/")[0]
        for index in sorted(set(range(count)) - {shard.index for shard in shards.values()}):
            name = f"{folder}/{shard_name(split, index, count)}"
            odd.append((name, f"is missing from the shards of {split} ({config})"))
    return odd


def arrow_schema(columns: Sequence[str] = COLUMNS) -> pa.Schema:
    """The Arrow schema of a shard, with the `huggingface` metadata that makes `datasets` decode the images.

    It is what `datasets.Features.arrow_schema` is of the same columns, without that library, which takes longer to
    import than all else that packs.
    """
    import pyarrow as pa

    types: dict[str, pa.DataType] = {}
    features: dict[str, dict[str, Any]] = {}
    for column in columns:
        if column in IMAGE_COLUMNS:
            types[column] = pa.struct({"bytes": pa.binary(), "path": pa.string()})
            features[column] = {"_type": "Image"}
            continue
        kind, length = value_type(column)
        value, one = pa.type_for_alias(kind), {"dtype": kind, "_type": "Value"}
        types[column] = pa.list_(value, length) if length else value
        features[column] = {"feature": one, "length": length, "_type": "List"} if length else one
    return pa.schema(types, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def value_type(column: str) -> tuple[str, int]:
    """Type of a column that holds no images, and how many values a list of it has, 0 where it is no list."""
    kind, _, length = VALUE_COLUMNS[column].rstrip("]").partition("[")
    return kind, int(length or 0)


def table_of(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    """An Arrow table of rows; PNG bytes pass through as they are."""
    import pyarrow as pa

    columns = []
    for field in schema:
        if field.name in IMAGE_COLUMNS:
            pictures = [row.images[field.name] for row in rows]
            names = [f"{row.scalars['uid']}_{field.name}.png" for row in rows]
            stored = [array_of(pictures, pa.binary()), array_of(names, pa.string())]
            columns.append(pa.StructArray.from_arrays(stored, fields=list(field.type)))
        else:
            columns.append(array_of([row.scalars[field.name] for row in rows], field.type))
    return pa.Table.from_arrays(columns, schema=schema)
