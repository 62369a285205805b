"""A packed dataset as a gallery, of either schema and wherever it lies: a side for each of its configurations."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from specsia_build.characters.character import id_order_key
from specsia_build.dataset.pairs import place_of
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dataset.schema import DEFAULT_CONFIG
from specsia_build.errors import SpecsiaError, plural
from specsia_build.frame import view_yaws
from specsia_build.gallery.items import CLEAN, IOU, MADE, TARGET, Gallery, Item, Side

SCHEMAS = {
    "specsia": "the schema of specsia",
    "clips": "the schema of specsia, of clips",
    "published": "the published schema",
}
"""What a dataset's rows are like, by its kind."""

UNNAMED = "Z"
"""Side of a reconstruction whose dataset does not say what made it."""

_COLUMNS = ("uid", "character_id", "view", "iou", "backend", "outline_px", "outline_grey", "license")

_CLIP_COLUMNS = (*_COLUMNS, "clip", "frame", "time", "action")


@dataclass
class _Member:
    """One item of one configuration: what its first row states, and of each frame the number of its row."""

    config: str
    split: str
    stated: Mapping[str, Any]
    rows: dict[int, int] = field(default_factory=dict)
    ious: dict[int, float | None] = field(default_factory=dict)
    last: float = 0.0

    def place(self, views: Collection[int]) -> _Place:
        """Where some views or frames of it are."""
        return _Place(self.config, self.split, tuple(self.rows.get(view) for view in sorted(views)))


@dataclass(frozen=True)
class _Place:
    """Where an item's frames are: numbers of rows of a split of a configuration, None of a frame that is not there."""

    config: str
    split: str
    rows: tuple[int | None, ...]


@dataclass(frozen=True)
class DatasetReader:
    """Reads pictures of a dataset's rows.

    Attributes:
        dataset: that they are of.
        places: by side and item.
    """

    dataset: OpenedDataset
    places: Mapping[str, Mapping[str, _Place]]
    _taken: dict[tuple[_Place, tuple[int, ...]], list[dict[str, Any]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def read(self, item: str, side: str, layer: str, frames: Sequence[int]) -> list[bytes]:
        """PNGs; see `Reader`."""
        place = self.places[side][item]
        key = place, tuple(frames)
        if key not in self._taken:
            # A row group is read once for all layers, and what was read before is let go.
            self._taken.clear()
            columns = [name for name in (*CLEAN, *MADE) if name in self.dataset.columns]
            rows = [row for frame in frames if (row := place.rows[frame]) is not None]
            if len(rows) < len(frames):
                raise SpecsiaError(f"{place.config} lacks rows of {item}")
            try:
                self._taken[key] = self.dataset.take(place.config, place.split, rows, columns)
            except OSError as error:
                raise SpecsiaError(f"{self.dataset.where} cannot be read: {error}") from error
        found = [row[layer] for row in self._taken[key]]
        if not all(isinstance(data, bytes) for data in found):
            raise SpecsiaError(f"a row of {item} holds no {layer}")
        return found

    def only(self, items: Collection[str]) -> DatasetReader:
        """See `Reader`."""
        kept = {side: {i: places[i] for i in items if i in places} for side, places in self.places.items()}
        return replace(self, places=kept, _taken={})


def gallery_of_dataset(dataset: OpenedDataset) -> Gallery:
    """What a packed dataset holds; no picture is read.

    Raises:
        SpecsiaError: if a shard cannot be read, or a row's uid is none.
    """
    sides: dict[str, dict[str, _Member]] = {}
    for config in dataset.configs:
        members = _members(dataset, config)
        sides[_side_name(config, members)] = members
    ids = sorted({i for members in sides.values() for i in members}, key=id_order_key)
    clean = {i: next(members[i] for members in sides.values() if i in members) for i in ids}
    places = {
        name: {i: member.place(clean[i].rows) for i, member in members.items()}
        for name, members in {TARGET: clean, **sides}.items()
    }
    rows = sum(sum(dataset.splits(config).values()) for config in dataset.configs)
    clips = f" of {plural(len(ids), 'clip')}" if dataset.moving else ""
    return Gallery(
        kind="dataset",
        where=dataset.where,
        title=dataset.where,
        lead=f"{plural(rows, 'frame' if dataset.moving else 'row')}{clips}, {SCHEMAS[dataset.schema]}.",
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
    """A configuration's name, or what made its pairs where it has none."""
    made = {str(member.stated.get("backend") or UNNAMED) for member in members.values()}
    return made.pop() if config == DEFAULT_CONFIG and len(made) == 1 else config


def _item(dataset: OpenedDataset, key: str, clean: _Member, made: Mapping[str, _Member]) -> Item:
    columns, stated = dataset.columns, clean.stated
    views = sorted(clean.rows)
    sides = {TARGET: Side(TARGET, tuple(layer for layer in CLEAN if layer in columns))}
    for name, member in made.items():
        values = tuple(member.ious.get(view) for view in views)
        known = {IOU.key: values} if any(value is not None for value in values) else {}
        sides[name] = Side(name, tuple(layer for layer in MADE if layer in columns), known)
    passed = clean.last
    return Item(
        id=key,
        character=stated["character_id"],
        split=clean.split,
        frames=len(views),
        sides=sides,
        yaws=None if dataset.moving else _yaws(views),
        fps=((len(views) - 1) / passed if passed > 0 else 1.0) if dataset.moving else None,
        action=stated.get("action"),
        license=stated.get("license"),
        numbers={name: stated[name] for name in ("outline_px", "outline_grey") if stated.get(name) is not None},
    )


def _yaws(views: Sequence[int]) -> tuple[float, ...]:
    every = view_yaws(max(views) + 1)
    return tuple(every[view] for view in views)
