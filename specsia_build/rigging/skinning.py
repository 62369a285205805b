"""Skin weights of a mesh by distances from bones within its volume.

After Dionne and de Lasa, Geodesic Voxel Binding for Production Character Meshes (2013).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.arrays import Doubles, Floats, Mask, Pixels
from specsia_build.frame import Camera
from specsia_build.pictures.films import over
from specsia_build.rendering.mesh import Mesh
from specsia_build.rigging.volume import Volume, volume_of

_FALL = 13.0
"""Exponent of the distance by which a bone's weight falls. This and the reaches below were fitted to the skin
weights of 34 people by seven makers, on the joints that are found in their pictures; none of them is of the
collection's splits `test` and `validation`."""

_REACH = {"hips": 0.86, "spine": 0.79, "chest": 0.81, "upperChest": 0.8, "neck": 0.9, "head": 0.61}
"""Factor on the distance from bones that move more than what is nearest to them; 1 for limbs."""

_CROSSING = 30.0
"""A step between voxels as different as black and white counts as this many steps more.

At 100 hardly anything changes. Chosen on drawings of 23 people with moved arms, none of them of the splits
`test` and `validation` of the collection.
"""

_ROUNDS = 2  # Times that weights are averaged, which hides the size of voxels

Segments = Sequence[tuple[Doubles, Doubles]]
"""Ends (3,) of the lines that a bone consists of; none for a bone that moves nothing."""


@dataclass(frozen=True, eq=False)
class DrawnLimbs:
    """A drawing, whose colours tell an arm from the coat that it is drawn on.

    Attributes:
        picture: (S, S, 4) uint8 with straight alpha, of the frame in which the mesh is.
        limbs: (J,) number of the limb that each bone belongs to, the same one for bones of the trunk.
    """

    picture: Pixels
    limbs: NDArray[np.integer]


def skin_weights(
    mesh: Mesh, names: Sequence[str], bones: Sequence[Segments], drawn: DrawnLimbs | None = None
) -> Doubles:
    """Weights (V, J) of bones for the vertices of a mesh, each row summing to 1.

    Raises CharacterError if the mesh has no surface.

    Args:
        mesh: closed or not, in parts or not.
        names: of the bones, J of them.
        bones: the lines of each, in the coordinates of the mesh.
        drawn: what the mesh was made from, if it is known.
    """
    volume = volume_of(mesh)
    centres = volume.centres
    tree = scipy.spatial.cKDTree(centres)
    starts = [_nearest_voxels(tree, segments, volume.pitch) for segments in bones]
    away = np.stack([volume.distances(start) for start in starts]) + volume.pitch / 2
    distances = np.array([_REACH.get(name, 1.0) for name in names])[:, None] * away
    if drawn is not None:
        distances *= _detours(volume, starts, away, drawn)
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


def _detours(
    volume: Volume, starts: Sequence[NDArray[np.integer]], away: Doubles, drawn: DrawnLimbs
) -> Doubles:
    """Factors (J, M) by which the way from each bone's limb grows where the drawing's colours change.

    All bones of a limb have the same, so that colours do not move the borders between them.
    """
    coloured = volume.between_colours(_colours_of(volume, drawn.picture), _CROSSING)
    factors = np.ones_like(away)
    for limb in np.unique(drawn.limbs):
        bones = drawn.limbs == limb
        start = np.unique(np.concatenate([starts[bone] for bone in np.flatnonzero(bones).tolist()]))
        plain = away[bones].min(axis=0)
        longer = coloured.distances(start) + volume.pitch / 2
        factors[bones] = np.divide(longer, plain, out=np.ones_like(plain), where=np.isfinite(plain))
    return factors


def _colours_of(volume: Volume, picture: Pixels) -> Floats:
    """Colours (M, 3) float32, 0 to 1, that a picture of the frame has before each voxel, on white."""
    camera = Camera(0.0, len(picture))
    across = max(1, round(volume.pitch * camera.pixels_per_unit))
    smooth = scipy.ndimage.uniform_filter(over(picture, 255) / np.float32(255), (across, across, 0))
    places = np.floor(camera.project(volume.centres)[:, :2]).clip(0, len(picture) - 1)
    column, row = places.astype(np.int64).T
    return np.asarray(smooth[row, column], np.float32)


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
    if not segments:
        return np.empty(0, np.int64)
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
