"""Normals as files have them: of any length, without a direction, or missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from specsia_build.rendering.mesh import Mesh, flat_normals


def unit_normals(normals: NDArray[np.floating]) -> NDArray[np.float64]:
    """Normals (N, 3) of length 1; zero where one has no direction."""
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.linalg.norm(normals, axis=1, keepdims=True)
    unit = np.zeros(normals.shape)
    np.divide(normals, length, out=unit, where=np.isfinite(length) & (length > 0))
    return unit


def with_flat_gaps(mesh: Mesh) -> Mesh:
    """The mesh with its faces' own normals at the corners whose normal is zero."""
    if mesh.normals is None or mesh.normals.any(axis=2).all():
        return mesh
    lost = ~mesh.normals.any(axis=2, keepdims=True)
    return replace(mesh, normals=np.where(lost, flat_normals(mesh), mesh.normals))
