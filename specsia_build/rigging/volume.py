"""The volume of a mesh in voxels, and distances within it: from a hand to the hip beside it is a long way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.arrays import Doubles, Floats, Mask
from specsia_build.errors import CharacterError
from specsia_build.rendering.mesh import Mesh, unit_normals

_COARSE, _FINEST = 48, 128
"""Voxels along the longest side of the box: those that tell how large a volume is, and the smallest."""

_MOST_VOXELS = 60_000  # About the most voxels of a volume, which has larger ones instead

_WALLS = 5  # Of the six directions along the axes, those in which the surface lies around an inner voxel
_STEP = 0.6  # Largest distance between points of the surface that mark voxels, in voxels
_FACING = 0.25
"""Least part along an axis of the mean normals in two voxels that face each other across a gap: a third in a
box's corner, and none in a sheet thinner than a voxel."""


@dataclass(frozen=True, eq=False)
class Volume:
    """The M voxels inside of a mesh or on its surface.

    Attributes:
        inside: (X, Y, Z) whether each voxel of the grid is one of them; their order is that of `nonzero`.
        corner: (3,) lowest corner of the grid.
        pitch: side of a voxel in units.
        links: (M, M) distances in units between voxels that touch, by a corner at least.
    """

    inside: Mask
    corner: Doubles
    pitch: float
    links: scipy.sparse.csr_array

    @property
    def centres(self) -> Doubles:
        """(M, 3) centres of the voxels."""
        return np.argwhere(self.inside) * self.pitch + (self.corner + self.pitch / 2)

    def distances(self, sources: NDArray[np.integer]) -> Doubles:
        """(M,) distance of each voxel within the volume from the nearest of some voxels; inf off them."""
        if not len(sources):
            return np.full(self.links.shape[0], np.inf)
        return np.asarray(
            scipy.sparse.csgraph.dijkstra(self.links, directed=False, indices=sources, min_only=True)
        )

    def between_colours(self, colours: Floats, factor: float) -> Volume:
        """The same volume with longer links between voxels whose colours (M, 3), 0 to 1, differ.

        A length is multiplied by 1 + `factor` * d, where d is the largest difference of a channel.
        """
        first, second = self.links.nonzero()
        difference = np.abs(colours[first] - colours[second]).max(axis=1)
        links = self.links.copy()
        links.data = links.data * (1 + factor * difference)
        return replace(self, links=links)

    def smoothed(self, values: Doubles, rounds: int) -> Doubles:
        """Values (M, K) averaged with those of the voxels around, so many times."""
        weights = scipy.sparse.csr_array(self.links)
        weights.data = np.ones_like(weights.data)
        weights = weights + weights.T + scipy.sparse.eye_array(len(values))
        weights = scipy.sparse.diags_array(1 / weights.sum(axis=1)) @ weights
        for _ in range(rounds):
            values = weights @ values
        return values

    def at(self, values: Doubles, points: Doubles) -> Doubles:
        """Values (M, K) at points (P, 3) on the mesh, interpolated between the eight voxels around each."""
        number = np.full(self.inside.shape, -1)
        number[self.inside] = np.arange(len(values))
        place = (points - self.corner) / self.pitch - 0.5
        base = np.floor(place).astype(np.int64)
        total = np.zeros((len(points), values.shape[1]))
        weight = np.zeros((len(points), 1))
        for offset in product((0, 1), repeat=3):
            near = 1 - np.abs(place - (base + offset))
            row = number[tuple(np.clip(base + offset, 0, np.array(number.shape) - 1).T)]
            share = np.where(row >= 0, near.prod(axis=1), 0.0)[:, None]
            total += share * values[row]
            weight += share
        return total / np.maximum(weight, 1e-12)


def volume_of(mesh: Mesh) -> Volume:
    """The volume of a mesh whose triangles need not be closed; raises CharacterError if it has no surface.

    A voxel is inside where a straight way along an axis meets the surface in at least five of the six
    directions, so that a sleeve without an end is filled, and the ring of an arm on a hip is not.
    """
    if not mesh.doubled_areas.any():
        raise CharacterError("its mesh has no surface that a rig could move")
    low, high = (bound.astype(np.float64) for bound in mesh.bounds())
    pitch = float((high - low).max()) / _COARSE
    count = np.count_nonzero(_at_pitch(mesh, low, high, pitch)[0])
    pitch *= max(_COARSE / _FINEST, (count / _MOST_VOXELS) ** (1 / 3))
    inside, normals = _at_pitch(mesh, low, high, pitch)
    return Volume(inside, low - 2 * pitch, pitch, _links(inside, normals, pitch))


def _at_pitch(mesh: Mesh, low: Doubles, high: Doubles, pitch: float) -> tuple[Mask, Doubles]:
    """Voxels (X, Y, Z) inside, and means (X, Y, Z, 3) of the normals of the surface in each."""
    points, face = _samples(mesh, _STEP * pitch)
    shape = tuple(np.ceil((high - low) / pitch).astype(np.int64) + 5)
    at = np.ravel_multi_index(tuple(((points - low) / pitch + 2).astype(np.int64).T), shape)
    surface = np.zeros(shape, np.bool_)
    surface.flat[at] = True
    walls = np.zeros(shape, np.int8)
    for axis in range(3):
        for way in (slice(None), slice(None, None, -1)):
            lines = np.moveaxis(surface, axis, 0)[way]
            walls += np.moveaxis(np.logical_or.accumulate(lines)[way], 0, axis)
    size, unit = surface.size, unit_normals(mesh)[face]
    sums = np.stack([np.bincount(at, column, size) for column in unit.T], axis=1)
    normals: Doubles = sums / np.maximum(np.bincount(at, minlength=size), 1)[:, None]
    return surface | (walls >= _WALLS), normals.reshape(*shape, 3)


def _samples(mesh: Mesh, step: float) -> tuple[Doubles, NDArray[np.intp]]:
    """Points (P, 3) on the surface, no farther apart than `step`, and the face (P,) of each."""
    face = np.flatnonzero(mesh.doubled_areas > 0)
    corners = mesh.vertices[mesh.faces[face]].astype(np.float64)
    points = []
    faces = []
    while len(face):
        edges = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)
        longest = edges.argmax(axis=1)
        small = edges.max(axis=1) <= step
        points.append(corners[small].reshape(-1, 3))
        faces.append(np.repeat(face[small], 3))
        # Others are split in the middle of their longest edge, from the first to the second corner.
        turn = (longest[~small, None] + np.arange(3)) % 3
        ordered = np.take_along_axis(corners[~small], turn[..., None], axis=1)
        halves = np.concatenate([ordered, ordered])
        middles = ordered[:, :2].mean(axis=1)
        halves[: len(middles), 1] = middles
        halves[len(middles) :, 0] = middles
        corners, face = halves, np.tile(face[~small], 2)
    return np.concatenate(points), np.concatenate(faces)


def _links(inside: Mask, normals: Doubles, pitch: float) -> scipy.sparse.csr_array:
    """Distances (M, M) between voxels that touch, but for surfaces that face each other across a gap."""
    count = int(np.count_nonzero(inside))
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(count)
    facing = normals[inside]
    rows = []
    columns = []
    lengths = []
    for offset in product((-1, 0, 1), repeat=3):
        if offset <= (0, 0, 0):
            continue
        step = np.array(offset)
        # The grid's border is empty.
        first, second = number[inside], np.roll(number, -step, axis=(0, 1, 2))[inside]
        first, second = first[second >= 0], second[second >= 0]
        length = float(np.linalg.norm(step))
        gap = ((facing[first] * step > _FACING) & (facing[second] * step < -_FACING)).any(axis=1)
        rows.append(first[~gap])
        columns.append(second[~gap])
        lengths.append(np.full(len(rows[-1]), length * pitch))
    places = np.concatenate(rows), np.concatenate(columns)
    return scipy.sparse.csr_array((np.concatenate(lengths), places), shape=(count, count))
