"""Up and front of a character by the names and places of its joints."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.joint_names import SIDE_WORDS, words_of
from specsia_build.arrays import Doubles
from specsia_build.characters.character import Landmark
from specsia_build.frame import AXES, axis_vector

# Words in names of joints, parts and materials, without trailing numbers
FACE = frozenset({"eye", "eyes", "iris", "face", "mouth", "lips", "teeth", "tongue", "nose", "snout", "beak"})
HEAD, HAND = frozenset({"head"}), frozenset({"hand", "hands", "handslot", "wrist"})
TOES, ANKLES = frozenset({"toe", "toes", "ball"}), frozenset({"foot", "feet", "ankle"})
_FEET = TOES | ANKLES | {"heel", "hoof", "paw"}
LEGS, TAIL = ("leg", "thigh", "shin", "calf"), frozenset({"tail"})
LEAST_PAIRS = 2  # Pairs of a left and a right joint that are evidence.
# Share of pairs within 45 degrees of their sum: one of ten may be named the wrong way round
LEAST_AGREEMENT = 0.8
MOST_OFF_AXIS = 30.0  # Degrees between the front and an axis; a walking figure's shoulders turn by 20.
MOST_OFF_UP = 36.0  # Degrees between up and an axis; a standing rig leans by 18 at most.
LEAST_AHEAD = 0.01  # Heights of eyes ahead of the head and of toes ahead of ankles; rigs have 0.02 to 0.1.
MOST_BELOW = 0.1  # Heights of a tail below the feet of who stands; a flying bird's reaches 0.3.


def landmarks_of(names: Iterable[str], places: Doubles) -> tuple[Landmark, ...]:
    """Landmarks of the nodes that have a name, by names and places (N, 3)."""
    return tuple((name, (x, y, z)) for name, (x, y, z) in zip(names, places.tolist(), strict=True) if name)


@lru_cache(maxsize=4096)
def words(name: str) -> frozenset[str]:
    """Words of a name without trailing numbers."""
    return frozenset(word.rstrip("0123456789") for word in words_of(name))


def turned(landmarks: Sequence[Landmark], rotation: Doubles) -> tuple[Landmark, ...]:
    """Rotate landmarks by a (3, 3) matrix."""
    places = np.array([place for _, place in landmarks], np.float64).reshape(-1, 3) @ rotation.T
    return landmarks_of([name for name, _ in landmarks], places)


def pairs_of(landmarks: Iterable[Landmark]) -> list[tuple[Doubles, Doubles]]:
    """Places (3,) of the left and the right joint of each name that has both."""
    sides: dict[str, dict[int, Doubles]] = {}
    for name, place in landmarks:
        parts = words_of(name)
        side = [SIDE_WORDS[word] for word in parts if word in SIDE_WORDS]
        if len(side) == 1:
            key = " ".join("*" if word in SIDE_WORDS else word for word in parts)
            sides.setdefault(key, {})[side[0]] = np.array(place, np.float64)
    return [(pair[1], pair[-1]) for pair in sides.values() if len(pair) == 2]


def nearest_axis(direction: NDArray[np.floating], degrees: float) -> str | None:
    """The signed axis within some degrees of a direction (2,) or (3,), or None."""
    size = float(np.linalg.norm(direction))
    axes = AXES[: 2 * len(direction)]
    along = {axis: float(axis_vector(axis)[: len(direction)] @ direction) for axis in axes}
    axis = max(along, key=lambda name: along[name])
    return axis if along[axis] >= np.cos(np.radians(degrees)) * size > 0 else None


def front_axis(landmarks: Sequence[Landmark]) -> str | None:
    """The front of a Z-up character by left and right joints; None if they are few or disagree."""
    across = np.array([left - right for left, right in pairs_of(landmarks)], np.float64).reshape(-1, 3)[:, :2]
    size = np.linalg.norm(across, axis=1)
    apart = size > 1e-3 * size.max(initial=0.0)
    across, size = across[apart], size[apart]
    if len(across) < LEAST_PAIRS:
        return None
    directions = across / size[:, None]
    total = directions.sum(axis=0)
    agreeing = directions @ total >= np.cos(np.pi / 4) * np.linalg.norm(total)
    if not agreeing.mean() >= LEAST_AGREEMENT:
        return None
    left = across[agreeing].sum(axis=0)
    return nearest_axis(np.array([left[1], -left[0]]), MOST_OFF_AXIS)


def directions_ahead(landmarks: Sequence[Landmark], height: float) -> dict[str, Doubles]:
    """Horizontal directions (2,) ahead by eyes, toe joints and a tail, in heights, if long enough."""
    head, ankles = middle(landmarks, HEAD), middle(landmarks, ANKLES - TOES)
    ahead = {
        "eye joints": (LEAST_AHEAD, middle(landmarks, FACE - {"face"}) - head),
        "toe joints": (LEAST_AHEAD, middle(landmarks, TOES) - ankles),
        "tail": (MOST_BELOW, head - middle(landmarks, TAIL)),
    }
    flat = {name: (least, direction[:2] / height) for name, (least, direction) in ahead.items()}
    return {name: way for name, (least, way) in flat.items() if float(np.linalg.norm(way)) >= least}


def up_axis(landmarks: Sequence[Landmark], most_off: float = MOST_OFF_UP) -> str | None:
    """The axis within `most_off` degrees of the way from the feet to the other joints.

    None if there is none, without feet, or if a tail hangs below them.
    """
    feet = [place for name, place in landmarks if words(name) & _FEET]
    if not feet:
        feet = [place for name, place in landmarks if "end" in words(name) and _is_leg(name)]
    rest = [place for name, place in landmarks if not words(name) & _FEET]
    if not feet or len(rest) < LEAST_PAIRS:
        return None
    # Hundreds of controls may lie at a root: each place counts once.
    others, ends = (np.unique(np.round(places, 6), axis=0) for places in (rest, feet))
    way = others.mean(axis=0) - ends.mean(axis=0)
    size = float(np.linalg.norm(way))
    if not np.isfinite(size):
        return None
    legs = np.array([place for name, place in landmarks if _is_leg(name)]).reshape(-1, 3)
    if len(legs):
        # An animal of which only the hind feet are named has nearly all joints ahead of them.
        arms = legs[:, None] - np.array(feet)[None]
        nearest = arms[np.arange(len(legs)), np.linalg.norm(arms, axis=2).argmin(axis=1)].mean(axis=0)
        if float(way @ nearest) < 0.5 * size * float(np.linalg.norm(nearest)):
            return None
    ground = np.mean(feet, axis=0)
    below = [float(way @ (ground - place)) for name, place in landmarks if words(name) & TAIL]
    return None if max(below, default=0.0) > MOST_BELOW * size**2 else nearest_axis(way, most_off)


def middle(landmarks: Iterable[Landmark], wanted: frozenset[str]) -> Doubles:
    """Mean place (3,) of the joints whose names have one of some words; NaN without any."""
    places = [place for name, place in landmarks if words(name) & wanted]
    return np.mean(places, axis=0) if places else np.full(3, np.nan)


def _is_leg(name: str) -> bool:
    return not words(name) & _FEET and any(word.endswith(LEGS) for word in words(name))
