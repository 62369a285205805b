"""A packed dataset as a sequence of rows."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from specsia_build.dataset import reading
from specsia_build.dataset.pairs import Pair, pair_at
from specsia_build.errors import UsageError, plural

Row = dict[str, Any]
"""A row: `uid`, `character_id`, `backend` (text), `view` (int), `iou` (float), and uint8 arrays `color`, `pos`, `gt`
(H, W, 4) with straight alpha, `mask`, `gt_mask` (H, W). The published schema has no `backend`, `iou` and `gt_mask`;
frames of clips also have `clip`, `action` (text), `frame` (int) and `time` (float, seconds)."""

_KEPT = ("uid", "character_id", "view", "pos", "gt", "gt_mask", "iou", "backend", "clip", "frame", "time", "action")


if TYPE_CHECKING:
    from torch.utils.data import Dataset as Loadable

    class _Rows(Loadable[Row], Sequence[Row]):  # type: ignore[misc]
        """Item of a data loader, for type checkers only: rows are read without torch."""

else:
    _Rows = Sequence[Row]


class Dataset(_Rows):
    """One split of a packed dataset: ``len(data)``, ``data[i]``, and `torch.utils.data.DataLoader(data, batch_size=8)`.

    Attributes:
        config: the configuration, that is, the backend.
        opened: the whole dataset, for streaming and for its other configurations.
    """

    def __init__(self, where: str | Path, split: str = "train", config: str | None = None) -> None:
        self.where, self.split, self.opened = where, split, reading.open_dataset(where)
        self.config = self.opened.configs[0] if config is None else config
        sizes = self.opened.splits(self.config)
        if split not in sizes:
            raise UsageError(f"{where} has no split '{split}': it has {', '.join(sizes)}")
        self._size = sizes[split]

    def __len__(self) -> int:
        return self._size

    def __repr__(self) -> str:
        rows = plural(self._size, "row")
        return f"Dataset({str(self.where)!r}, split={self.split!r}, config={self.config!r}: {rows})"

    def pair(self, index: int) -> Pair:
        """Read and decode a row. Raises IndexError if there is no such row."""
        number = operator.index(index)
        number += self._size if number < 0 else 0
        if not 0 <= number < self._size:
            raise IndexError(f"{self.split} has {plural(self._size, 'row')}, so there is no row {index}")
        return pair_at(self.opened, self.config, self.split, number)

    def __getitem__(self, index: int) -> Row:  # type: ignore[override]
        pair = self.pair(index)
        row = {"color": pair.z, "mask": np.ascontiguousarray(pair.z[..., 3])}
        return row | {name: value for name in _KEPT if (value := getattr(pair, name)) is not None}

    def __reduce__(self) -> tuple[type[Dataset], tuple[str | Path, str, str]]:
        return Dataset, (self.where, self.split, self.config)


def open_dataset(where: str | Path, split: str = "train", config: str | None = None) -> Dataset:
    """Open one split of a packed dataset: a folder, an fsspec URL, or OWNER/NAME on the Hub.

    `config` is the first configuration by default. Raises UsageError if there is none of these.
    """
    return Dataset(where, split, config)
