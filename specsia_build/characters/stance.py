"""How a character holds its arms, by its joints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.names import SIDES, words_of
from specsia_build.characters.landmarks import Landmark

_ELBOW = ("lowerarm", "forearm", "elbow", "ひじ")
_SHOULDER = ("upperarm", "uparm", "arm", "腕")
_HAND = ("hand", "wrist", "手首")
"""How joints' names end, without their sides and what parts their words; the surest first."""

_LEVEL, _HANGING = 25.0, 65.0
"""Degrees below the horizontal to which the arms of a T-pose go, and from which they hang."""

_BENT, _UNLIKE, _AHEAD = 50.0, 25.0, 30.0
"""Degrees that an elbow bends, that the arms differ, and that one points ahead or back, above which it is a pose."""


@dataclass(frozen=True)
class _Arm:
    """Where an arm begins, the way that it points, of length 1, and the degrees that its elbow bends."""

    shoulder: NDArray[np.float64]
    way: NDArray[np.float64]
    bent: float


def stance(landmarks: Sequence[Landmark]) -> str:
    """``T-pose``, ``A-pose``, ``arms down`` or ``posed``; empty where no joints are named as arms'.

    Args:
        landmarks: of a Z-up character, as it is drawn.
    """
    left, right = _arm(landmarks, 1), _arm(landmarks, -1)
    across = None if left is None or right is None else _unit((left.shoulder - right.shoulder) * (1, 1, 0))
    if left is None or right is None or across is None:
        return ""
    ahead = np.cross(across, (0, 0, 1))
    below = [-_degrees(float(arm.way[2])) for arm in (left, right)]
    degrees = sum(below) / 2
    hanging = degrees >= _HANGING
    if (
        max(left.bent, right.bent) > _BENT
        or abs(below[0] - below[1]) > _UNLIKE
        or max(abs(_degrees(float(arm.way @ ahead))) for arm in (left, right)) > _AHEAD
        or min(below) < -_LEVEL
        or (not hanging and min(left.way @ across, -right.way @ across) < 0)
    ):
        return "posed"
    if hanging:
        return "arms down"
    return "T-pose" if degrees <= _LEVEL else "A-pose"


def _degrees(sine: float) -> float:
    return float(np.degrees(np.arcsin(np.clip(sine, -1, 1))))


def _arm(landmarks: Sequence[Landmark], side: int) -> _Arm | None:
    joints = [("".join(w for w in words if w not in SIDES), place) for words, place in _of_side(landmarks, side)]
    elbow = _joint(joints, _ELBOW)
    shoulder = _joint([(name, place) for name, place in joints if not name.endswith(_ELBOW)], _SHOULDER)
    if elbow is None or shoulder is None:
        return None
    hand = _joint(joints, _HAND)
    upper, whole = _unit(elbow - shoulder), _unit((elbow if hand is None else hand) - shoulder)
    lower = upper if hand is None else _unit(hand - elbow)
    if upper is None or lower is None or whole is None:
        return None
    return _Arm(shoulder, whole, float(np.degrees(np.arccos(np.clip(upper @ lower, -1, 1)))))


def _of_side(landmarks: Sequence[Landmark], side: int) -> list[tuple[tuple[str, ...], NDArray[np.float64]]]:
    named = [(words_of(name), np.array(place, np.float64)) for name, place in landmarks]
    return [(words, place) for words, place in named if [SIDES[w] for w in words if w in SIDES] == [side]]


def _joint(joints: Sequence[tuple[str, NDArray[np.float64]]], endings: Sequence[str]) -> NDArray[np.float64] | None:
    return next((place for ending in endings for name, place in joints if name.endswith(ending)), None)


def _unit(way: NDArray[np.float64]) -> NDArray[np.float64] | None:
    length = float(np.linalg.norm(way))
    return way / length if np.isfinite(length) and length > 0 else None
