"""How feet meet the ground: how deep they sink below it, and how far they slide while they stand on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.humanoid import Humanoid
from specsia_build.animation.skeleton import Skeleton

AHEAD = 0.2
"""How far before the ankle the ball of a foot is, in lengths of the leg."""

CONTACT = 0.01
"""Height over the ground that a motion treads, in lengths of the leg, below which a sole stands on it."""

_GROUND = 10.0
"""Percentile of the frames' lowest soles that is taken for that ground."""


@dataclass(frozen=True)
class Soles:
    """Four points, heel and ball of both feet, that lie on the ground where a figure stands.

    Attributes:
        nodes: (4,) int64, what each hangs on.
        points: (4, 3) float64 in the coordinates of those.
        turn: (3, 3), from the file's coordinates to Z up.
        ground: height of the ground in those.
        leg: length of a leg.
    """

    nodes: NDArray[np.int64]
    points: NDArray[np.float64]
    turn: NDArray[np.float64]
    ground: float
    leg: float

    def at(self, worlds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where they are, (T, 4, 3) in lengths of the leg, Z up from the ground, of worlds (T, J, 4, 4)."""
        of = worlds[:, self.nodes]
        places = np.einsum("tnij,nj->tni", of[..., :3, :3], self.points) + of[..., :3, 3]
        return np.asarray((places @ self.turn.T - (0.0, 0.0, self.ground)) / self.leg)


def leg_length(skeleton: Skeleton, human: Humanoid, worlds: NDArray[np.float64]) -> float:
    """From the hip over the knee to the ankle, the mean of both legs, in a pose (J, 4, 4)."""
    lengths = []
    for side in ("left", "right"):
        places = worlds[[human.bones[side + part] for part in ("UpperLeg", "LowerLeg", "Foot")], :3, 3]
        lengths.append(np.linalg.norm(np.diff(places, axis=0), axis=1).sum())
    return float(np.mean(lengths))


def foot_joints(skeleton: Skeleton, human: Humanoid, side: str) -> list[int]:
    """A foot's joint and all that hang on it."""
    below = {human.bones[side + "Foot"]}
    for node, parent in enumerate(skeleton.parents.tolist()):
        if parent in below:
            below.add(node)
    return sorted(below)


def soles(
    skeleton: Skeleton, human: Humanoid, worlds: NDArray[np.float64], turn: NDArray[np.float64], leg: float
) -> Soles:
    """The soles of a figure whose feet stand as in (J, 4, 4); the ground is at the lowest joint of both.

    Args:
        turn: (3, 3), from the file's coordinates to Z up, facing -Y.
        leg: length of a leg.
    """
    both = [node for side in ("left", "right") for node in foot_joints(skeleton, human, side)]
    ground = float((worlds[both, :3, 3] @ turn.T)[:, 2].min())
    nodes, points = [], []
    for foot in (human.bones["leftFoot"], human.bones["rightFoot"]):
        x, y, _ = worlds[foot, :3, 3] @ turn.T
        for ahead in (0.0, AHEAD * leg):
            place = turn.T @ (x, y - ahead, ground)
            nodes.append(foot)
            points.append((np.linalg.pinv(worlds[foot]) @ np.append(place, 1.0))[:3])
    return Soles(np.array(nodes), np.array(points), turn, ground, leg)


def ground_of(places: NDArray[np.float64]) -> float:
    """Height of the ground that some soles (T, N, 3) tread."""
    return float(np.percentile(places[..., 2].min(axis=1), _GROUND))


def standing(places: NDArray[np.float64]) -> list[list[tuple[int, int]]]:
    """From which frame to before which each of some soles, (T, N, 3) as `Soles.at` gives them, is on the ground."""
    low = places[..., 2] < ground_of(places) + CONTACT
    found = []
    for sole in low.T:
        edges = np.flatnonzero(np.diff(np.concatenate([[False], sole, [False]]).astype(np.int8)))
        found.append(list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)))
    return found


def slide(places: NDArray[np.float64], stands: list[list[tuple[int, int]]]) -> float:
    """Farthest that a sole (T, N, 3) goes along the ground from where it came to stand, as `standing` gives it."""
    slides = [
        np.linalg.norm(places[begin:end, sole, :2] - places[begin, sole, :2], axis=1).max()
        for sole, spans in enumerate(stands)
        for begin, end in spans
    ]
    return float(max(slides, default=0.0))
