"""Which joints of a skin move the vertices of a mesh, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.animation.rig import padded
from specsia_build.characters.gltf.vertices import Vertices

T = TypeVar("T", np.int64, np.float64)

_COST = 250
"""Bytes of memory for a vertex of a mesh."""


@dataclass(frozen=True)
class Influences:
    """What moves V vertices.

    Attributes:
        joints: (V, K) int64, places in the skin.
        weights: (V, K) float64, at least 0, summing to 1 for each vertex.
        unheld: (V,) which carry no weight as stored.
    """

    joints: NDArray[np.int64]
    weights: NDArray[np.float64]
    unheld: NDArray[np.bool_]


def influences_of(sources: Sequence[Vertices], joint_count: int) -> list[Influences]:
    """What moves the vertices of each of a mesh's primitives that a skin of so many joints moves.

    A vertex without weight follows its first joint. One whose weights are no numbers is moved as the nearest of the
    mesh whose weights are, or where there is none as one without.

    Raises:
        CharacterError: if they are damaged or name a joint that the skin lacks.
        CostError: if it would take more memory than is left for the character.
    """
    found, lost = [], []
    memory.ask(_COST * sum(len(source) for source in sources))
    for source in sources:
        joints, weights = source.influences()
        usable = np.where(np.isfinite(weights), np.maximum(weights, 0.0), 0.0)
        total = usable.sum(axis=1, keepdims=True)
        without = total[:, 0] <= 0
        lost.append(without & ~np.isfinite(weights).all(axis=1))
        usable = np.divide(usable, total, out=np.zeros_like(usable), where=total > 0)
        usable[without, 0] = 1.0
        # What carries no weight may name anything.
        joints = np.where(usable > 0, joints, 0)
        if not ((joints >= 0) & (joints < joint_count)).all():
            raise source.error("names a joint that its skin does not have", ".attributes")
        found.append(Influences(joints.astype(np.int64), usable, without & ~lost[-1]))
    return _mended(sources, found, lost) if any(rows.any() for rows in lost) else found


def _mended(
    sources: Sequence[Vertices], found: Sequence[Influences], lost: Sequence[NDArray[np.bool_]]
) -> list[Influences]:
    """The influences of vertices that are lost (V,) taken from the nearest that is not."""
    points = [source.unmorphed("POSITION", 3).astype(np.float64) for source in sources]
    sound = [~rows & np.isfinite(places).all(axis=1) for rows, places in zip(lost, points, strict=True)]
    if not any(rows.any() for rows in sound):
        return list(found)
    widest = max(own.joints.shape[1] for own in found)
    wide = [Influences(padded(own.joints, widest), padded(own.weights, widest), own.unheld) for own in found]
    joints = np.concatenate([own.joints[rows] for own, rows in zip(wide, sound, strict=True)])
    weights = np.concatenate([own.weights[rows] for own, rows in zip(wide, sound, strict=True)])
    tree = scipy.spatial.cKDTree(np.concatenate([places[rows] for places, rows in zip(points, sound, strict=True)]))
    for own, rows, places in zip(wide, lost, points, strict=True):
        _, nearest = tree.query(np.nan_to_num(places[rows]))
        own.joints[rows], own.weights[rows] = joints[nearest], weights[nearest]
    return wide
