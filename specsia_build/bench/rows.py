"""Rows a second from a packed dataset, next to a folder of the same PNGs that Pillow reads, in the same run."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from specsia_build import png
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dataset.schema import IMAGE_COLUMNS

ROWS = 96
"""Most rows that are read: those of the first split, from its beginning."""

BATCH = 32

ROUNDS = 3


def _decode(images: Iterable[bytes]) -> None:
    for data in images:
        png.decode(data, {0: 1, 2: 3, 4: 2, 6: 4}[data[25]])


def _rates(rows: int, sides: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Rows a second of each way, the median of some rounds that take turns, by processor time of this thread."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, run in sides.items():
            start = time.thread_time()
            run()
            taken[name].append(time.thread_time() - start)
    return {name: round(rows / statistics.median(seconds), 1) for name, seconds in taken.items()}


def bench_rows(dataset: OpenedDataset, scratch: Path) -> dict[str, Any]:
    """How fast rows are decoded at random, in batches, and one after another.

    Args:
        dataset: a packed one.
        scratch: where the folder of PNGs is written.

    Returns:
        A JSON-serialisable report: rows a second of both ways of both kinds, and how many times as fast the dataset is.
    """
    config = dataset.configs[0]
    split, count = next(iter(dataset.splits(config).items()))
    rows = min(ROWS, count)
    columns = [name for name in IMAGE_COLUMNS if name in dataset.columns]

    def paths(row: int) -> list[Path]:
        return [scratch / f"{row}_{column}.png" for column in columns]

    for row, found in zip(range(rows), dataset.stream(config, split, columns), strict=False):
        for path, column in zip(paths(row), columns, strict=True):
            path.write_bytes(found[column])
    batch = min(BATCH, rows)
    chosen = random.Random(0).sample(range(rows), batch)  # noqa: S311  a sample to measure, not a secret

    def from_folder(wanted: Sequence[int]) -> None:
        for row in wanted:
            for path in paths(row):
                with Image.open(path) as image:
                    np.asarray(image)

    def at_random() -> None:
        for row in dataset.take(config, split, chosen, columns):
            _decode(row.values())

    def in_order() -> None:
        for _, row in zip(range(rows), dataset.stream(config, split, columns), strict=False):
            _decode(row.values())

    start = time.perf_counter()
    at_random()
    first = time.perf_counter() - start
    random_rates = _rates(batch, {"dataset": at_random, "folder": lambda: from_folder(chosen)})
    order_rates = _rates(rows, {"dataset": in_order, "folder": lambda: from_folder(range(rows))})
    return {
        "rows": rows,
        "images_per_row": len(columns),
        "first_batch": {"rows": batch, "seconds": round(first, 4)},
        "peer": "a folder of the same PNGs, read by Pillow",
        "random": _compared(random_rates),
        "streaming": _compared(order_rates),
    }


def _compared(rates: Mapping[str, float]) -> dict[str, float]:
    return {
        "rows_per_second": rates["dataset"],
        "folder_rows_per_second": rates["folder"],
        "times_as_fast": round(rates["dataset"] / rates["folder"], 2),
    }
