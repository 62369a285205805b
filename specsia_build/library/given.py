"""What a caller hands over, checked before anything is made of it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.character import Character
from specsia_build.config import check_whole
from specsia_build.errors import UsageError
from specsia_build.rendering.form import kind_of, misshapen
from specsia_build.rendering.mesh import Mesh


def given_pixels(picture: object, what: str, *, alpha: bool = True) -> NDArray[np.uint8]:
    """A picture (H, W, 4) as uint8; whole numbers of another type are taken as they are.

    Args:
        picture: an array, or what numpy makes one of.
        what: it is, for the message.
        alpha: whether it must have one; (H, W, 3) is another shape that it may have otherwise.

    Raises:
        UsageError: if it has another shape, or other numbers than 0-255.
    """
    wanted = f"{what} is (H, W, 4) uint8 with alpha{'' if alpha else ', or (H, W, 3)'}, not"
    try:
        array = np.asarray(picture)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{wanted} {kind_of(picture)}") from error
    if array.dtype.kind not in "uifb":
        raise UsageError(f"{wanted} {kind_of(picture)}")
    if array.ndim != 3 or array.shape[2] not in ((4,) if alpha else (3, 4)):
        raise UsageError(f"{wanted} {array.shape}")
    whole = array.dtype.kind in "ui" and (array.size == 0 or (array.min() >= 0 and array.max() <= 255))
    if not whole:
        span = f" from {array.min():g} to {array.max():g}" if array.size and array.dtype.kind != "b" else ""
        raise UsageError(
            f"{what} holds whole numbers from 0 to 255, uint8, not {array.dtype}{span}: scale and round it"
        )
    return np.ascontiguousarray(array, np.uint8)


def given_whole(name: str, value: object, low: int, high: int) -> int:
    """A whole number of Python's or numpy's from `low` to `high`.

    Raises:
        UsageError: if it is none.
    """
    found = int(value) if isinstance(value, np.integer) else value
    check_whole(name, found, low, high)
    return int(found)  # type: ignore[call-overload,no-any-return]


def given_seed(value: object) -> int:
    """A seed: any whole number.

    Raises:
        UsageError: if it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise UsageError(f"seed cannot be {value!r}: it is a whole number")
    return int(value)


def given_path(path: object, what: str) -> str | Path:
    """A path, as text or as one of Python's.

    Raises:
        UsageError: if it is none, or empty, which would be the folder that one is in; `what` it is, for the message.
    """
    if path == "":
        raise UsageError(f"{what} is a path, and this one is empty")
    if isinstance(path, str):
        return path
    if not isinstance(path, os.PathLike) or not isinstance(os.fspath(path), str):
        raise UsageError(f"{what} is a path, as text or a Path, not {kind_of(path)}")
    return Path(path)


def given_mesh(mesh: object) -> Mesh:
    """The mesh of a character, or one of the caller's own.

    Raises:
        UsageError: if it is neither, or its arrays do not belong together.
    """
    found = mesh.mesh if isinstance(mesh, Character) else mesh
    if not isinstance(found, Mesh):
        raise UsageError(
            f"a mesh is a specsia.Mesh, or what specsia.load gives, not {kind_of(mesh)}: write it to a GLB, load that"
        )
    if (wrong := misshapen(found)) is not None:
        raise UsageError(wrong)
    if len(found.faces) == 0:
        raise UsageError("the mesh has no faces")
    corners = found.vertices[found.used]
    if not np.isfinite(corners).all():
        raise UsageError("the mesh has vertices that are no finite numbers")
    if not np.ptp(corners, axis=0).any():
        raise UsageError("the mesh has all its vertices at one place")
    return found
