"""Files of arrays that loaders know: NumPy's `.npy`, and Middlebury's `.flo` of flow."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FLO = np.array(202021.25, "<f4").tobytes()
"""Begins a `.flo`; width, height and (H, W, 2) float32 follow."""


def npy(array: NDArray[Any]) -> bytes:
    """A `.npy` as `np.load` reads it."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def flo(flow: NDArray[np.float32]) -> bytes:
    """A `.flo` of (H, W, 2) pixels right and down."""
    return _start(flow.shape[:2]) + flow.astype("<f4").tobytes()


def _start(shape: tuple[int, ...]) -> bytes:
    return _FLO + np.array(shape[::-1], "<i4").tobytes()


def read_npy(folder: Path, name: str, dtype: str, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """An image (H, W) of numbers from a recipe's folder.

    Raises:
        ValueError: if it is no whole `.npy` of that type and shape, from its name on.
        OSError: if there is none to read.
    """
    try:
        found: NDArray[Any] = np.load(io.BytesIO((folder / name).read_bytes()), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{name} is no array: {error}") from error
    if found.dtype != dtype or found.ndim != 2 or found.shape != (shape or found.shape):
        raise ValueError(f"{name} is {found.dtype} of shape {found.shape}, not {dtype} of {shape or '(H, W)'}")
    return found


def read_flo(folder: Path, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The flow (H, W, 2) of a `.flo` in a recipe's folder.

    Raises:
        ValueError: if it is no whole `.flo` of finite flow of that height and width, from its name on.
        OSError: if there is none to read.
    """
    data = (folder / name).read_bytes()
    start = _start(shape)
    if data[: len(start)] != start or len(data) != len(start) + 8 * shape[0] * shape[1]:
        raise ValueError(f"{name} is no flow of {shape[1]} x {shape[0]} pixels")
    found = np.frombuffer(data, "<f4", offset=len(start)).reshape(*shape, 2)
    if not np.isfinite(found).all():
        raise ValueError(f"{name} has flow that is no finite number")
    return found
