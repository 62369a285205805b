"""Checks of arrays and meshes that callers pass."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from specsia_build.arrays import Pixels
from specsia_build.characters.character import Character
from specsia_build.errors import UsageError
from specsia_build.rendering.form import kind_of, misshapen
from specsia_build.rendering.mesh import Mesh


def check_pixels(picture: object, name: str, *, alpha: bool = True) -> Pixels:
    """Return a picture (H, W, 4) as contiguous uint8; without `alpha`, (H, W, 3) is accepted, too."""
    try:
        array = np.asarray(picture)
    except (TypeError, ValueError, RuntimeError):
        array = np.zeros(0)
    channels = (4,) if alpha else (3, 4)
    is_valid = array.dtype.kind in "ui" and array.ndim == 3 and array.shape[2] in channels
    if not is_valid or (array.size and not 0 <= array.min() <= array.max() <= 255):
        wanted = f"(H, W, 4) uint8 with alpha{'' if alpha else ', or (H, W, 3)'}"
        raise UsageError(
            f"{name} is {wanted}, not {kind_of(picture)} {getattr(picture, 'dtype', '')}".rstrip()
        )
    return np.ascontiguousarray(array, np.uint8)


def check_mesh(mesh: object) -> Mesh:
    """Return the mesh of a character, or a mesh of the caller's own."""
    bare = mesh.mesh if isinstance(mesh, Character) else mesh
    if not isinstance(bare, Mesh):
        raise UsageError(f"a mesh is a specsia.Mesh, or what specsia.load gives, not {kind_of(mesh)}")
    if (problem := misshapen(bare)) is not None:
        raise UsageError(problem)
    corners = bare.vertices[bare.used]
    if len(bare.faces) == 0 or not np.isfinite(corners).all() or not np.ptp(corners, axis=0).any():
        raise UsageError("the mesh has no faces, vertices that are not finite, or all vertices at one place")
    return bare


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Convert numpy's numbers in settings to Python's."""
    return {k: value.item() if isinstance(value, np.generic) else value for k, value in settings.items()}
