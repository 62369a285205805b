"""A look at some rows of a split before something is learnt from them or scored on them: `verify` looks at all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from specsia_build import png
from specsia_build.dataset import schema
from specsia_build.dataset.pairs import PAIR_COLUMNS, decode_pair
from specsia_build.dataset.reading import Kind, OpenedDataset
from specsia_build.dataset.verify.colours import EXCHANGED, is_exchanged
from specsia_build.dataset.verify.published import check_mask
from specsia_build.dataset.verify.report import ALPHA, CONTOUR, IMAGES, IOU, POSITION
from specsia_build.dataset.verify.rows import MODES, check_pixels
from specsia_build.errors import argument, plural
from specsia_build.frame import Camera

ROWS = 24
"""Rows of a split that are looked at."""

TOLD = (IMAGES, ALPHA, CONTOUR, POSITION, IOU)
"""What matters to whoever learns from pairs; names of rows and files, `edge` and order do not."""

_VALUES = ("yaw_deg", "bbox_min", "bbox_max")
"""Columns that are asked for where they are there, besides images and those of a pair."""


def doubts_of_split(
    dataset: OpenedDataset, config: str, split: str, rows: Sequence[int] | None = None
) -> tuple[str, ...]:
    """What is wrong with rows of a split that are spread over it, or with those of these numbers: a sentence, or none.

    Raises:
        UsageError: if there is no such configuration or split.
        SpecsiaError: if a row cannot be read, or its pair not be decoded.
    """
    count = dataset.splits(config).get(split, 0)
    chosen = list(rows) if rows is not None else np.unique(np.linspace(0, count - 1, min(count, ROWS)).astype(int))
    if len(chosen) == 0:
        return ()
    kind = dataset.kind
    wanted = {*PAIR_COLUMNS(kind), *_VALUES, *MODES[kind]} - {schema.EDGE}
    columns = [name for name in dataset.columns if name in wanted]
    found: dict[str, list[tuple[str, str]]] = {}
    exchanged: list[tuple[str, str]] = []
    pos_frame = "character" if dataset.keeps_places() else "view"
    for row in dataset.take(config, split, [int(i) for i in chosen], columns):
        for check, messages in _checked(row, kind, pos_frame):
            if messages:
                found.setdefault(check, []).append((row["uid"], messages[0]))
        pair = decode_pair(row)
        if is_exchanged(pair.z, pair.gt):
            exchanged.append((row["uid"], EXCHANGED))
    if kind == "published" and 2 * len(found.get(ALPHA, ())) > len(chosen):
        # Those of the ground truth, by intention, as the published set has them.
        del found[ALPHA]
    if 2 * len(exchanged) > len(chosen):
        found[IMAGES] = [*found.get(IMAGES, ()), *exchanged]
    kinds = [found[check] for check in TOLD if check in found]
    if not kinds:
        return ()
    unsound, uid = len({uid for each in kinds for uid, _ in each}), kinds[0][0][0]
    of = f"{unsound} of {plural(len(chosen), 'row')} of {split} that were looked at"
    which = f"{of} {'is' if unsound == 1 else 'are'} unsound, such as {uid}" if len(chosen) > 1 else f"{uid} is unsound"
    why = "; ".join(each[0][1] for each in kinds)
    return (f"{which}: {why}; `specsia verify {argument(dataset.where)}` looks at all",)


def _checked(row: Mapping[str, Any], kind: Kind, pos_frame: str) -> Iterator[tuple[str, Sequence[str]]]:
    pixels, unread = {}, []
    for name, mode in MODES[kind].items():
        if row.get(name) is not None:
            try:
                pixels[name] = png.decode(row[name], len(mode))
            except ValueError as error:
                unread.append(f"{name} {error}")
    yield IMAGES, unread
    sizes = {image.shape[:2] for image in pixels.values()}
    if len(sizes) != 1:
        return
    if kind == "published":
        if {schema.COLOR, schema.MASK, schema.POS} <= pixels.keys():
            yield ALPHA, check_mask(pixels[schema.COLOR], pixels[schema.MASK], pixels[schema.POS])
        return
    ((height, width),) = sizes
    yaw = row.get("yaw_deg")
    known = kind == "specsia" and yaw is not None and math.isfinite(yaw) and height == width
    camera = Camera(float(yaw), width) if known and yaw is not None else None
    stated = {name: value for name, value in row.items() if value is not None}
    found = check_pixels(stated, pixels, camera, kind, pos_frame)
    yield from ((check, messages) for check, messages in found if check != IMAGES)
