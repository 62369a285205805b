"""The nearest points of a surface that face the same way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.rendering.mesh import Mesh, doubled_areas

SPACING = 0.01
"""Between samples of a face, as a share of the surface's diagonal."""

MOST_SAMPLES = 400_000
"""Of a whole surface, besides one for each vertex."""

NEAREST = 8
"""Samples whose faces are looked at."""

PULL = 1e-3
"""How far vertices are pulled towards their neighbours, so that of two faces that touch the right one is nearer."""

CHUNK = 8192
"""Vertices at once."""

TURN = 0.01
"""What a face loses by turning away, as a share of the surface's diagonal for each unit of 1 - cosine."""

FACING = 0.5
"""Cosine from which a face faces as a vertex does; others are looked at where there is none."""


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
    barycentric: NDArray[np.float64]
    distance: NDArray[np.float64]
    agreement: NDArray[np.float64]


def nearest_on(surface: Mesh, mesh: Mesh) -> Nearest | None:
    """The points of a surface nearest to the vertices of a mesh, those that face the same way before others.

    Returns:
        None if the surface has no face of any area.
    """
    corners = surface.vertices[surface.faces].astype(np.float64)
    solid = np.flatnonzero(doubled_areas(corners) > 0)
    if not len(solid):
        return None
    corners = corners[solid]
    diagonal = float(np.linalg.norm(np.ptp(corners.reshape(-1, 3), axis=0)))
    samples, first, faces = _samples(corners, SPACING * diagonal)
    tree = scipy.spatial.cKDTree(samples)
    normals = vertex_normals(surface)[surface.faces[solid]]
    points, facing = mesh.vertices.astype(np.float64), vertex_normals(mesh)
    pulled = points + PULL * (_ring_centres(mesh) - points)
    chosen = np.empty(len(points), np.intp)
    for begin in range(0, len(points), CHUNK):
        here = slice(begin, begin + CHUNK)
        near = tree.query(pulled[here], k=min(NEAREST, len(samples)))[1].reshape(len(pulled[here]), -1)
        vertex, face = _pairs(near, first, faces)
        share, distance = closest_on_triangles(pulled[here][vertex], corners[face])
        cosine = _cosine(facing[here][vertex], share, normals[face])
        way = np.where(cosine >= FACING, 0, np.where(cosine <= -FACING, 1, 2))
        cost = distance + TURN * diagonal * (1 - np.abs(cosine))
        order = np.lexsort((face, cost, way, vertex))
        lead = np.append(True, vertex[order][1:] != vertex[order][:-1])
        chosen[here] = face[order][lead]
    share, distance = closest_on_triangles(points, corners[chosen])
    return Nearest(solid[chosen], share, distance, np.abs(_cosine(facing, share, normals[chosen])))


def _cosine(
    facing: NDArray[np.float64], share: NDArray[np.float64], normals: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Between directions (N, 3) and the normals (N, 3, 3) of corners mixed by shares (N, 3); 1 where one is none."""
    there = np.einsum("nc,ncj->nj", share, normals)
    lengths = np.linalg.norm(there, axis=1) * np.linalg.norm(facing, axis=1)
    dot = np.einsum("nj,nj->n", facing, there)
    return np.asarray(np.divide(dot, lengths, out=np.ones_like(dot), where=lengths > 0))


def _samples(
    corners: NDArray[np.float64], spacing: float
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    """Places (S, 3) on triangles (F, 3, 3), and the faces at each: those from first[s] to first[s + 1]."""
    spread = corners.reshape(-1, 3)
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    while (steps := np.ceil(longest / spacing)) @ steps / 2 > MOST_SAMPLES and steps.max() > 1:
        spacing *= 1.5
    places, faces = [spread], [np.repeat(np.arange(len(corners)), 3)]
    for count in np.unique(steps).astype(int).tolist():
        shares = _lattice(count)
        if len(shares):
            of = np.flatnonzero(steps == count)
            places.append(np.einsum("sc,fcj->fsj", shares, corners[of]).reshape(-1, 3))
            faces.append(np.repeat(of, len(shares)))
    where, which = np.concatenate(places), np.concatenate(faces)
    found, place = np.unique(where, axis=0, return_inverse=True)
    order = np.argsort(place.ravel(), kind="stable")
    first = np.append(0, np.cumsum(np.bincount(place.ravel(), minlength=len(found))))
    return found, first, which[order]


def _lattice(count: int) -> NDArray[np.float64]:
    """Shares (S, 3) of the points that cut a triangle's edges in `count`, but for its corners."""
    a, b = np.meshgrid(np.arange(count + 1), np.arange(count + 1), indexing="ij")
    shares = np.stack([a, b, count - a - b], axis=-1).reshape(-1, 3)
    return shares[(shares >= 0).all(axis=1) & (shares < count).all(axis=1)] / count


def _pairs(
    near: NDArray[np.intp], first: NDArray[np.intp], faces: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of `near`, which names samples, with each face at them, once."""
    sample = near.ravel()
    count = first[sample + 1] - first[sample]
    row = np.repeat(np.repeat(np.arange(len(near)), near.shape[1]), count)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    face = faces[np.repeat(first[sample], count) + within]
    key = np.unique(row * (int(face.max()) + 1) + face)
    return np.divmod(key, int(face.max()) + 1)


def closest_on_triangles(
    points: NDArray[np.float64], corners: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Barycentric coordinates (N, 3) of the points of triangles (N, 3, 3) nearest to points (N, 3), and how far."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, ac, ap = b - a, c - a, points - a
    dot = np.einsum
    d00, d01, d11 = dot("ni,ni->n", ab, ab), dot("ni,ni->n", ab, ac), dot("ni,ni->n", ac, ac)
    d20, d21 = dot("ni,ni->n", ap, ab), dot("ni,ni->n", ap, ac)
    area = d00 * d11 - d01 * d01
    flat = area <= 1e-12 * d00 * d11
    area = np.where(flat, 1.0, area)
    v, w = (d11 * d20 - d01 * d21) / area, (d00 * d21 - d01 * d20) / area
    inside = ~flat & (v >= 0) & (w >= 0) & (v + w <= 1)
    best = np.stack([1 - v - w, v, w], axis=1)
    left = np.where(inside, np.linalg.norm(points - a - v[:, None] * ab - w[:, None] * ac, axis=1), np.inf)
    for begin, end in ((0, 1), (1, 2), (2, 0)):
        edge = corners[:, end] - corners[:, begin]
        along = dot("ni,ni->n", points - corners[:, begin], edge)
        squared = dot("ni,ni->n", edge, edge)
        t = np.clip(np.divide(along, squared, out=np.zeros_like(along), where=squared > 0), 0, 1)
        distance = np.linalg.norm(points - corners[:, begin] - t[:, None] * edge, axis=1)
        nearer = ~inside & (distance < left)
        share = np.zeros_like(best)
        share[:, begin], share[:, end] = 1 - t, t
        best[nearer], left[nearer] = share[nearer], distance[nearer]
    return best, left


def vertex_normals(mesh: Mesh) -> NDArray[np.float64]:
    """(V, 3) unit, of the faces about each vertex by their areas; zero where there are none, or they cancel out."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = _summed(np.repeat(normal, 3, axis=0), mesh.faces.ravel(), len(mesh.vertices))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    area = _summed(np.repeat(np.linalg.norm(normal, axis=1), 3)[:, None], mesh.faces.ravel(), len(mesh.vertices))
    return np.asarray(np.divide(total, length, out=np.zeros_like(total), where=length > 1e-6 * area))


def _ring_centres(mesh: Mesh) -> NDArray[np.float64]:
    """(V, 3) the mean of the centres of the faces about each vertex; the vertex itself where there are none."""
    centres = mesh.vertices[mesh.faces].astype(np.float64).mean(axis=1)
    total = _summed(np.repeat(centres, 3, axis=0), mesh.faces.ravel(), len(mesh.vertices))
    count = np.bincount(mesh.faces.ravel(), minlength=len(mesh.vertices))[:, None]
    return np.where(count > 0, total / np.maximum(count, 1), mesh.vertices)


def _summed(values: NDArray[np.float64], rows: NDArray[np.integer], count: int) -> NDArray[np.float64]:
    return np.stack([np.bincount(rows, column, count) for column in values.T], axis=1)
