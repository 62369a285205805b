"""Which frames of two items show the same: views of one angle, frames of one time."""

from __future__ import annotations

from collections.abc import Sequence

from specsia_build.gallery.items import Item

_NEAR = 1e-6
"""Degrees, or seconds, by which the places of two frames may differ."""

Frames = tuple[tuple[int, ...], tuple[int, ...]]
"""Numbers of the frames of the first and of the second item that show the same."""


def _places(item: Item) -> list[float]:
    """Where each frame stands: its angle, its time, or else its number."""
    if item.yaws is not None:
        return [yaw % 360 for yaw in item.yaws]
    return [frame / (item.fps or 1) for frame in range(item.frames)]


def matching(a: Item, b: Item) -> Frames:
    """Frames of two items at the same place."""
    near = {round(place / _NEAR): frame for frame, place in reversed(list(enumerate(_places(b))))}
    found = [
        (frame, near[key + step])
        for frame, key in ((frame, round(place / _NEAR)) for frame, place in enumerate(_places(a)))
        for step in (0, -1, 1)
        if key + step in near
    ]
    once = dict(reversed(found))
    return tuple(sorted(once)), tuple(once[frame] for frame in sorted(once))


def pace(item: Item, frames: Sequence[int]) -> float | None:
    """Frames a second of those that are left of a clip."""
    if item.fps is None or len(frames) < 2:
        return item.fps
    return item.fps / (frames[1] - frames[0])
