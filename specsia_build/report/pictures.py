"""Small pictures for the page: read from artefacts, scaled down, written as data URIs."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from specsia_build import png
from specsia_build.dataset import schema
from specsia_build.dataset.images import overlay_image
from specsia_build.dataset.layers import view_file
from specsia_build.errors import SpecsiaError
from specsia_build.frame import view_yaws
from specsia_build.pipeline.failures import Failure
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.store import read_artefact
from specsia_build.registration import iou
from specsia_build.report.choose import spread_views
from specsia_build.report.facts import BuiltCharacter, Facts
from specsia_build.stages import project, render

QUALITY = 82

PAIR = {schema.COLOR: "Z", schema.MASK: "Zmask", schema.POS: "Zpos", schema.EDGE: "edge"}
"""Heading of each picture of a pair that a backend gives."""

TARGET = "Y*"
OVERLAY = "silhouettes"


@dataclass(frozen=True)
class Tile:
    """One picture.

    Attributes:
        heading: of its column.
        backend: that it comes from, or None.
        uri: of its data.
        pixels: on a side.
    """

    heading: str
    backend: str | None
    uri: str
    pixels: int


@dataclass(frozen=True)
class ViewRow:
    """The pictures of one view, left to right, and its IoU by backend."""

    view: int
    yaw: float
    ious: Mapping[str, float]
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Strip:
    """The pictures of one character; `problem` says why there are none."""

    rows: tuple[ViewRow, ...] = ()
    problem: str | None = None


def thumbnail(image: Image.Image, pixels: int) -> tuple[str, int]:
    """A data URI of an image scaled down to `pixels` on a side, and the side that it has."""
    side = min(pixels, image.width)
    small = image if side == image.width else image.resize((side, side), Image.Resampling.HAMMING)
    stream = io.BytesIO()
    small.save(stream, "WEBP", quality=QUALITY, method=4, alpha_quality=90)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode(), side


def tile(data: bytes, heading: str, backend: str | None, pixels: int) -> Tile:
    """A PNG, scaled down to `pixels` on a side."""
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        return Tile(heading, backend, *thumbnail(image, pixels))


def _overlay_tile(mask: bytes, gt_mask: bytes, backend: str, pixels: int) -> Tile:
    shown = overlay_image(png.decode(mask, 1), png.decode(gt_mask, 1))
    return Tile(OVERLAY, backend, *thumbnail(Image.fromarray(shown), pixels))


def pair_strip(made: BuiltCharacter, facts: Facts, layout: RunLayout, views: Sequence[int], pixels: int) -> Strip:
    """Z, Zmask, Zpos and edge of each backend beside Y*."""
    yaws = view_yaws(facts.config.views)
    try:
        clean = read_artefact(layout.artefact(render.STAGE, None, made.id), made.id)
        tiles: dict[int, list[Tile]] = {view: [] for view in views}
        for name in made.results:
            files = read_artefact(layout.artefact(project.STAGE, name, made.id), made.id).files
            for view in views:
                for kind, heading in PAIR.items():
                    tiles[view].append(tile(files[view_file(kind, view)], heading, name, pixels))
        for view in views:
            tiles[view].append(tile(clean.files[view_file(schema.GT, view)], TARGET, None, pixels))
    except (SpecsiaError, KeyError, OSError, ValueError) as error:
        return Strip(problem=f"its pictures cannot be read: {error}")
    ious = {v: {name: result.ious[v] for name, result in made.results.items()} for v in views}
    return Strip(tuple(ViewRow(view, yaws[view], ious[view], tuple(tiles[view])) for view in views))


def worst_strip(made: BuiltCharacter, backend: str, facts: Facts, layout: RunLayout, count: int, pixels: int) -> Strip:
    """The views of one backend's result that meet Y* least, with the silhouettes laid over each other."""
    ious = made.results[backend].ious
    views = sorted(_worst_views(ious)[:count])
    try:
        clean = read_artefact(layout.artefact(render.STAGE, None, made.id), made.id).files
        files = read_artefact(layout.artefact(project.STAGE, backend, made.id), made.id).files
        return Strip(tuple(_compared(views, backend, files, clean, facts, pixels)))
    except (SpecsiaError, KeyError, OSError, ValueError) as error:
        return Strip(problem=f"its pictures cannot be read: {error}")


def _worst_views(ious: Sequence[float]) -> list[int]:
    """Views, the lowest IoU first; of two opposite ones, whose silhouettes mirror each other, only one."""
    ordered = sorted(range(len(ious)), key=lambda view: (ious[view], view))
    half = len(ious) // 2 if len(ious) % 2 == 0 else len(ious)
    first: dict[int, int] = {}
    for view in ordered:
        first.setdefault(view % half, view)
    return list(first.values())


def quarantined_strip(failure: Failure, facts: Facts, layout: RunLayout, count: int, pixels: int) -> Strip | None:
    """What a character looked like that was quarantined for its looks; None for one that has no pictures."""
    if failure.backend is None or failure.details is None:
        return None
    folder = layout.pictures(failure.stage, failure.backend, failure.id)
    if layout.root / failure.details != folder or not folder.is_dir():
        return None
    try:
        clean = read_artefact(layout.artefact(render.STAGE, None, failure.id), failure.id).files
        files = _Folder(folder)
        kept = [view for view in range(facts.config.views) if view_file(schema.MASK, view) in set(files)]
        views = [kept[k] for k in spread_views(len(kept), count)]
        return Strip(tuple(_compared(views, failure.backend, files, clean, facts, pixels)))
    except (SpecsiaError, KeyError, OSError, ValueError) as error:
        return Strip(problem=f"its pictures cannot be read: {error}")


class _Folder(Mapping[str, bytes]):
    """Files of a folder by name, read one at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __getitem__(self, name: str) -> bytes:
        return (self._path / name).read_bytes()

    def __iter__(self) -> Iterator[str]:
        return (path.name for path in sorted(self._path.iterdir()))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _compared(
    views: Sequence[int],
    backend: str,
    files: Mapping[str, bytes],
    clean: Mapping[str, bytes],
    facts: Facts,
    pixels: int,
) -> Iterator[ViewRow]:
    yaws = view_yaws(facts.config.views)
    for view in views:
        mask, gt_mask = files[view_file(schema.MASK, view)], clean[view_file(schema.GT_MASK, view)]
        tiles = (
            tile(files[view_file(schema.COLOR, view)], PAIR[schema.COLOR], backend, pixels),
            _overlay_tile(mask, gt_mask, backend, pixels),
            tile(clean[view_file(schema.GT, view)], TARGET, None, pixels),
        )
        yield ViewRow(view, yaws[view], {backend: iou(png.decode(mask, 1), png.decode(gt_mask, 1))}, tiles)
