"""A hierarchy of nodes or joints, and their transforms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Skeleton:
    """Nodes (J of them), every parent before its children, in a file's own coordinates."""

    names: tuple[str, ...]  # Of the nodes; may be empty, and need not be unique
    parents: NDArray[np.int32]  # (J,), -1 for roots
    translations: NDArray[np.float64]  # (J, 3) at rest, to the parent's coordinates
    rotations: NDArray[np.float64]  # (J, 4) at rest, unit quaternions x, y, z, w
    scales: NDArray[np.float64]  # (J, 3) at rest
    # (4, 4) float64 by node, which override the three above, for transforms at rest that a file states as
    # matrices or that are no such product
    matrices: Mapping[int, NDArray[np.float64]] = field(default_factory=dict)
    # (M,) float64 by node, weights of its morph targets at rest
    morph_weights: Mapping[int, NDArray[np.float64]] = field(default_factory=dict)
    # (4, 4) float64 by node, its bind pose in the skin's coordinates; empty if the file has none
    bound: Mapping[int, NDArray[np.float64]] = field(default_factory=dict)
    joints: frozenset[int] = frozenset()  # Nodes that skins use; a mesh often has the name of one of them

    @classmethod
    def unturned(
        cls, names: Sequence[str], parents: Sequence[int] | NDArray[np.int32], offsets: ArrayLike
    ) -> Skeleton:
        """A skeleton whose nodes are only moved at rest, by (J, 3) from their parents."""
        count = len(names)
        turns, scales = np.tile([0.0, 0.0, 0.0, 1.0], (count, 1)), np.ones((count, 3))
        return cls(tuple(names), np.asarray(parents, np.int32), np.array(offsets, np.float64), turns, scales)

    def above(self, node: int) -> Iterator[int]:
        """A node and its ancestors, the nearest first."""
        while node >= 0:
            yield node
            node = int(self.parents[node])

    def below(self, nodes: Sequence[int]) -> NDArray[np.bool_]:
        """(J,) whether each node is one of `nodes` or a descendant of them."""
        is_below = np.zeros(len(self.parents), np.bool_)
        is_below[list(nodes)] = True
        for node, parent in enumerate(self.parents.tolist()):
            is_below[node] |= parent >= 0 and is_below[parent]
        return is_below

    def holding(self, nodes: Sequence[int] | NDArray[np.integer]) -> NDArray[np.bool_]:
        """(J,) whether each node is one of `nodes` or an ancestor of them."""
        is_above = np.zeros(len(self.parents), np.bool_)
        is_above[nodes] = True
        for node in range(len(is_above) - 1, -1, -1):
            if is_above[node] and self.parents[node] >= 0:
                is_above[self.parents[node]] = True
        return is_above

    @cached_property
    def rest(self) -> NDArray[np.float64]:
        """(J, 4, 4), from each node's coordinates to its parent's, at rest."""
        local = composed(self.translations, self.rotations, self.scales)
        for node, matrix in self.matrices.items():
            local[node] = matrix
        return local

    @cached_property
    def rest_worlds(self) -> NDArray[np.float64]:
        """(J, 4, 4), from each node's coordinates to the file's, at rest."""
        return self.worlds(self.rest)

    def worlds(self, local: NDArray[np.float64]) -> NDArray[np.float64]:
        """Transforms to the file's coordinates (..., J, 4, 4), of those to the parents' (..., J, 4, 4)."""
        world = np.empty_like(local)
        for node, parent in enumerate(self.parents.tolist()):
            here = local[..., node, :, :]
            world[..., node, :, :] = here if parent < 0 else world[..., parent, :, :] @ here
        return world


def composed(
    translations: NDArray[np.floating], rotations: NDArray[np.floating], scales: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Matrices (..., 4, 4) that scale (..., 3), then rotate by quaternions (..., 4), then move (..., 3)."""
    matrices = np.zeros((*translations.shape[:-1], 4, 4))
    matrices[..., :3, :3] = rotation_matrices(rotations) * np.asarray(scales)[..., None, :]
    matrices[..., :3, 3] = translations
    matrices[..., 3, 3] = 1.0
    return matrices


def decomposed(
    matrices: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Translations (..., 3), quaternions (..., 4), scales (..., 3) near matrices; mirrors have scales < 0."""
    linear = matrices[..., :3, :3]
    scales = np.linalg.norm(linear, axis=-2) * np.where(np.linalg.det(linear) < 0, -1.0, 1.0)[..., None]
    axes = np.divide(linear, scales[..., None, :], out=np.zeros_like(linear), where=scales[..., None, :] != 0)
    left, _, right = np.linalg.svd(axes)
    left[..., -1] *= np.sign(np.linalg.det(left) * np.linalg.det(right))[..., None]
    turns = scipy.spatial.transform.Rotation.from_matrix((left @ right).reshape(-1, 3, 3)).as_quat()
    return matrices[..., :3, 3].copy(), turns.reshape(*matrices.shape[:-2], 4), scales


def rotation_matrices(quaternions: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rotations (..., 3, 3) of quaternions x, y, z, w (..., 4) of any length; zero gives the identity."""
    q = np.asarray(quaternions, np.float64)
    length = np.sqrt(np.square(q).sum(axis=-1, keepdims=True))
    sound = np.isfinite(length) & (length > 0)
    q = np.where(sound, q / np.where(sound, length, 1.0), (0.0, 0.0, 0.0, 1.0))
    x, y, z, w = np.moveaxis(q, -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def rotation_between(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest rotation (3, 3) from one direction (3,) to another; none if one is shorter than 1e-9."""
    if min(np.linalg.norm(start), np.linalg.norm(end)) < 1e-9:
        return np.eye(3)
    axis, cosine = np.cross(start, end), float(start @ end)
    sine = float(np.linalg.norm(axis))
    if sine <= -1e-9 * cosine:
        # Half a turn about any axis at a right angle.
        axis = np.cross(start, np.eye(3)[np.abs(start).argmin()])
    elif sine == 0:
        return np.eye(3)
    turn = axis / np.linalg.norm(axis) * np.arctan2(sine, cosine)
    return np.asarray(scipy.spatial.transform.Rotation.from_rotvec(turn).as_matrix())
