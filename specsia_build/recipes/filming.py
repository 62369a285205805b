"""Films of clips: as many frames as a reader needs, on a canvas of the shape that it takes, and films looked at."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build.annotation.lines import BINARY
from specsia_build.errors import CharacterError, plural
from specsia_build.films import Pixels, read_mp4, write_mp4
from specsia_build.recipes.recipe import ClipFrames

_OFF = 8
"""Levels that a film's first frame may be off on average: colours are told for four pixels together."""

_HEADER = 1024
"""Bytes that say what an array is, and more."""


def played(clip: ClipFrames, least: int) -> list[int]:
    """Numbers of a clip's frames in the order that they are shown: all of them, and on until there are enough.

    A motion that ends where it began goes round; any other goes to and fro, so that none jumps.

    Args:
        clip: of T frames.
        least: how many are needed.

    Raises:
        CharacterError: if the clip is of one frame.
    """
    if clip.frames < 2:
        raise CharacterError(f"{clip.meta['id']} is one frame, of which no film is made")
    once = list(range(clip.frames))
    again = once if clip.meta["loops"] else [*once, *once[-2:0:-1]]
    return [again[k % len(again)] for k in range(max(least, len(once)))]


def require_first(shows: bool, key: str, purpose: str) -> None:
    """Raise CharacterError if the first frame of a part shows nothing."""
    if not shows:
        raise CharacterError(f"{key} shows nothing in its first frame, which would be the {purpose}")


def corner(size: int, shape: tuple[int, int]) -> tuple[int, int]:
    """Row and column where a square frame begins that lies in the middle of a canvas (height, width)."""
    return (shape[0] - size) // 2, (shape[1] - size) // 2


def on_canvas(picture: Pixels, shape: tuple[int, int], fill: int) -> Pixels:
    """A square picture (S, S) or (S, S, C) in the middle of a canvas (height, width) that is no smaller."""
    row, column = corner(len(picture), shape)
    out = np.full((*shape, *picture.shape[2:]), fill, np.uint8)
    out[row : row + len(picture), column : column + len(picture)] = picture
    return out


def binarised(line: Pixels) -> Pixels:
    """A line picture with nothing between black and white."""
    return np.where(line < BINARY, 0, 255).astype(np.uint8)


def rgb(picture: Pixels) -> Pixels:
    """Grey pictures (..., H, W) in colours (..., H, W, 3)."""
    return np.repeat(picture[..., None], 3, axis=-1)


def write_line_film(path: Path, line: Callable[[int], Pixels], order: Sequence[int], fps: float) -> None:
    """Write a film of line pictures (H, W), of the frames of those numbers, that keeps black and white exactly."""
    write_mp4(path, (rgb(line(k)) for k in order), fps, lossless=True)


def film(folder: Path, name: str, size: tuple[int, int], count: int, first: Pixels | None = None) -> Iterator[Pixels]:
    """The frames of an MP4 of a recipe's folder, each (H, W, 3) uint8.

    Args:
        folder: of the recipe.
        name: of the file in it.
        size: height and width that it must have.
        count: how many frames it must have.
        first: (H, W, 3) uint8 that it must begin with, but for what the film loses.

    Raises:
        ValueError: if it is no such film, when that is seen.
    """
    seen = 0
    try:
        for frame in read_mp4(folder / name)[1]:
            if frame.shape[:2] != size:
                raise ValueError(f"has {frame.shape[1]} x {frame.shape[0]} pixels, not {size[1]} x {size[0]}")
            if not seen and first is not None and np.abs(frame.astype(np.int16) - first).mean() > _OFF:
                raise ValueError("does not begin with the picture beside it")
            seen += 1
            yield frame
        if seen != count:
            raise ValueError(f"has {plural(seen, 'frame')}, not {count}")
    except ValueError as error:
        raise ValueError(f"{name} {error}") from error


def check_film(films: Iterator[Pixels]) -> None:
    """Read a film to its end; see `film` for what it raises."""
    for _ in films:
        pass


def line_film(
    folder: Path, name: str, size: tuple[int, int], count: int, first: Pixels | None = None
) -> Iterator[Pixels]:
    """The pictures (H, W) uint8 of a line film, see `film`; a ValueError besides if one has colours."""
    for frame in film(folder, name, size, count, first):
        if (frame != frame[..., :1]).any():
            raise ValueError(f"{name} has colours, and lines are grey")
        yield frame[..., 0]


def named_arrays(folder: Path, name: str, shapes: Mapping[str, tuple[Any, tuple[int, ...]]]) -> dict[str, NDArray[Any]]:
    """Arrays of a .npz of a recipe's folder.

    Args:
        folder: of the recipe.
        name: of the file in it.
        shapes: dtype and shape of each array by its name.

    Raises:
        ValueError: if they are not these.
    """
    wanted = {key: (np.dtype(dtype), shape) for key, (dtype, shape) in shapes.items()}
    with np.load(folder / name, allow_pickle=False) as opened:
        # What unpacks to more than it should is not unpacked.
        most = {f"{key}.npy": _HEADER + dtype.itemsize * math.prod(shape) for key, (dtype, shape) in wanted.items()}
        sizes = {entry.filename: entry.file_size for entry in opened.zip.infolist()}
        if sizes.keys() != most.keys() or any(sizes[key] > most[key] for key in sizes):
            raise ValueError(f"{name} holds {sizes} bytes, not {most} at most")
        found = {key: opened[key] for key in wanted}
    told = {key: (array.dtype, array.shape) for key, array in found.items()}
    if told != wanted:
        raise ValueError(f"{name} holds {told}, not {wanted}")
    return found
