"""Check some rows of a split before a model learns from them or is scored on them; `verify` checks all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from specsia_build import png
from specsia_build.dataset import schema
from specsia_build.dataset.pairs import PAIR_COLUMNS
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dataset.verify.report import ALPHA, CONTOUR, IMAGES, IOU, POSITION
from specsia_build.dataset.verify.rows import MODES, check_pixels
from specsia_build.errors import argument, plural

ROWS = 24
"""Rows of a split that are checked."""

_TOLD = (IMAGES, ALPHA, CONTOUR, POSITION, IOU)


def doubts_of_split(
    dataset: OpenedDataset, config: str, split: str, rows: Sequence[int] | None = None
) -> tuple[str, ...]:
    """A warning about rows that are spread over a split, or about those of the given numbers; empty if all are sound.

    Raises:
        UsageError: if there is no such configuration or split.
        SpecsiaError: if a row cannot be read.
    """
    count = dataset.splits(config).get(split, 0)
    chosen = list(rows) if rows is not None else np.unique(np.linspace(0, count - 1, min(count, ROWS)).astype(int))
    kind, modes = dataset.kind, {n: m for n, m in MODES[dataset.kind].items() if n != schema.EDGE}
    wanted = {*PAIR_COLUMNS(kind), "yaw_deg", "bbox_min", "bbox_max", *modes}
    columns = [name for name in dataset.columns if name in wanted]
    pos_frame = "character" if dataset.keeps_places() else "view"
    problems: dict[str, list[tuple[str, str]]] = {}
    for row in dataset.take(config, split, [int(i) for i in chosen], columns):
        pixels = {}
        for name, mode in modes.items():
            if row.get(name) is not None:
                try:
                    pixels[name] = png.decode(row[name], len(mode))
                except ValueError as error:
                    problems.setdefault(IMAGES, []).append((row["uid"], f"{name} {error}"))
        if len({image.shape[:2] for image in pixels.values()}) != 1:
            continue
        stated = {name: value for name, value in row.items() if value is not None}
        for check, messages in check_pixels(stated, pixels, kind, pos_frame):
            if messages and check in _TOLD:
                problems.setdefault(check, []).append((row["uid"], messages[0]))
    if kind == "published" and 2 * len(problems.get(ALPHA, ())) > len(chosen):
        # The ground truth's masks, as the published set has them.
        del problems[ALPHA]
    if not problems:
        return ()
    unsound = {uid: None for found in problems.values() for uid, _ in found}
    of = f"{len(unsound)} of {plural(len(chosen), 'row')} of {split} that were checked"
    why = "; ".join(found[0][1] for found in problems.values())
    all_rows = f"`specsia verify {argument(dataset.where)}` checks all"
    return (f"{of} {'is' if len(unsound) == 1 else 'are'} unsound, such as {next(iter(unsound))}: {why}; {all_rows}",)
