"""Checks of one row group: what each of its rows promises on its own, and what is needed to compare it with others."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build import png
from specsia_build.dataset.decoding import table
from specsia_build.dataset.pairs import background, is_frontal, split_uid
from specsia_build.dataset.places import Place, read_errors
from specsia_build.dataset.reading import Kind
from specsia_build.dataset.schema import (
    CLIP_COLUMNS,
    COLOR,
    EDGE,
    GT,
    GT_MASK,
    IMAGE_COLUMNS,
    MASK,
    POS,
    PUBLISHED_COLUMNS,
    SCALAR_COLUMNS,
    frame_uid,
    row_uid,
)
from specsia_build.dataset.verify import images
from specsia_build.dataset.verify.character import check_character
from specsia_build.dataset.verify.clips import Place as ClipPlace
from specsia_build.dataset.verify.clips import turns
from specsia_build.dataset.verify.colours import is_exchanged, is_premultiplied
from specsia_build.dataset.verify.glimpse import Glimpse, glimpse
from specsia_build.dataset.verify.published import check_published_pixels
from specsia_build.dataset.verify.report import (
    ALPHA,
    CLIPS,
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
from specsia_build.films import Pixels
from specsia_build.frame import Camera, view_yaws

YAW_TOLERANCE_DEG = 1e-6

MODES: Mapping[Kind, Mapping[str, str]] = {
    "specsia": IMAGE_COLUMNS,
    "clips": IMAGE_COLUMNS,
    "published": {name: IMAGE_COLUMNS[name].removesuffix("A") for name in PUBLISHED_COLUMNS if name in IMAGE_COLUMNS},
}
"""Mode of the images of each kind of dataset, in the order of their columns."""

_VALUES: Mapping[Kind, Sequence[str]] = {
    "specsia": tuple(SCALAR_COLUMNS),
    "clips": (*SCALAR_COLUMNS, *CLIP_COLUMNS),
    "published": ("uid",),
}
"""The other columns of each."""

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
        kind: of its rows.
        views: of every character, or cameras of every motion; 0 where that is not known.
        pos_frame: `character` or `view`.
        backend: that all rows name, or None where that is not known.
        folders: paths of this machine that no text may hold.
    """

    place: Place
    name: str
    group: int
    kind: Kind
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
        place: in its clip, None where rows are views.
        exchanged: whether `color` is far nearer to `gt` with red and blue exchanged.
    """

    uid: str
    character_id: str
    view: int
    constants: tuple[tuple[str, Any], ...]
    size: tuple[int, int] | None
    digests: tuple[bytes, ...]
    mask_is_target: bool
    front: bytes | None = None
    place: ClipPlace | None = None
    exchanged: bool = False


@dataclass(frozen=True)
class GroupResult:
    """What a row group holds, what is wrong with it, and what was seen of characters that may have rows elsewhere.

    `at_rest` counts clips that go around a character, of which what holds at rest was checked.
    """

    rows: tuple[RowFacts, ...]
    findings: Findings
    parted: Mapping[str, dict[int, Glimpse]] = field(default_factory=dict)
    at_rest: int = 0


def check_group(task: GroupTask) -> GroupResult:
    """Check one row group; anything wrong with it, unreadable bytes included, comes back as findings."""
    findings = Findings()
    own_schema = task.kind != "published"
    try:
        with task.place.open(task.name) as stream, pq.ParquetFile(stream) as shard:
            rows = table(shard, groups=[task.group]).combine_chunks()
        scalars = rows.select(list(_VALUES[task.kind])).to_pylist()
        columns = {name: rows.column(name) for name in MODES[task.kind]}
    except (*read_errors(), pa.ArrowException, ValueError) as error:
        reason = " ".join(str(error).split())
        findings.add(FILES, task.name, f"row group {task.group} cannot be read: {reason}")
        return GroupResult((), findings)
    facts = []
    glimpses: dict[str, dict[int, Glimpse]] = {}
    around = turns(scalars) if task.kind == "clips" else {}
    for index, row in enumerate(scalars):
        where = f"{task.name}, row group {task.group}, row {index}"
        empty = [name for name, value in row.items() if name != "license" and (value is None or _holds_none(value))]
        if empty:
            findings.add(SCHEMA, str(row["uid"] or where), f"has no {', '.join(empty)}")
            continue
        try:
            character_id, view = (row["character_id"], row["view"]) if own_schema else split_uid(row["uid"])
        except ValueError as error:
            findings.add(VIEWS, where, str(error))
            continue
        try:
            stored = {name: column[index].as_py() or {} for name, column in columns.items()}
        except UnicodeDecodeError:
            findings.add(SCHEMA, row["uid"], "the file name of an image is not text")
            continue
        own = Findings()
        pixels = _read_images(row, stored, task, own)
        size = _common_size(row["uid"], pixels, own)
        camera = _camera_of(row, size, task, around) if own_schema and size is not None else None
        checked = _check_row(row, character_id, view, stored, pixels, size, camera, task, own)
        facts.append(checked)
        findings.merge(own)
        # A row that is wrong by itself would make others look wrong beside it.
        if not own.counts and camera is not None:
            seen = glimpse(pixels, camera, (row["bbox_min"], row["bbox_max"]), task.pos_frame)
            group, number = (character_id, view) if task.kind == "specsia" else (row["clip"], row["frame"])
            glimpses.setdefault(group, {})[number] = seen
    if task.kind == "clips":
        for clip, frames in glimpses.items():
            if len(frames) == around[clip]:
                check_character(partial(frame_uid, clip), frames, around[clip], findings)
        return GroupResult(tuple(facts), findings, at_rest=len(around))
    parted = {character_id: views for character_id, views in glimpses.items() if len(views) < task.views}
    for character_id, views in glimpses.items():
        if character_id not in parted:
            check_character(partial(row_uid, character_id), views, task.views, findings)
    return GroupResult(tuple(facts), findings, parted)


def _is_box(low: Sequence[Any], high: Sequence[Any]) -> bool:
    """Whether lists of a row, which may hold anything, are the least and the most x, y and z of a box."""
    if not len(low) == len(high) == 3 or not all(isinstance(value, int | float) for value in (*low, *high)):
        return False
    return all(math.isfinite(a) and math.isfinite(b) and a <= b for a, b in zip(low, high, strict=True))


def _camera_of(row: dict[str, Any], size: tuple[int, int], task: GroupTask, around: Mapping[str, int]) -> Camera | None:
    """The camera that sees the positions of a row where they lie, None where that is not known.

    Of a clip that is one that goes around a character at rest; in motion positions are not where they are seen.
    """
    if not _is_box(row["bbox_min"], row["bbox_max"]) or size[0] != size[1]:
        return None
    if task.kind == "clips":
        return Camera(row["yaw_deg"], size[0]) if row["clip"] in around else None
    return Camera(view_yaws(task.views)[row["view"]], size[0]) if 0 <= row["view"] < task.views else None


def _holds_none(value: Any) -> bool:
    return isinstance(value, list) and any(v is None for v in value)


def _check_row(
    row: dict[str, Any],
    character_id: str,
    view: int,
    stored: dict[str, dict[str, Any]],
    pixels: dict[str, Pixels],
    size: tuple[int, int] | None,
    camera: Camera | None,
    task: GroupTask,
    findings: Findings,
) -> RowFacts:
    uid, moving = row["uid"], task.kind == "clips"
    standing = CLIPS if moving else VIEWS
    if not 0 <= view < task.views and (task.views or not moving):
        findings.add(standing, uid, f"view {view} is none of 0 to {task.views - 1}")
    for name in ("uid", "character_id", "backend", "license", "clip"):
        if found := machine_path(row.get(name) or "", task.folders):
            findings.add(METADATA, uid, f"{name} holds a path: {found}")
    data = {name: image["bytes"] for name, image in stored.items() if image.get("bytes")}
    digests = tuple(hashlib.sha256(data[name]).digest() if name in data else b"" for name in IMAGE_COLUMNS)
    if task.kind == "published":
        if size is not None:
            _note(findings, uid, check_published_pixels(pixels))
        return RowFacts(uid, character_id, view, (), size, digests, False, exchanged=_exchanged(pixels, size))
    if moving and uid != frame_uid(row["clip"], row["frame"]):
        message = f"frame {row['frame']} of {row['clip']} must be {frame_uid(row['clip'], row['frame'])}"
        findings.add(CLIPS, uid, message)
    if not moving and uid != row_uid(character_id, view):
        findings.add(VIEWS, uid, f"view {view} of {character_id} must be {row_uid(character_id, view)}")
    if (
        not moving
        and 0 <= view < task.views
        and not abs(row["yaw_deg"] - view_yaws(task.views)[view]) <= YAW_TOLERANCE_DEG
    ):
        findings.add(VIEWS, uid, f"yaw_deg is {row['yaw_deg']:g}, not {view_yaws(task.views)[view]:g}")
    if task.backend is not None and row["backend"] != task.backend:
        findings.add(standing, uid, f"backend is '{row['backend']}', not '{task.backend}'")
    if size is not None:
        _note(findings, uid, check_pixels(row, pixels, camera, task.kind, task.pos_frame))
    box = (tuple(row["bbox_min"]), tuple(row["bbox_max"])) if task.pos_frame == "character" else None
    constants = {name: row[name] for name in ("backend", "outline_px", "outline_grey", "license")} | {"bbox": box}
    same = MASK in pixels and GT_MASK in pixels and np.array_equal(pixels[MASK], pixels[GT_MASK])
    frontal = is_frontal(view, row.get("frame")) and size is not None and {GT, GT_MASK} <= pixels.keys()
    front = _front(pixels[GT], pixels[GT_MASK]) if frontal else None
    place = ClipPlace(row["clip"], row["frame"], row["time"], row["action"], view, row["yaw_deg"]) if moving else None
    values = tuple(constants.items())
    return RowFacts(uid, character_id, view, values, size, digests, same, front, place, _exchanged(pixels, size))


def _exchanged(pixels: Mapping[str, Pixels], size: tuple[int, int] | None) -> bool:
    """See `is_exchanged`; pictures of the published schema cover what is not their background."""
    if size is None or not {COLOR, GT} <= pixels.keys():
        return False
    color, gt = (
        picture if picture.shape[2] == 4 else np.dstack([picture, np.where(background(picture), 0, 255)])
        for picture in (pixels[COLOR], pixels[GT])
    )
    return is_exchanged(color, gt)


def _note(findings: Findings, uid: str, found: Iterable[tuple[str, Sequence[str]]]) -> None:
    for check, messages in found:
        for message in messages:
            findings.add(check, uid, message)


def _front(gt: Pixels, gt_mask: Pixels) -> bytes:
    """Digest of a character without its contour, which differs where the same one stands under another id."""
    return hashlib.sha256(gt_mask.tobytes() + gt[gt_mask == 255].tobytes()).digest()


def _read_images(
    row: dict[str, Any], stored: dict[str, dict[str, Any]], task: GroupTask, findings: Findings
) -> dict[str, Pixels]:
    """The images of a row that are whole."""
    uid, pixels = row["uid"], {}
    for name, mode in MODES[task.kind].items():
        data, path = stored[name].get("bytes"), stored[name].get("path")
        if not data:
            findings.add(IMAGES, uid, f"has no {name}")
            continue
        if task.kind != "published" and path is not None and path != f"{uid}_{name}.png":
            findings.add(METADATA, uid, f"the file name of {name} is '{path}', not '{uid}_{name}.png'")
        elif found := machine_path(path or "", task.folders):
            findings.add(METADATA, uid, f"the file name of {name} holds a path: {found}")
        if extra := images.extra_chunks(data):
            findings.add(METADATA, uid, f"{name} carries more than pixels: {', '.join(extra)}")
        try:
            pixels[name] = png.decode(data, len(mode))
        except ValueError as error:
            findings.add(IMAGES, uid, f"{name} {error}")
    return pixels


def _common_size(uid: str, pixels: dict[str, Pixels], findings: Findings) -> tuple[int, int] | None:
    """Width and height of the images of a row, None where there are none or they differ."""
    sizes = {name: (image.shape[1], image.shape[0]) for name, image in pixels.items()}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name} {w} x {h}" for name, (w, h) in sizes.items())
        findings.add(IMAGES, uid, f"its images differ in size: {listed}")
        return None
    return next(iter(sizes.values()), None)


def check_pixels(
    row: Mapping[str, Any], pixels: Mapping[str, Pixels], camera: Camera | None, kind: Kind, pos_frame: str
) -> Iterator[tuple[str, Sequence[str]]]:
    """What is wrong with the images of a row of this project's schema, by check; what it lacks is not asked of it.

    Args:
        row: its values by name, none of them None.
        pixels: its images by name, all of one size.
        camera: that sees its positions where they lie, None where that is not known.
        kind: of the dataset.
        pos_frame: `character` or `view`.
    """
    if {COLOR, MASK, POS} <= pixels.keys():
        yield ALPHA, images.check_alpha(pixels[COLOR], pixels[MASK], pixels[POS])
    if COLOR in pixels and is_premultiplied(pixels[COLOR]):
        yield ALPHA, ["color seems to be multiplied by its alpha, which must be straight"]
    contoured = {GT, GT_MASK} <= pixels.keys() and {"outline_px", "outline_grey"} <= row.keys()
    if contoured and (kind != "clips" or pixels[GT_MASK].any() or pixels[GT].any()):
        yield CONTOUR, images.check_contour(pixels[GT], pixels[GT_MASK], row["outline_px"], row["outline_grey"])
    if {MASK, GT_MASK} <= pixels.keys() and "iou" in row:
        yield IOU, images.check_iou(pixels[MASK], pixels[GT_MASK], row["iou"])
    if {EDGE, POS} <= pixels.keys():
        yield EDGE_CHECK, images.check_edge(pixels[EDGE], pixels[POS])
    if {"bbox_min", "bbox_max"} <= row.keys():
        box = row["bbox_min"], row["bbox_max"]
        if not _is_box(*box):
            yield POSITION, ["bbox_min and bbox_max are no box"]
        elif POS in pixels and camera is not None:
            yield POSITION, images.check_position(pixels[POS], camera, box, pos_frame)
    height, width = next(iter(pixels.values())).shape[:2]
    if width != height:
        yield IMAGES, [f"its images are not square: {width} x {height}"]
