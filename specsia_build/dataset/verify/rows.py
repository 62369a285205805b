"""Check one row group: the values and pixels of each row; returns what is compared between rows."""

import hashlib
import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from specsia_build.arrays import Doubles, Pixels
from specsia_build.config import COLOURED
from specsia_build.dataset import schema, truth
from specsia_build.dataset.pairs import camera_of, content_of, decode_column, is_frontal
from specsia_build.dataset.parquet import table
from specsia_build.dataset.places import Place
from specsia_build.dataset.reading import Kind, open_shard
from specsia_build.dataset.schema import ALL_IMAGES, COLOR, EDGE, GT, GT_MASK, MASK, POS, Shard
from specsia_build.dataset.verify.files import Settings, machine_path
from specsia_build.dataset.verify.report import Findings
from specsia_build.frame import POSITION_CHANNELS, Camera, decode_position
from specsia_build.registration import iou
from specsia_build.rendering.contour import MOST_THICKNESS
from specsia_build.rendering.ink import MOST_OFF_COLOUR, contour_colour, luma, off_colour
from specsia_build.rendering.positions import edge_image

Values = Mapping[str, Any]  # A row of pyarrow: value by column, an image as a mapping of `bytes` and `path`
Box = tuple[Sequence[float], Sequence[float]]  # Smallest and largest x, y, z, in units
LANDING_PX = 1.5  # Largest median distance of a position from its own pixel
DRIFT_PX = 0.6  # The same along rows or columns
LANDING_SIZE = 512  # Largest side these are for: in larger images a step of 8-bit colours spans more pixels
_FEW_PIXELS = 64  # Fewest pixels to check
_MOST_STRAYS = 0.002  # Largest share of fully covered pixels that land beyond twice the largest median
MOST_OTHER_EDGES = 1e-4
"""Share of pixels whose edge may differ, for a gradient at the threshold on another kind of processor."""

IOU_TOLERANCE = 1e-6


def extra_chunks(data: bytes) -> list[str]:
    """Names of a PNG's chunks beyond header, pixels and end; `trailing bytes` for what follows the end."""
    extra: list[str] = []
    at = 8
    kind = b""
    while at + 12 <= len(data) and kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        at += 12 + length
        extra += [kind.decode("latin-1")] if kind not in (b"IHDR", b"IDAT", b"IEND") else []
    return [*extra, "trailing bytes"] if kind == b"IEND" and at < len(data) else extra


def _coloured_outside(name: str, rgba: Pixels) -> Iterator[str]:
    """Check that an image (H, W, 4) has no colour where its alpha is 0."""
    if coloured := int(np.count_nonzero((rgba.view(np.uint32)[..., 0] != 0) & (rgba[..., 3] == 0))):
        yield f"{name} has colour in {coloured} pixels whose alpha is 0"


def check_alpha(color: Pixels, mask: Pixels, pos: Pixels) -> Iterator[str]:
    """Check that `mask` is the alpha of `color` and `pos`, and their RGB is 0 where alpha is."""
    for name, image in (("color", color), ("pos", pos)):
        if other := int(np.count_nonzero(image[..., 3] != mask)):
            yield f"mask differs from the alpha of {name} in {other} pixels"
        yield from _coloured_outside(name, image)


def check_contour(
    gt: Pixels, gt_mask: Pixels, thickness: int, colour: Sequence[int], several: bool = False
) -> Iterator[str]:
    """Check that `gt` covers `gt_mask` and has its contour, of a colour or with `several` of that mean."""
    if not gt_mask.any():
        yield "gt_mask is empty"
    elif not 1 <= thickness <= MOST_THICKNESS or not all(0 <= level <= 255 for level in colour):
        yield f"a contour of {thickness} px and colour {list(colour)} is impossible"
    else:
        yield from _coloured_outside("gt", gt)
        if bare := int(np.count_nonzero(gt[..., 3] < gt_mask)):
            yield f"gt does not cover gt_mask in {bare} pixels"
        off, mean = off_colour(gt, gt_mask, colour), contour_colour(gt, gt_mask)
        count = int(np.count_nonzero(off))
        if several and list(colour) != mean:
            yield f"the mean colour of gt outside of gt_mask is {mean}, not {list(colour)}"
        elif not several and count > MOST_OFF_COLOUR * len(off):
            where = f"{count} of {len(off)} pixels of gt outside of gt_mask"
            yield f"{where} are not of the contour's colour {list(colour)}"
        if not len(off):
            yield "gt has no contour around gt_mask"


def check_edge(edge: Pixels, pos: Pixels) -> Iterator[str]:
    """Check that `edge` is the edge image of `pos`."""
    if (other := int(np.count_nonzero(edge != edge_image(pos)))) > MOST_OTHER_EDGES * edge.size:
        yield f"edge differs in {other} pixels from the edges of pos"


def landing_errors(pos: Pixels, camera: Camera, box: Box, pos_frame: str) -> Doubles:
    """Distance of each fully covered pixel's position, projected by the camera, from its own pixel.

    The colours of `pos` (H, W, 4) span the box; with `pos_frame` `view` positions are taken after the view's
    turn (x right, y away, z up). Returns (N, 2): along columns and along rows, in pixels.
    """
    y, x = np.nonzero(pos[..., 3] == 255)
    points = decode_position(pos[y, x, :3], *box, POSITION_CHANNELS[pos_frame])
    return truth.landing(camera, points @ camera.turn() if pos_frame == "view" else points, x, y)


def check_position(pos: Pixels, camera: Camera, box: Box, pos_frame: str) -> Iterator[str]:
    """Check that positions, decoded and projected, land on the pixels that hold them."""
    errors = landing_errors(pos, camera, box, pos_frame)
    if len(errors) < _FEW_PIXELS:
        return
    grown = max(1.0, camera.size / LANDING_SIZE)
    limit, distance = LANDING_PX * grown, np.hypot(*errors.T)
    median, (right, down) = float(np.median(distance)), (float(np.median(along)) for along in errors.T)
    if median > limit or max(abs(right), abs(down)) > DRIFT_PX * grown:
        by = f"{right:.1f} px to the right and {down:.1f} px down"
        yield f"pos lands {median:.1f} px off its own pixel, {by}"
    elif (strays := int(np.count_nonzero(distance > 2 * limit))) > _MOST_STRAYS * len(distance):
        where = f"{strays} of {len(distance)} pixels"
        yield f"pos lands more than {2 * limit:.1f} px off its own pixel in {where}"


def check_iou(mask: Pixels, gt_mask: Pixels, stored: float) -> Iterator[str]:
    """Check that the stored IoU is that of the masks."""
    actual = iou(mask, gt_mask)
    if not abs(actual - stored) <= IOU_TOLERANCE:
        yield f"iou is {round(stored, 6)} but that of mask and gt_mask is {actual:.6f}"


@dataclass(frozen=True)
class RowGroup:
    """A row group by number, and the settings that its rows must fit."""

    place: Place
    shard: Shard
    number: int
    kind: Kind
    settings: Settings


@dataclass(frozen=True)
class RowFacts:
    """Values that are compared between rows."""

    values: Values  # Of the columns without images; in the published schema `uid`, `character_id` and `view`
    target: tuple[str, ...]  # SHA-256 of the bytes of `gt` and `gt_mask`, or `mask` in the published schema
    size: tuple[int, int] | None  # Width and height of the images; None if they could not be read or differ
    content: str | None  # Digest of `gt` within `gt_mask` in the frontal view; None in others


def check_group(group: RowGroup) -> tuple[list[RowFacts], Findings]:
    """Check one row group; any problem, including unreadable bytes, is returned as a finding."""
    facts: list[RowFacts] = []
    findings = Findings()
    name = group.shard.name
    rows = pa.table({})
    with (
        findings.catching("files", f"{name}, row group {group.number}"),
        open_shard(group.place, name) as opened,
    ):
        rows = table(opened, groups=[group.number])
        rows = rows.select(list(schema.columns_of(group.kind, rows.column_names)))
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
    optional = column in ALL_IMAGES or column in ("license", "fov_deg")
    return not optional and (value is None or (isinstance(value, list) and None in value))


def _check_row(row: Values, group: RowGroup, findings: Findings) -> RowFacts:
    uid = row["uid"]
    values = {name: value for name, value in row.items() if name not in ALL_IMAGES}
    stored = {name: row[name] or {} for name in ALL_IMAGES if name in row}
    view_uid = schema.row_uid(values["character_id"], values["view"])
    expected = schema.frame_uid(values["clip"], values["frame"]) if "clip" in values else view_uid
    if uid != expected:
        findings.add("views", uid, f"its uid must be {expected} by its other columns")
    config = group.shard.config
    backends = group.settings.backends if config == schema.DEFAULT_CONFIG else [config]
    if len(backends) == 1 and values["backend"] != backends[0]:
        findings.add("views", uid, f"backend is '{values['backend']}', not '{backends[0]}'")
    for name, text in (values | {name: image.get("path") for name, image in stored.items()}).items():
        if isinstance(text, str) and (path := machine_path(text)):
            findings.add("files", uid, f"{name} holds a path: {path}")
    images = _decode(uid, stored, findings)
    sizes = {name: (image.shape[1], image.shape[0]) for name, image in images.items()}
    size = next(iter(sizes.values())) if len(set(sizes.values())) == 1 else None
    content = None
    if size is None and sizes:
        listed = ", ".join(f"{name} {width} x {height}" for name, (width, height) in sizes.items())
        findings.add("images", uid, f"its images differ in size: {listed}")
    elif size is not None:
        for check, columns, problems_of in PIXEL_CHECKS:
            if images.keys() >= set(columns):
                for message in problems_of(row, group, *(images[name] for name in columns)):
                    findings.add(check, uid, message)
        if {GT, GT_MASK} <= images.keys() and is_frontal(values["view"], values.get("frame")):
            content = content_of(images[GT], images[GT_MASK])
    targets = (stored.get(name, {}).get("bytes") or b"" for name in (GT, GT_MASK))
    target = tuple(hashlib.sha256(data).hexdigest() for data in targets)
    return RowFacts(values, target, size, content)


def _decode(uid: str, stored: Mapping[str, Values], findings: Findings) -> dict[str, Pixels]:
    """Decode the intact images of a row, by column."""
    images: dict[str, Pixels] = {}
    for name, image in stored.items():
        if not image.get("bytes"):
            findings.add("images", uid, f"has no {name}")
            continue
        if image.get("path") not in (None, f"{uid}_{name}.png"):
            problem = f"the file name of {name} is '{image['path']}', not '{uid}_{name}.png'"
            findings.add("images", uid, problem)
        if extra := extra_chunks(image["bytes"]):
            findings.add("images", uid, f"{name} carries more than pixels: {', '.join(extra)}")
        with findings.catching("images", uid):
            images[name] = decode_column(image["bytes"], name)
    return images


def _contour(row: Values, group: RowGroup, gt: Pixels, gt_mask: Pixels) -> Iterator[str]:
    # A figure may leave the frame in a clip, but not in a view.
    if group.kind != "clips" or gt_mask.any() or gt.any():
        grey = row["outline_grey"]
        colour = row.get("outline_rgb", 3 * [grey])
        if luma(colour) != grey:
            yield f"outline_grey is {grey}, but the luma of outline_rgb is {luma(colour)}"
        yield from check_contour(gt, gt_mask, row["outline_px"], colour, group.settings.outline == COLOURED)


def _position(row: Values, group: RowGroup, pos: Pixels) -> Iterator[str]:
    low, high = row["bbox_min"], row["bbox_max"]
    moving = group.kind == "clips" and row["action"] != schema.TURNTABLE
    if not all(-math.inf < a <= b < math.inf for a, b in zip(low, high, strict=True)):
        yield "bbox_min and bbox_max do not form a box"
        return
    stated = {name: row[name] for name in schema.CAMERA_COLUMNS if name in row}
    numbers = [row["yaw_deg"], *(value for value in stated.values() if value is not None)]
    fov, radius = row.get("fov_deg") or 1, row.get("radius", 1)
    if not (all(map(math.isfinite, numbers)) and radius > 0 and 0 < fov < 180):
        yield f"its camera is none: yaw_deg {row['yaw_deg']}, {stated}"
    elif not moving and pos.shape[0] == pos.shape[1]:
        yield from check_position(pos, camera_of(row, len(pos)), (low, high), group.settings.pos_frame)


def _layer(column: str, row: Values, group: RowGroup, layer: Pixels, mask: Pixels) -> Iterator[str]:
    """Check a column of `truth`."""
    yield from truth.LAYER_CHECKS[column](camera_of(row, len(mask)), layer, mask)


PIXEL_CHECKS: tuple[tuple[str, Sequence[str], Callable[..., Iterator[str]]], ...] = (
    ("alpha", (COLOR, MASK, POS), lambda row, group, *images: check_alpha(*images)),
    ("contour", (GT, GT_MASK), _contour),
    ("edge", (EDGE, POS), lambda row, group, *images: check_edge(*images)),
    ("position", (POS,), _position),
    ("iou", (MASK, GT_MASK), lambda row, group, mask, gt_mask: check_iou(mask, gt_mask, row["iou"])),
    *(("position", (column, GT_MASK), partial(_layer, column)) for column in truth.LAYER_CHECKS),
)
"""Each check of a row's pixels: its name, its image columns, and its function of row, group and images."""
