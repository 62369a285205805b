"""A split's pictures decoded once into flat memory-mapped arrays, from which patches are cut without any decoding.

A row keeps only the box of its foreground, as interleaved bytes: Z (RGBA), Zpos (RGB), Y* (RGBA), the silhouette of Y*
and the drawing looked up by position (12). Outside the box there is nothing. Foreground, where patches are centred, is
every pixel within `REACH` of Zmask or of Y*: a reconstruction that falls short must be grown to where Y* is.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import mmap
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from specsia_build.dataset.pairs import PAIR_COLUMNS, Pair, decode_pair
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dravie.config import REACH
from specsia_build.dravie.data.drawings import Drawings
from specsia_build.dravie.masks import near
from specsia_build.dravie.reference import NO_DRAWING, Drawing
from specsia_build.errors import SpecsiaError, WriteError, plural, some
from specsia_build.files.records import read_json
from specsia_build.files.writing import cannot_write, replacing_folder
from specsia_build.folders import prune, use, user_cache
from specsia_build.pipeline.progress import Progress

T = TypeVar("T")
R = TypeVar("R")

VERSION = 4
"""Version of the files' layout; part of their fingerprint."""

PIXEL_BYTES = 24

RESIDENT_BYTES = 1 << 30
"""Size of a file above which pages that were read are given back now and then."""

DECODERS = 2
"""Threads that decode rows."""

FOLDER = "frames"
"""Below the user's cache folder."""

PIXELS, RUNS, INDEX = "pixels.bin", "runs.bin", "index.json"


class Extent(NamedTuple):
    """Where a row lies; the columns of `Frames.extents`.

    Attributes:
        offset: first byte in `pixels`.
        top, left, height, width: the box, in pixels of the frame.
        first_run, runs: of the foreground.
        centres: pixels of the foreground.
        frame_height, frame_width: of the frame.
        thickness, grey: of the drawing's contour, as `reference.Drawing` codes them.
        ink: grey of the contour of Y*, -1 where it cannot be taken away.
    """

    offset: int
    top: int
    left: int
    height: int
    width: int
    first_run: int
    runs: int
    centres: int
    frame_height: int
    frame_width: int
    thickness: int
    grey: int
    ink: int


@dataclass(frozen=True)
class Frames:
    """Decoded rows.

    Attributes:
        pixels: flat uint8, `PIXEL_BYTES` a pixel, the boxes of all rows one after the other.
        runs: (R, 3) int32, the foreground as horizontal runs: how many of the row's foreground pixels come before the
            run, and the y and x in the box at which it begins.
        extents: (N, 13) int64, an `Extent` for each row.
        uids, character_ids, views, contents: of each row, see `Pair` for the last.
        mapped: the file behind `pixels`, None where they are in memory.
    """

    pixels: NDArray[np.uint8]
    runs: NDArray[np.int32]
    extents: NDArray[np.int64]
    uids: tuple[str, ...]
    character_ids: tuple[str, ...]
    views: tuple[int, ...]
    contents: tuple[str, ...]
    mapped: mmap.mmap | None = None

    def __len__(self) -> int:
        return len(self.uids)

    def whole(self, row: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
        """Z, Zpos and Y* of a row, each (H, W, 4) uint8; Zpos with the alpha of Z."""
        at = Extent(*map(int, self.extents[row]))
        box = self.pixels[at.offset :][: at.height * at.width * PIXEL_BYTES].reshape(at.height, at.width, PIXEL_BYTES)
        frame = np.zeros((at.frame_height, at.frame_width, PIXEL_BYTES), np.uint8)
        frame[at.top : at.top + at.height, at.left : at.left + at.width] = box
        return frame[..., :4].copy(), frame[..., [4, 5, 6, 3]], frame[..., 7:11].copy()

    def release(self) -> None:
        """Give what was read of a large file back to the system, which keeps it as long as memory is free."""
        if self.mapped is not None and len(self.mapped) > RESIDENT_BYTES:
            self.mapped.madvise(mmap.MADV_DONTNEED)


class _Box(NamedTuple):
    """A row's foreground: pixels (height, width, `PIXEL_BYTES`), runs, and where it lies, from byte and run 0."""

    pixels: NDArray[np.uint8]
    runs: NDArray[np.int32]
    extent: Extent


def _reach(shown: NDArray[np.bool_]) -> tuple[int, int]:
    """First and last + 1 of what is shown, `REACH` farther where the frame goes on."""
    hit = np.flatnonzero(shown)
    return max(0, int(hit[0]) - REACH), min(len(shown), int(hit[-1]) + 1 + REACH)


def _cut_out(pair: Pair, drawing: Drawing, where: NDArray[np.bool_] | None = None) -> _Box | None:
    """The foreground of a pair, centred `where` that is true if given, or None where Z or Y* shows nothing."""
    shown: NDArray[np.bool_] = np.maximum(pair.z[..., 3], pair.gt[..., 3]) > 0
    if not (pair.z[..., 3].any() and pair.gt[..., 3].any()):
        return None
    (top, bottom), (left, right) = (_reach(np.asarray(shown.any(axis=a))) for a in (1, 0))
    box = np.s_[top:bottom, left:right]
    centres = near(shown[box], REACH)
    if where is not None:
        centres &= where[box]
    edges = np.diff(centres.astype(np.int8), axis=1, prepend=0, append=0)
    y, begin = np.nonzero(edges == 1)
    lengths = np.nonzero(edges == -1)[1] - begin
    runs = np.stack([np.cumsum(lengths) - lengths, y, begin], axis=1).astype(np.int32)
    silhouette = pair.gt[..., 3] if pair.gt_mask is None else pair.gt_mask
    looked_up = drawing.look_up(pair.pos[box], pair.z[box])
    pixels = np.concatenate(
        [pair.z[box], pair.pos[box][..., :3], pair.gt[box], silhouette[box][..., None], looked_up], axis=2
    )
    ink = -1 if pair.gt_mask is None or pair.outline_grey is None else pair.outline_grey
    place = 0, top, left, bottom - top, right - left, 0, len(runs), int(lengths.sum())
    height, width = pair.z.shape[:2]
    return _Box(pixels, runs, Extent(*place, height, width, *drawing.style, ink))


def frames_of(
    pairs: Iterable[Pair],
    where: Callable[[Pair], NDArray[np.bool_]] | None = None,
    drawing: Drawing = NO_DRAWING,
) -> Frames:
    """Pairs as frames in memory, without a file.

    Args:
        pairs: to keep.
        drawing: of the character that they show.
        where: gives the pixels (H, W) bool of a pair that patches may be centred at; all of the foreground if None.

    Raises:
        SpecsiaError: if a pair shows nothing, or no such pixel lies in its foreground.
    """
    kept, boxes, extents = list(pairs), list[_Box](), list[Extent]()
    offset = first_run = 0
    for pair in kept:
        box = _cut_out(pair, drawing, None if where is None else where(pair))
        if box is None or box.extent.centres == 0:
            raise SpecsiaError(f"'{pair.uid}' is all background in Z or in Y*: there is nothing to learn from it")
        boxes.append(box)
        extents.append(box.extent._replace(offset=offset, first_run=first_run))
        offset, first_run = offset + box.pixels.size, first_run + len(box.runs)
    return Frames(
        pixels=np.concatenate([box.pixels.reshape(-1) for box in boxes]),
        runs=np.concatenate([box.runs for box in boxes]),
        extents=np.array(extents, np.int64),
        uids=tuple(pair.uid for pair in kept),
        character_ids=tuple(pair.character_id for pair in kept),
        views=tuple(pair.view for pair in kept),
        contents=tuple(pair.content for pair in kept),
    )


def made_ahead(pool: Executor, make: Callable[[T], R], items: Iterable[T], most: int) -> Iterator[R]:
    """Make something of each item in threads, in their order; no more than `most` of them wait while one is used."""
    waiting = deque[Future[R]]()
    for item in items:
        waiting.append(pool.submit(make, item))
        if len(waiting) > most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def open_frames(
    dataset: OpenedDataset,
    config: str,
    split: str,
    progress: Progress,
) -> Frames:
    """The decoded rows of a split, made where they are not there yet.

    Args:
        dataset: to read.
        config: one of its configurations.
        split: one of the configuration's splits.
        progress: where a bar and remarks go.

    Raises:
        SpecsiaError: if the dataset cannot be read, no row shows anything, or the folder cannot be written.
    """
    name = _fingerprint(dataset, config, split)
    cache = user_cache() / FOLDER / name
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with cache.with_name(f"{name}.lock").open("w") as guard:
            # Several processes that train together make it once; without locks each makes it, and one remains.
            with suppress(OSError):
                fcntl.flock(guard, fcntl.LOCK_EX)
            index = _complete(cache)
            if index is None:
                index = _decode(dataset, config, split, cache, progress)
        use(cache)
        prune(cache.parent)
    except (OSError, WriteError) as error:
        why = error if isinstance(error, WriteError) else cannot_write(cache, error)
        raise WriteError(
            f"{why}; or set XDG_CACHE_HOME to a folder with room, where decoded frames are kept"
        ) from error
    if index["empty"]:
        rows, uids = plural(len(index["empty"]), "row"), some(index["empty"], 3)
        progress.say(f"{rows} of {split} left out, all background in Z or in Y*: {uids}")
    if not index["rows"]:
        raise SpecsiaError(f"no row of the split '{split}' of {dataset.where} shows anything in both Z and Y*")
    return _mapped(cache, index)


def _fingerprint(dataset: OpenedDataset, config: str, split: str) -> str:
    # The digest is that of what was packed, which a shard that was cut off or replaced since then is not; and which
    # shards a split has, a card says that may have been edited.
    of = [(s.name, dataset.files[s.name]) for s in dataset.shards if (s.config, s.split) == (config, split)]
    return hashlib.sha256(json.dumps([VERSION, dataset.digest(), config, split, of]).encode()).hexdigest()[:24]


def _complete(cache: Path) -> dict[str, Any] | None:
    """The index of a cache that is there and whole."""
    try:
        index: dict[str, Any] = read_json(cache / INDEX)
        whole = all((cache / file).stat().st_size == size for file, size in index["sizes"].items())
    except (OSError, SpecsiaError, KeyError, TypeError, AttributeError):
        return None
    return index if whole else None


def _mapped(cache: Path, index: dict[str, Any]) -> Frames:
    with (cache / PIXELS).open("rb") as stream:
        mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    # A patch is scattered lines: what the system would read ahead is of no use.
    mapped.madvise(mmap.MADV_RANDOM)
    uids, character_ids, views, contents = zip(*index["rows"], strict=True)
    return Frames(
        pixels=np.frombuffer(mapped, np.uint8),
        runs=np.memmap(cache / RUNS, np.int32, mode="r").view(np.ndarray).reshape(-1, 3),
        extents=np.array(index["extents"], np.int64),
        uids=uids,
        character_ids=character_ids,
        views=views,
        contents=contents,
        mapped=mapped,
    )


def _decode(dataset: OpenedDataset, config: str, split: str, cache: Path, progress: Progress) -> dict[str, Any]:
    """Write the cache whole or not at all."""
    rows: list[tuple[str, str, int, str]] = []
    extents: list[Extent] = []
    empty: list[str] = []
    offset = first_run = 0

    drawings = Drawings(dataset, config, (split,))

    def cut_out(row: dict[str, Any]) -> tuple[tuple[str, str, int, str], _Box | None]:
        pair = decode_pair(row)
        box = _cut_out(pair, drawings.of(pair.character_id))
        return (pair.uid, pair.character_id, pair.view, pair.content), box

    stream = dataset.stream(config, split, PAIR_COLUMNS(dataset.kind))
    with replacing_folder(cache, lambda path: _complete(path) is not None) as making:
        with (
            (making / PIXELS).open("wb") as pixels,
            (making / RUNS).open("wb") as runs,
            progress.bar(f"decode {split}", dataset.splits(config).get(split, 0)) as advance,
            ThreadPoolExecutor(DECODERS) as pool,
        ):
            for row, box in made_ahead(pool, cut_out, stream, 2 * DECODERS):
                if box is None:
                    empty.append(row[0])
                else:
                    rows.append(row)
                    extents.append(box.extent._replace(offset=offset, first_run=first_run))
                    offset += pixels.write(box.pixels.data)
                    runs.write(box.runs.data)
                    first_run += len(box.runs)
                advance(1)
        sizes = {file: (making / file).stat().st_size for file in (PIXELS, RUNS)}
        index = {"sizes": sizes, "rows": rows, "extents": extents, "empty": empty}
        (making / INDEX).write_text(json.dumps(index))
    return index
