"""Read a recipe's files for `verify`; each ValueError names the file that is wrong."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from specsia_build import npz, png
from specsia_build.files.records import read_json
from specsia_build.recipes.recipe import Written


def picture(folder: Path, name: str, channels: int, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Read a PNG of a recipe's folder as (H, W) for one channel, or (H, W, channels) uint8.

    Args:
        folder: the recipe's.
        name: the file's, relative to the folder.
        channels: 1 grey, 3 RGB, 4 RGBA.
        size: the expected height and width.

    Raises:
        ValueError: if it is damaged, or of another mode or size.
        OSError: if it cannot be read.
    """
    try:
        pixels = png.decode((folder / name).read_bytes(), channels)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from error
    if size is not None and pixels.shape[:2] != size:
        height, width = pixels.shape[:2]
        raise ValueError(f"{name} has {width} x {height} pixels, not {size[1]} x {size[0]}")
    return pixels


def array(folder: Path, name: str, shape: tuple[int, ...] | None, dtype: DTypeLike) -> NDArray[Any]:
    """Read the array of a `.npz` or `.npy` in a recipe's folder; None is any height and width.

    Raises:
        ValueError: if it is damaged, or of another shape or type.
        OSError: if it cannot be read.
    """
    data = (folder / name).read_bytes()
    try:
        found: NDArray[Any] = (
            npz.decode(data) if name.endswith(".npz") else np.load(io.BytesIO(data), allow_pickle=False)
        )
    except (ValueError, EOFError) as error:
        raise ValueError(f"{name} is no array: {error}") from error
    fits = found.ndim == 2 if shape is None else found.shape == shape
    if not fits or found.dtype != dtype:
        wanted = shape or "(H, W)"
        raise ValueError(f"{name} holds {found.dtype} of shape {found.shape}, not {np.dtype(dtype)} of shape {wanted}")
    return found


def record(folder: Path, name: str) -> dict[str, Any]:
    """Read a JSON object; raises ValueError if it is something else, SpecsiaError if it is damaged."""
    found = read_json(folder / name, name)
    if not isinstance(found, dict):
        raise ValueError(f"{name} is no JSON object")
    return found


def frames(part: Written) -> int:
    """Number of a part's frames; raises ValueError if it states more frames than files."""
    count = part.facts["frames"]
    if type(count) is not int or not 0 <= count <= len(part.files):
        raise ValueError(f"{part.key} says that it has {count} frames, and has {len(part.files)} files")
    return count


def names(part: Written, wanted: Collection[str]) -> Iterator[str]:
    """Compare the names of a part's files with the expected ones; yields a sentence for each difference."""
    yield from (f"{name} is missing" for name in sorted(set(wanted) - part.files.keys()))
    yield from (f"{name} is none of its files" for name in sorted(part.files.keys() - set(wanted)))
