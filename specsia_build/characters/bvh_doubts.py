"""What of a BVH file, which states no units, may be in others than its reader takes it to be in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.animation.motion import JOINT_COST, TRANSLATION, Motion, poses
from specsia_build.animation.skeleton import Skeleton

_LEAST_FRAMES = 20
"""Frames from which on small angles are no chance: a breath of a figure that stands in a frame of its own."""

_LOOKED_AT = 300
"""Frames, one after the other, in which feet are watched: those in which the root goes farthest."""

_WAY = 1.0
"""Lengths of the figure that a root goes, at least, if its feet are to say anything of it."""

_SLIDES = 2.2
"""How many times as far as feet step a root goes, where units are two, if only inches and centimetres; who walks, runs
or jumps goes up to 1.5 times as far."""


def in_radians(angles: NDArray[np.float64]) -> str | None:
    """What to say where angles (T, N) of a motion, read as degrees, are all within what a circle has of radians."""
    most = np.abs(angles).max(initial=0.0)
    if len(angles) < _LEAST_FRAMES or most > 2 * np.pi or not np.ptp(angles, axis=0).max(initial=0.0) > 0:
        return None
    return (
        f"turns no joint by more than {most:.1f}°, so that it hardly moves: if its rotations are radians, BVH has "
        "degrees; multiply them by 57.3"
    )


def of_two_units(skeleton: Skeleton, motion: Motion, up: NDArray[np.float64]) -> str | None:
    """What to say where a root goes much farther than its feet step below it: offsets and positions are of two units.

    Args:
        skeleton: the file's.
        motion: its frames.
        up: (3,), which way is up.
    """
    root = next((t for t in motion.tracks if t.path == TRANSLATION and skeleton.parents[t.node] < 0), None)
    if root is None or len(root.times) < _LEAST_FRAMES:
        return None
    first = int(np.searchsorted(root.times, motion.start))
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(root.values[first:], axis=0), axis=1))])
    count = min(len(way), _LOOKED_AT)
    begin = int((way[count - 1 :] - way[: len(way) - count + 1]).argmax())
    times = root.times[first:][begin : begin + count]
    memory.ask(JOINT_COST * count * len(skeleton.names))
    places = poses(skeleton, motion, times).worlds[..., :3, 3]
    below = places - places[:, [root.node]]
    lowest = (below @ up).argmin(axis=1)[:-1]
    row = np.arange(len(lowest))
    steps = float(np.linalg.norm(below[row + 1, lowest] - below[row, lowest], axis=1).sum())
    gone, size = float(way[begin + count - 1] - way[begin]), float(np.ptp(below[0], axis=0).max())
    if not (steps > 0 and gone > _WAY * size and gone > _SLIDES * steps):
        return None
    return (
        f"takes its root {gone / steps:,.1f} times as far as its feet step, so that it slides: if its offsets and its "
        f"root's positions are of two units, multiply the positions by about {steps / gone:.2g}"
    )
