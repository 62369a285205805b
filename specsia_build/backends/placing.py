"""From a mesh file's own axes and units to our frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from specsia_build.errors import CharacterError
from specsia_build.frame import ORTHO_WIDTH, axis_vector
from specsia_build.rendering.mesh import Mesh

COVERED = 128
"""Alpha from which a pixel counts as the character's."""


def axes_matrix(axes: Sequence[str]) -> NDArray[np.float64]:
    """The (3, 3) matrix whose rows are the named signed axes; its determinant is -1 where it undoes a mirror.

    Raises:
        ValueError: if they are not three different axes.
    """
    matrix = np.array([axis_vector(str(axis)) for axis in axes], np.float64)
    if matrix.shape != (3, 3) or abs(round(float(np.linalg.det(matrix)))) != 1:
        raise ValueError(f"{', '.join(map(str, axes))} are not three different axes")
    return matrix


def into_frame(mesh: Mesh, axes: Sequence[str]) -> Mesh:
    """The mesh with the named signed axes as its x, y and z; faces keep looking outward where that mirrors."""
    matrix = axes_matrix(axes)
    turned = mesh.rotated(matrix)
    return turned if np.linalg.det(matrix) > 0 else reversed_faces(turned)


def reversed_faces(mesh: Mesh) -> Mesh:
    """Every face with its corners in the other order."""
    corners = mesh.cornerwise(lambda attribute: np.ascontiguousarray(attribute[:, ::-1]))
    return replace(mesh, faces=np.ascontiguousarray(mesh.faces[:, ::-1]), **corners)


def fitted(mesh: Mesh, alpha: NDArray[np.uint8]) -> Mesh:
    """The mesh moved and scaled so that its front fills the box of the picture's silhouette; its depth is centred.

    Args:
        mesh: in our axes, in any units.
        alpha: (H, W) of the square picture.

    Raises:
        CharacterError: if the picture is empty or the mesh has no extent from the front.
    """
    rows, columns = (np.flatnonzero((alpha >= COVERED).any(axis=axis)) for axis in (1, 0))
    low, high = (bound.astype(np.float64) for bound in mesh.bounds())
    extent = max(high[0] - low[0], high[2] - low[2])
    if len(rows) == 0:
        raise CharacterError("the frontal picture is empty")
    if not np.isfinite(extent) or extent <= 0:
        raise CharacterError("the mesh has no extent seen from the front")
    unit, half = ORTHO_WIDTH / alpha.shape[1], ORTHO_WIDTH / 2
    left, right = columns[0] * unit - half, (columns[-1] + 1) * unit - half
    top, bottom = half - rows[0] * unit, half - (rows[-1] + 1) * unit
    target = np.array([(left + right) / 2, 0.0, (top + bottom) / 2])
    scale = max(right - left, top - bottom) / extent
    return mesh.with_vertices((mesh.vertices.astype(np.float64) - (low + high) / 2) * scale + target)
