"""Skin weights of a mesh by distances from bones within its volume.

After Dionne and de Lasa, Geodesic Voxel Binding for Production Character Meshes (2013).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.arrays import Doubles, Mask
from specsia_build.rendering.mesh import Mesh
from specsia_build.rigging.volume import Volume, volume_of

_FALL = 13.0
"""Exponent of the distance by which a bone's weight falls. This and the reaches below were fitted to the skin
weights of 34 people by seven makers, on the joints that are found in their pictures; none of them is of the
collection's splits `test` and `validation`."""

_REACH = {"hips": 0.86, "spine": 0.79, "chest": 0.81, "upperChest": 0.8, "neck": 0.9, "head": 0.61}
"""Factor on the distance from bones that move more than what is nearest to them; 1 for limbs."""

_ROUNDS = 2  # Times that weights are averaged, which hides the size of voxels

Segments = Sequence[tuple[Doubles, Doubles]]
"""Ends (3,) of the lines that a bone consists of; none for a bone that moves nothing."""


def skin_weights(mesh: Mesh, names: Sequence[str], bones: Sequence[Segments]) -> Doubles:
    """Weights (V, J) of bones for the vertices of a mesh, each row summing to 1.

    Raises CharacterError if the mesh has no surface.

    Args:
        mesh: closed or not, in parts or not.
        names: of the bones, J of them.
        bones: the lines of each, in the coordinates of the mesh.
    """
    volume = volume_of(mesh)
    centres = volume.centres
    tree = scipy.spatial.cKDTree(centres)
    distances = np.full((len(names), len(centres)), np.inf)
    for number, (name, segments) in enumerate(zip(names, bones, strict=True)):
        if segments:
            away = volume.distances(_nearest_voxels(tree, segments, volume.pitch))
            distances[number] = _REACH.get(name, 1.0) * (away + volume.pitch / 2)
    nearest = distances.min(axis=0)
    reached = np.isfinite(nearest)
    weights = np.zeros((len(centres), len(names)))
    with np.errstate(invalid="ignore"):
        weights[reached] = ((nearest / distances) ** _FALL)[:, reached].T
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    if not reached.all():
        _attach_loose(weights, volume, reached)
    at_vertices = volume.at(volume.smoothed(weights, _ROUNDS), mesh.vertices.astype(np.float64))
    return _normalised(at_vertices)


def _attach_loose(weights: Doubles, volume: Volume, reached: Mask) -> None:
    """Give each part of a volume that no bone reaches (M,) the weights of what is nearest to it, in place.

    A part moves as a whole, and the nearest part is the next: a fingertip in two pieces stays with its hand.
    """
    part = scipy.sparse.csgraph.connected_components(volume.links, directed=False)[1]
    loose, near = np.flatnonzero(~reached), np.flatnonzero(reached)
    away, source = np.full(len(loose), np.inf), np.zeros(len(loose), np.intp)
    while len(loose):
        distance, place = map(
            np.asarray, scipy.spatial.cKDTree(volume.centres[near]).query(volume.centres[loose])
        )
        is_nearer = distance < away
        away, source = np.where(is_nearer, distance, away), np.where(is_nearer, near[place], source)
        first = int(away.argmin())
        is_next = part[loose] == part[loose[first]]
        near = loose[is_next]
        weights[near] = weights[source[first]]
        loose, away = loose[~is_next], away[~is_next]
        source = source[~is_next]


def _nearest_voxels(tree: scipy.spatial.cKDTree, segments: Segments, pitch: float) -> NDArray[np.integer]:
    """Voxels along the lines of a bone; where it leaves the volume, those nearest to it."""
    points = []
    for begin, end in segments:
        count = 2 + int(2 * np.linalg.norm(end - begin) / pitch)
        points.append(begin + np.linspace(0, 1, count)[:, None] * (end - begin))
    distance, voxel = map(np.asarray, tree.query(np.concatenate(points)))
    return np.unique(voxel[distance <= max(pitch, distance.min() + pitch / 2)])


def _normalised(weights: Doubles) -> Doubles:
    """Rows summing to 1; a vertex that no face uses goes with the first bone."""
    total = weights.sum(axis=1, keepdims=True)
    lost = total[:, 0] <= 0
    weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    weights[lost, 0] = 1.0
    return weights
