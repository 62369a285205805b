"""Which joints of a skin move the vertices of a mesh, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.animation.rig import padded
from specsia_build.characters.gltf.vertices import Vertices

T = TypeVar("T", np.int64, np.float64)

MOST_OUTSIDE = 0.01
"""Share of a mesh's vertices that may name joints which its skin lacks; of more the skin is another mesh's."""

_COST = 250
"""Bytes of memory for a vertex of a mesh."""


@dataclass(frozen=True)
class Influences:
    """What moves V vertices.

    Attributes:
        joints: (V, K) int64, places in the skin.
        weights: (V, K) float64, at least 0, summing to 1 for each vertex.
        unheld: (V,) which carry no weight as stored.
        outside: (V,) which name a joint that the skin lacks as stored.
    """

    joints: NDArray[np.int64]
    weights: NDArray[np.float64]
    unheld: NDArray[np.bool_]
    outside: NDArray[np.bool_]


def influences_of(sources: Sequence[Vertices], joint_count: int) -> list[Influences]:
    """What moves the vertices of each of a mesh's primitives that a skin of so many joints moves.

    A vertex without weight follows its first joint. One whose weights are no numbers, or name a joint that the skin
    lacks, is moved as the nearest of the mesh that has sound ones, or where there is none as one without.

    Raises:
        CharacterError: if they are damaged, or more of them than `MOST_OUTSIDE` name a joint that the skin lacks.
        CostError: if it would take more memory than is left for the character.
    """
    memory.ask(_COST * sum(len(source) for source in sources))
    found, lost = zip(*(_stored(source, joint_count) for source in sources), strict=True)
    outside = [int(own.outside.sum()) for own in found]
    if sum(outside) > MOST_OUTSIDE * sum(len(source) for source in sources):
        raise sources[int(np.argmax(outside))].error("names a joint that its skin does not have", ".attributes")
    return _mended(sources, found, lost) if any(rows.any() for rows in lost) else list(found)


def _stored(source: Vertices, joint_count: int) -> tuple[Influences, NDArray[np.bool_]]:
    """What moves the vertices of a primitive by what is sound of what is stored, and of which (V,) that is nothing."""
    joints, weights = source.influences()
    numbers = np.isfinite(weights)
    usable = np.where(numbers, np.maximum(weights, 0.0), 0.0)
    total = usable.sum(axis=1, keepdims=True)
    without = total[:, 0] <= 0
    none = without & ~numbers.all(axis=1)
    usable = np.divide(usable, total, out=np.zeros_like(usable), where=total > 0)
    usable[without, 0] = 1.0
    # What carries no weight may name anything.
    lacking = (usable > 0) & ~((joints >= 0) & (joints < joint_count))
    outside = lacking.any(axis=1) & ~none
    inside = np.where((usable > 0) & ~lacking, joints, 0).astype(np.int64)
    return Influences(inside, usable, without & ~none & ~outside, outside), none | outside


def _mended(
    sources: Sequence[Vertices], found: Sequence[Influences], lost: Sequence[NDArray[np.bool_]]
) -> list[Influences]:
    """The influences of vertices that are lost (V,) taken from the nearest that is not."""
    points = [source.unmorphed("POSITION", 3).astype(np.float64) for source in sources]
    sound = [~rows & np.isfinite(places).all(axis=1) for rows, places in zip(lost, points, strict=True)]
    if not any(rows.any() for rows in sound):
        return list(found)
    widest = max(own.joints.shape[1] for own in found)
    wide = [replace(own, joints=padded(own.joints, widest), weights=padded(own.weights, widest)) for own in found]
    joints = np.concatenate([own.joints[rows] for own, rows in zip(wide, sound, strict=True)])
    weights = np.concatenate([own.weights[rows] for own, rows in zip(wide, sound, strict=True)])
    tree = scipy.spatial.cKDTree(np.concatenate([places[rows] for places, rows in zip(points, sound, strict=True)]))
    for own, rows, places in zip(wide, lost, points, strict=True):
        _, nearest = tree.query(np.nan_to_num(places[rows]))
        own.joints[rows], own.weights[rows] = joints[nearest], weights[nearest]
    return wide
