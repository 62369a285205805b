"""Strips: all frames of one layer in one small picture, made in worker processes."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from math import ceil, gcd, lcm

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build import png
from specsia_build.dataset.schema import COLOR, GT, GT_MASK, MASK
from specsia_build.errors import SpecsiaError
from specsia_build.films import Pixels
from specsia_build.gallery.items import TARGET, Gallery, Reader
from specsia_build.sheets import as_stored

COLUMNS = 10
"""Frames in a row of a strip."""

MOST_FRAMES = 60
"""Of a strip; of a longer clip every so-manieth is shown, as long."""

TILES = (256, 192, 160, 128, 96, 64, 48, 32)
"""Sides that frames may have in pixels, if they are not smaller themselves."""

MOST_PIXELS = 3_500_000_000
"""Of all strips together: what two processors encode in about a minute."""

MOST_IN_ONE = 8_000_000
"""Pixels of a strip with larger frames: a browser holds four bytes of each."""

COVER = "cover"
"""Stands among the layers for the first frame of the first of them alone, which is shown before the rest is loaded."""

LARGE = "large"
"""Stands among the layers for Y* in larger frames, since it stands alone beside the layers of what is made of it."""

TYPES = {"webp": "image/webp", "png": "image/png"}
"""Media type of a strip by its suffix."""

QUALITY = 80

ALPHA_QUALITY = 50
"""Of 100; more only stores finer steps of alpha, at twice the time."""

_OPAQUE_BLACK = 0xFF000000
"""As one number, alpha the highest byte: what is opaque is not below it, and of the rest only clear black is 0."""

_LEVELS, _SHARE = 32, 0.005
"""Of a channel that colours are told apart by, and of the figure that one must cover to count."""


def shown_frames(count: int) -> range:
    """Numbers of the frames that a strip holds."""
    return range(0, count, max(1, ceil(count / MOST_FRAMES)))


def size_of(gallery: Gallery) -> int | None:
    """Pixels on a side of a gallery's pictures, as the first that can be read has them; None if there is none."""
    for item in gallery.items:
        for side in item.sides.values():
            with suppress(SpecsiaError, OSError, ValueError):
                (data,) = gallery.reader.read(item.id, side.name, next(iter(side.layers), GT), range(1))
                return min(map(int, as_stored(data).shape[:2]))
    return None


def tile_of(gallery: Gallery) -> int:
    """Pixels on a side of every frame: as its pictures are, but the more there are, the smaller."""
    size = size_of(gallery) or TILES[0]
    fitting = (tile for tile in TILES if _pixels_of(gallery, min(tile, size), size) <= MOST_PIXELS)
    return min(size, next(fitting, TILES[-1]))


def large_of(tile: int, size: int, frames: int) -> int | None:
    """Pixels on a side of so many larger frames of Y*: twice those of others, but no more than its pictures have.

    None where these have no more than others show, or where the strip would be too large for a browser.
    """
    large = min(2 * tile, size)
    return large if large > tile and frames * large * large <= MOST_IN_ONE else None


def _pixels_of(gallery: Gallery, tile: int, size: int) -> int:
    pixels = 0
    for item in gallery.items:
        frames = len(shown_frames(item.frames))
        larger = (large_of(tile, size, frames) or 0) ** 2
        pixels += frames * sum(
            len(side.layers) * tile**2 + (GT in side.layers) * larger for side in item.sides.values()
        )
    return pixels


@dataclass(frozen=True)
class Wanted:
    """What is to be made of one item.

    Attributes:
        key: of the item, or of a lost one.
        sides: layers by name of the side.
        frames: numbers of them.
    """

    key: str
    sides: Mapping[str, Sequence[str]]
    frames: range


@dataclass(frozen=True)
class Strip:
    """A picture, encoded; `suffix` says how."""

    data: bytes
    suffix: str


@dataclass
class Made:
    """What was made of one item.

    Attributes:
        key: as wanted.
        strips: by side and layer, and `COVER` and `LARGE`.
        problems: by side, sentences on why it has none.
        numbers: figures of the target in its first frame, `coverage` and `colours`.
    """

    key: str
    strips: dict[str, dict[str, Strip]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)


def wanted_of(gallery: Gallery) -> list[Wanted]:
    """What is to be made of a gallery's items, and then, as far as there is something, of those lost."""
    items = [
        Wanted(item.id, {side.name: side.layers for side in item.sides.values()}, shown_frames(item.frames))
        for item in gallery.items
    ]
    lost = [
        Wanted(one.key, {} if one.side is None else {one.side.name: one.side.layers[:1]}, shown_frames(one.frames))
        for one in gallery.lost
    ]
    return items + lost


def make(task: tuple[Reader, tuple[Wanted, ...], int]) -> list[Made]:
    """Make the strips of some items, with tiles of so many pixels; what cannot be read is told in `problems`."""
    reader, every, tile = task
    return [_made(reader, wanted, tile) for wanted in every]


def _made(reader: Reader, wanted: Wanted, tile: int) -> Made:
    made = Made(wanted.key)
    for side, layers in wanted.sides.items():
        strips: dict[str, Strip] = {}
        first: dict[str, Pixels] = {}
        try:
            for layer in layers if wanted.frames else ():
                stored = reader.read(wanted.key, side, layer, wanted.frames)
                first[layer] = as_stored(stored[0])
                tiles, (height, width) = {layer: tile}, first[layer].shape[:2]
                if layer == GT and (larger := large_of(tile, min(height, width), len(stored))):
                    tiles[LARGE] = larger
                # One at a time, since frames may be large.
                sheets = _sheets(chain([first[layer]], map(as_stored, stored[1:])), len(stored), tiles)
                strips |= {name: _encoded(sheet) for name, sheet in sheets.items()}
                if COVER not in strips and layer in (GT, COLOR) and len(stored) > 1:
                    strips[COVER] = strip_of([first[layer]], 1, tile)
        except (SpecsiaError, OSError, ValueError) as error:
            made.problems[side] = f"its pictures cannot be read: {error}"
        made.strips[side] = strips
        if side == TARGET:
            made.numbers = _figures(first)
    return made


def strip_of(pictures: Iterable[Pixels], count: int, tile: int) -> Strip:
    """All frames of a layer in one picture: rows of `COLUMNS`, each frame in a square of `tile` pixels.

    Args:
        pictures: (H, W) or (H, W, C) uint8 each, straight alpha; taken one at a time.
        count: how many, at least one.
        tile: pixels on a side.

    Returns:
        A WebP; a PNG of grey pictures, which loses nothing and takes a tenth of the time.
    """
    return _encoded(*_sheets(pictures, count, {"": tile}).values())


def _sheets(pictures: Iterable[Pixels], count: int, tiles: Mapping[str, int]) -> dict[str, Image.Image]:
    """All frames in one picture, and that for each of several tiles, the smallest first."""
    sheets: dict[str, Image.Image] = {}
    for k, picture in enumerate(pictures):
        column, row = k % COLUMNS, k // COLUMNS
        for (name, tile), (fitted, left, top) in zip(tiles.items(), _fitted(picture, tiles.values()), strict=True):
            if name not in sheets:
                sheets[name] = Image.new(fitted.mode, (tile * min(COLUMNS, count), tile * ceil(count / COLUMNS)))
            sheets[name].paste(fitted, (tile * column + left, tile * row + top))
    return sheets


def _encoded(strip: Image.Image) -> Strip:
    if strip.mode == "L":
        return Strip(png.encode(np.asarray(strip)), "png")
    stream = io.BytesIO()
    strip.save(stream, "WEBP", quality=QUALITY, method=0, alpha_quality=ALPHA_QUALITY)
    return Strip(stream.getvalue(), "webp")


def _fitted(picture: Pixels, tiles: Collection[int]) -> Iterator[tuple[Image.Image, int, int]]:
    """A picture as it fits into each of several squares, the smallest first, and where; what is clear may lack."""
    (height, width), side = picture.shape[:2], max(picture.shape[:2])
    scaled_down = picture.shape[2:] == (4,) and min(tiles) < side
    left, top, right, bottom = _drawn(picture, tiles) if scaled_down else (0, 0, width, height)
    part = picture[top:bottom, left:right]
    # Averaged as premultiplied, or what is clear would colour the edges.
    image = Image.fromarray(part)
    ready = _premultiplied(part) if scaled_down else image
    for tile in tiles:
        across, down, wide, high = (max(1, round(n * tile / side)) for n in (width, height, right - left, bottom - top))
        small = ready.resize((wide, high), Image.Resampling.HAMMING, reducing_gap=1.0) if tile != side else image
        place = left * tile // side + (tile - across) // 2, top * tile // side + (tile - down) // 2
        yield small.convert(image.mode), *place


def _drawn(picture: Pixels, tiles: Collection[int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what an RGBA picture shows, and some more, where a pixel of each tile begins."""
    side = max(picture.shape[:2])
    # Pillow first averages over a whole number of pixels, then makes the tile's pixels of those.
    step = lcm(*(n for tile in tiles for n in (side // tile, side // gcd(side, tile))))
    words = _words(picture)
    columns, rows = (np.flatnonzero(np.bitwise_or.reduce(words, axis)) for axis in (0, 1))
    if not len(rows):
        columns = rows = np.zeros(1, np.intp)
    low = [max(0, int(found[0]) // step - 1) * step for found in (columns, rows)]
    high = [(int(found[-1]) // step + 2) * step for found in (columns, rows)]
    return low[0], low[1], min(high[0], picture.shape[1]), min(high[1], picture.shape[0])


def _words(picture: Pixels) -> NDArray[np.uint32]:
    """Each pixel of an RGBA picture as one number, (H, W) uint32, alpha its highest byte."""
    return np.ascontiguousarray(picture).view("<u4")[..., 0]


def _premultiplied(picture: Pixels) -> Image.Image:
    """What Pillow makes of RGBA, in a third of its time: it need not look at what is opaque, nor at clear black."""
    pixels = np.array(picture, order="C")
    partly = np.flatnonzero(_words(pixels) - 1 < _OPAQUE_BLACK - 1)
    if len(partly):
        flat = pixels.reshape(-1, 4)
        flat[partly] = np.asarray(Image.fromarray(flat[partly][None]).convert("RGBa"))
    return Image.frombuffer("RGBa", picture.shape[1::-1], pixels, "raw", "RGBa", 0, 1)


def _figures(first: Mapping[str, Pixels]) -> dict[str, float]:
    """Share of the first frame that the figure covers, and how many colours cover enough of it to count."""
    target = first.get(GT)
    if target is None or target.shape[2:] not in ((3,), (4,)):
        return {}
    inner = next((first[layer] for layer in (GT_MASK, MASK) if layer in first), None)
    if inner is None:
        if target.shape[2] < 4:
            return {}
        inner = target[..., 3]
    if inner.shape != target.shape[:2]:
        return {}
    coverage = float(inner.mean(dtype=np.float64)) / 255
    levels = target[inner == 255][:, :3].astype(np.int32) * _LEVELS >> 8
    counts = np.bincount(levels @ np.array([_LEVELS * _LEVELS, _LEVELS, 1]), minlength=1)
    colours = int(np.count_nonzero(counts > _SHARE * max(1, len(levels))))
    return {"coverage": round(coverage, 4), "colours": colours}
