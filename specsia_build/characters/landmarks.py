"""Named joints and nodes, and what those say of ahead that have no side: eyes, toes, a tail, knees."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.names import SIDES, words_of

Landmark = tuple[str, tuple[float, float, float]]
"""A named joint or node, and where its origin is."""

LEAST_AHEAD = 0.01
"""How far eyes lie ahead of the head, and toes of the ankles, in heights, to say which side is the front."""

LEAST_BEHIND = 0.1
"""How far a tail lies behind the head, and back legs behind front ones, in heights."""

LEAST_LONG = 0.3
"""How far ahead of the hips the head of a long body lies, in heights; who stands upright leans less."""

LEAST_KNEE = 0.02
"""How far knees lie ahead of the middle between hips and ankles, in heights."""

_FEET = frozenset({"foot", "feet", "toe", "toes", "ankle", "heel", "hoof", "paw"})
_TOES, _ANKLES = frozenset({"toe", "toes"}), frozenset({"foot", "feet", "ankle"})
_EYES = frozenset({"eye", "eyes", "nose", "mouth", "muzzle", "snout", "beak", "tongue"})
_HEADS, _HIPS, _TAILS = frozenset({"head"}), frozenset({"hip", "hips", "pelvis"}), frozenset({"tail"})
_ARMS, _THIGHS, _KNEES = (
    frozenset({"arm", "forearm", "hand"}),
    frozenset({"thigh"}),
    frozenset({"knee", "shin", "calf"}),
)
_LEGS = ("leg", "thigh")
_NO_LEG = frozenset({"front", "back", "hind", "rear", "ik", "fk", "end", "pole", "target", "twist", "roll", "control"})
_FRONT = frozenset({"front", "fore"})
_END = re.compile("(?P<end>front|fore|back|hind|rear)(?P<of>.*)")

_Words = frozenset[str]


@lru_cache(maxsize=4096)
def _words(name: str) -> _Words:
    """The words of a name without the numbers that they end in."""
    return frozenset(word.rstrip("0123456789") for word in words_of(name))


def _is_ball(words: _Words) -> bool:
    """Whether a name is that of the ball of a foot, and of no ball of hair or of a game."""
    return "ball" in words and words <= {"ball", *SIDES}


def is_of_foot(name: str) -> bool:
    """Whether a joint is named as one of a foot."""
    words = _words(name)
    return bool(words & _FEET) or _is_ball(words)


def is_of_leg(name: str) -> bool:
    """Whether a joint is named as one of a leg above the foot."""
    return not is_of_foot(name) and any(word.endswith(_LEGS) for word in _words(name))


def is_end_of_leg(name: str) -> bool:
    """Whether a joint ends one that is named as of a leg: where the foot is of a rig that names none."""
    return "end" in _words(name) and is_of_leg(name)


def is_of_tail(name: str) -> bool:
    """Whether a joint is named as one of a tail."""
    return bool(_words(name) & _TAILS)


def ways_ahead(landmarks: Sequence[Landmark], height: float) -> dict[str, NDArray[np.float64]]:
    """Horizontal ways (2,) to the front, in heights, by what says them; only those that are long enough to tell.

    Eyes lie ahead of the head, toes of the ankles, the head of the tail, the head of a long body of its hips, and what
    is named front of what is named back.
    """
    head, sides = _middle(landmarks, _HEADS.intersection), _middle(landmarks, _has_side)
    tail, ankles = _middle(landmarks, _TAILS.intersection), _middle(landmarks, _ANKLES.intersection)
    rest = _middle(landmarks, lambda words: not words & _TAILS)
    ways = {
        "eyes": (LEAST_AHEAD, _middle(landmarks, _EYES.intersection) - (sides if np.isnan(head).any() else head)),
        "toes": (LEAST_AHEAD, _middle(landmarks, lambda words: words & _TOES or _is_ball(words)) - ankles),
        "tail": (LEAST_BEHIND, (rest if np.isnan(head).any() else head) - tail),
        "head": (LEAST_LONG, head - _middle(landmarks, _HIPS.intersection)),
        "front joints": (LEAST_BEHIND, _way_to_front(landmarks)),
    }
    flat = {name: (least, way[:2] / height) for name, (least, way) in ways.items()}
    return {name: way for name, (least, way) in flat.items() if float(np.linalg.norm(way)) >= least}


def way_of_knees(landmarks: Sequence[Landmark], height: float) -> NDArray[np.float64]:
    """The horizontal way (2,), in heights, that the knees of one with arms lie ahead; NaN where nothing says it.

    An animal's hind legs and a walking machine's bend either way.
    """
    if not any(_words(name) & _ARMS for name, _ in landmarks):
        return np.full(2, np.nan)
    legs = [(name, place) for name, place in landmarks if not _words(name) & _NO_LEG]
    thighs = _middle(legs, lambda words: words & _THIGHS or {"leg", "up"} <= words or {"leg", "upper"} <= words)
    knees = _middle(legs, lambda words: words & _KNEES or {"leg", "low"} <= words or {"leg", "lower"} <= words)
    way = (knees - (thighs + _middle(legs, _ANKLES.intersection)) / 2)[:2] / height
    return way if float(np.linalg.norm(way)) >= LEAST_KNEE else np.full(2, np.nan)


def ankles_of(landmarks: Iterable[Landmark]) -> NDArray[np.float64]:
    """Where the joints are (N, 3) that a foot hangs on."""
    places = [place for name, place in landmarks if _words(name) & _ANKLES and not _words(name) & _NO_LEG]
    return np.array(places, np.float64).reshape(-1, 3)


def _way_to_front(landmarks: Iterable[Landmark]) -> NDArray[np.float64]:
    """The mean way (3,) from joints named back, hind or rear to those of the same name but front; NaN without any."""
    found: dict[str, dict[bool, NDArray[np.float64]]] = {}
    for name, place in landmarks:
        told = [_END.fullmatch(word) for word in words_of(name)]
        ends = [match["end"] for match in told if match]
        if len(ends) == 1:
            key = " ".join(
                f"*{match['of']}" if match else word for match, word in zip(told, words_of(name), strict=True)
            )
            found.setdefault(key, {})[ends[0] in _FRONT] = np.array(place, np.float64)
    ways = [ends[True] - ends[False] for ends in found.values() if len(ends) == 2]
    return np.mean(ways, axis=0) if ways else np.full(3, np.nan)


def _has_side(words: _Words) -> bool:
    return not words.isdisjoint(SIDES)


def _middle(landmarks: Iterable[Landmark], chosen: Callable[[_Words], object]) -> NDArray[np.float64]:
    """The mean place (3,) of the joints whose names' words are chosen; NaN where there are none."""
    places = [place for name, place in landmarks if chosen(_words(name))]
    return np.mean(places, axis=0) if places else np.full(3, np.nan)
