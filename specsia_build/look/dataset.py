"""A packed dataset of either schema as a gallery, with a side for each of its configurations."""

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from threading import Lock
from typing import Any

from specsia_build.characters.character import id_order_key
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dataset.schema import COLOR, DEFAULT_CONFIG, POS
from specsia_build.errors import SpecsiaError, plural
from specsia_build.frame import view_yaws
from specsia_build.look.items import IOU, RESULT_LAYERS, TARGET, TARGET_LAYERS, Gallery, Item, LayerPngs, Side

SCHEMAS = {
    "specsia": "the schema of specsia",
    "clips": "the schema of specsia, of clips",
    "published": "the published schema",
}
"""Schema of a dataset in words, by its kind."""

_UNNAMED = "Z"  # Side of a reconstruction whose dataset does not name its backend
_CONTOUR = ("outline_px", "outline_grey")
_COLUMNS = ("uid", "character_id", "view", "yaw_deg", "iou", "backend", *_CONTOUR, "license")
_CLIP_COLUMNS = (*_COLUMNS, "clip", "frame", "time", "action")


@dataclass
class _Member:
    """One item of a configuration: its first row, and the row number and IoU of each view or frame."""

    config: str
    split: str
    row: Mapping[str, Any]
    numbers: dict[int, int] = field(default_factory=dict)
    ious: dict[int, float | None] = field(default_factory=dict)
    yaws: dict[int, float] = field(default_factory=dict)
    end: float = 0.0


@dataclass(frozen=True)
class DatasetReader:
    """Reads pictures of a dataset's rows; `places`: configuration, split, rows of frames by side and item."""

    dataset: OpenedDataset
    places: Mapping[str, Mapping[str, tuple[str, str, tuple[int | None, ...]]]]
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def read(self, item: str, side: str, layers: Sequence[str], frames: Sequence[int]) -> LayerPngs:
        config, split, numbers = self.places[side][item]
        numbers_read = [row for frame in frames if (row := numbers[frame]) is not None]
        if len(numbers_read) < len(frames):
            raise SpecsiaError(f"{config} lacks rows of {item}")
        try:
            with self._lock:
                rows = self.dataset.take(config, split, numbers_read, layers)
        except OSError as error:
            raise SpecsiaError(f"{self.dataset.where} cannot be read: {error}") from error
        if not all(isinstance(row[layer], bytes) for row in rows for layer in layers):
            raise SpecsiaError(f"a row of {item} lacks an image")
        return {layer: list(map(itemgetter(layer), rows)) for layer in layers}


def gallery_of_dataset(dataset: OpenedDataset) -> Gallery:
    """Make the gallery of a packed dataset; no picture is read, but for one row of the published schema.

    Raises SpecsiaError if that is not as published.
    """
    if dataset.kind == "published":
        # Otherwise a page would show a place for each picture that cannot be read.
        first = dataset.configs[0]
        for split in list(dataset.splits(first))[:1]:
            next(dataset.stream(first, split, (COLOR, POS)), None)
    sides: dict[str, dict[str, _Member]] = {}
    for config in dataset.configs:
        members = _members(dataset, config)
        # The default configuration is named after the backend of its rows.
        backends = {str(member.row.get("backend") or _UNNAMED) for member in members.values()}
        sides[backends.pop() if config == DEFAULT_CONFIG and len(backends) == 1 else config] = members
    ids = sorted(set[str]().union(*sides.values()), key=id_order_key)
    # Of each item the first side that has it.
    clean = dict(ChainMap(*sides.values()))
    places = {name: _places(members, clean) for name, members in {TARGET: clean, **sides}.items()}
    rows = sum(sum(dataset.splits(config).values()) for config in dataset.configs)
    clips = f" of {plural(len(ids), 'clip')}" if dataset.moving else ""
    return Gallery(
        kind="dataset",
        where=dataset.where,
        title=dataset.where,
        lead=f"{plural(rows, 'frame' if dataset.moving else 'row')}{clips}, {SCHEMAS[dataset.kind]}.",
        moving=dataset.moving,
        items=tuple(_item(dataset, key, clean[key], sides) for key in ids),
        measures=() if dataset.kind == "published" else (IOU,),
        reader=DatasetReader(dataset, places),
    )


def _members(dataset: OpenedDataset, config: str) -> dict[str, _Member]:
    columns = [name for name in (_CLIP_COLUMNS if dataset.moving else _COLUMNS) if name in dataset.columns]
    members: dict[str, _Member] = {}
    for split in dataset.splits(config):
        for number, row in enumerate(dataset.stream(config, split, columns)):
            key = row["clip" if dataset.moving else "character_id"]
            if key in members and members[key].split != split:
                key = f"{key} ({split})"
            member = members.setdefault(key, _Member(config, split, row))
            place = row["frame" if dataset.moving else "view"]
            member.numbers[place], member.ious[place] = number, row.get("iou")
            if "yaw_deg" in row:
                member.yaws[place] = row["yaw_deg"]
            member.end = max(member.end, row.get("time") or 0.0)
    return members


def _places(
    members: Mapping[str, _Member], clean: Mapping[str, _Member]
) -> dict[str, tuple[str, str, tuple[int | None, ...]]]:
    """Configuration, split and rows of the frames of each item on one side."""
    places = {}
    for key, member in members.items():
        numbers = tuple(map(member.numbers.get, sorted(clean[key].numbers)))
        places[key] = (member.config, member.split, numbers)
    return places


def _item(
    dataset: OpenedDataset, key: str, clean: _Member, results: Mapping[str, Mapping[str, _Member]]
) -> Item:
    row, views = clean.row, sorted(clean.numbers)
    sides = {TARGET: Side(TARGET, tuple(layer for layer in TARGET_LAYERS if layer in dataset.columns))}
    shown = tuple(layer for layer in RESULT_LAYERS if layer in dataset.columns)
    for name, member in ((name, members[key]) for name, members in results.items() if key in members):
        values = tuple(map(member.ious.get, views))
        measured = {IOU.key: values} if any(value is not None for value in values) else {}
        sides[name] = Side(name, shown, measured)
    ring = view_yaws(max(views) + 1)
    yaws = tuple(clean.yaws.get(view, ring[view]) for view in views)
    return Item(
        id=key,
        character=row["character_id"],
        split=clean.split,
        frames=len(views),
        sides=sides,
        yaws=None if dataset.moving else yaws,
        fps=((len(views) - 1) / clean.end if clean.end > 0 else 1.0) if dataset.moving else None,
        action=row.get("action"),
        license=row.get("license"),
        numbers={name: row[name] for name in _CONTOUR if row.get(name) is not None},
    )
