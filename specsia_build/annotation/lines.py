"""The line art of a frame, where its lines are visible, and the segments that they enclose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy
import skimage
from numpy.typing import NDArray

from specsia_build.annotation import tracing
from specsia_build.annotation.tracing import CUT, TracedView, ink
from specsia_build.arrays import Doubles, Floats, Mask, Pixels
from specsia_build.pictures.masks import box_around
from specsia_build.rendering.layers import HALF_COVERED, Seen
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.topology import linked_groups, weld

CREASE_DEG = 65.0
"""Angle between normals from which an edge is a crease. Six-sided tubes, as limbs of low-poly characters are,
have 60 degrees and are meant to look round; boxes have 90."""

LEAST_CREASE = 0.05
"""Length of connected creases, of a character about 1 tall; shorter ones are noise of grid surfaces."""

SLIVER = 1e-3  # Height over longest side below which the normal of a face is not trusted


class Features(NamedTuple):
    """The E edges of a mesh of V vertices and F faces; vertices at one place count as one."""

    ends: NDArray[np.int32]  # (E, 2), vertices
    start: NDArray[np.int32]  # (E + 1,), offsets of the edges in `faces` and `third`
    faces: NDArray[np.int32]  # (H,), faces at each edge
    third: NDArray[np.int32]  # (H,), the vertex of each that is not on the edge
    always: Mask  # (E,), creases and borders: lines wherever visible
    turning: Mask  # (E,), edges that may be silhouettes; not those of slivers
    opaque: Mask  # (E,), whether an opaque face is at the edge
    welded: NDArray[np.int32]  # (V,), lowest vertex at the same place
    corners: NDArray[np.int32]  # (F, 3), welded vertices of faces
    points: NDArray[np.int32]  # (V,), lowest vertex at the same place that moves with it
    region: NDArray[np.int32]  # (F,), region of each face


def feature_edges(mesh: Mesh, region: NDArray[np.int32], bound: NDArray[np.int32] | None = None) -> Features:
    """Find a mesh's edges at rest, by the region of each face (F,) and what moves vertices, `Rig.bound` (V,).

    An edge is always a line if it has one face, if its faces differ in region or material, or if they meet at
    `CREASE_DEG` or more. Faces that cover each other count as one.
    """
    welded = weld(mesh.vertices)
    corners = welded[mesh.faces]
    here, there, third = (np.roll(corners, -k, axis=1).reshape(-1) for k in (0, 1, 2))
    low, high = np.minimum(here, there), np.maximum(here, there)
    order = np.lexsort((third, high, low))
    order = order[(here != there)[order]]
    low, high = low[order], high[order]
    third = third[order]
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
    first_face, last_face = face[first], face[last]
    opposed = here[order[first]] == there[order[last]]
    cosine = np.einsum("ij,ij->i", normals[first_face], normals[last_face]) * np.where(opposed, 1, -1)
    slivers = np.logical_or.reduceat(flat[face], first)
    creased = (sheets == 2) & (cosine <= np.cos(np.deg2rad(CREASE_DEG))) & ~slivers
    border = (sheets == 1) & ~slivers
    for kind in (region, mesh.face_material):
        border |= _differ(kind[face], first, sheet)
    creased &= ~border & (_joined(mesh, low[first], high[first], creased | border) >= LEAST_CREASE)
    opaque = np.array([material.alpha_mode == "opaque" for material in mesh.materials])[mesh.face_material]
    ends = [mesh.faces[first_face, (corner[first] + k) % 3] for k in range(2)]
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


def _directions(mesh: Mesh) -> tuple[Doubles, Mask]:
    """Unit normals (F, 3), and which faces are slivers (F,)."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    sides = corners - np.roll(corners, 1, axis=1)
    normal = np.cross(sides[:, 1], sides[:, 2])
    area = np.linalg.norm(normal, axis=1)
    longest = (sides**2).sum(axis=2).max(axis=1, initial=0)
    flat = area <= SLIVER * longest
    return normal / np.where(flat, 1, area)[:, None], flat


def _joined(mesh: Mesh, begin: NDArray[np.int32], end: NDArray[np.int32], chosen: Mask) -> Doubles:
    """Total length (E,) of the chosen edges between (welded) vertices that are connected with each edge."""
    count = len(mesh.vertices)
    lengths = np.linalg.norm(mesh.vertices[begin] - mesh.vertices[end], axis=1) * chosen
    label = linked_groups(begin[chosen], end[chosen], count)
    return np.asarray(np.bincount(label[begin], lengths, minlength=count)[label[begin]])


def _differ(kind: NDArray[np.int32], first: NDArray[np.int32], sheet: Mask) -> Mask:
    """Whether the sheets of faces at each edge (E,) have different kinds."""
    begins = np.flatnonzero(sheet)
    least, most = np.minimum.reduceat(kind, begins), np.maximum.reduceat(kind, begins)
    edges = np.searchsorted(begins, first)
    return np.asarray(
        (np.minimum.reduceat(least, edges) != np.maximum.reduceat(least, edges))
        | (np.minimum.reduceat(most, edges) != np.maximum.reduceat(most, edges))
    )


BINARY = 200  # Level below which a pixel of a line picture counts as line
_WIDTHS = (1.0, 4.0)  # Least and greatest width of lines, in pixels
_SPECK = 4.0  # Length in pixels below which connected lines are left out


@dataclass(frozen=True)
class Lines:
    """Straight pieces of lines."""

    places: Floats  # (P, 2, 2), x and y of their ends in pixels
    # (P, 2), `Features.points` of these; -1 where an edge becomes hidden, and along borders without an edge
    vertices: NDArray[np.int32]


def visible_lines(seen: Seen, features: Features) -> Lines:
    """Find the lines of a frame: borders between two regions, or a region and the background; no specks."""
    height, width = seen.face.shape
    which = tracing.candidates(seen.faces, features, seen.screen, seen.facing)
    far = tracing.depths_around(seen.faces, seen.screen, seen.depth)
    view = TracedView(seen.faces, seen.screen, seen.depth, seen.face, seen.sample, far)
    places, vertices = tracing.visible_pieces(which, features, view)
    drawn = np.full((height, width), 255, np.uint8)
    ink(places, _WIDTHS[0], drawn)
    between = tracing.seams(seen.numbers(features.region), seen.box, drawn, BINARY, view)
    places = np.concatenate([places, between])
    vertices = np.concatenate([vertices, np.full((len(between), 2), CUT, np.int32)])
    kept = tracing.lengths_together(places, vertices, len(features.points), height, width) >= _SPECK
    return Lines(places[kept], vertices[kept])


def draw_lines(lines: Lines, size: int, width: float) -> Pixels:
    """Draw lines of `width` pixels, else a ValueError, black on white, anti-aliased, as (S, S) uint8.

    Binarised at `BINARY`, lines separate pixels that are neighbours in rows or columns.
    """
    if not _WIDTHS[0] <= width <= _WIDTHS[1]:
        raise ValueError(f"lines are {_WIDTHS[0]:g} to {_WIDTHS[1]:g} px wide, not {width}")
    out = np.full((size, size), 255, np.uint8)
    ink(lines.places, width, out)
    return out


LINES, BACKGROUND = 0, 1  # Numbers of lines and of the background
LEAST_PIXELS = 4  # Smallest segment; fewer pixels, as between two lines, count as line


def segments(line: Pixels, label: NDArray[np.int32], mask: Pixels) -> NDArray[np.int32]:
    """Number a frame's segments (H, W): 4-connected pixels of one region (-1 outside) that no line covers.

    0 is lines, binarised at `BINARY`, 1 background, also in holes; then segments follow in reading order.
    """
    dark = line < BINARY
    out = np.where(dark, LINES, BACKGROUND).astype(np.int32)
    region = np.where(dark | (mask < HALF_COVERED), -1, label)
    inside = region >= 0
    if inside.any():
        # Most of a frame is background, which need not be searched.
        box = box_around(inside)
        part = skimage.measure.label(region[box], background=-1, connectivity=1)
        kept = np.bincount(part.ravel()) >= LEAST_PIXELS
        kept[0] = False
        number = np.where(kept, BACKGROUND + np.cumsum(kept), LINES).astype(np.int32)
        out[box] = np.where(part > 0, number[part], out[box])
    return out


@dataclass(frozen=True)
class Contents:
    """Facts of N segments by number; lines and background are included, with region -1 and colour 0."""

    region: NDArray[np.int32]  # (N,), the most frequent one
    pixels: NDArray[np.int64]  # (N,), how many
    colors: Pixels  # (N, 4), flat sRGB


def contents(seg: NDArray[np.int32], label: NDArray[np.int32], palette: Pixels) -> Contents:
    """Contents of segments (H, W), by regions (H, W), -1 outside, and their flat colours (R, 3)."""
    count = max(int(seg.max(initial=0)), BACKGROUND) + 1
    pixels = np.bincount(seg.ravel(), minlength=count)
    inside = (seg > BACKGROUND) & (label >= 0)
    region = _most_frequent(seg[inside], label[inside], count)
    colors = np.zeros((count, 4), np.uint8)
    held = region >= 0
    colors[held, :3] = palette[region[held]]
    colors[held, 3] = 255
    return Contents(region, pixels, colors)


def matching(
    seg: NDArray[np.int32],
    label: NDArray[np.int32],
    other_seg: NDArray[np.int32],
    other_label: NDArray[np.int32],
    flow: Floats,
    unmatched: Mask,
) -> NDArray[np.int32]:
    """Match the segments of a frame with those of another, by the flow (H, W, 2) from the one to the other.

    Gives each number (N,) the segment of the same region in which most of its points are, or -1. Points of
    `unmatched` pixels (H, W) are hidden or outside there. Lines match lines, background matches background.
    """
    height, width = seg.shape
    count = max(int(seg.max(initial=0)), BACKGROUND) + 1
    row, column = np.nonzero((seg > BACKGROUND) & ~unmatched)
    there = np.floor(np.stack([column, row], axis=1) + 0.5 + flow[row, column]).astype(np.intp)
    inside = ((there >= 0) & (there < (width, height))).all(axis=1)
    here, there = (row[inside], column[inside]), (there[inside, 1], there[inside, 0])
    goes = other_seg[there]
    same = (goes > BACKGROUND) & (other_label[there] == label[here])
    matched = _most_frequent(seg[here][same], goes[same], count)
    matched[[LINES, BACKGROUND]] = LINES, BACKGROUND
    return matched


def _most_frequent(group: NDArray[np.int32], value: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Most frequent value (count,) of each group, the lowest of equals; -1 for an empty group."""
    ones, shape = np.ones(len(group), np.int32), (count, int(value.max(initial=0)) + 1)
    tally = scipy.sparse.coo_array((ones, (group, value)), shape=shape).tocsr()
    most = np.asarray(tally.argmax(axis=1), np.int32).reshape(count)
    most[np.diff(tally.indptr) == 0] = -1
    return most
