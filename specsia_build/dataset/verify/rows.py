"""Checks of one row group: each row by itself, and the facts that are needed to compare rows."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build import png
from specsia_build.dataset import schema
from specsia_build.dataset.pairs import background, is_frontal, lift, split_uid
from specsia_build.dataset.parquet import table
from specsia_build.dataset.places import Place, read_errors
from specsia_build.dataset.reading import Kind
from specsia_build.dataset.schema import COLOR, EDGE, GT, GT_MASK, IMAGE_COLUMNS, MASK, POS
from specsia_build.dataset.verify import pixels as checks
from specsia_build.dataset.verify.files import machine_path
from specsia_build.dataset.verify.pixels import Pixels
from specsia_build.dataset.verify.report import ALPHA, CONTOUR, FILES, IMAGES, IOU, POSITION, SCHEMA, VIEWS, Findings
from specsia_build.dataset.verify.report import EDGE as EDGE_CHECK
from specsia_build.frame import Camera

COLUMNS: Mapping[Kind, Sequence[str]] = {
    "specsia": schema.COLUMNS,
    "clips": schema.MOVING_COLUMNS,
    "published": schema.PUBLISHED_COLUMNS,
}
"""Columns of each kind of dataset."""

TURNTABLE = "turntable"
"""Action of the clips that show a character at rest, whose positions are where they are seen."""


@dataclass(frozen=True)
class GroupTask:
    """Row group number `group` of the shard `name`, the backend of its rows if known, and paths of this machine."""

    place: Place
    name: str
    group: int
    kind: Kind
    pos_frame: str
    backend: str | None
    folders: tuple[str, ...]


@dataclass(frozen=True)
class RowFacts:
    """What is compared between rows.

    Attributes:
        uid, character_id, view: of the row.
        constants: values that all rows of a character share, by name.
        digests: SHA-256 of each image column's bytes, empty if there are none.
        size: width and height of its images; None if they could not be read or differ.
        yaw: of the camera in degrees; None in the published schema.
        front: SHA-256 of `gt` within `gt_mask` in the frontal view, None in others.
        clip: clip, frame, time and action; None if rows are views.
    """

    uid: str
    character_id: str
    view: int
    constants: tuple[tuple[str, Any], ...] = ()
    digests: tuple[bytes, ...] = ()
    size: tuple[int, int] | None = None
    yaw: float | None = None
    front: bytes | None = None
    clip: tuple[str, int, float, str] | None = None


@dataclass
class GroupResult:
    """Facts of the rows of a row group, and what is wrong with them."""

    rows: list[RowFacts] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)


def check_group(task: GroupTask) -> GroupResult:
    """Check one row group; whatever is wrong with it, unreadable bytes included, comes back as findings."""
    result = GroupResult()
    findings = result.findings
    names = COLUMNS[task.kind]
    try:
        with task.place.open(task.name) as stream, pq.ParquetFile(stream) as shard:
            rows = table(shard, groups=[task.group]).combine_chunks()
        scalars = rows.select([name for name in names if name not in IMAGE_COLUMNS]).to_pylist()
        columns = {name: rows.column(name) for name in names if name in IMAGE_COLUMNS}
    except (*read_errors(), pa.ArrowException, ValueError) as error:
        findings.add(FILES, task.name, f"row group {task.group} cannot be read: {' '.join(str(error).split())}")
        return result
    for index, row in enumerate(scalars):
        where = f"{task.name}, row group {task.group}, row {index}"
        absent = [name for name, value in row.items() if name != "license" and _is_absent(value)]
        if absent:
            findings.add(SCHEMA, str(row["uid"] or where), f"has no {', '.join(absent)}")
            continue
        try:
            owner = split_uid(row["uid"]) if task.kind == "published" else (row["character_id"], row["view"])
            images = {name: column[index].as_py() or {} for name, column in columns.items()}
        except UnicodeDecodeError:
            findings.add(SCHEMA, row["uid"], "the file name of an image is not text")
        except ValueError as error:
            findings.add(VIEWS, where, str(error))
        else:
            result.rows.append(_check_row(row, owner, images, task, findings))
    return result


def _is_absent(value: Any) -> bool:
    return value is None or (isinstance(value, list) and any(v is None for v in value))


def _check_row(
    row: Mapping[str, Any],
    owner: tuple[str, int],
    images: Mapping[str, Mapping[str, Any]],
    task: GroupTask,
    findings: Findings,
) -> RowFacts:
    uid, (character_id, view) = row["uid"], owner
    pixels = _decode(uid, images, task, findings)
    sizes = {name: (image.shape[1], image.shape[0]) for name, image in pixels.items()}
    size = next(iter(sizes.values())) if len(set(sizes.values())) == 1 else None
    if size is not None:
        for check, messages in _check_pixels(row, pixels, task):
            for message in messages:
                findings.add(check, uid, message)
    elif sizes:
        listed = ", ".join(f"{name} {w} x {h}" for name, (w, h) in sizes.items())
        findings.add(IMAGES, uid, f"its images differ in size: {listed}")
    stored = (images.get(name, {}).get("bytes") for name in IMAGE_COLUMNS)
    digests = tuple(hashlib.sha256(data).digest() if data else b"" for data in stored)
    if task.kind == "published":
        return RowFacts(uid, character_id, view, digests=digests, size=size)
    clip = (row["clip"], row["frame"], row["time"], row["action"]) if task.kind == "clips" else None
    wanted = schema.row_uid(character_id, view) if clip is None else schema.frame_uid(clip[0], clip[1])
    if uid != wanted:
        what = f"view {view} of {character_id}" if clip is None else f"frame {clip[1]} of {clip[0]}"
        findings.add(VIEWS, uid, f"{what} must be {wanted}")
    if task.backend is not None and row["backend"] != task.backend:
        findings.add(VIEWS, uid, f"backend is '{row['backend']}', not '{task.backend}'")
    for name in ("uid", "character_id", "backend", "license", "clip"):
        if path := machine_path(row.get(name) or "", task.folders):
            findings.add(FILES, uid, f"{name} holds a path: {path}")
    box = (tuple(row["bbox_min"]), tuple(row["bbox_max"])) if task.pos_frame == "character" else None
    constants = *((name, row[name]) for name in ("backend", "outline_px", "outline_grey", "license")), ("bbox", box)
    front = None
    if is_frontal(view, row.get("frame")) and size is not None and {GT, GT_MASK} <= pixels.keys():
        # Without its contour, which differs where the same character stands under another id.
        front = hashlib.sha256(pixels[GT_MASK].tobytes() + pixels[GT][pixels[GT_MASK] == 255].tobytes()).digest()
    return RowFacts(uid, character_id, view, constants, digests, size, row["yaw_deg"], front, clip)


def _decode(
    uid: str, images: Mapping[str, Mapping[str, Any]], task: GroupTask, findings: Findings
) -> dict[str, Pixels]:
    """The images of a row that are whole."""
    pixels: dict[str, Pixels] = {}
    for name, image in images.items():
        data, path = image.get("bytes"), image.get("path")
        if not data:
            findings.add(IMAGES, uid, f"has no {name}")
            continue
        if task.kind != "published" and path is not None and path != f"{uid}_{name}.png":
            findings.add(IMAGES, uid, f"the file name of {name} is '{path}', not '{uid}_{name}.png'")
        elif leak := machine_path(path or "", task.folders):
            findings.add(FILES, uid, f"the file name of {name} holds a path: {leak}")
        if extra := checks.extra_chunks(data):
            findings.add(IMAGES, uid, f"{name} carries more than pixels: {', '.join(extra)}")
        mode = IMAGE_COLUMNS[name].removesuffix("A") if task.kind == "published" else IMAGE_COLUMNS[name]
        try:
            pixels[name] = png.decode(data, len(mode))
        except ValueError as error:
            findings.add(IMAGES, uid, f"{name} {error}")
    return pixels


def _check_pixels(
    row: Mapping[str, Any], pixels: Mapping[str, Pixels], task: GroupTask
) -> Iterator[tuple[str, Sequence[str]]]:
    """Problems of the images of a row, all of one size, by check; images that could not be read are not checked."""
    height, width = next(iter(pixels.values())).shape[:2]
    if width != height:
        yield IMAGES, [f"its images are not square: {width} x {height}"]
    has_z = {COLOR, MASK, POS} <= pixels.keys()
    if task.kind == "published":
        if GT in pixels and background(pixels[GT]).all():
            yield IMAGES, ["gt shows nothing but the background"]
        if has_z:
            unfit = checks.check_composited_mask(pixels[COLOR], pixels[MASK], pixels[POS])
            yield ALPHA, unfit
            if EDGE in pixels and not unfit:
                yield EDGE_CHECK, checks.check_edge(pixels[EDGE], lift(pixels[POS], pixels[MASK]))
        return
    if has_z:
        yield ALPHA, checks.check_alpha(pixels[COLOR], pixels[MASK], pixels[POS])
    # A figure may leave the frame in a clip, but not in a view.
    if {GT, GT_MASK} <= pixels.keys() and (task.kind != "clips" or pixels[GT_MASK].any() or pixels[GT].any()):
        yield CONTOUR, checks.check_contour(pixels[GT], pixels[GT_MASK], row["outline_px"], row["outline_grey"])
    if {MASK, GT_MASK} <= pixels.keys():
        yield IOU, checks.check_iou(pixels[MASK], pixels[GT_MASK], row["iou"])
    if {EDGE, POS} <= pixels.keys():
        yield EDGE_CHECK, checks.check_edge(pixels[EDGE], pixels[POS])
    low, high = row["bbox_min"], row["bbox_max"]
    at_rest = task.kind == "specsia" or row["action"] == TURNTABLE
    if not all(math.isfinite(a) and math.isfinite(b) and a <= b for a, b in zip(low, high, strict=True)):
        yield POSITION, ["bbox_min and bbox_max are no box"]
    elif at_rest and POS in pixels and width == height and math.isfinite(row["yaw_deg"]):
        yield POSITION, checks.check_position(pixels[POS], Camera(row["yaw_deg"], width), (low, high), task.pos_frame)
