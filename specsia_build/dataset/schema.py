"""The dataset's columns and file layout; no other module names its column types, shards or files."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specsia_build.characters import character
from specsia_build.errors import brief
from specsia_build.files.names import DESKTOP, file_name

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 1
SPLITS = character.MANIFEST_SPLITS
MOST_VIEWS, MOST_FRAMES = 10_000, 1_000_000
"""Most views of a character and most frames of a clip in any dataset; more are damage."""

COLOR = "color"
MASK = "mask"
POS = "pos"
EDGE = "edge"
GT = "gt"
GT_MASK = "gt_mask"
IMAGE_COLUMNS = {COLOR: "RGBA", MASK: "L", POS: "RGBA", EDGE: "L", GT: "RGBA", GT_MASK: "L"}
"""Pillow mode of each image column, in column order."""

LAYER_COLUMNS = {
    "gt_depth": "I;16",
    "gt_normal": "RGBA",
    "gt_position": "RGB;16",
    "gt_part": "RGB",
    "gt_material": "RGB",
    "gt_albedo": "RGBA",
    "gt_lit": "RGBA",
}
"""Mode of the columns that `build --layers` adds, see `dataset.truth`; `;16` marks pictures of 16 bits."""

ALL_IMAGES = (*IMAGE_COLUMNS, *LAYER_COLUMNS)

SCALAR_COLUMNS = {
    "uid": "string",
    "character_id": "string",
    "view": "int32",
    "yaw_deg": "float64",
    "iou": "float64",
    "backend": "string",
    "outline_px": "int32",
    "outline_grey": "int32",
    "outline_rgb": "int32[3]",
    "bbox_min": "float64[3]",
    "bbox_max": "float64[3]",
    "license": "string",
    "elevation_deg": "float64",
    "roll_deg": "float64",
    "fov_deg": "float64",
    "radius": "float64",
}
"""Type of each other column; `[3]` marks a list of three, in order x, y, z or R, G, B."""

CLIP_COLUMNS = {"clip": "string", "frame": "int32", "time": "float64", "action": "string"}
"""Type of the columns that a dataset of characters in motion has besides."""

COLUMNS = (*[*SCALAR_COLUMNS][:4], *IMAGE_COLUMNS, *[*SCALAR_COLUMNS][4:])
MOVING_COLUMNS = (*COLUMNS, *CLIP_COLUMNS)
"""Columns of a dataset of characters in motion: a row is a frame of a clip, which is seen by one camera."""

WEIGHT = "weight"  # Column that `specsia select --weight` adds, a float64 from 0 on: how often to draw a row
TURNTABLE = "turntable"  # Action of clips of a character at rest, whose positions are where they are seen
PUBLISHED_COLUMNS = ("uid", COLOR, POS, EDGE, MASK, GT)
"""Columns of SPECSIA-15K, in its order, see `published.rows`."""

VIEW_CHANNELS = 7  # Version of the stage `project` from which `pos_frame: view` has the published channels

EARLIER_CHANNELS = (
    "`pos_frame: view` of an earlier version, whose positions have other channels (R right, G up, B towards "
    "the camera): build the dataset again"
)

CAMERA_COLUMNS = ("elevation_deg", "roll_deg", "fov_deg", "radius")
"""Columns of a row's camera beside `yaw_deg`, see `frame.Camera`; `fov_deg` is null if it is orthographic."""

LATER = frozenset({"outline_rgb", *CAMERA_COLUMNS})  # Columns that datasets of earlier versions lack
COLUMNS_OF = {"specsia": COLUMNS, "clips": MOVING_COLUMNS, "published": PUBLISHED_COLUMNS}
"""Columns by the kind of a dataset, see `reading.Kind`."""

CARD = "README.md"
TEASER = "teaser.webp"
SPLITS_FILE = "splits.json"
BUILD_FILE = "build.json"
SUMS_FILE, DATA = "SHA256SUMS", "data"
RECORD_FILE, PARTS_FILE = "specsia.json", "parts.jsonl"
"""Files of a layout of files: which layout wrote it, and a line for each of its parts."""

DEFAULT_CONFIG = "default"  # Name of the only configuration of a dataset with one backend
SPLIT_NAMES = {name: name for name in SPLITS} | {"val": "validation", "valid": "validation"}
"""Split by the names used for it."""

_SPLIT = "|".join(SPLIT_NAMES)
_SHARD = re.compile(rf"(?:{DATA}/)?(?:([^/]+)/)?({_SPLIT})-(\d{{5}})-of-(\d{{5}})(?:-\w+)?\.parquet")

FOREIGN = frozenset({".git", ".gitattributes", ".cache", ".huggingface"})
"""Files that a download from the Hub adds to a dataset."""


def has_earlier_channels(pos_frame: str, stages: Mapping[str, Any]) -> bool:
    """Whether positions in views have the channels of earlier versions, given the versions of stages."""
    version = stages.get("project")
    return pos_frame == "view" and isinstance(version, int) and version < VIEW_CHANNELS


def columns_of(kind: str, stored: Collection[str]) -> tuple[str, ...]:
    """Columns that a dataset of a kind must have, given the names of those that it has."""
    columns = [name for name in COLUMNS_OF[kind] if name not in LATER or name in stored]
    layers = [name for name in LAYER_COLUMNS if kind == "specsia" and name in stored]
    return (*columns, *layers, *([WEIGHT] if WEIGHT in stored else ()))


def own_files(folder: Path) -> list[str]:
    """Relative names of a dataset's files, sorted, without what a download or a file manager adds."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in DESKTOP)
    paths = (path.relative_to(folder) for path in files)
    return sorted(path.as_posix() for path in paths if path.parts[0] not in FOREIGN)


@dataclass(frozen=True)
class Row:
    """One pair: the value of each of `SCALAR_COLUMNS`, and PNG bytes of each of its `ALL_IMAGES`."""

    scalars: Mapping[str, Any]
    images: Mapping[str, bytes]


def row_uid(character_id: str, view: int) -> str:
    """Unique id of a character's view."""
    return f"{character_id}_{view:02d}"


def split_uid(uid: str) -> tuple[str, int]:
    """Character id and view of `{character_id}_{view:02d}`. Raises ValueError if it is not such an id."""
    character_id, _, view = uid.rpartition("_")
    number = int(view) if view.isascii() and view.isdigit() and len(view) <= len(str(MOST_VIEWS)) else -1
    if not character_id or not 0 <= number < MOST_VIEWS:
        raise ValueError(f"the uid {brief(uid, 80)!r} does not end in the number of a view, such as 12_03")
    return character_id, number


def frame_uid(clip: str, frame: int) -> str:
    """Unique id of a clip's frame."""
    return f"{clip}_{frame:04d}"


def data_folder(backend: str, several: bool) -> str:
    """Folder of a configuration's shards, relative to the dataset."""
    return f"{DATA}/{file_name(backend, 'configuration')}" if several else DATA


def load_lines(dataset: Path | str, configs: Collection[str]) -> list[str]:
    """Python lines that load each configuration of a dataset with `datasets`; empty without any."""
    several, lines = len(configs) > 1, ["from datasets import load_dataset"] if configs else []
    for name in configs:
        arguments = json.dumps([str(dataset), name][: 1 + several], ensure_ascii=False)[1:-1]
        if "://" in str(dataset):
            # `datasets` takes no URL of a folder, but URLs of its files.
            shards = f"{dataset}/{data_folder(name, several)}/train-*.parquet"
            arguments = f'"parquet", data_files={{"train": {json.dumps(shards, ensure_ascii=False)}}}'
        lines.append(f"pairs = load_dataset({arguments})")
    return lines


def shard_name(split: str, index: int, count: int) -> str:
    """File name of one shard."""
    return f"{split}-{index:05d}-of-{count:05d}.parquet"


@dataclass(frozen=True)
class Shard:
    """A Parquet file of rows: its name relative to the dataset, its configuration and its split.

    `index` is its number, from 0, of the `count` shards of its split, where the name says so.
    """

    name: str
    config: str
    split: str
    index: int = 0
    count: int = 1


def parse_shard_name(name: str, own: bool = False) -> Shard | None:
    """Parse a shard's name, relative to its dataset; None for others. `own`: only names that `pack` gives."""
    match = _SHARD.fullmatch(name)
    if match is None:
        return None
    shard = Shard(name, match[1] or DEFAULT_CONFIG, SPLIT_NAMES[match[2]], int(match[3]), int(match[4]))
    packed = f"{DATA}/{match[1]}/" if match[1] else f"{DATA}/"
    return shard if not own or name == packed + shard_name(shard.split, shard.index, shard.count) else None


def wrong_shards(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Name and problem of each shard that is missing or does not fit the others, judging by all names."""
    series: dict[tuple[str, str], list[Shard]] = {}
    for shard in filter(None, map(parse_shard_name, names)):
        series.setdefault((shard.config, shard.split), []).append(shard)
    for (config, split), shards in series.items():
        count = max(shard.count for shard in shards)
        misfit = f"does not fit the other shards of {split}: they say that there are {count}"
        yield from ((shard.name, misfit) for shard in shards if shard.count != count or shard.index >= count)
        folder = shards[0].name.rpartition("/")[0]
        for index in sorted(set(range(count)) - {shard.index for shard in shards}):
            yield f"{folder}/{shard_name(split, index, count)}", f"is missing from {split} ({config})"


def arrow_schema(columns: Sequence[str] = COLUMNS) -> pa.Schema:
    """Arrow schema of a shard, equal to `datasets.Features.arrow_schema`, with metadata to decode images."""
    import pyarrow as pa

    types: dict[str, pa.DataType] = {}
    features: dict[str, dict[str, Any]] = {}
    for column in columns:
        if column in ALL_IMAGES:
            types[column] = pa.struct({"bytes": pa.binary(), "path": pa.string()})
            features[column] = {"_type": "Image"}
            continue
        kind, length = value_type(column)
        value, feature = pa.type_for_alias(kind), {"dtype": kind, "_type": "Value"}
        types[column] = pa.list_(value, length) if length else value
        features[column] = {"feature": feature, "length": length, "_type": "List"} if length else feature
    return pa.schema(types, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def value_type(column: str) -> tuple[str, int]:
    """Type of a column without images, and the number of values in its lists, 0 if it holds no lists."""
    types = SCALAR_COLUMNS | CLIP_COLUMNS | {WEIGHT: "float64"}
    kind, _, length = types[column].rstrip("]").partition("[")
    return kind, int(length or 0)
