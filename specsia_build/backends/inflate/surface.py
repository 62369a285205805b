"""A closed surface from the half thickness of a figure: marching cubes of one half, mirrored at the contour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
import skimage
from numpy.typing import NDArray

from specsia_build.backends.inflate.blur import blurred

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SMOOTHING = 2
"""Rounds of tangential smoothing, which evens out the slivers of marching cubes."""


STEP = 2.0
"""Cells from layer to layer of the lattice along the line of sight."""


@dataclass(frozen=True)
class Shell:
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
    total = blurred(weight, 1.0, 4.0)
    mean = blurred(weight * slope, 1.0, 4.0) / np.maximum(total, 1e-12)
    mean = np.where(total > 1e-9, np.maximum(mean, 0.05), 1.0)
    inner = np.clip(distance - 0.5, 0.0, 1.0)
    return inner * square + (1.0 - inner) * distance * mean


def close_surface(square: Floats) -> Shell:
    """The surface height^2 = square(column, row), for both signs of the height.

    Args:
        square: (h, w) squared half thickness in cells squared, negative outside and on the border.
    """
    layers = int(np.ceil(np.sqrt(square.max()) / STEP)) + 2
    height = STEP * np.arange(layers, dtype=np.float64)
    volume = (square[None] - (height**2)[:, None, None]).astype(np.float32)
    # A node exactly on the surface would give triangles without area.
    volume[volume == 0] = 1e-6
    found, faces, _, _ = skimage.measure.marching_cubes(volume, 0.0, gradient_direction="ascent")
    half = _relaxed(found[:, ::-1] * np.array([1.0, 1.0, STEP]), faces, square)
    return _mirrored(half, faces.astype(np.int64))


def _mirrored(half: Floats, faces: Ints) -> Shell:
    """Both halves of a surface that is open at height 0, sharing the vertices there."""
    rim = half[:, 2] == 0.0
    back = half[~rim] * (1.0, 1.0, -1.0)
    twin = np.arange(len(half))
    twin[~rim] = len(half) + np.arange(len(back))
    both = np.concatenate([faces, twin[faces][:, ::-1]])
    return Shell(np.concatenate([half, back]), both, np.arange(len(both)) < len(faces))


def _relaxed(half: Floats, faces: NDArray[np.int32], square: Floats) -> Floats:
    """Move vertices towards their neighbours' mean, along the surface only; those of the rim stay on it.

    The other half, its mirror image, counts among the neighbours: an inner edge is listed by both of its faces here,
    one of the rim by one here and one there.
    """
    count = len(half)
    corners, following = faces.ravel(), faces[:, [1, 2, 0]].ravel()
    listed = scipy.sparse.csr_matrix((np.ones(len(corners)), (corners, following)), shape=(count, count))
    neighbours = (listed + listed.T).tocsr()
    degree = np.asarray(neighbours.sum(axis=1))
    spline = scipy.ndimage.spline_filter(square, order=3, mode="nearest")
    down, right = np.gradient(square, axis=0), np.gradient(square, axis=1)
    rim, points = half[:, 2] == 0.0, half
    for _ in range(SMOOTHING):
        points = 0.5 * points + 0.5 * np.asarray(neighbours @ points) / degree
        points[rim, 2] = 0.0
        points = _projected(_projected(points, spline, right, down), spline, right, down)
        points[:, 2] = np.where(rim, 0.0, np.maximum(points[:, 2], 1e-3))
    return points


def _projected(points: Floats, spline: Floats, right: Floats, down: Floats) -> Floats:
    """One Newton step towards height^2 = square."""
    at = [points[:, 1], points[:, 0]]
    value = scipy.ndimage.map_coordinates(spline, at, order=3, mode="nearest", prefilter=False) - points[:, 2] ** 2
    slopes: list[Floats] = [scipy.ndimage.map_coordinates(one, at, order=1, mode="nearest") for one in (right, down)]
    gradient = np.stack([*slopes, -2.0 * points[:, 2]], axis=1)
    steepness = np.maximum(np.einsum("ij,ij->i", gradient, gradient), 1e-3)
    move = (value / steepness)[:, None] * gradient
    # Where the field is nearly flat Newton's step is meaningless beyond a fraction of a cell.
    length = np.linalg.norm(move, axis=1, keepdims=True)
    return np.asarray(points - move * np.minimum(1.0, 0.3 / np.maximum(length, 1e-12)))
