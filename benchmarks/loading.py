"""Rows a second from a dataset beside a folder of the same PNGs, and patches a second of the loader alone."""

import random
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from specsia_build import png
from specsia_build.dataset.pairs import decode_pair, pair_columns
from specsia_build.dataset.reading import open_dataset
from specsia_build.dataset.schema import IMAGE_COLUMNS
from specsia_build.dravie.config import PRESETS
from specsia_build.dravie.data.frames import FrameArrays, frames_of
from specsia_build.dravie.data.patches import PatchSampler, prefetched

ROWS = 100  # Most rows that are drawn from, so that little of a large dataset is decoded
BATCH, THREADS, SECONDS = 256, 2, 2.0


def open_frames(where: str | Path) -> FrameArrays:
    """The first rows of the train split of a dataset's first configuration, decoded in memory."""
    dataset = open_dataset(where)
    config = dataset.configs[0]
    rows = range(min(ROWS, dataset.splits(config).get("train", 1)))
    return frames_of(map(decode_pair, dataset.take(config, "train", rows, pair_columns(dataset))))


class Taken(NamedTuple):
    """Seconds of a step, on average: by the clock, and of all cores together."""

    clock: float
    cores: float


def time_of(steps: Iterator[object], seconds: float, wait: Callable[[], None] = lambda: None) -> Taken:
    """Time of a step, on average over at least so long; `wait` returns when what is under way is done."""
    wait()
    start, spent = time.perf_counter(), time.process_time()
    count = 0
    while not count or time.perf_counter() - start < seconds:
        next(steps)
        count += 1
    wait()
    return Taken((time.perf_counter() - start) / count, (time.process_time() - spent) / count)


def measure_loader(frames: FrameArrays) -> dict[str, Any]:
    """How fast patches are drawn, cut, augmented and encoded, as a JSON-serialisable report.

    Other work on the machine changes patches in a second that a core spent less than those in a second.
    """
    sampler = PatchSampler([frames], replace(PRESETS["tiny"], batch=BATCH))
    batches = prefetched(sampler, 0, 10**9, THREADS)
    time_of(batches, 0)
    step = time_of(batches, SECONDS)
    rates = {"patches_per_second": step.clock, "patches_per_core_second": step.cores}
    report = {name: round(BATCH / seconds) for name, seconds in rates.items()}
    return {"patch": sampler.config.patch, "threads": THREADS, **report}


READ_ROWS, READ_BATCH, ROUNDS = 96, 32, 3
"""Most rows that are read, those of a random batch, and rounds in which both ways take turns."""


def _decode(images: Iterable[bytes]) -> None:
    for data in images:
        png.decode(data, {0: 1, 2: 3, 4: 2, 6: 4}[data[25]])


def _rates(rows: int, ours: Callable[[], object], folder: Callable[[], object]) -> Mapping[str, float]:
    """Rows a second of both, the median of rounds that take turns, by processor time of this thread."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for run, seconds in zip((ours, folder), taken, strict=True):
            start = time.thread_time()
            run()
            seconds.append(time.thread_time() - start)
    mine, theirs = (rows / statistics.median(seconds) for seconds in taken)
    rates = {"rows_per_second": round(mine, 1), "folder": round(theirs, 1)}
    return rates | {"times_as_fast": round(mine / theirs, 2)}


def measure_rows(where: str, scratch: Path) -> dict[str, Any]:
    """How fast rows are decoded at random and in order, beside PNGs that Pillow reads from a folder."""
    dataset = open_dataset(where)
    config = dataset.configs[0]
    split, count = next(iter(dataset.splits(config).items()))
    rows, columns = min(READ_ROWS, count), [name for name in IMAGE_COLUMNS if name in dataset.columns]

    def paths(row: int) -> list[Path]:
        return [scratch / f"{row}_{column}.png" for column in columns]

    for row, row_of_images in zip(range(rows), dataset.stream(config, split, columns), strict=False):
        for path, column in zip(paths(row), columns, strict=True):
            path.write_bytes(row_of_images[column])
    chosen = random.Random(0).sample(range(rows), min(READ_BATCH, rows))  # noqa: S311  a sample to measure

    def from_folder(wanted: Sequence[int]) -> None:
        for path in (path for row in wanted for path in paths(row)):
            with Image.open(path) as image:
                np.asarray(image)

    def at_random() -> None:
        for row in dataset.take(config, split, chosen, columns):
            _decode(row.values())

    def in_order() -> None:
        for _, row in zip(range(rows), dataset.stream(config, split, columns), strict=False):
            _decode(row.values())

    at_random()
    return {
        "peer": "a folder of the same PNGs, read by Pillow",
        "random": _rates(len(chosen), at_random, lambda: from_folder(chosen)),
        "streaming": _rates(rows, in_order, lambda: from_folder(range(rows))),
    }
