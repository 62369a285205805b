"""Frames of a `paintbucket` folder as a colouriser sees them: measures of segments, and colours by overlap alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from specsia_build.annotation.segments import BACKGROUND, LINES
from specsia_build.errors import UsageError
from specsia_build.recipes.paintbucket import TOP, folder_name

FIRST = BACKGROUND + 1
"""Number of the first segment that is to be coloured; the background around the figure is given."""

LEAST = 10
"""Pixels of a segment that counts."""


@dataclass(frozen=True)
class Frame:
    """Segments of a frame.

    Attributes:
        seg: (H, W) uint16: 0 lines, 1 the background, 2.. segments.
        colors: (N, 4) uint8, of each number.
    """

    seg: NDArray[np.uint16]
    colors: NDArray[np.uint8]

    @property
    def count(self) -> int:
        return len(self.colors)

    @cached_property
    def pixels(self) -> NDArray[np.int64]:
        """(N,), of each number."""
        return np.bincount(self.seg.ravel(), minlength=self.count)

    @cached_property
    def paint(self) -> NDArray[np.int64]:
        """(N,) one number for each colour; all that is transparent has the same."""
        red, green, blue, alpha = self.colors.astype(np.int64).T
        return np.where(alpha == 0, -1, red << 16 | green << 8 | blue)

    @cached_property
    def filled(self) -> NDArray[np.uint16]:
        """(H, W), lines given to the nearest segment."""
        return _nearest(self.seg, self.seg != LINES)

    @cached_property
    def spread(self) -> NDArray[np.uint16]:
        """(H, W), lines and the background around given to the nearest segment of the figure."""
        return _nearest(self.seg, self.seg >= FIRST)

    @cached_property
    def centre(self) -> NDArray[np.float32]:
        """(N, 2) x and y of the middle of each number's pixels, from -1 to 1."""
        rows, columns = (np.arange(side) * 2 / side - 1 for side in self.seg.shape)
        sums = [self.sums(np.broadcast_to(at, self.seg.shape)) for at in (columns[None], rows[:, None])]
        return (np.stack(sums, -1) / np.maximum(self.pixels, 1)[:, None]).astype(np.float32)

    @cached_property
    def shape(self) -> NDArray[np.float32]:
        """(N, 12): centre in the picture and the figure's box, area, spread along x, y and both, box and its share."""
        height, width = self.seg.shape
        rows, columns = (np.arange(side) * 2 / side - 1 for side in (height, width))
        x, y = np.broadcast_to(columns[None], self.seg.shape), np.broadcast_to(rows[:, None], self.seg.shape)
        mean = self.centre.astype(np.float64)
        second = [self.sums(a) / np.maximum(self.pixels, 1) for a in (x * x, y * y, x * y)]
        xx, yy = (np.sqrt(np.maximum(second[k] - mean[:, k] ** 2, 0)) for k in range(2))
        slant = (second[2] - mean[:, 0] * mean[:, 1]) / (xx * yy + 1e-4)
        boxes = ndimage.find_objects(self.seg.astype(np.int32) + 1, self.count)
        sides = np.array([[b[1].stop - b[1].start, b[0].stop - b[0].start] if b else [0, 0] for b in boxes], float)
        figure = np.argwhere(self.seg != BACKGROUND)
        low, high = figure.min(axis=0)[::-1], figure.max(axis=0)[::-1] + 1
        within = ((mean + 1) / 2 * [width, height] - (low + high) / 2) / (high - low) * 2
        share = self.pixels / np.maximum(sides.prod(axis=1), 1)
        area = np.log2(self.pixels + 1) / 8 - 1
        found = [mean, within, area, xx * 4, yy * 4, slant, sides / [width, height] * 4, share, area.clip(0)]
        return np.column_stack(found).astype(np.float32)

    @cached_property
    def touching(self) -> NDArray[np.float32]:
        """(N, N): share of a segment's border that is another's, across lines."""
        near = self.filled.astype(np.int64)
        found = np.zeros((self.count, self.count), np.float32)
        for one, other in ((near[1:], near[:-1]), (near[:, 1:], near[:, :-1])):
            edge = one != other
            found += together(one[edge], other[edge], self.count, self.count)
        found += found.T
        return np.asarray(found / np.maximum(found.sum(axis=1, keepdims=True), 1), np.float32)

    def sums(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N,), of each number's pixels."""
        return np.bincount(self.seg.ravel(), values.ravel(), self.count).astype(np.float64)


@dataclass(frozen=True)
class Clip:
    """Frames of one motion and camera, in order."""

    character: str
    split: str
    name: str
    frames: tuple[Frame, ...]

    def pairs(self, apart: int) -> Iterator[tuple[Frame, Frame]]:
        """A frame, and that so many later."""
        return zip(self.frames, self.frames[apart:], strict=False)


def read_clips(folder: Path, splits: Sequence[str], most: int | None = None) -> Iterator[Clip]:
    """Clips of a `paintbucket` folder whose frames were all kept.

    Args:
        folder: as the recipe writes it.
        splits: that are read.
        most: clips of each character, evenly chosen; all by default.

    Raises:
        UsageError: if `folder` has no list of its parts.
    """
    parts = folder / "parts.jsonl"
    if not parts.is_file():
        raise UsageError(f"{folder} is not what `specsia clips --recipe paintbucket` writes: it has no {parts.name}")
    for line in parts.read_text(encoding="utf-8").splitlines():
        part = json.loads(line)
        if part["split"] not in splits or part["facts"]["left_out"]:
            continue
        top = folder / part["split"] / TOP / folder_name(part["character"])
        numbers: Mapping[str, Sequence[int]] = part["facts"]["numbers"]
        chosen = sorted(numbers)
        if most is not None and len(chosen) > most:
            chosen = [chosen[k * len(chosen) // most] for k in range(most)]
        for name in chosen:
            first, count = numbers[name]
            frames = tuple(read_frame(top, number) for number in range(first, first + count))
            yield Clip(part["character"], part["split"], name, frames)


def read_frame(top: Path, number: int) -> Frame:
    """A frame of a character's folder; background that lines shut in is told from the figure, as it is by `gt`."""
    red, green, blue = np.moveaxis(np.asarray(Image.open(top / f"seg/{number:05d}.png")).astype(np.uint32), -1, 0)
    record = top / f"json_color/{number:05d}.json"
    colors = json.loads((record if record.is_file() else top / f"seg/{number:05d}.json").read_text(encoding="utf-8"))
    seg = (red << 16 | green << 8 | blue).astype(np.uint16)
    table = np.array([(0, 0, 0, 255), *colors.values()], np.uint8)
    seg[table[seg, 3] == 0] = BACKGROUND
    return Frame(seg, table[: max(int(seg.max()), BACKGROUND) + 1])


def _nearest(seg: NDArray[np.uint16], known: NDArray[np.bool_]) -> NDArray[np.uint16]:
    rows, columns = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    return np.asarray(seg[rows, columns])


def together(one: NDArray[np.integer], other: NDArray[np.integer], ones: int, others: int) -> NDArray[np.float32]:
    """(ones, others): how often a number of the one map lies where one of the other does."""
    both = one.ravel().astype(np.int64) * others + other.ravel()
    return np.bincount(both, minlength=ones * others).reshape(ones, others).astype(np.float32)


def iou(shared: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, M), of maps that share so many pixels."""
    either = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0) - shared
    return np.asarray(shared / np.maximum(either, 1), np.float32)


def by_most(frame: Frame, reference: Frame) -> NDArray[np.int64]:
    """(N,) paint of each number of `frame`: that of most segments of the reference."""
    counted = reference.paint[FIRST:][reference.pixels[FIRST:] >= LEAST]
    values, counts = np.unique(counted if len(counted) else reference.paint[:1], return_counts=True)
    return np.full(frame.count, values[counts.argmax()])


@dataclass(frozen=True)
class Overlap:
    """Colour by overlap with the reference: a rule that learns nothing.

    Attributes:
        name: as a table has it.
        spread: whether lines and background of the reference count as the nearest segment's.
        vote: whether segments of one colour count together, by shared pixels, instead of the one of the best IoU.
    """

    name: str
    spread: bool
    vote: bool

    def paint(self, frame: Frame, reference: Frame) -> NDArray[np.int64]:
        """(N,) paint of each number of `frame`; where nothing overlaps, that of the nearest segment."""
        shared = together(frame.seg, reference.spread if self.spread else reference.seg, frame.count, reference.count)
        score = shared if self.vote else iou(shared)
        score[:, :FIRST] = 0
        if self.vote:
            same = reference.paint[:, None] == reference.paint
            score[:, FIRST:] = score[:, FIRST:] @ same[FIRST:, FIRST:]
        away = np.linalg.norm(frame.centre[:, None] - reference.centre, axis=-1)
        away[:, :FIRST] = np.inf
        best = np.where(score.any(axis=1), score.argmax(axis=1), away.argmin(axis=1))
        return np.asarray(reference.paint[best])


OVERLAPS = (
    Overlap("overlap (IoU), else the nearest", spread=False, vote=False),
    Overlap("overlap (pixels of a colour), else the nearest", spread=False, vote=True),
    Overlap("overlap (IoU) with what is nearest to each pixel", spread=True, vote=False),
    Overlap("overlap (pixels of a colour) with what is nearest to each pixel", spread=True, vote=True),
)
