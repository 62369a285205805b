"""Films and sheets of a repair: the repaired figure, and drawing, before and after beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np

from specsia_build.arrays import Pixels
from specsia_build.pictures.files import write_moving, write_still
from specsia_build.pictures.films import over
from specsia_build.pictures.sheets import WHITE, Ground, Sheet

_LEAST_SIDE = 512  # Pixels on a side of a film of pixel art, whose frames may be smaller


def write_turn(
    path: Path, count: int, frames: Iterator[Pixels], fps: Fraction, ground: Ground = None
) -> None:
    """Write a film of frames (S, S, 4) uint8, straight alpha, on a ground or transparent (MP4: on white)."""
    if ground is None and path.suffix.lower() == ".mp4":
        ground = WHITE
    if ground is not None:
        frames = _on_ground(frames, ground)
    write_moving(path, count, frames, fps)


def _on_ground(frames: Iterator[Pixels], ground: tuple[int, int, int]) -> Iterator[Pixels]:
    for frame in frames:
        yield over(frame, np.asarray(ground, np.uint8))


def enlarged(picture: Pixels, least: int = _LEAST_SIDE) -> Pixels:
    """Repeat pixels of pixel art (S, S, 4) uint8 a whole number of times, to at least `least` on a side."""
    factor = -(-least // len(picture))
    return np.ascontiguousarray(picture.repeat(factor, axis=0).repeat(factor, axis=1))


def write_comparison(path: Path, count: int, triples: Iterator[tuple[Pixels, ...]], fps: Fraction) -> None:
    """Write a labelled film of a drawing, frames before and after, (S, S, 4) uint8 each, side by side."""
    first = next(triples)
    sheet = Sheet(("",), ("",), ("drawing", "before", "after"), tile=len(first[0]))
    write_moving(path, count, map(sheet.draw, chain((first,), triples)), fps)


def write_sheet(
    path: Path,
    drawing: Pixels,
    skeleton: Pixels | None,
    yaws: Sequence[float],
    pairs: Sequence[tuple[Pixels, Pixels]],
    tile: int = 256,
) -> None:
    """Write a picture of a drawing and frames before and after, each (S, S, 4) uint8, labelled by yaw.

    Below the drawing stands its skeleton, if it has one. Each is scaled to `tile` pixels on a side.
    """
    sheet = Sheet(("",), ("before", "after"), ("drawing", *(f"{yaw:.0f}°" for yaw in yaws)), tile=tile)
    before, after = zip(*pairs, strict=True)
    below = np.zeros_like(drawing) if skeleton is None else skeleton
    write_still(path, sheet.draw([drawing, *before, below, *after]))
