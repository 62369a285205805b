"""The nearest points of a surface that face the same way, among samples of it in a k-d tree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.rendering.mesh import Mesh, doubled_areas

SPACING = 0.006
"""Between samples of a face, as a share of the surface's diagonal; corners of faces are samples too."""

MOST_SAMPLES = 400_000
"""Of a whole surface, besides its corners."""

NEAREST = 24
"""Samples that are compared for each vertex."""

TURN = 0.02
"""What a sample loses by turning away, as a share of the surface's diagonal for each unit of 1 - cosine."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Nearest:
    """Points of a surface, one for each of V vertices.

    Attributes:
        face: (V,) number of the face.
        barycentric: (V, 3) float64, at least 0, summing to 1.
        distance: (V,) float64.
        agreement: (V,) float64, cosine between the normals without its sign; 1 where one has none.
    """

    face: NDArray[np.intp]
    barycentric: Array
    distance: Array
    agreement: Array


def nearest_on(surface: Mesh, mesh: Mesh) -> Nearest | None:
    """The samples of a surface nearest to the vertices of a mesh, those that face the same way before others.

    Returns:
        None if the surface has no face of any area.
    """
    corners = surface.vertices[surface.faces].astype(np.float64)
    area = doubled_areas(corners)
    if not area.any():
        return None
    diagonal = float(np.linalg.norm(np.ptp(corners[area > 0].reshape(-1, 3), axis=0)))
    face, share = _samples(area, SPACING * diagonal)
    places = np.einsum("sc,scj->sj", share, corners[face])
    facing = np.einsum("sc,scj->sj", share, vertex_normals(surface)[surface.faces[face]])
    points, own = mesh.vertices.astype(np.float64), vertex_normals(mesh)
    # Corners that lie in one place are pulled into their faces, so that of faces that touch the right one is nearer.
    inner = places + 1e-3 * (corners[face].mean(axis=1) - places)
    pulled = points + 1e-3 * (_ring_centres(mesh) - points)
    near = scipy.spatial.cKDTree(inner).query(pulled, k=min(NEAREST, len(inner)))[1].reshape(len(points), -1)
    cosine = _cosine(own[:, None], facing[near])
    away = np.linalg.norm(pulled[:, None] - inner[near], axis=2)
    cost = away + TURN * diagonal * (1 - np.abs(cosine)) + np.where(cosine < 0, 1e-2 * diagonal, 0.0)
    best = np.take_along_axis(near, cost.argmin(axis=1)[:, None], 1)[:, 0]
    distance = np.linalg.norm(points - places[best], axis=1)
    return Nearest(face[best], share[best], distance, np.abs(_cosine(own, facing[best])))


def _samples(area: Array, spacing: float) -> tuple[NDArray[np.intp], Array]:
    """Faces (S,) and barycentric coordinates (S, 3) of samples: all corners, and some by area of each face.

    Those within a face follow the plastic number's low-discrepancy sequence (Roberts, 2018), folded into a triangle.
    """
    solid = np.flatnonzero(area > 0)
    wanted = area[solid] / 2 / spacing**2
    count = np.floor(wanted * min(1.0, MOST_SAMPLES / max(wanted.sum(), 1.0))).astype(np.int64)
    rank = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    first, second = (0.5 + (rank + 1) * 0.7548776662466927) % 1, (0.5 + (rank + 1) * 0.5698402909980532) % 1
    over = first + second > 1
    first, second = np.where(over, 1 - first, first), np.where(over, 1 - second, second)
    inside = np.stack([1 - first - second, first, second], axis=1)
    return np.concatenate([np.repeat(solid, 3), np.repeat(solid, count)]), np.concatenate(
        [np.tile(np.eye(3), (len(solid), 1)), inside]
    )


def _cosine(a: Array, b: Array) -> Array:
    """Between directions (..., 3); 1 where one is none."""
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    dot = (a * b).sum(axis=-1)
    return np.asarray(np.divide(dot, lengths, out=np.ones_like(dot), where=lengths > 0))


def vertex_normals(mesh: Mesh) -> Array:
    """(V, 3) unit, of the faces about each vertex by their areas; zero where there are none, or they cancel out."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = _summed(np.repeat(normal, 3, axis=0), mesh.faces.ravel(), len(mesh.vertices))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    area = _summed(np.repeat(np.linalg.norm(normal, axis=1), 3)[:, None], mesh.faces.ravel(), len(mesh.vertices))
    return np.asarray(np.divide(total, length, out=np.zeros_like(total), where=length > 1e-6 * area))


def _ring_centres(mesh: Mesh) -> Array:
    """(V, 3) the mean of the centres of the faces about each vertex; the vertex itself where there are none."""
    centres = mesh.vertices[mesh.faces].astype(np.float64).mean(axis=1)
    total = _summed(np.repeat(centres, 3, axis=0), mesh.faces.ravel(), len(mesh.vertices))
    count = np.bincount(mesh.faces.ravel(), minlength=len(mesh.vertices))[:, None]
    return np.where(count > 0, total / np.maximum(count, 1), mesh.vertices)


def _summed(values: Array, rows: NDArray[np.integer], count: int) -> Array:
    return np.stack([np.bincount(rows, column, count) for column in values.T], axis=1)
