"""The picture at the top of a dataset's card: a few of its characters or clips, clean and reconstructed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from specsia_build.dataset import schema
from specsia_build.dataset.pairs import BACKGROUND
from specsia_build.dataset.reading import OpenedDataset, open_dataset
from specsia_build.films import Pixels
from specsia_build.picture_files import write_still
from specsia_build.png import decode_rgba
from specsia_build.sheets import Ground, Sheet, spread

_ITEMS, _VIEWS, _CONFIGS = 4, 4, 4
"""Characters or clips, views or frames of each, and configurations that are shown, at most."""

_ACROSS, _TILE = 2, 96

_Place = tuple[str, int, int]
"""Split of the rows of a character or clip, the number of the first, and how many there are."""


def write_teaser(folder: Path, configs: Sequence[str]) -> None:
    """Write `teaser.webp`, which depends on the rows alone, into a dataset's folder.

    Args:
        folder: of the dataset, whose shards are there.
        configs: names of its configurations, in the order in which they are shown.

    Raises:
        SpecsiaError: if a shard is damaged.
        WriteError: if it cannot be written.
    """
    dataset = open_dataset(folder)
    named = [config for config in dict.fromkeys(configs) if config in dataset.configs] or [*dataset.configs]
    shown = named[:_CONFIGS]
    places = [_places(dataset, config) for config in shown]
    common = [key for key in places[0] if all(key in others for others in places[1:])] or list(places[0])
    # An empty key, with nothing to show, stands for a dataset without rows.
    keys = [common[k] for k in spread(len(common), _ITEMS)] or [""]
    tiles: list[Pixels | str] = []
    for key in keys:
        tiles += _row(dataset, shown[0], places[0].get(key), schema.GT)
        for config, found in zip(shown, places, strict=True):
            tiles += _row(dataset, config, found.get(key), schema.COLOR)
    ground = Ground((BACKGROUND,) * 3) if dataset.schema == "published" else Ground()
    heads = ["Y*", *([f"Z {config}" for config in shown] if len(named) > 1 else ["Z"])]
    sheet = Sheet(keys, heads, [""] * _VIEWS, _ACROSS, _TILE, ground)
    write_still(folder / schema.TEASER, sheet.draw(tiles))


def _places(dataset: OpenedDataset, config: str) -> dict[str, _Place]:
    """Where the rows of each character or clip are, which stand together."""
    column = {"clips": "clip", "specsia": "character_id", "published": "uid"}[dataset.kind]
    places: dict[str, _Place] = {}
    for split in dataset.splits(config):
        for index, row in enumerate(dataset.stream(config, split, [column])):
            key = row[column].rpartition("_")[0] if column == "uid" else row[column]
            _, start, count = places.get(key, (split, index, 0))
            places[key] = split, start, count + 1
    return places


def _row(dataset: OpenedDataset, config: str, place: _Place | None, column: str) -> list[Pixels | str]:
    """Pictures of some views or frames, as many as there are columns."""
    tiles: list[Pixels | str] = []
    if place is not None:
        split, start, count = place
        for row in dataset.take(config, split, [start + k for k in spread(count, _VIEWS)], [column]):
            try:
                tiles.append(decode_rgba(row[column]))
            except ValueError:
                tiles.append("cannot be read")
    return tiles + ["none"] * (_VIEWS - len(tiles))
