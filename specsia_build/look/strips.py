"""Strips: all frames of one layer in one small picture."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil

import numpy as np
from PIL import Image

from specsia_build import png
from specsia_build.dataset.schema import COLOR, GT
from specsia_build.errors import SpecsiaError
from specsia_build.look.items import Gallery, Reader
from specsia_build.pictures.sheets import as_stored

STRIP_COLUMNS = 10  # Frames in a row of a strip
_MOST_FRAMES = 60  # Frames of a strip; of a longer clip every n-th is shown
TILES = (256, 192, 160, 128, 96, 64, 48, 32)  # Pixels on a side of a frame, unless the pictures are smaller
MOST_PIXELS = 3_500_000_000  # Pixels of all strips together, which two processors encode in about a minute
MOST_IN_ONE = 8_000_000  # Pixels of a strip with larger frames: a browser holds four bytes of each

COVER, LARGE = "cover", "large"
"""Keys beside the layers: one frame alone, shown until the strip is loaded, and Y* in larger frames."""

TYPES = {"webp": "image/webp", "png": "image/png"}  # Media type of a strip by its suffix
QUALITY, ALPHA_QUALITY = 80, 50


def strip_frames(count: int) -> range:
    """Numbers of the frames that a strip holds."""
    return range(0, count, max(1, ceil(count / _MOST_FRAMES)))


def rest_frame(frames: int, moving: bool) -> int:
    """Index in the strip of the frame for a card: the view at an eighth of a turn, or a clip's first."""
    return 0 if moving else frames // 8


def tile_of(gallery: Gallery) -> int:
    """Pixels on a side of every frame: as in the pictures, or fewer if there are many pictures."""
    size = _size_of(gallery) or TILES[0]

    def pixels(tile: int) -> int:
        total = 0
        for item in gallery.items:
            frames = len(strip_frames(item.frames))
            layers = [layer for side in item.sides.values() for layer in side.layers]
            large = large_of(tile, size, frames) or 0
            total += frames * (len(layers) * tile**2 + layers.count(GT) * large**2)
        return total

    return min(size, next((tile for tile in TILES if pixels(min(tile, size)) <= MOST_PIXELS), TILES[-1]))


def _size_of(gallery: Gallery) -> int | None:
    """Pixels on a side of the first picture of a gallery that can be read; None if there is none."""
    for item in gallery.items:
        for side in item.sides.values():
            with suppress(SpecsiaError, OSError, ValueError):
                layer = next(iter(side.layers), GT)
                (data,) = gallery.reader.read(item.id, side.name, [layer], range(1))[layer]
                return min(map(int, as_stored(data).shape[:2]))
    return None


def large_of(tile: int, size: int, frames: int) -> int | None:
    """Pixels on a side of the larger frames of Y*, at most twice a tile; None if nothing is gained."""
    large = min(2 * tile, size)
    return large if large > tile and frames * large * large <= MOST_IN_ONE else None


@dataclass(frozen=True)
class Strip:
    """An encoded picture; `suffix` names its format."""

    data: bytes
    suffix: str


@dataclass
class Strips:
    """Strips of one item by side and layer (and `COVER`, `LARGE`), and by side why it has none."""

    strips: dict[str, dict[str, Strip]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


def make_strips(
    reader: Reader,
    key: str,
    sides: Mapping[str, Sequence[str]],
    frames: Sequence[int],
    tile: int,
    rest: int = 0,
) -> Strips:
    """Make the strips of one item; pictures that cannot be read are listed in `problems`.

    `sides` has layers by side, `frames` their numbers, `tile` pixels on a side of each, and `rest` the index
    of the cover among them.
    """
    result = Strips()
    for side, layers in sides.items():
        strips = result.strips[side] = {}
        try:
            read = reader.read(key, side, layers, frames) if frames and layers else {}
            for layer, images in read.items():
                tiles = {layer: tile}
                size = min(as_stored(images[0]).shape[:2])
                if layer == GT and (large := large_of(tile, size, len(images))):
                    tiles[LARGE] = large
                strips |= {name: _encoded(sheet) for name, sheet in _sheets(images, tiles).items()}
                if COVER not in strips and layer in (GT, COLOR) and len(images) > 1:
                    strips[COVER] = strip_of([images[rest]], tile)
        except (SpecsiaError, OSError, ValueError) as error:
            strips.clear()
            result.problems[side] = f"its pictures cannot be read: {error}"
    return result


def strip_of(images: Sequence[bytes], tile: int) -> Strip:
    """Put PNGs in one picture: rows of `STRIP_COLUMNS`, each in a square of `tile` pixels."""
    return _encoded(_sheets(images, {"": tile})[""])


def _sheets(images: Sequence[bytes], tiles: Mapping[str, int]) -> dict[str, Image.Image]:
    """Put PNGs in one picture, for each of several sizes of tiles, the smallest first."""
    sheets: dict[str, Image.Image] = {}
    # One at a time, as frames may be large.
    for k, data in enumerate(images):
        column, row = k % STRIP_COLUMNS, k // STRIP_COLUMNS
        sized = zip(tiles.items(), _scaled(data, list(tiles.values())), strict=True)
        for (name, tile), (scaled, left, top) in sized:
            if name not in sheets:
                size = tile * min(STRIP_COLUMNS, len(images)), tile * ceil(len(images) / STRIP_COLUMNS)
                sheets[name] = Image.new(scaled.mode, size)
            sheets[name].paste(scaled, (tile * column + left, tile * row + top))
    return sheets


def _scaled(data: bytes, tiles: Sequence[int]) -> Iterator[tuple[Image.Image, int, int]]:
    """Scale a PNG to each of several squares; yields it with its left and top pixel in the square."""
    picture = as_stored(data)
    (height, width), side = picture.shape[:2], max(picture.shape[:2])
    image = Image.fromarray(picture)
    # Premultiplied, so that transparent pixels do not tint the edges.
    ready = image.convert("RGBa") if image.mode == "RGBA" and min(tiles) < side else image
    for tile in tiles:
        wide, high = (max(1, round(n * tile / side)) for n in (width, height))
        small = image
        if tile != side:
            small = ready.resize((wide, high), Image.Resampling.HAMMING, reducing_gap=1.0)
        yield small.convert(image.mode), (tile - wide) // 2, (tile - high) // 2


def _encoded(strip: Image.Image) -> Strip:
    """Encode as WebP, or as PNG if grey, which is lossless and ten times as fast."""
    if strip.mode == "L":
        return Strip(png.encode(np.asarray(strip)), "png")
    stream = io.BytesIO()
    strip.save(stream, "WEBP", quality=QUALITY, method=0, alpha_quality=ALPHA_QUALITY)
    return Strip(stream.getvalue(), "webp")
