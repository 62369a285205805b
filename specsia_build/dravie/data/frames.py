"""A split's pictures decoded once into flat memory-mapped arrays, from which patches are cut.

A row keeps only the box of its foreground, as interleaved bytes: Z (RGBA), Zpos (RGB), Y* (RGBA), the
silhouette of Y*, the drawing looked up by position (12) and the colour of its contour (RGB). Outside the box
there is nothing. Foreground, where patches are centred, is every pixel within `REACH` of Zmask or of Y*: a
reconstruction that falls short must be grown to where Y* is.
"""

import hashlib
import io
import json
import mmap
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, NamedTuple

import msgspec
import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from specsia_build import terminal
from specsia_build.arrays import Mask, Pixels
from specsia_build.config import cores
from specsia_build.dataset.pairs import Pair, decode_pair, is_frontal, pair_at, pair_columns
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dravie.config import REACH
from specsia_build.dravie.drawing import NO_DRAWING, Drawing, near
from specsia_build.errors import SpecsiaError, WriteError, some
from specsia_build.files.writing import replacing_folder, writing
from specsia_build.folders import use, user_cache
from specsia_build.pictures.masks import box_around
from specsia_build.pool import map_ahead
from specsia_build.rendering.ink import MOST_OFF_COLOUR, off_colour

CACHE_VERSION = 8  # Of the files' layout and of what rows are decoded to; part of their fingerprint
PIXEL_BYTES = 27
MOST_DECODERS = 16  # Threads that decode rows, on a machine of as many cores
KEPT = 8  # Drawings cached in memory, about 10 MB each
PIXELS = "pixels.bin"
RUNS = "runs.bin"
INDEX = "index.json"


def frontal_rows(dataset: OpenedDataset, config: str, splits: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Return the split and the number of the first frontal row, see `is_frontal`, of each character."""
    rows: dict[str, tuple[str, int]] = {}
    columns = [name for name in ("uid", "character_id", "view", "frame") if name in dataset.columns]
    for split in splits:
        for number, row in enumerate(dataset.stream(config, split, columns)):
            if is_frontal(row["view"], row.get("frame")):
                rows.setdefault(row["character_id"], (split, number))
    return rows


class DrawnPair(NamedTuple):
    """A view, and the drawing of its character."""

    pair: Pair
    drawing: Drawing = NO_DRAWING


class Drawings:
    """Drawings of one configuration's characters, whose frontal views are in some splits; prepared on demand.

    Threads may prepare several characters at once.
    """

    def __init__(self, dataset: OpenedDataset, config: str, splits: Sequence[str]) -> None:
        rows = frontal_rows(dataset, config, splits)

        @lru_cache(maxsize=KEPT)
        def prepare(character_id: str) -> Drawing:
            places = dataset.keeps_places(config, character_id)
            drawing = Drawing.of(pair_at(dataset, config, *rows[character_id]), places)
            _ = drawing.reference  # computed here, under the lock, and not by two threads at once
            return drawing

        self._prepare, self._locks = prepare, {name: Lock() for name in rows}

    def of(self, character_id: str) -> Drawing:
        """Return the drawing of a character; `NO_DRAWING` if it has no frontal view."""
        if character_id not in self._locks:
            return NO_DRAWING
        with self._locks[character_id]:
            return self._prepare(character_id)


class Extent(NamedTuple):
    """Location of a row; the columns of `FrameArrays.extents`.

    Attributes:
        offset: first byte in `pixels`.
        top, left, height, width: box of the foreground in the frame, in pixels.
        first_run, runs, centres: first run, number of runs and pixels of the foreground.
        thickness: code of the thickness of the drawing's contour, see `Drawing`.
        ink: colour of the contour of Y*, `0xRRGGBB`; -1 where it cannot be removed.
    """

    offset: int
    top: int
    left: int
    height: int
    width: int
    first_run: int
    runs: int
    centres: int
    thickness: int
    ink: int


@dataclass(frozen=True)
class FrameArrays:
    """Decoded rows.

    Attributes:
        pixels: flat uint8, `PIXEL_BYTES` a pixel, the boxes of all rows one after the other.
        runs: (R, 3) int32, horizontal runs of the foreground: number of the row's foreground pixels before
            the run, and the y and x in the box at which it begins.
        extents: (N, 10) int64, an `Extent` a row.
        views: character's id and `Pair.content` of each row.
    """

    pixels: Pixels
    runs: NDArray[np.int32]
    extents: NDArray[np.int64]
    views: Sequence[tuple[str, str]]

    def __len__(self) -> int:
        return len(self.extents)


class _Index(msgspec.Struct):
    """Index of a cache: file sizes in bytes, rows (see `FrameArrays`), and uids of rows that show nothing."""

    sizes: dict[str, int]
    views: list[tuple[str, str]]
    extents: list[Extent]
    empty: list[str]


class _Box(NamedTuple):
    """Foreground of a row; the extent counts from byte and run 0, and is None if Z or Y* is empty."""

    uid: str
    view: tuple[str, str]
    pixels: Pixels
    runs: NDArray[np.int32]
    extent: Extent | None


def _cut_out(pair: Pair, drawing: Drawing, where: Mask | None = None) -> _Box:
    """Cut out the foreground of a pair. Patches are centred only where `where` is true."""
    row = pair.uid, (pair.character_id, pair.content)
    if not (pair.z[..., 3].any() and pair.gt[..., 3].any()):
        return _Box(*row, pair.z, np.zeros((0, 3), np.int32), None)
    foreground: Mask = np.maximum(pair.z[..., 3], pair.gt[..., 3]) > 0
    box = rows, columns = box_around(foreground, REACH)
    centres = near(foreground[box], REACH)
    if where is not None:
        centres &= where[box]
    edges = np.diff(centres.astype(np.int8), axis=1, prepend=0, append=0)
    y, begin = np.nonzero(edges == 1)
    lengths = np.nonzero(edges == -1)[1] - begin
    runs = np.stack([np.cumsum(lengths) - lengths, y, begin], axis=1).astype(np.int32)
    silhouette = pair.gt[..., 3] if pair.gt_mask is None else pair.gt_mask
    looked_up = drawing.look_up(pair.pos[box], pair.z[box])
    layers = [pair.z[box], pair.pos[box][..., :3], pair.gt[box], silhouette[box][..., None], looked_up]
    layers.append(drawing.ink.around(pair.z[box]))
    sides = rows.stop - rows.start, columns.stop - columns.start
    place = 0, rows.start, columns.start, *sides, 0, len(runs), int(lengths.sum())
    extent = Extent(*place, drawing.thickness, _removable(pair))
    return _Box(*row, np.concatenate(layers, axis=2), runs, extent)


def _removable(pair: Pair) -> int:
    """Colour of the contour of Y* if that can be removed, see `Extent`: if it is known and the only one."""
    if pair.gt_mask is None or pair.outline_rgb is None:
        return -1
    off = off_colour(pair.gt, pair.gt_mask, pair.outline_rgb)
    if np.count_nonzero(off) > MOST_OFF_COLOUR * len(off):
        return -1
    red, green, blue = pair.outline_rgb
    return red << 16 | green << 8 | blue


def _write(boxes: Iterable[_Box], pixels: BinaryIO, runs: BinaryIO) -> _Index:
    """Write boxes to two files and return their index, without sizes."""
    index = _Index({}, [], [], [])
    offset = first_run = 0
    for box in boxes:
        if box.extent is None:
            index.empty.append(box.uid)
            continue
        index.views.append(box.view)
        index.extents.append(box.extent._replace(offset=offset, first_run=first_run))
        offset += pixels.write(box.pixels.data)
        runs.write(box.runs.data)
        first_run += len(box.runs)
    return index


def frames_of(
    pairs: Iterable[Pair], drawing: Drawing = NO_DRAWING, where: NDArray[np.bool_] | None = None
) -> FrameArrays:
    """Keep pairs of one character, and its drawing, in memory.

    `where` (H, W) is true where patches may be centred, by default anywhere in the foreground. Raises
    `SpecsiaError` if a pair has no such pixel.
    """
    boxes = [_cut_out(pair, drawing, where) for pair in pairs]
    if blank := [box.uid for box in boxes if box.extent is None or box.extent.centres == 0]:
        raise SpecsiaError(f"'{blank[0]}' is all background in Z or in Y*: there is nothing to learn from it")
    pixels, runs = io.BytesIO(), io.BytesIO()
    index = _write(boxes, pixels, runs)
    flat, spans = np.frombuffer(pixels.getbuffer(), np.uint8), np.frombuffer(runs.getbuffer(), np.int32)
    return FrameArrays(flat, spans.reshape(-1, 3), np.array(index.extents, np.int64), index.views)


def open_frames(dataset: OpenedDataset, config: str, split: str) -> FrameArrays:
    """Open the decoded rows of a split; they are decoded into the user's cache first if necessary.

    Raises `SpecsiaError` if the dataset cannot be read, all rows are empty, or the cache cannot be written.
    """
    # The digest is that of what was packed. A shard that was cut off or replaced since then has another size,
    # and the dataset card that assigns shards to splits may have been edited.
    shards = [
        (s.name, dataset.files[s.name]) for s in dataset.shards if (s.config, s.split) == (config, split)
    ]
    key = json.dumps([CACHE_VERSION, dataset.digest(), config, split, shards])
    cache = user_cache() / "frames" / hashlib.sha256(key.encode()).hexdigest()[:24]
    try:
        with writing(cache):
            cache.parent.mkdir(parents=True, exist_ok=True)
            # Processes that train together decode the split once.
            with FileLock(cache.with_suffix(".lock")):
                index = _complete(cache) or _decode(dataset, config, split, cache)
        use(cache)
    except WriteError as error:
        raise WriteError(f"{error}; or set XDG_CACHE_HOME to a folder with room") from error
    if index.empty:
        terminal.say(
            f"rows of {split} that are all background in Z or in Y* are left out: {some(index.empty, 3)}"
        )
    if not index.views:
        raise SpecsiaError(
            f"no row of the split '{split}' of {dataset.where} shows anything in both Z and Y*"
        )
    with (cache / PIXELS).open("rb") as stream:
        mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    # A patch consists of scattered lines, so that read-ahead is useless.
    mapped.madvise(mmap.MADV_RANDOM)
    runs = np.memmap(cache / RUNS, np.int32, mode="r").view(np.ndarray).reshape(-1, 3)
    return FrameArrays(np.frombuffer(mapped, np.uint8), runs, np.array(index.extents, np.int64), index.views)


def _complete(cache: Path) -> _Index | None:
    """Index of a cache, None if it is not complete."""
    try:
        index = msgspec.json.decode((cache / INDEX).read_bytes(), type=_Index)
        complete = all((cache / file).stat().st_size == index.sizes[file] for file in (PIXELS, RUNS))
    except (OSError, ValueError, KeyError, RecursionError):
        return None
    return index if complete else None


def _decode(dataset: OpenedDataset, config: str, split: str, cache: Path) -> _Index:
    """Decode a split and write its cache atomically."""
    drawings, decoders = Drawings(dataset, config, (split,)), min(cores(), MOST_DECODERS)

    def cut_out(row: dict[str, Any]) -> _Box:
        pair = decode_pair(row)
        return _cut_out(pair, drawings.of(pair.character_id))

    def rows() -> Iterator[dict[str, Any]]:
        for row in dataset.stream(config, split, pair_columns(dataset)):
            yield row
            advance()

    with (
        replacing_folder(cache, lambda folder: _complete(folder) is not None) as temporary,
        terminal.bar(f"decode {split}", dataset.splits(config).get(split, 0)) as advance,
        ThreadPoolExecutor(decoders) as pool,
    ):
        boxes = map_ahead(pool, cut_out, rows(), 2 * decoders)
        with (temporary / PIXELS).open("wb") as pixels, (temporary / RUNS).open("wb") as runs:
            index = _write(boxes, pixels, runs)
        index.sizes = {file: (temporary / file).stat().st_size for file in (PIXELS, RUNS)}
        (temporary / INDEX).write_bytes(msgspec.json.encode(index))
    return index
