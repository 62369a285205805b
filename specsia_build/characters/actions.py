"""Which of a file's actions a manifest's `pose` means, or a pattern of `--clip`.

Blender's script reads this file too: it needs nothing but Python 3.10.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from itertools import product, takewhile

from specsia_build.errors import some

FRAMES = 24.0
"""A second, where a file counts in seconds; what Blender takes them for."""

_MOST_LISTED = 20


def chosen(names: Sequence[str], pose: str) -> tuple[list[int], float | None]:
    """The actions that a pose names, see `called`, and the frame that it gives.

    Args:
        names: of the file's actions.
        pose: a name with an optional ``@frame``; ``@`` may stand in a name too.

    Returns:
        Indices of actions, none where none fits, and the frame or None.
    """
    readings: list[tuple[str, float | None]] = [(pose, None)]
    name, at, number = pose.rpartition("@")
    try:
        frame = float(number) if at else math.nan
    except ValueError:
        frame = math.nan
    if math.isfinite(frame):
        readings.append((name, frame))
    for text, at_frame in readings:
        if found := called(names, text, str.__eq__):
            return found, at_frame
    return [], None


def outside(pose: str, frame: float | None, first: float, last: float) -> str | None:
    """What to say of a pose whose frame is none of its action's, from `first` to `last`; None where it is one."""
    if frame is None or first - 0.5 <= frame <= last + 0.5:
        return None
    return f"the pose '{pose}' lies outside its action, whose frames are {first:.6g} to {last:.6g}: name one of these"


def matching(names: Sequence[str], pattern: str) -> list[int]:
    """Indices of the actions that a shell pattern names, or is the name of, see `called`."""
    return called(names, pattern, lambda name, text: name == text or fnmatchcase(name, text))


def called(names: Sequence[str], text: str, fits: Callable[[str, str], bool]) -> list[int]:
    """The actions that are meant by what fits a name.

    An action is named whole, by what follows a ``|`` in its name, or by that without what all names begin with, as in
    ``Man_Walk`` and ``Man_Idle``: the surest of these that fits any. Where none does, small letters and capitals are
    the same.

    Args:
        names: of the file's actions.
        text: by which some are meant.
        fits: whether a name is meant by it.

    Returns:
        Indices of actions, none where none fits.
    """
    ends = [name.rpartition("|")[2] for name in names]
    alike = (len(set(letters)) == 1 for letters in zip(*filter(None, ends), strict=False))
    shared = len(list(takewhile(bool, alike)))
    ways = (
        [[name] for name in names],
        [[end, name.partition("|")[2]] if "|" in name else [] for name, end in zip(names, ends, strict=True)],
        [[end[cut:] for cut in range(1, min(shared, len(end) - 1) + 1) if _parted(end, cut)] for end in ends],
    )
    readings: tuple[Callable[[str], str], ...] = (str, str.casefold)
    for read, way in product(readings, ways):
        if found := [index for index, known in enumerate(way) if any(fits(read(name), read(text)) for name in known)]:
            return found
    return []


def _parted(name: str, cut: int) -> bool:
    """Whether a word of a name begins at a place in it."""
    before, after = name[cut - 1], name[cut]
    return not before.isalnum() or (before.islower() and after.isupper())


def unknown_action(file: str, pose: str, names: Sequence[str]) -> str:
    """The sentence for a pose that names no action of a file."""
    if not names:
        return f"{file} has no actions, so it cannot take the pose '{pose}': leave 'pose' out"
    listed = sorted(name or "(without a name)" for name in names)
    return f"{file} has no action '{pose}': its actions are {some(listed, _MOST_LISTED)}"
