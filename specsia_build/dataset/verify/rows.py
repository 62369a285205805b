"""Checks of one row group: what each of its rows promises on its own, and what is needed to compare it with others."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.dataset.places import Place, read_errors
from specsia_build.dataset.schema import COLOR, EDGE, GT, GT_MASK, IMAGE_COLUMNS, MASK, POS, SCALAR_COLUMNS, row_uid
from specsia_build.dataset.verify import images
from specsia_build.dataset.verify.character import check_character
from specsia_build.dataset.verify.glimpse import Glimpse, glimpse
from specsia_build.dataset.verify.report import (
    ALPHA,
    CONTOUR,
    FILES,
    IMAGES,
    IOU,
    METADATA,
    POSITION,
    SCHEMA,
    VIEWS,
    Findings,
)
from specsia_build.dataset.verify.report import EDGE as EDGE_CHECK
from specsia_build.frame import Camera, view_yaws

YAW_TOLERANCE_DEG = 1e-6

_MACHINE_PATH = re.compile(
    r"(?<![\w./-])/(?:home|root|Users|tmp|var|mnt|media|opt|srv|work|workspace|private|scratch|usr|nfs|lustre|gpfs|Volumes|run)/[\w.-]"
    r"|\b[A-Za-z]:\\|file://"
)


def machine_path(text: str, known: Sequence[str] = ()) -> str | None:
    """The first thing in a text that looks like a path of a machine, or is one of the `known` folders; or None."""
    match = _MACHINE_PATH.search(text)
    if match:
        return re.split(r"[\s\"'`,;)]", text[match.start() : match.start() + 80])[0]
    return next((folder for folder in known if folder in text), None)


@dataclass(frozen=True)
class GroupTask:
    """One row group to check.

    Attributes:
        place: of the dataset.
        name: of the shard, relative to it.
        group: number of the row group.
        views: of every character.
        pos_frame: `character` or `view`.
        backend: that all rows name, or None where that is not known.
        folders: paths of this machine that no text may hold.
    """

    place: Place
    name: str
    group: int
    views: int
    pos_frame: str
    backend: str | None
    folders: tuple[str, ...]


@dataclass(frozen=True)
class RowFacts:
    """What is compared between rows.

    Attributes:
        uid, character_id, view: of the row.
        constants: values that all views of a character share, by name.
        size: width and height of its images in pixels, None where they could not be read or differ.
        digests: SHA-256 of each image column's bytes, empty where there are none.
        mask_is_target: whether `mask` and `gt_mask` are the same.
        front: SHA-256 of what `gt` shows within `gt_mask` in the frontal view, None in others.
    """

    uid: str
    character_id: str
    view: int
    constants: tuple[tuple[str, Any], ...]
    size: tuple[int, int] | None
    digests: tuple[bytes, ...]
    mask_is_target: bool
    front: bytes | None = None


@dataclass(frozen=True)
class GroupResult:
    """What a row group holds, what is wrong with it, and what was seen of characters that may have rows elsewhere."""

    rows: tuple[RowFacts, ...]
    findings: Findings
    parted: Mapping[str, dict[int, Glimpse]] = field(default_factory=dict)


def read_group(task: GroupTask) -> pa.Table:
    """The rows of a row group; raises what pyarrow and the filesystem do."""
    with task.place.open(task.name) as stream, pq.ParquetFile(stream) as shard:
        return shard.read_row_group(task.group, use_threads=False).combine_chunks()


def check_group(task: GroupTask) -> GroupResult:
    """Check one row group; anything wrong with it, unreadable bytes included, comes back as findings."""
    findings = Findings()
    try:
        table = read_group(task)
        scalars = {name: table.column(name).to_pylist() for name in SCALAR_COLUMNS}
    except (*read_errors(), pa.ArrowException, ValueError) as error:
        reason = " ".join(str(error).split())
        findings.add(FILES, task.name, f"row group {task.group} cannot be read: {reason}")
        return GroupResult((), findings)
    columns = {name: table.column(name) for name in IMAGE_COLUMNS}
    facts = []
    glimpses: dict[str, dict[int, Glimpse]] = {}
    for index in range(table.num_rows):
        row = {name: values[index] for name, values in scalars.items()}
        empty = [name for name, value in row.items() if name != "license" and (value is None or _holds_none(value))]
        if empty:
            where = str(row["uid"] or f"{task.name}, row group {task.group}, row {index}")
            findings.add(SCHEMA, where, f"has no {', '.join(empty)}")
            continue
        try:
            stored = {name: column[index].as_py() or {} for name, column in columns.items()}
        except UnicodeDecodeError:
            findings.add(SCHEMA, str(row["uid"]), "the file name of an image is not text")
            continue
        own = Findings()
        checked, pixels = _check_row(row, stored, task, own)
        facts.append(checked)
        findings.merge(own)
        # A row that is wrong by itself would make others look wrong beside it.
        if not own.counts and checked.size is not None and _has_place(row, checked.size, task):
            camera = Camera(view_yaws(task.views)[row["view"]], checked.size[0])
            seen = glimpse(pixels, camera, (row["bbox_min"], row["bbox_max"]), task.pos_frame)
            glimpses.setdefault(row["character_id"], {})[row["view"]] = seen
    parted = {character_id for character_id in glimpses if len(glimpses[character_id]) < task.views}
    for character_id in glimpses:
        if character_id in parted:
            continue
        check_character(character_id, glimpses[character_id], task.views, findings)
    return GroupResult(tuple(facts), findings, {i: seen for i, seen in glimpses.items() if i in parted})


def _is_box(low: Sequence[float], high: Sequence[float]) -> bool:
    return all(math.isfinite(a) and math.isfinite(b) and a <= b for a, b in zip(low, high, strict=True))


def _has_place(row: dict[str, Any], size: tuple[int, int], task: GroupTask) -> bool:
    """Whether it is known where each pixel and position of a row lies."""
    sound = _is_box(row["bbox_min"], row["bbox_max"])
    return sound and 0 <= row["view"] < task.views and size[0] == size[1]


def _holds_none(value: Any) -> bool:
    return isinstance(value, list) and any(v is None for v in value)


def _check_row(
    row: dict[str, Any], stored: dict[str, dict[str, Any]], task: GroupTask, findings: Findings
) -> tuple[RowFacts, dict[str, NDArray[np.uint8]]]:
    """Check one row; also returns its images that are whole."""
    uid, view = str(row["uid"]), int(row["view"])
    if uid != row_uid(row["character_id"], view):
        findings.add(VIEWS, uid, f"view {view} of {row['character_id']} must be {row_uid(row['character_id'], view)}")
    if not 0 <= view < task.views:
        findings.add(VIEWS, uid, f"view {view} is none of 0 to {task.views - 1}")
    elif not abs(row["yaw_deg"] - view_yaws(task.views)[view]) <= YAW_TOLERANCE_DEG:
        findings.add(VIEWS, uid, f"yaw_deg is {row['yaw_deg']:g}, not {view_yaws(task.views)[view]:g}")
    if task.backend is not None and row["backend"] != task.backend:
        findings.add(VIEWS, uid, f"backend is '{row['backend']}', not '{task.backend}'")
    for name in ("uid", "character_id", "backend", "license"):
        found = machine_path(row[name] or "", task.folders)
        if found:
            findings.add(METADATA, uid, f"{name} holds a path: {found}")
    pixels = _read_images(uid, stored, findings)
    size = _check_pixels(row, pixels, task, findings)
    box = (tuple(row["bbox_min"]), tuple(row["bbox_max"])) if task.pos_frame == "character" else None
    constants = {name: row[name] for name in ("backend", "outline_px", "outline_grey", "license")} | {"bbox": box}
    same = MASK in pixels and GT_MASK in pixels and np.array_equal(pixels[MASK], pixels[GT_MASK])
    digests = tuple(hashlib.sha256(s["bytes"]).digest() if s.get("bytes") else b"" for s in stored.values())
    frontal = view == 0 and size is not None and {GT, GT_MASK} <= pixels.keys()
    front = _front(pixels[GT], pixels[GT_MASK]) if frontal else None
    return RowFacts(uid, row["character_id"], view, tuple(constants.items()), size, digests, same, front), pixels


def _front(gt: NDArray[np.uint8], gt_mask: NDArray[np.uint8]) -> bytes:
    """Digest of a character without its contour, which differs where the same one stands under another id."""
    return hashlib.sha256(gt_mask.tobytes() + gt[gt_mask == 255].tobytes()).digest()


def _read_images(uid: str, stored: dict[str, dict[str, Any]], findings: Findings) -> dict[str, NDArray[np.uint8]]:
    """The images of a row that are whole."""
    pixels = {}
    for name, mode in IMAGE_COLUMNS.items():
        data, path = stored[name].get("bytes"), stored[name].get("path")
        if not data:
            findings.add(IMAGES, uid, f"has no {name}")
            continue
        if path is not None and path != f"{uid}_{name}.png":
            findings.add(METADATA, uid, f"the file name of {name} is '{path}', not '{uid}_{name}.png'")
        extra = images.extra_chunks(data)
        if extra:
            findings.add(METADATA, uid, f"{name} carries more than pixels: {', '.join(extra)}")
        try:
            pixels[name] = png.decode(data, len(mode))
        except ValueError as error:
            findings.add(IMAGES, uid, f"{name} {error}")
    return pixels


def _check_pixels(
    row: dict[str, Any], pixels: dict[str, NDArray[np.uint8]], task: GroupTask, findings: Findings
) -> tuple[int, int] | None:
    """Check what the images of a row promise of each other; returns their common width and height."""
    uid = row["uid"]
    sizes = {name: (image.shape[1], image.shape[0]) for name, image in pixels.items()}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name} {w} x {h}" for name, (w, h) in sizes.items())
        findings.add(IMAGES, uid, f"its images differ in size: {listed}")
        return None
    if not pixels:
        return None

    def note(check: str, messages: list[str]) -> None:
        for message in messages:
            findings.add(check, uid, message)

    width, height = next(iter(sizes.values()))
    if {COLOR, MASK, POS} <= pixels.keys():
        note(ALPHA, images.check_alpha(pixels[COLOR], pixels[MASK], pixels[POS]))
    if {GT, GT_MASK} <= pixels.keys():
        note(CONTOUR, images.check_contour(pixels[GT], pixels[GT_MASK], row["outline_px"], row["outline_grey"]))
    if {MASK, GT_MASK} <= pixels.keys():
        note(IOU, images.check_iou(pixels[MASK], pixels[GT_MASK], row["iou"]))
    if {EDGE, POS} <= pixels.keys():
        note(EDGE_CHECK, images.check_edge(pixels[EDGE], pixels[POS]))
    box = row["bbox_min"], row["bbox_max"]
    if not _is_box(*box):
        findings.add(POSITION, uid, "bbox_min and bbox_max are no box")
    elif POS in pixels and _has_place(row, (width, height), task):
        camera = Camera(view_yaws(task.views)[row["view"]], width)
        note(POSITION, images.check_position(pixels[POS], camera, box, task.pos_frame))
    if width != height:
        findings.add(IMAGES, uid, f"its images are not square: {width} x {height}")
    return width, height
