"""Edges of a character that are lines wherever they are seen, found once at rest: creases and borders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.rendering import joining
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.topology import weld

CREASE_DEG = 65.0
"""Angle between two faces' normals from which their edge is a crease. A tube of six sides, as the arms and legs of
low-poly characters are, has 60 degrees between neighbours and is meant to be round; a box has 90."""

LEAST_CREASE = 0.05
"""Units, of a character that is about 1 tall, of creases that hang together below which they are no line: where a
surface was cut from a grid its edges are creased here and there."""

SLIVER = 1e-3
"""Height over longest side below which a face has no direction to speak of."""


@dataclass(frozen=True)
class Features:
    """The E edges of a mesh of V vertices and F faces, vertices at the same place taken as one.

    Attributes:
        ends: (E, 2) int32, vertices.
        start: (E + 1,) int32, where each edge's part of `faces` begins.
        faces: (H,) int32, the faces that lie on each edge.
        third: (H,) int32, their vertices that are none of the edge's.
        always: (E,) bool, creases and borders, drawn wherever they are seen.
        turning: (E,) bool, those that are drawn where the surface turns away from the camera: not where a sliver lies
            on the edge.
        opaque: (E,) bool, whether a face on the edge is there whatever its opacity.
        welded: (V,) int32, the lowest vertex at the place of each.
        corners: (F, 3) int32, those of the faces' vertices.
        points: (V,) int32, the lowest vertex there that always moves as each does.
        region: (F,) int32, of each face.
    """

    ends: NDArray[np.int32]
    start: NDArray[np.int32]
    faces: NDArray[np.int32]
    third: NDArray[np.int32]
    always: NDArray[np.bool_]
    turning: NDArray[np.bool_]
    opaque: NDArray[np.bool_]
    welded: NDArray[np.int32]
    corners: NDArray[np.int32]
    points: NDArray[np.int32]
    region: NDArray[np.int32]


def feature_edges(mesh: Mesh, region: NDArray[np.int32], bound: NDArray[np.int32] | None = None) -> Features:
    """The edges of a mesh at rest.

    Args:
        mesh: at rest, in the frame.
        region: (F,) number of each face's region, not negative.
        bound: (V,) numbers of what moves each vertex, see `Rig.bound`; None where the mesh does not move.

    Returns:
        Edges of which an edge is a line wherever it is seen if one face only lies on it, if the faces on its two sides
        differ in region or material, or if they meet in an angle of `CREASE_DEG` or more. Faces that cover each other
        count as one.
    """
    welded = weld(mesh.vertices)
    corners = welded[mesh.faces]
    here, there, third = (np.roll(corners, -k, axis=1).reshape(-1) for k in (0, 1, 2))
    low, high = np.minimum(here, there), np.maximum(here, there)
    order = np.lexsort((third, high, low))
    order = order[(here != there)[order]]
    low, high, third = low[order], high[order], third[order]
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    start = np.append(np.flatnonzero(fresh), len(order)).astype(np.int32)
    normals, flat = _directions(mesh)
    face, corner = order // 3, order % 3
    first, last = start[:-1], start[1:] - 1
    sheet = fresh.copy()
    sheet[1:] |= third[1:] != third[:-1]
    sheets = np.add.reduceat(sheet, first)
    # Faces are sorted by their third corner, so that the first and the last of two sheets lie on different ones.
    one, other = face[first], face[last]
    opposed = here[order[first]] == there[order[last]]
    cosine = np.einsum("ij,ij->i", normals[one], normals[other]) * np.where(opposed, 1, -1)
    slivers = np.logical_or.reduceat(flat[face], first)
    creased = (sheets == 2) & (cosine <= np.cos(np.deg2rad(CREASE_DEG))) & ~slivers
    border = (sheets == 1) & ~slivers
    for kind in (region, mesh.face_material):
        border |= _differ(kind[face], first, sheet)
    creased &= ~border & (_joined(mesh, low[first], high[first], creased | border) >= LEAST_CREASE)
    opaque = np.array([material.alpha_mode == "opaque" for material in mesh.materials])[mesh.face_material]
    ends = [mesh.faces[one, (corner[first] + k) % 3] for k in range(2)]
    return Features(
        ends=np.stack(ends, axis=1).astype(np.int32),
        start=start,
        faces=face.astype(np.int32),
        third=mesh.faces[face, (corner + 2) % 3].astype(np.int32),
        always=creased | border,
        turning=~slivers,
        opaque=np.logical_or.reduceat(opaque[face], first),
        welded=welded,
        corners=corners,
        points=weld(mesh.vertices, bound),
        region=np.ascontiguousarray(region, np.int32),
    )


def _directions(mesh: Mesh) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Unit normals (F, 3), and which faces are slivers (F,)."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    sides = corners - np.roll(corners, 1, axis=1)
    normal = np.cross(sides[:, 1], sides[:, 2])
    area = np.linalg.norm(normal, axis=1)
    longest = (sides**2).sum(axis=2).max(axis=1, initial=0)
    flat = area <= SLIVER * longest
    return normal / np.where(flat, 1, area)[:, None], flat


def _joined(
    mesh: Mesh, one: NDArray[np.int32], other: NDArray[np.int32], chosen: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(E,) how long the chosen edges between (welded) vertices are together that hang together with each of them."""
    count = len(mesh.vertices)
    lengths = np.linalg.norm(mesh.vertices[one] - mesh.vertices[other], axis=1) * chosen
    label = joining.joined(one[chosen], other[chosen], count)
    return np.asarray(np.bincount(label[one], lengths, minlength=count)[label[one]])


def _differ(kind: NDArray[np.int32], first: NDArray[np.int32], sheet: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(E,) whether the sheets of faces that meet at an edge are of different kinds."""
    begins = np.flatnonzero(sheet)
    least, most = np.minimum.reduceat(kind, begins), np.maximum.reduceat(kind, begins)
    edges = np.searchsorted(begins, first)
    return np.asarray(
        (np.minimum.reduceat(least, edges) != np.maximum.reduceat(least, edges))
        | (np.minimum.reduceat(most, edges) != np.maximum.reduceat(most, edges))
    )
