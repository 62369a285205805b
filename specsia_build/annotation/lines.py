"""The line art of a frame: creases, borders, silhouettes, and borders between parts, where they are visible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.annotation import tracing
from specsia_build.annotation.tracing import CUT, View, ink
from specsia_build.rendering import joining
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.seen import Seen
from specsia_build.rendering.topology import weld

CREASE_DEG = 65.0
"""Angle between normals from which an edge is a crease. Six-sided tubes, as limbs of low-poly characters are, have 60
degrees and are meant to look round; boxes have 90."""

LEAST_CREASE = 0.05
"""Length of connected creases, of a character about 1 tall, below which they are noise of a surface cut from a grid."""

SLIVER = 1e-3
"""Height over longest side below which the normal of a face is not trusted."""


@dataclass(frozen=True)
class Features:
    """The E edges of a mesh of V vertices and F faces; vertices at one place count as one.

    Attributes:
        ends: (E, 2) int32, vertices.
        start: (E + 1,) int32, offsets of the edges in `faces` and `third`.
        faces: (H,) int32, faces at each edge.
        third: (H,) int32, the vertex of each that is not on the edge.
        always: (E,) bool, creases and borders: lines wherever visible.
        turning: (E,) bool, edges that may be silhouettes; not those of slivers.
        opaque: (E,) bool, whether an opaque face is at the edge.
        welded: (V,) int32, lowest vertex at the same place.
        corners: (F, 3) int32, welded vertices of faces.
        points: (V,) int32, lowest vertex at the same place that moves with it.
        region: (F,) int32, region of each face.
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
    """Find the edges of a mesh.

    An edge is always a line if it has one face, if its faces differ in region or material, or if they meet at
    `CREASE_DEG` or more. Faces that cover each other count as one.

    Args:
        mesh: at rest, in the frame.
        region: (F,) region of each face, not negative.
        bound: (V,) what moves each vertex, see `Rig.bound`; None for a mesh that does not move.
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
    # Sorted by their third corner: of two sheets, the first and the last face are on different ones.
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
    """Total length (E,) of the chosen edges between (welded) vertices that are connected with each edge."""
    count = len(mesh.vertices)
    lengths = np.linalg.norm(mesh.vertices[one] - mesh.vertices[other], axis=1) * chosen
    label = joining.joined(one[chosen], other[chosen], count)
    return np.asarray(np.bincount(label[one], lengths, minlength=count)[label[one]])


def _differ(kind: NDArray[np.int32], first: NDArray[np.int32], sheet: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the sheets of faces at each edge (E,) have different kinds."""
    begins = np.flatnonzero(sheet)
    least, most = np.minimum.reduceat(kind, begins), np.maximum.reduceat(kind, begins)
    edges = np.searchsorted(begins, first)
    return np.asarray(
        (np.minimum.reduceat(least, edges) != np.maximum.reduceat(least, edges))
        | (np.minimum.reduceat(most, edges) != np.maximum.reduceat(most, edges))
    )


BINARY = 200
"""Level below which a pixel of a line picture counts as line."""

WIDTHS = (1.0, 4.0)
"""Least and greatest width of lines, in pixels."""

SPECK = 4.0
"""Length in pixels below which connected lines are left out."""


@dataclass(frozen=True)
class Lines:
    """Straight pieces of lines: x and y of their ends (P, 2, 2) in pixels, and `Features.points` of these (P, 2).

    The latter is -1 where an edge becomes hidden, and along borders at which the mesh has no edge.
    """

    places: NDArray[np.float32]
    vertices: NDArray[np.int32]


def visible_lines(seen: Seen, features: Features) -> Lines:
    """Find the lines of a frame, on every border between two regions, or a region and the background, but of specks."""
    height, width = seen.face.shape
    edges = (features.ends, features.start, features.faces, features.third, features.always, features.turning)
    which = tracing.candidates(seen.faces, *edges, seen.screen, seen.facing)
    far = tracing.depths_around(seen.faces, seen.screen, seen.depth)
    view = View(seen.faces, seen.screen, seen.depth, seen.face, seen.sample, far)
    known = features.ends, features.opaque, features.welded, features.corners, features.points
    places, vertices = tracing.seen_pieces(which, *known, view)
    drawn = np.full((height, width), 255, np.uint8)
    ink(places, WIDTHS[0], drawn)
    between = tracing.seams(seen.numbers(features.region), seen.box, drawn, BINARY, view)
    places = np.concatenate([places, between])
    vertices = np.concatenate([vertices, np.full((len(between), 2), CUT, np.int32)])
    kept = tracing.lengths_together(places, vertices, len(features.points), height, width) >= SPECK
    return Lines(places[kept], vertices[kept])


def draw_lines(lines: Lines, size: int, width: float) -> NDArray[np.uint8]:
    """Draw lines of `width` pixels black on white, anti-aliased, as (S, S) uint8; ValueError if not in `WIDTHS`.

    Binarised at `BINARY`, lines separate pixels that are neighbours in rows or columns.
    """
    if not WIDTHS[0] <= width <= WIDTHS[1]:
        raise ValueError(f"lines are {WIDTHS[0]:g} to {WIDTHS[1]:g} px wide, not {width}")
    out = np.full((size, size), 255, np.uint8)
    ink(lines.places, width, out)
    return out
