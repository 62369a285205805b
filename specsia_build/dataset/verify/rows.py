"""Checks of one row group: each row by itself, with its pixels, and the facts that are needed to compare rows."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build import png
from specsia_build.dataset import schema
from specsia_build.dataset.pairs import content_of, is_frontal, split_uid
from specsia_build.dataset.parquet import table
from specsia_build.dataset.places import Place, one_line, read_errors
from specsia_build.dataset.reading import Kind, Shard
from specsia_build.dataset.schema import COLOR, EDGE, GT, GT_MASK, IMAGE_COLUMNS, MASK, POS
from specsia_build.dataset.verify import pixels
from specsia_build.dataset.verify.files import Settings, machine_path
from specsia_build.dataset.verify.pixels import Pixels
from specsia_build.dataset.verify.report import Check, Findings
from specsia_build.frame import Camera

Values = Mapping[str, Any]
"""A row as pyarrow gives it: value by column, an image as a mapping of `bytes` and `path`."""

TURNTABLE = "turntable"
"""Action of the clips that show a character at rest, whose positions are where they are seen."""


@dataclass(frozen=True)
class Group:
    """A row group by number, what its rows must fit, and folders of this machine that no text may hold."""

    place: Place
    shard: Shard
    number: int
    kind: Kind
    settings: Settings
    folders: tuple[str, ...]


@dataclass(frozen=True)
class RowFacts:
    """Values that are compared between rows.

    Attributes:
        values: of the columns without images; in the published schema `uid`, `character_id` and `view`.
        digests: SHA-256 of each image's bytes by column, empty if there are none.
        size: width and height of the images; None if they could not be read or differ.
        content: digest of `gt` within `gt_mask` in the frontal view; None in others.
    """

    values: Values
    digests: Mapping[str, bytes]
    size: tuple[int, int] | None
    content: str | None


def check_group(group: Group) -> tuple[list[RowFacts], Findings]:
    """Check one row group; whatever is wrong with it, unreadable bytes included, comes back as findings."""
    facts: list[RowFacts] = []
    findings = Findings()
    name = group.shard.name
    try:
        with group.place.open(name) as stream, pq.ParquetFile(stream) as opened:
            rows = table(opened, groups=[group.number]).select(list(schema.COLUMNS_OF[group.kind]))
    except (*read_errors(), pa.ArrowException, ValueError) as error:
        findings.add("files", name, f"row group {group.number} cannot be read: {one_line(error)}")
        return facts, findings
    for index in range(len(rows)):
        where = f"{name}, row group {group.number}, row {index}"
        try:
            (row,) = rows.slice(index, 1).to_pylist()
            if missing := [column for column, value in row.items() if _is_missing(column, value)]:
                findings.add("schema", str(row["uid"] or where), f"has no {', '.join(missing)}")
            else:
                facts.append(_check_row(row, group, findings))
        except UnicodeDecodeError:
            findings.add("schema", where, "holds text that is not UTF-8")
        except ValueError as error:
            findings.add("views", where, str(error))
    return facts, findings


def _is_missing(column: str, value: Any) -> bool:
    optional = column in IMAGE_COLUMNS or column == "license"
    return not optional and (value is None or (isinstance(value, list) and None in value))


def _check_row(row: Values, group: Group, findings: Findings) -> RowFacts:
    """Check a row; raises ValueError if in the published schema its uid is none."""
    uid, own = row["uid"], group.kind != "published"
    values = {name: value for name, value in row.items() if name not in IMAGE_COLUMNS}
    stored = {name: row[name] or {} for name in IMAGE_COLUMNS if name in row}
    if own:
        _check_names(values, group, findings)
    else:
        values["character_id"], values["view"] = split_uid(uid)
    for name, text in (values | {name: image.get("path") for name, image in stored.items()}).items():
        if isinstance(text, str) and (path := machine_path(text, group.folders)):
            findings.add("files", uid, f"{name} holds a path: {path}")
    images = _decode(uid, stored, own, findings)
    sizes = {name: (image.shape[1], image.shape[0]) for name, image in images.items()}
    size = next(iter(sizes.values())) if len(set(sizes.values())) == 1 else None
    content = None
    if size is None and sizes:
        listed = ", ".join(f"{name} {width} x {height}" for name, (width, height) in sizes.items())
        findings.add("images", uid, f"its images differ in size: {listed}")
    elif size is not None and own:
        for check, columns, problems_of in PIXEL_CHECKS:
            if images.keys() >= set(columns):
                for message in problems_of(row, group, *(images[name] for name in columns)):
                    findings.add(check, uid, message)
        if {GT, GT_MASK} <= images.keys() and is_frontal(values["view"], values.get("frame")):
            content = content_of(images[GT], images[GT_MASK])
    data = {name: stored.get(name, {}).get("bytes") for name in IMAGE_COLUMNS}
    digests = {name: hashlib.sha256(png_bytes).digest() if png_bytes else b"" for name, png_bytes in data.items()}
    return RowFacts(values, digests, size, content)


def _check_names(values: Values, group: Group, findings: Findings) -> None:
    """Check that the uid fits the other columns, and the backend the configuration."""
    uid, clip, config = values["uid"], values.get("clip"), group.shard.config
    view_uid = schema.row_uid(values["character_id"], values["view"])
    expected = view_uid if clip is None else schema.frame_uid(clip, values["frame"])
    if uid != expected:
        findings.add("views", uid, f"its uid must be {expected} by its other columns")
    backends = group.settings.backends if config == schema.DEFAULT_CONFIG else [config]
    if len(backends) == 1 and values["backend"] != backends[0]:
        findings.add("views", uid, f"backend is '{values['backend']}', not '{backends[0]}'")


def _decode(uid: str, stored: Mapping[str, Values], own: bool, findings: Findings) -> dict[str, Pixels]:
    """The images of a row that are whole, by column; RGB instead of RGBA where they are not of our `own` schema."""
    images: dict[str, Pixels] = {}
    for name, image in stored.items():
        if not image.get("bytes"):
            findings.add("images", uid, f"has no {name}")
            continue
        if own and image.get("path") not in (None, f"{uid}_{name}.png"):
            findings.add("images", uid, f"the file name of {name} is '{image['path']}', not '{uid}_{name}.png'")
        if extra := pixels.extra_chunks(image["bytes"]):
            findings.add("images", uid, f"{name} carries more than pixels: {', '.join(extra)}")
        mode = IMAGE_COLUMNS[name] if own else IMAGE_COLUMNS[name].removesuffix("A")
        try:
            images[name] = png.decode(image["bytes"], len(mode))
        except ValueError as error:
            findings.add("images", uid, f"{name} {error}")
    return images


def _contour(row: Values, group: Group, gt: Pixels, gt_mask: Pixels) -> list[str]:
    # A figure may leave the frame in a clip, but not in a view.
    if group.kind == "clips" and not gt_mask.any() and not gt.any():
        return []
    return pixels.check_contour(gt, gt_mask, row["outline_px"], row["outline_grey"])


def _position(row: Values, group: Group, pos: Pixels) -> list[str]:
    low, high = row["bbox_min"], row["bbox_max"]
    if not all(-math.inf < a <= b < math.inf for a, b in zip(low, high, strict=True)):
        return ["bbox_min and bbox_max are no box"]
    moving = group.kind == "clips" and row["action"] != TURNTABLE
    if moving or pos.shape[0] != pos.shape[1] or not math.isfinite(row["yaw_deg"]):
        return []
    return pixels.check_position(pos, Camera(row["yaw_deg"], len(pos)), (low, high), group.settings.pos_frame)


PIXEL_CHECKS: tuple[tuple[Check, Sequence[str], Callable[..., Sequence[str]]], ...] = (
    ("alpha", (COLOR, MASK, POS), lambda row, group, *images: pixels.check_alpha(*images)),
    ("contour", (GT, GT_MASK), _contour),
    ("edge", (EDGE, POS), lambda row, group, *images: pixels.check_edge(*images)),
    ("position", (POS,), _position),
    ("iou", (MASK, GT_MASK), lambda row, group, mask, gt_mask: pixels.check_iou(mask, gt_mask, row["iou"])),
)
"""Name of each check of a row's pixels, the image columns that it needs, and its function of row, group and these."""
