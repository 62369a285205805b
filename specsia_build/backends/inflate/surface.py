"""A closed surface from the half thickness of a figure: marching cubes of one half, mirrored at the contour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from skimage.measure import marching_cubes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SMOOTHING = 3
"""Rounds of tangential smoothing, which evens out the slivers of marching cubes."""


@dataclass(frozen=True)
class Surface:
    """A closed surface over a grid, symmetric about the plane of the picture.

    Attributes:
        points: (V, 3) float64 column, row and height in cells; height is positive towards the viewer, 0 on the rim.
        faces: (F, 3) int64; counter-clockwise seen from outside when columns grow to the right, rows downwards and
            height towards the viewer.
        front: (F,) bool, whether the face lies on the viewer's side of the rim; no face crosses it.
    """

    points: Floats
    faces: Ints
    front: NDArray[np.bool_]


def extend_outside(square: Floats, distance: Floats) -> Floats:
    """Continue the squared half thickness below zero outside, so that it vanishes on the contour itself.

    Near the contour it is written as distance times a slope; the slope is smooth, so it is averaged outwards.

    Args:
        square: (h, w) squared half thickness in cells squared, 0 outside.
        distance: (h, w) signed distance to the contour in cells.
    """
    weight = np.clip(distance, 0.0, 1.0) ** 2
    slope = square / np.maximum(distance, 0.05)
    total = ndimage.gaussian_filter(weight, 1.0, mode="constant")
    mean = ndimage.gaussian_filter(weight * slope, 1.0, mode="constant") / np.maximum(total, 1e-12)
    mean = np.where(total > 1e-9, np.maximum(mean, 0.05), 1.0)
    inner = np.clip(distance - 0.5, 0.0, 1.0)
    return inner * square + (1.0 - inner) * distance * mean


def close_surface(square: Floats) -> Surface:
    """The surface height^2 = square(column, row), for both signs of the height.

    Args:
        square: (h, w) squared half thickness in cells squared, negative outside and on the border.
    """
    layers = int(np.ceil(np.sqrt(square.max()))) + 2
    height = np.arange(layers, dtype=np.float64)
    volume = (square[None] - (height**2)[:, None, None]).astype(np.float32)
    # A node exactly on the surface would give triangles without area.
    volume[volume == 0] = 1e-6
    found, faces, _, _ = marching_cubes(volume, 0.0, gradient_direction="ascent")
    half = found[:, ::-1].astype(np.float64)
    points, faces, side = _mirrored(half, faces.astype(np.int64))
    points = _relaxed(points, faces, side, square)
    if _signed_volume(points, faces) < 0:
        faces = faces[:, ::-1]
    front = np.arange(len(faces)) < len(faces) // 2
    return Surface(points, np.ascontiguousarray(faces), front)


def _mirrored(half: Floats, faces: Ints) -> tuple[Floats, Ints, Floats]:
    """Both halves of a surface that is open at height 0, sharing the vertices there; and each vertex's side.

    Returns:
        points, faces (the front's first), and 1, 0 or -1 per point for front, rim and back.
    """
    rim = half[:, 2] == 0.0
    back = half[~rim] * (1.0, 1.0, -1.0)
    twin = np.arange(len(half))
    twin[~rim] = len(half) + np.arange(len(back))
    both = np.concatenate([faces, twin[faces][:, ::-1]])
    side = np.concatenate([np.where(rim, 0.0, 1.0), np.full(len(back), -1.0)])
    return np.concatenate([half, back]), both, side


def _relaxed(points: Floats, faces: Ints, side: Floats, square: Floats) -> Floats:
    """Move vertices towards their neighbours' mean, along the surface only and each on its side of the rim."""
    count = len(points)
    corners = faces.ravel()
    following = faces[:, [1, 2, 0]].ravel()
    ones = np.ones(len(corners))
    neighbours = sparse.csr_matrix((ones, (corners, following)), shape=(count, count))
    degree = np.bincount(corners, minlength=count)[:, None]
    spline = ndimage.spline_filter(square, order=3, mode="nearest")
    down, right = np.gradient(square, axis=0), np.gradient(square, axis=1)
    for _ in range(SMOOTHING):
        points = 0.5 * points + 0.5 * np.asarray(neighbours @ points) / degree
        points = _projected(_projected(points, spline, right, down), spline, right, down)
        points[:, 2] = side * np.maximum(side * points[:, 2], 1e-3)
    return points


def _projected(points: Floats, spline: Floats, right: Floats, down: Floats) -> Floats:
    """One Newton step towards height^2 = square."""
    at = [points[:, 1], points[:, 0]]
    value = ndimage.map_coordinates(spline, at, order=3, mode="nearest", prefilter=False) - points[:, 2] ** 2
    gradient = np.stack(
        [
            ndimage.map_coordinates(right, at, order=1, mode="nearest"),
            ndimage.map_coordinates(down, at, order=1, mode="nearest"),
            -2.0 * points[:, 2],
        ],
        axis=1,
    )
    steepness = np.maximum(np.einsum("ij,ij->i", gradient, gradient), 1e-3)
    move = (value / steepness)[:, None] * gradient
    # Where the field is nearly flat Newton's step is meaningless beyond a fraction of a cell.
    length = np.linalg.norm(move, axis=1, keepdims=True)
    return np.asarray(points - move * np.minimum(1.0, 0.3 / np.maximum(length, 1e-12)))


def _signed_volume(points: Floats, faces: Ints) -> float:
    """Six times the volume, in the right-handed axes column to the right, row upwards, height to the viewer."""
    a, b, c = (points[faces[:, k]] * (1.0, -1.0, 1.0) for k in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)))
