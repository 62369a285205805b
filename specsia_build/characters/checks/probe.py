"""Samples of a character that all checks share: points on its surface and four small views."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.arrays import Doubles
from specsia_build.characters.character import Landmark
from specsia_build.characters.checks.joints import turned
from specsia_build.frame import normalise, view_cameras
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import Layers
from specsia_build.rendering.mesh import Mesh, compacted

# Points on the surface; the mirror distances of 48 characters change by under 3 % with twice as many
_POINTS = 4000
_VIEW_SIZE = 128  # Pixels of a view: a head is 30 rows high, an eye 2 to 4
_MIRRORED, _FAR = 500, 0.1  # Points that are mirrored, and the largest distance of one in extents


@dataclass(frozen=True, eq=False)
class Probe:
    """Points on a character's surface under a rotation (3, 3) that maps axes onto axes."""

    mesh: Mesh  # In its own coordinates
    face_part: NDArray[np.int32]  # (F,) part of each face
    points: Doubles  # (N, 3), evenly spread by area, rotated; empty if the mesh has no area
    faces: NDArray[np.intp]  # (N,) face of each point
    part_names: Sequence[Sequence[str]] = ((),)  # As in `RawMesh`
    landmarks: Sequence[Landmark] = ()  # As in `RawMesh`, but rotated
    rotation: Doubles = field(default_factory=lambda: np.eye(3))

    @cached_property
    def placed(self) -> Mesh:
        """The mesh, rotated."""
        return self.mesh if (self.rotation == np.eye(3)).all() else self.mesh.rotated(self.rotation)

    @cached_property
    def part(self) -> NDArray[np.int32]:
        """(N,) part of each point."""
        return self.face_part[self.faces]

    @cached_property
    def low(self) -> Doubles:
        """(3,) lower corner of the box around the points, or around the mesh without any."""
        return np.asarray(self.points.min(axis=0) if len(self.points) else self.placed.bounds()[0])

    @cached_property
    def extent(self) -> Doubles:
        """(3,) extent of that box."""
        points = self.points if len(self.points) else np.array(self.placed.bounds())
        return np.asarray(np.maximum(np.ptp(points, axis=0), 1e-12))

    @cached_property
    def tree(self) -> scipy.spatial.cKDTree:
        return scipy.spatial.cKDTree(self.points)

    @cached_property
    def mirror_distance(self) -> Doubles:
        """(3,) mean distance of points from themselves mirrored in the best plane square to x, y and z."""
        return np.array([self._mirrored(axis) for axis in range(3)])

    @cached_property
    def views(self) -> tuple[Layers, ...]:
        """Views of a Z-up character from -y, +x, +y and -x."""
        mesh, cameras = compacted(self.placed), view_cameras(4, _VIEW_SIZE)
        frame = normalise(mesh.vertices, cameras, 1)
        return tuple(FastRenderer().render(mesh.with_vertices(frame.apply(mesh.vertices)), cameras))

    @property
    def levels(self) -> Doubles:
        """(N,) height of each point of a Z-up character, 0-1."""
        return np.asarray((self.points[:, 2] - self.low[2]) / self.extent[2])

    def turned(self, rotation: Doubles) -> Probe:
        """The same points under a further rotation (3, 3)."""
        landmarks = turned(self.landmarks, rotation)
        points, whole = self.points @ rotation.T, rotation @ self.rotation
        probe = replace(self, points=points, landmarks=landmarks, rotation=whole)
        if len(self.points):
            probe.__dict__["mirror_distance"] = np.abs(rotation) @ self.mirror_distance
        return probe

    def without(self, parts: Collection[int]) -> Probe:
        """New points on the mesh without some parts."""
        kept = ~np.isin(self.face_part, [*parts])
        landmarks = turned(self.landmarks, self.rotation.T)
        probe = probe_of(self.mesh.of_faces(kept), self.part_names, self.face_part[kept], landmarks)
        return probe.turned(self.rotation)

    def _mirrored(self, axis: int) -> float:
        along, far = self.points[:, axis], _FAR * float(self.extent.max())
        sample = self.points[:: len(self.points) // _MIRRORED]
        best = far
        for middle in (float(np.median(along)), float(along.mean()), float(along.min() + along.max()) / 2):
            mirrored = sample.copy()
            mirrored[:, axis] = 2 * middle - mirrored[:, axis]
            distances, _ = self.tree.query(mirrored, distance_upper_bound=far)
            best = min(best, float(np.minimum(distances, far).mean()))
        return best


def probe_of(
    mesh: Mesh,
    part_names: Sequence[Sequence[str]] = ((),),
    face_part: NDArray[np.int32] | None = None,
    landmarks: Sequence[Landmark] = (),
) -> Probe:
    """Sample a mesh, the same points each time; arguments as in `RawMesh`."""
    points, faces = surface_samples(mesh, _POINTS)
    numbers = np.zeros(len(mesh.faces), np.int32) if face_part is None else face_part
    return Probe(mesh, numbers, points, faces, part_names, landmarks)


def surface_samples(mesh: Mesh, count: int) -> tuple[Doubles, NDArray[np.intp]]:
    """Sample points evenly on a surface, (count, 3), with the face of each; none if it has no area."""
    areas = mesh.doubled_areas
    total = float(areas.sum())
    if not np.isfinite(total) or total <= 0:
        count = 0
    at = (np.arange(count) + 0.5) / count * total
    chosen = np.searchsorted(np.cumsum(areas), at)
    u, v = np.random.default_rng(0).random((2, count))
    over = u + v > 1
    u[over], v[over] = 1 - u[over], 1 - v[over]
    a, b, c = mesh.vertices[mesh.faces[chosen]].astype(np.float64).transpose(1, 0, 2)
    return np.asarray(a + u[:, None] * (b - a) + v[:, None] * (c - a)), chosen
