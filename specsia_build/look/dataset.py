"""A packed dataset of either schema as a gallery, with a side for each of its configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from specsia_build.characters.character import id_order_key
from specsia_build.dataset.pairs import place_of
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dataset.schema import DEFAULT_CONFIG
from specsia_build.errors import SpecsiaError, plural
from specsia_build.frame import view_yaws
from specsia_build.look.items import CLEAN, IOU, MADE, TARGET, Gallery, Item, Side

SCHEMAS = {
    "specsia": "the schema of specsia",
    "clips": "the schema of specsia, of clips",
    "published": "the published schema",
}
"""Schema of a dataset in words, by its kind."""

UNNAMED = "Z"
"""Side of a reconstruction whose dataset does not name its backend."""

_COLUMNS = ("uid", "character_id", "view", "iou", "backend", "outline_px", "outline_grey", "license")
_CLIP_COLUMNS = (*_COLUMNS, "clip", "frame", "time", "action")


@dataclass
class _Member:
    """One item of one configuration: its first row, and of each view or frame the number of its row and its IoU."""

    config: str
    split: str
    stated: Mapping[str, Any]
    rows: dict[int, int] = field(default_factory=dict)
    ious: dict[int, float | None] = field(default_factory=dict)
    last: float = 0.0


@dataclass(frozen=True)
class DatasetReader:
    """Reads pictures of a dataset's rows.

    Attributes:
        dataset: that they are of.
        places: by side and item the configuration, the split and the number of each frame's row.
    """

    dataset: OpenedDataset
    places: Mapping[str, Mapping[str, tuple[str, str, tuple[int | None, ...]]]]
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def read(self, item: str, side: str, layers: Sequence[str], frames: Sequence[int]) -> dict[str, list[bytes]]:
        """See `Reader`."""
        config, split, numbers = self.places[side][item]
        rows = [row for frame in frames if (row := numbers[frame]) is not None]
        if len(rows) < len(frames):
            raise SpecsiaError(f"{config} lacks rows of {item}")
        try:
            with self._lock:
                taken = self.dataset.take(config, split, rows, layers)
        except OSError as error:
            raise SpecsiaError(f"{self.dataset.where} cannot be read: {error}") from error
        found = {layer: [row[layer] for row in taken] for layer in layers}
        if not all(isinstance(data, bytes) for images in found.values() for data in images):
            raise SpecsiaError(f"a row of {item} lacks an image")
        return found


def gallery_of_dataset(dataset: OpenedDataset) -> Gallery:
    """The gallery of a packed dataset; no picture is read.

    Raises:
        SpecsiaError: if a shard cannot be read, or a row's uid is invalid.
    """
    sides: dict[str, dict[str, _Member]] = {}
    for config in dataset.configs:
        members = _members(dataset, config)
        sides[_side_name(config, members)] = members
    ids = sorted({i for members in sides.values() for i in members}, key=id_order_key)
    clean = {i: next(members[i] for members in sides.values() if i in members) for i in ids}
    places = {
        name: {i: (m.config, m.split, tuple(m.rows.get(k) for k in sorted(clean[i].rows))) for i, m in members.items()}
        for name, members in {TARGET: clean, **sides}.items()
    }
    rows = sum(sum(dataset.splits(config).values()) for config in dataset.configs)
    clips = f" of {plural(len(ids), 'clip')}" if dataset.moving else ""
    return Gallery(
        kind="dataset",
        where=dataset.where,
        title=dataset.where,
        lead=f"{plural(rows, 'frame' if dataset.moving else 'row')}{clips}, {SCHEMAS[dataset.kind]}.",
        moving=dataset.moving,
        items=tuple(_item(dataset, i, clean[i], {name: m[i] for name, m in sides.items() if i in m}) for i in ids),
        lost=(),
        measures=(IOU,) if dataset.schema == "specsia" else (),
        reader=DatasetReader(dataset, places),
    )


def _members(dataset: OpenedDataset, config: str) -> dict[str, _Member]:
    known = _CLIP_COLUMNS if dataset.moving else _COLUMNS
    columns = [name for name in known if name in dataset.columns]
    found: dict[str, _Member] = {}
    for split in dataset.splits(config):
        for number, row in enumerate(dataset.stream(config, split, columns)):
            character, view, frame = place_of(row, dataset.where)
            key = row["clip"] if dataset.moving else character
            if key in found and found[key].split != split:
                key = f"{key} ({split})"
            member = found.setdefault(key, _Member(config, split, {**row, "character_id": character}))
            place = view if frame is None else frame
            member.rows[place] = number
            member.ious[place] = row.get("iou")
            member.last = max(member.last, row.get("time") or 0.0)
    return found


def _side_name(config: str, members: Mapping[str, _Member]) -> str:
    """A configuration's name, or the backend of its rows where it has none."""
    made = {str(member.stated.get("backend") or UNNAMED) for member in members.values()}
    return made.pop() if config == DEFAULT_CONFIG and len(made) == 1 else config


def _item(dataset: OpenedDataset, key: str, clean: _Member, made: Mapping[str, _Member]) -> Item:
    stated, views = clean.stated, sorted(clean.rows)
    sides = {TARGET: Side(TARGET, tuple(layer for layer in CLEAN if layer in dataset.columns))}
    for name, member in made.items():
        values = tuple(member.ious.get(view) for view in views)
        known = {IOU.key: values} if any(value is not None for value in values) else {}
        sides[name] = Side(name, tuple(layer for layer in MADE if layer in dataset.columns), known)
    every = view_yaws(max(views) + 1)
    return Item(
        id=key,
        character=stated["character_id"],
        split=clean.split,
        frames=len(views),
        sides=sides,
        yaws=None if dataset.moving else tuple(every[view] for view in views),
        fps=((len(views) - 1) / clean.last if clean.last > 0 else 1.0) if dataset.moving else None,
        action=stated.get("action"),
        license=stated.get("license"),
        numbers={name: stated[name] for name in ("outline_px", "outline_grey") if stated.get(name) is not None},
    )
