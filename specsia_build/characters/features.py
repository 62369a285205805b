"""Features of a face that materials and parts are named for, and which way they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.animation.names import words_of
from specsia_build.characters.shape import surface_points
from specsia_build.rendering.mesh import Mesh

LEAST_IN_FRONT = 0.01
"""How far a feature lies ahead of what is at its level, and of the whole, in heights."""

_KINDS = {
    "face or eyes": frozenset({"face", "eye", "eyes", "iris", "pupil", "pupils", "顔", "目", "瞳"}),
    "mouth or nose": frozenset({"mouth", "lips", "teeth", "tongue", "nose", "muzzle", "snout", "beak", "口", "鼻"}),
}
_POINTS, _OF_A_FEATURE = 4000, 400
_LEVEL = 0.02
_HINDMOST = 0.1
_COLUMN, _BEYOND = 0.04, 0.03
_UP = (0.0, 0.0, 1.0)


def features_of(
    mesh: Mesh, part_names: Sequence[Sequence[str]] = ((),), face_part: NDArray[np.int32] | None = None
) -> dict[str, NDArray[np.bool_]]:
    """The faces (F,) of each kind of feature that a material or a part is named for; names as in `RawMesh`."""
    part = np.zeros(len(mesh.faces), np.int32) if face_part is None else face_part
    found = {}
    for kind, words in _KINDS.items():
        by_material = np.array([_has(material.name, words) for material in mesh.materials])
        by_part = np.array([any(_has(name, words) for name in names) for names in part_names])
        chosen = by_material[mesh.face_material] | by_part[part]
        if chosen.any():
            found[kind] = chosen
    return found


def ways_of_features(mesh: Mesh, features: Mapping[str, NDArray[np.bool_]]) -> dict[str, NDArray[np.float64]]:
    """Horizontal ways (2,), in heights, that each kind of feature of a Z-up character lies ahead, where it does.

    What lies behind in part says nothing: the tip of a tail that has the material of the eyes, a whole head called a
    face. Nor does what is seen from above or below rather than from ahead, as of one who lies.
    """
    if not features:
        return {}
    points = surface_points(mesh, _POINTS)
    found = {kind: _way(points, surface_points(mesh.of_faces(of), _OF_A_FEATURE)) for kind, of in features.items()}
    return {kind: way for kind, way in found.items() if way is not None}


def _way(points: NDArray[np.float64], feature: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """How far a feature's points (M, 3) lie ahead of all (N, 3), and of those at its level: the lesser of both."""
    if min(len(points), len(feature)) == 0:
        return None
    height = max(float(np.ptp(points[:, 2])), 1e-12)
    low, high = feature[:, 2].min() - _LEVEL * height, feature[:, 2].max() + _LEVEL * height
    beside = points[(points[:, 2] >= low) & (points[:, 2] <= high)]
    ways = [(feature - rest.mean(axis=0))[:, :2] / height for rest in (points, beside) if len(rest) >= 8]
    way = np.asarray(min((one.mean(axis=0) for one in ways), key=lambda mean: float(np.linalg.norm(mean))))
    ahead = way / max(float(np.linalg.norm(way)), 1e-12)
    if any(np.quantile(one @ ahead, _HINDMOST) < LEAST_IN_FRONT for one in ways):
        return None
    from_ahead, *others = (
        _open(points, feature, np.array(to), height) for to in ((*ahead, 0.0), _UP, np.negative(_UP))
    )
    return way if from_ahead > max(others) else None


def _open(points: NDArray[np.float64], feature: NDArray[np.float64], to: NDArray[np.float64], height: float) -> float:
    """Share of a feature's points that no other point lies beyond, in a narrow column along a unit vector (3,)."""
    across = np.linalg.svd(to[None])[2][1:].T
    near = scipy.spatial.cKDTree(points @ across).query_ball_point(feature @ across, _COLUMN * height)
    along = points @ to
    limits = feature @ to + _BEYOND * height
    return float(np.mean([not (along[column] > limit).any() for column, limit in zip(near, limits, strict=True)]))


def _has(name: str, words: frozenset[str]) -> bool:
    return any(word.rstrip("0123456789") in words for word in words_of(name))
