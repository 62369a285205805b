"""The drawings of a dataset's characters: Y* of the frontal view of each, and of no other view."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from threading import Lock

from specsia_build.dataset.pairs import is_frontal, pair_at, place_columns, place_of
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dravie.reference import NO_DRAWING, Drawing

KEPT = 4
"""Drawings that wait to be looked up again; each takes some 10 MB."""


def frontal_rows(dataset: OpenedDataset, config: str, split: str) -> Iterator[tuple[str, int]]:
    """Characters of a split with the number of the first row that shows each from the front, see `is_frontal`."""
    found: set[str] = set()
    for number, row in enumerate(dataset.stream(config, split, place_columns(dataset.kind))):
        character_id, view, frame = place_of(row, dataset.where)
        if is_frontal(view, frame) and character_id not in found:
            found.add(character_id)
            yield character_id, number


class Drawings:
    """Drawings by character of one configuration, made when they are asked for.

    Args:
        dataset: that holds the characters.
        config: one of its configurations.
        splits: in which their frontal views are.
    """

    def __init__(self, dataset: OpenedDataset, config: str, splits: Sequence[str]) -> None:
        self._dataset, self._config, self._places = dataset, config, dataset.keeps_places()
        self._rows = {
            character: (split, number) for split in splits for character, number in frontal_rows(dataset, config, split)
        }
        self._kept: OrderedDict[str, Drawing] = OrderedDict()
        self._lock = Lock()

    def of(self, character_id: str) -> Drawing:
        """The drawing of a character; `NO_DRAWING` where it has no frontal view."""
        with self._lock:
            if character_id not in self._kept:
                row = self._rows.get(character_id)
                self._kept[character_id] = NO_DRAWING if row is None else self._made(*row)
            self._kept.move_to_end(character_id)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return self._kept[character_id]

    def _made(self, split: str, number: int) -> Drawing:
        pair = pair_at(self._dataset, self._config, split, number)
        drawing = Drawing.of_pair(pair, self._places)
        _ = drawing.reference  # prepared here, where the lock keeps two threads from doing the same
        return drawing
