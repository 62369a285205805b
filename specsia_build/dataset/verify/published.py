"""Checks of a row group in the published schema: what can be told without alpha, boxes and the ground truth's mask."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.dataset.pairs import background, lift, split_uid
from specsia_build.dataset.places import read_errors
from specsia_build.dataset.schema import COLOR, EDGE, GT, IMAGE_COLUMNS, MASK, POS, PUBLISHED_COLUMNS
from specsia_build.dataset.verify import images
from specsia_build.dataset.verify.report import (
    ALPHA,
    CONTOUR,
    FILES,
    IMAGES,
    IOU,
    METADATA,
    ORDER,
    POSITION,
    SHAPE,
    VIEWS,
    Findings,
)
from specsia_build.dataset.verify.report import EDGE as EDGE_CHECK
from specsia_build.dataset.verify.rows import GroupResult, GroupTask, RowFacts, machine_path, read_group

MODES = {COLOR: "RGB", MASK: "L", POS: "RGB", EDGE: "L", GT: "RGB"}

UNCHECKED = frozenset({CONTOUR, POSITION, IOU, SHAPE, ORDER})
"""Checks that need what the schema does not hold."""

MOST_BARE = 0.002
"""Share of a picture's pixels that `mask` may cover though nothing is drawn there."""


MOSTLY = 1.5
"""Misfits of `mask` a row from which it is another picture's by intention: a single fault gives three in its row."""


def check_published_group(task: GroupTask) -> GroupResult:
    """Check one row group; anything wrong with it, unreadable bytes included, comes back as findings."""
    findings = Findings()
    try:
        rows = read_group(task).to_pylist()
    except (*read_errors(), pa.ArrowException, ValueError) as error:
        reason = " ".join(str(error).split())
        findings.add(FILES, task.name, f"row group {task.group} cannot be read: {reason}")
        return GroupResult((), findings)
    facts = []
    for index, row in enumerate(rows):
        try:
            character_id, view = split_uid(str(row["uid"]))
        except ValueError as error:
            findings.add(VIEWS, f"{task.name}, row group {task.group}, row {index}", str(error))
            continue
        facts.append(_check_row(row, character_id, view, task, findings))
    return GroupResult(tuple(facts), findings)


def _check_row(row: dict[str, Any], character_id: str, view: int, task: GroupTask, findings: Findings) -> RowFacts:
    uid = row["uid"]
    if view >= task.views:
        findings.add(VIEWS, uid, f"view {view} is none of 0 to {task.views - 1}")
    if found := machine_path(uid, task.folders):
        findings.add(METADATA, uid, f"uid holds a path: {found}")
    pixels: dict[str, NDArray[np.uint8]] = {}
    digests = dict.fromkeys(IMAGE_COLUMNS, b"")
    for name in PUBLISHED_COLUMNS[1:]:
        stored = row[name] or {}
        data = stored.get("bytes")
        if not data:
            findings.add(IMAGES, uid, f"has no {name}")
            continue
        digests[name] = hashlib.sha256(data).digest()
        if extra := images.extra_chunks(data):
            findings.add(METADATA, uid, f"{name} carries more than pixels: {', '.join(extra)}")
        if found := machine_path(stored.get("path") or "", task.folders):
            findings.add(METADATA, uid, f"the file name of {name} holds a path: {found}")
        try:
            pixels[name] = png.decode(data, len(MODES[name]))
        except ValueError as error:
            findings.add(IMAGES, uid, f"{name} {error}")
    size = _check_pixels(uid, pixels, findings)
    return RowFacts(uid, character_id, view, (), size, tuple(digests.values()), False)


def _check_pixels(uid: str, pixels: dict[str, NDArray[np.uint8]], findings: Findings) -> tuple[int, int] | None:
    sizes = {name: (image.shape[1], image.shape[0]) for name, image in pixels.items()}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name} {w} x {h}" for name, (w, h) in sizes.items())
        findings.add(IMAGES, uid, f"its images differ in size: {listed}")
        return None
    if GT in pixels and background(pixels[GT]).all():
        findings.add(IMAGES, uid, "gt shows nothing but the background")
    if {COLOR, MASK, POS} <= pixels.keys():
        told = check_mask(pixels[COLOR], pixels[MASK], pixels[POS])
        for message in told:
            findings.add(ALPHA, uid, message)
        if EDGE in pixels and not told:
            for message in images.check_edge(pixels[EDGE], lift(pixels[POS], pixels[MASK])):
                findings.add(EDGE_CHECK, uid, message)
    return next(iter(sizes.values()), None)


def check_mask(color: NDArray[np.uint8], mask: NDArray[np.uint8], pos: NDArray[np.uint8]) -> list[str]:
    """That `color` and `pos` are background where `mask` is 0, and drawn where it is 255."""
    found = []
    for name, image in ((COLOR, color), (POS, pos)):
        outside = int(np.count_nonzero(~background(image) & (mask == 0)))
        if outside:
            found.append(f"{name} is drawn in {outside} pixels outside of mask")
    bare = int(np.count_nonzero(background(color) & background(pos) & (mask == 255)))
    if bare > MOST_BARE * mask.size:
        found.append(f"mask covers {bare} pixels in which color and pos are the background")
    return found


def published_notes(findings: Findings, rows: int, has_splits: bool) -> list[str]:
    """What was not checked; masks that fit in next to no row are taken out of the findings and become a note."""
    notes = [
        "this is the published schema, without alpha, gt_mask, iou, boxes and contours: whether positions land on "
        "their pixels, the contour surrounds the silhouette, iou is right, and pictures show the view they stand at "
        "was not checked"
    ]
    if not has_splits:
        notes.append("there is no splits.json: only that no character is in two splits was checked")
    if findings.counts.get(ALPHA, 0) > MOSTLY * rows:
        del findings.counts[ALPHA], findings.listed[ALPHA]
        notes.append(
            "mask is not the silhouette of color and pos in most rows: it is the ground truth's, perhaps, as in the "
            "published set; whether pictures fit it, and edge fits pos, was not checked"
        )
    return notes
