"""How far a character's arms can be lowered and lifted before they touch the rest of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.plans import AHEAD
from specsia_build.characters.samples import field
from specsia_build.characters.samples.body import CLOTH, Frame
from specsia_build.characters.samples.parts import Part
from specsia_build.characters.samples.traits import Build, Outfit

MOST_DEG = 75.0
"""Farther than this no arm goes, whatever room there is."""

_FREE = 0.01
_ARM = (Part.ARM, Part.HAND, Part.SLEEVE, Part.PAD)


def of_arm(row: NDArray[np.float64], build: Build) -> bool:
    """Whether a primitive, a row of a solid's table, belongs to an arm; cuffs are of arms, legs and skirts."""
    elsewhere = abs(row[field.CENTRE]) in (0.0, build.gap)
    return row[field.PART] in _ARM or (row[field.PART] == Part.CUFF and not elsewhere)


def free_angle(table: NDArray[np.float64], build: Build, frame: Frame, outfit: Outfit, way: int) -> float:
    """Degrees from the horizontal to which both arms can go, down for `way` -1, and up and `AHEAD` of it for 1.

    Args:
        table: the character's solid.
        build, frame, outfit: of it.
        way: up or down.

    Returns:
        A whole number of degrees, at most `MOST_DEG`; that of the T pose, where there is no room at all.
    """
    rest = np.stack([row for row in table if not of_arm(row, build)])
    reach = float(np.hypot(frame.wrist[0] - frame.shoulder[0], frame.wrist[1] - frame.shoulder[1]))
    hand = max(build.wrist * 1.25, 0.075)
    sleeve = CLOTH + outfit.sleeve_flare if outfit.sleeve > 0 else 0.0
    out = np.array([0.6 * reach, 0.8 * reach, reach, reach + 0.7 * hand, reach + 1.6 * hand])
    radii = np.array([*(build.arm + (build.wrist - build.arm) * out[:3] / reach + sleeve), hand, 0.7 * hand])
    sunk = -radii * (0.6, 0.6, 0.6, 0.2, 0.0)
    start = -build.arm_drop_deg * way
    angles = np.arange(np.ceil(start), MOST_DEG + 1)
    turn = np.deg2rad(np.concatenate([[start], angles]))
    room = np.full((len(turn), len(out)), np.inf)
    for side in (1, -1):
        flat = np.cos(turn) * (np.cos(AHEAD) if way > 0 else 1.0)
        ahead = np.cos(turn) * (np.sin(AHEAD) if way > 0 else 0.0)
        direction = np.stack([side * flat, way * np.sin(turn), ahead], axis=1)
        points = np.array(frame.shoulder) * (side, 1.0, 1.0) + direction[:, None] * out[:, None]
        clear = field.distance(rest, points.reshape(-1, 3)).reshape(room.shape)
        room = np.minimum(room, np.minimum(clear, points[..., 1]) - radii)
    # What is not free at rest, such as an arm's root in a wide body, cannot be asked to be.
    free = ((room[1:] >= sunk) | (room[0] < _FREE)).all(axis=1)
    steps = len(free) if free.all() else int(np.argmin(free))
    return float(angles[steps - 1]) if steps else float(round(start))
