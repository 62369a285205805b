"""Strips: all frames of one layer in one small picture."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil, gcd, lcm

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build import png
from specsia_build.dataset.schema import COLOR, GT, GT_MASK, MASK
from specsia_build.errors import SpecsiaError
from specsia_build.films import Pixels
from specsia_build.look.items import TARGET, Gallery, Reader
from specsia_build.sheets import as_stored

COLUMNS = 10
"""Frames in a row of a strip."""

MOST_FRAMES = 60
"""Frames of a strip; of a longer clip every n-th is shown."""

TILES = (256, 192, 160, 128, 96, 64, 48, 32)
"""Pixels on a side of a frame, if the pictures are no smaller."""

MOST_PIXELS = 3_500_000_000
"""Pixels of all strips together: two processors encode them in about a minute."""

MOST_IN_ONE = 8_000_000
"""Pixels of a strip with larger frames: a browser holds four bytes of each."""

COVER, LARGE = "cover", "large"
"""Keys beside the layers: one frame alone, which is shown until the strip is loaded, and Y* in larger frames."""

TYPES = {"webp": "image/webp", "png": "image/png"}
"""Media type of a strip by its suffix."""

QUALITY, ALPHA_QUALITY = 80, 50

_OPAQUE_BLACK = 0xFF000000

_LEVELS, _SHARE = 32, 0.005
"""Levels of a channel by which colours are told apart, and the share of the figure that a colour must cover."""


def shown_frames(count: int) -> range:
    """Numbers of the frames that a strip holds."""
    return range(0, count, max(1, ceil(count / MOST_FRAMES)))


def rest_frame(frames: int, moving: bool) -> int:
    """Number among the shown frames of the one that a card shows: a view from an eighth of a turn, a clip's first."""
    return 0 if moving else frames // 8


def size_of(gallery: Gallery) -> int | None:
    """Pixels on a side of a gallery's pictures, of the first that can be read; None if there is none."""
    for item in gallery.items:
        for side in item.sides.values():
            with suppress(SpecsiaError, OSError, ValueError):
                layer = next(iter(side.layers), GT)
                (data,) = gallery.reader.read(item.id, side.name, [layer], range(1))[layer]
                return min(map(int, as_stored(data).shape[:2]))
    return None


def tile_of(gallery: Gallery) -> int:
    """Pixels on a side of every frame: those of the pictures, but less the more there are."""
    size = size_of(gallery) or TILES[0]
    fitting = (tile for tile in TILES if _pixels_of(gallery, min(tile, size), size) <= MOST_PIXELS)
    return min(size, next(fitting, TILES[-1]))


def large_of(tile: int, size: int, frames: int) -> int | None:
    """Pixels on a side of the larger frames of Y*, at most twice the others'; None where there is nothing to gain."""
    large = min(2 * tile, size)
    return large if large > tile and frames * large * large <= MOST_IN_ONE else None


def _pixels_of(gallery: Gallery, tile: int, size: int) -> int:
    pixels = 0
    for item in gallery.items:
        frames = len(shown_frames(item.frames))
        larger = (large_of(tile, size, frames) or 0) ** 2
        layers = [layer for side in item.sides.values() for layer in side.layers]
        pixels += frames * (len(layers) * tile**2 + layers.count(GT) * larger)
    return pixels


@dataclass(frozen=True)
class Strip:
    """A picture, encoded; `suffix` names the format."""

    data: bytes
    suffix: str


@dataclass
class Made:
    """Strips of one item.

    Attributes:
        key: id of the item, or key of a lost one.
        strips: by side and layer, and `COVER` and `LARGE`.
        problems: by side, why it has none.
        numbers: `coverage` and `colours` of the target's first frame.
    """

    key: str
    strips: dict[str, dict[str, Strip]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)


def make(
    reader: Reader, key: str, sides: Mapping[str, Sequence[str]], frames: Sequence[int], tile: int, rest: int = 0
) -> Made:
    """Make the strips of one item; what cannot be read is told in `problems`.

    Args:
        reader: of its pictures.
        key: of it.
        sides: layers by side.
        frames: numbers of them.
        tile: pixels on a side of each.
        rest: place of the cover among them.
    """
    made = Made(key)
    for side, layers in sides.items():
        strips: dict[str, Strip] = {}
        first: dict[str, Pixels] = {}
        try:
            stored = reader.read(key, side, layers, frames) if frames and layers else {}
            for layer, images in stored.items():
                first[layer] = as_stored(images[0])
                tiles = {layer: tile}
                if layer == GT and (larger := large_of(tile, min(first[layer].shape[:2]), len(images))):
                    tiles[LARGE] = larger
                strips |= {name: encoded(sheet) for name, sheet in _sheets(images, tiles).items()}
                if COVER not in strips and layer in (GT, COLOR) and len(images) > 1:
                    strips[COVER] = strip_of([images[rest]], tile)
        except (SpecsiaError, OSError, ValueError) as error:
            made.problems[side] = f"its pictures cannot be read: {error}"
        made.strips[side] = strips
        if side == TARGET:
            made.numbers = _figures(first)
    return made


def strip_of(images: Sequence[bytes], tile: int) -> Strip:
    """All PNGs in one picture: rows of `COLUMNS`, each in a square of `tile` pixels."""
    (sheet,) = _sheets(images, {"": tile}).values()
    return encoded(sheet)


def _sheets(images: Sequence[bytes], tiles: Mapping[str, int]) -> dict[str, Image.Image]:
    """All PNGs in one picture, for each of several tiles, the smallest first."""
    sheets: dict[str, Image.Image] = {}
    # One at a time, since frames may be large.
    for k, data in enumerate(images):
        column, row = k % COLUMNS, k // COLUMNS
        fits = _fitted(as_stored(data), tiles.values())
        for (name, tile), (fitted, left, top) in zip(tiles.items(), fits, strict=True):
            if name not in sheets:
                size = tile * min(COLUMNS, len(images)), tile * ceil(len(images) / COLUMNS)
                sheets[name] = Image.new(fitted.mode, size)
            sheets[name].paste(fitted, (tile * column + left, tile * row + top))
    return sheets


def encoded(strip: Image.Image) -> Strip:
    """A WebP; a PNG of grey pictures, which is lossless and ten times as fast."""
    if strip.mode == "L":
        return Strip(png.encode(np.asarray(strip)), "png")
    stream = io.BytesIO()
    strip.save(stream, "WEBP", quality=QUALITY, method=0, alpha_quality=ALPHA_QUALITY)
    return Strip(stream.getvalue(), "webp")


def _fitted(picture: Pixels, tiles: Collection[int]) -> Iterator[tuple[Image.Image, int, int]]:
    """A picture scaled to each of several squares, the smallest first, and its place; clear borders may be cut."""
    (height, width), side = picture.shape[:2], max(picture.shape[:2])
    scaled_down = picture.shape[2:] == (4,) and min(tiles) < side
    left, top, right, bottom = _drawn(picture, tiles) if scaled_down else (0, 0, width, height)
    part = picture[top:bottom, left:right]
    # Averaged premultiplied, or clear pixels would colour the edges.
    image = Image.fromarray(part)
    ready = _premultiplied(part) if scaled_down else image
    for tile in tiles:
        across, down, wide, high = (max(1, round(n * tile / side)) for n in (width, height, right - left, bottom - top))
        small = ready.resize((wide, high), Image.Resampling.HAMMING, reducing_gap=1.0) if tile != side else image
        place = left * tile // side + (tile - across) // 2, top * tile // side + (tile - down) // 2
        yield small.convert(image.mode), *place


def _drawn(picture: Pixels, tiles: Iterable[int]) -> tuple[int, int, int, int]:
    """Box of what an RGBA picture shows, widened to where a pixel of each tile begins."""
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
    """Each pixel of an RGBA picture as one number, alpha its highest byte."""
    return np.ascontiguousarray(picture).view("<u4")[..., 0]


def _premultiplied(picture: Pixels) -> Image.Image:
    """Pillow's `RGBa` in a third of its time: opaque pixels and clear black ones stay as they are."""
    pixels = np.array(picture, order="C")
    partly = np.flatnonzero(_words(pixels) - 1 < _OPAQUE_BLACK - 1)
    if len(partly):
        flat = pixels.reshape(-1, 4)
        flat[partly] = np.asarray(Image.fromarray(flat[partly][None]).convert("RGBa"))
    return Image.frombuffer("RGBa", picture.shape[1::-1], pixels, "raw", "RGBa", 0, 1)


def _figures(first: Mapping[str, Pixels]) -> dict[str, float]:
    """Share of the first frame that the figure covers, and its number of colours."""
    target = first.get(GT)
    if target is None or target.shape[2:] not in ((3,), (4,)):
        return {}
    inner = first.get(GT_MASK, first.get(MASK))
    if inner is None and target.shape[2] == 4:
        inner = target[..., 3]
    if inner is None or inner.shape != target.shape[:2]:
        return {}
    levels = target[inner == 255][:, :3].astype(np.int32) * _LEVELS >> 8
    counts = np.bincount(levels @ np.array([_LEVELS * _LEVELS, _LEVELS, 1]), minlength=1)
    colours = int(np.count_nonzero(counts > _SHARE * max(1, len(levels))))
    return {"coverage": round(float(inner.mean(dtype=np.float64)) / 255, 4), "colours": colours}
