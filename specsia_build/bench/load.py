"""Patches a second of the loader alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from specsia_build.dataset.pairs import PAIR_COLUMNS, decode_pair
from specsia_build.dataset.reading import open_dataset
from specsia_build.dravie.data.frames import Frames, frames_of
from specsia_build.dravie.data.patches import PatchSampler, prefetched

ROWS = 100
"""Most rows that are drawn from, so that little of a large dataset is decoded."""

BATCH = 256

THREADS = 2

SECONDS = 2.0


def bench_frames(where: str | Path) -> Frames:
    """The first rows of the train split of a dataset's first configuration, decoded in memory.

    Raises:
        UsageError: if it has no train split.
        SpecsiaError: if it cannot be read.
    """
    dataset = open_dataset(where)
    config = dataset.configs[0]
    rows = range(min(ROWS, dataset.splits(config).get("train", 1)))
    return frames_of(map(decode_pair, dataset.take(config, "train", rows, PAIR_COLUMNS(dataset.kind))))


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


def bench_load(frames: Frames) -> dict[str, Any]:
    """How fast patches are drawn, cut, augmented and encoded.

    Returns:
        A JSON-serialisable report: pixels on a side of a patch, threads, patches a second, and patches in a second that
        a core really spent, which other work on the machine changes less.
    """
    sampler = PatchSampler([frames], BATCH, seed=0)
    batches = prefetched(sampler, 0, 10**9, THREADS)
    time_of(batches, 0)
    taken = time_of(batches, SECONDS)
    report = {"patch": sampler.size, "threads": THREADS, "patches_per_second": round(BATCH / taken.clock)}
    return report | {"patches_per_core_second": round(BATCH / taken.cores)}
