"""Reading a recipe's files to verify them: what is wrong with one is a ValueError whose text names it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from specsia_build import npz, png
from specsia_build.files.records import read_json
from specsia_build.recipes.recipe import Written


def picture(folder: Path, name: str, channels: int, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """A PNG of a recipe's folder as (H, W) for one channel, or (H, W, channels) uint8.

    Args:
        folder: of the recipe.
        name: of the file in it.
        channels: 1 grey, 3 RGB, 4 RGBA.
        size: height and width that it must have.

    Raises:
        ValueError: if it is no whole PNG of that mode and size.
        OSError: if there is none to read.
    """
    try:
        pixels = png.decode((folder / name).read_bytes(), channels)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from error
    if size is not None and pixels.shape[:2] != size:
        height, width = pixels.shape[:2]
        raise ValueError(f"{name} has {width} x {height} pixels, not {size[1]} x {size[0]}")
    return pixels


def array(folder: Path, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """The array of a `.npz` of a recipe's folder.

    Raises:
        ValueError: if it is no whole one of that shape and type.
        OSError: if there is none to read.
    """
    try:
        found = npz.decode((folder / name).read_bytes())
    except ValueError as error:
        raise ValueError(f"{name} {error}") from error
    if found.shape != shape or found.dtype != dtype:
        raise ValueError(f"{name} holds {found.dtype} of shape {found.shape}, not {np.dtype(dtype)} of shape {shape}")
    return found


def record(folder: Path, name: str) -> dict[str, Any]:
    """A JSON object of a recipe's folder.

    Raises:
        ValueError: if it is none.
        SpecsiaError: if it is damaged; FileNotFoundError passes.
    """
    found = read_json(folder / name, name)
    if not isinstance(found, dict):
        raise ValueError(f"{name} is no JSON object")
    return found


def frames(part: Written) -> int:
    """How many frames a part has that has files for each.

    Raises:
        ValueError: if it says more than it can have.
    """
    count = part.facts["frames"]
    if type(count) is not int or not 0 <= count <= len(part.files):
        raise ValueError(f"{part.key} says that it has {count} frames, and has {len(part.files)} files")
    return count


def names(part: Written, wanted: Collection[str]) -> Iterator[str]:
    """That a part has the files that it is to have, and no others."""
    yield from (f"{name} is missing" for name in sorted(set(wanted) - part.files.keys()))
    yield from (f"{name} is none of its files" for name in sorted(part.files.keys() - set(wanted)))
