"""The drawings of a dataset's characters: Y* of each character's frontal view, and of no other view."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from threading import Lock
from typing import NamedTuple

from specsia_build.dataset.pairs import Pair, is_frontal, pair_at
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dravie.drawing import NO_DRAWING, Drawing

KEPT = 8  # Drawings kept in memory; each takes some 10 MB


def frontal_rows(dataset: OpenedDataset, config: str, split: str) -> Iterator[tuple[str, int]]:
    """Yield each character of a split with the number of its first frontal row, see `is_frontal`."""
    known: set[str] = set()
    columns = [name for name in ("uid", "character_id", "view", "frame") if name in dataset.columns]
    for number, row in enumerate(dataset.stream(config, split, columns)):
        character_id = row["character_id"]
        if is_frontal(row["view"], row.get("frame")) and character_id not in known:
            known.add(character_id)
            yield character_id, number


class DrawnPair(NamedTuple):
    """A view, and the drawing of its character."""

    pair: Pair
    drawing: Drawing = NO_DRAWING


class Drawings:
    """Drawings of one configuration's characters, whose frontal views are in some splits; prepared on demand.

    Threads may prepare several characters at once.
    """

    def __init__(self, dataset: OpenedDataset, config: str, splits: Sequence[str]) -> None:
        rows = {name: (split, number) for split in splits for name, number in frontal_rows(dataset, config, split)}
        places = dataset.keeps_places()

        @lru_cache(maxsize=KEPT)
        def prepare(character_id: str) -> Drawing:
            if character_id not in rows:
                return NO_DRAWING
            drawing = Drawing.of_pair(pair_at(dataset, config, *rows[character_id]), places)
            _ = drawing.reference  # computed here, under the lock, and not by two threads at once
            return drawing

        self._prepare, self._locks = prepare, dict[str, Lock]()

    def of(self, character_id: str) -> Drawing:
        """Return the drawing of a character; `NO_DRAWING` if it has no frontal view."""
        with self._locks.setdefault(character_id, Lock()):
            return self._prepare(character_id)
