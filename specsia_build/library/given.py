"""Checks of arrays, meshes and paths that callers give."""

from __future__ import annotations

import operator
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
    """A picture (H, W, 4) as uint8; without `alpha`, (H, W, 3) will do.

    Raises:
        UsageError: if it has another shape, or other numbers than whole ones from 0 to 255.
    """
    wanted = f"{what} is (H, W, 4) uint8 with alpha{'' if alpha else ', or (H, W, 3)'}, not"
    try:
        array = np.asarray(picture)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{wanted} {kind_of(picture)}") from error
    if array.dtype.kind not in "ui" or array.ndim != 3 or array.shape[2] not in ((4,) if alpha else (3, 4)):
        raise UsageError(f"{wanted} {kind_of(picture)}")
    if array.size and (array.min() < 0 or array.max() > 255):
        raise UsageError(f"{wanted} numbers from {array.min()} to {array.max()}")
    return np.ascontiguousarray(array, np.uint8)


def given_whole(name: str, value: object, low: int, high: int) -> int:
    """A whole number, of numpy's too, from `low` to `high`.

    Raises:
        UsageError: if it is none.
    """
    found = operator.index(value) if isinstance(value, np.integer) else value
    check_whole(name, found, low, high)
    assert isinstance(found, int)
    return found


def given_path(path: object, what: str) -> str | Path:
    """A path, as text or as a `Path`.

    Raises:
        UsageError: if it is none, or empty.
    """
    if isinstance(path, str) and path:
        return path
    if path == "" or not isinstance(path, os.PathLike):
        raise UsageError(f"{what} is a path, as text or a Path, not {kind_of(path)}")
    return Path(path)


def given_mesh(mesh: object) -> Mesh:
    """The mesh of a character, or one of the caller's own.

    Raises:
        UsageError: if it is neither, or its arrays do not belong together.
    """
    found = mesh.mesh if isinstance(mesh, Character) else mesh
    if not isinstance(found, Mesh):
        raise UsageError(f"a mesh is a specsia.Mesh, or what specsia.load gives, not {kind_of(mesh)}")
    if (wrong := misshapen(found)) is not None:
        raise UsageError(wrong)
    corners = found.vertices[found.used]
    if len(found.faces) == 0 or not np.isfinite(corners).all() or not np.ptp(corners, axis=0).any():
        raise UsageError("the mesh has no faces, vertices that are no finite numbers, or all vertices at one place")
    return found
