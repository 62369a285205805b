"""Films and sheets of a repair: the repaired figure alone, and drawing, before and after beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from specsia_build.pictures.files import write_moving, write_still
from specsia_build.pictures.films import Pixels, over
from specsia_build.pictures.sheets import WHITE, Ground, Sheet

LEAST_SIDE = 512  # Pixels on a side of a film of pixel art, whose frames may be smaller


def write_turn(path: Path, count: int, frames: Iterator[Pixels], fps: Fraction, ground: Ground = None) -> None:
    """Write a film of frames (S, S, 4) uint8 with straight alpha, on a ground or transparent, and MP4 then on white."""
    if ground is None and path.suffix.lower() == ".mp4":
        ground = WHITE
    if ground is not None:
        frames = _on_ground(frames, ground)
    write_moving(path, count, frames, fps)


def _on_ground(frames: Iterator[Pixels], ground: tuple[int, int, int]) -> Iterator[Pixels]:
    for frame in frames:
        yield over(frame, np.asarray(ground, np.uint8))


def enlarged(frames: Iterator[Pixels]) -> Iterator[Pixels]:
    """Repeat the pixels of pixel art until a frame has at least `LEAST_SIDE` on a side."""
    for frame in frames:
        factor = -(-LEAST_SIDE // len(frame))
        yield np.ascontiguousarray(frame.repeat(factor, axis=0).repeat(factor, axis=1))


def write_comparison(
    path: Path, drawing: Pixels, count: int, pairs: Iterator[tuple[Pixels, Pixels]], fps: Fraction
) -> None:
    """Write a film with labels of a drawing beside frames before and after, each (S, S, 4) uint8."""
    sheet = Sheet(("",), ("",), ("drawing", "before", "after"), tile=len(drawing))
    write_moving(path, count, (sheet.draw([drawing, *pair]) for pair in pairs), fps)


def write_sheet(path: Path, drawing: Pixels, yaws: Sequence[float], pairs: Sequence[tuple[Pixels, Pixels]]) -> None:
    """Write a picture of a drawing and of frames before and after, each (S, S, 4) uint8, labelled by their yaws."""
    sheet = Sheet(("",), ("before", "after"), ("drawing", *(f"{yaw:.0f}°" for yaw in yaws)))
    before, after = ([pair[k] for pair in pairs] for k in (0, 1))
    write_still(path, sheet.draw([drawing, *before, np.zeros_like(drawing), *after]))
