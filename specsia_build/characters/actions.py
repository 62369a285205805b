"""Find the actions of a file that a manifest's `pose` names, or a pattern of `--clip`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import product, takewhile

from specsia_build.errors import some

FRAMES = 24.0
"""Frames per second where a file counts in seconds, as in Blender."""


def chosen(names: Sequence[str], pose: str) -> tuple[list[int], float | None]:
    """Indices of the actions that a pose names, none where no name fits, and the frame that it states or None.

    Args:
        names: of the file's actions.
        pose: a name with an optional ``@frame``; ``@`` may stand in a name too.
    """
    if indices := _indices(names, pose, str.__eq__):
        return indices, None
    name, _, number = pose.rpartition("@")
    frame = None
    with suppress(ValueError):
        frame = float(number)
    indices = _indices(names, name, str.__eq__) if frame is not None and math.isfinite(frame) else []
    return indices, frame if indices else None


def matching(names: Sequence[str], pattern: str) -> list[int]:
    """Indices of the actions that a shell pattern matches, or whose name it is."""
    return _indices(names, pattern, lambda name, text: name == text or fnmatchcase(name, text))


def _indices(names: Sequence[str], text: str, fits: Callable[[str, str], bool]) -> list[int]:
    """Indices of the actions whose name (first argument of `fits`) fits a text.

    The whole name counts; if none fits, what follows a ``|`` in it; then it without what all names begin with, as in
    ``Man_Walk`` and ``Man_Idle``; then each of these in any letter case.
    """
    ends = [name.rpartition("|")[2] for name in names]
    alike = (len(set(letters)) == 1 for letters in zip(*filter(None, ends), strict=False))
    shared = len(list(takewhile(bool, alike)))
    ways = (
        [[name] for name in names],
        [[end, name.partition("|")[2]] if "|" in name else [] for name, end in zip(names, ends, strict=True)],
        [[end[cut:] for cut in range(1, min(shared, len(end) - 1) + 1) if _begins_word(end, cut)] for end in ends],
    )
    cases: tuple[Callable[[str], str], ...] = (str, str.casefold)
    for case, way in product(cases, ways):
        indices = [k for k, short in enumerate(way) if any(fits(case(name), case(text)) for name in short)]
        if indices:
            return indices
    return []


def _begins_word(name: str, cut: int) -> bool:
    """Whether a word of a name begins at a place in it."""
    before, after = name[cut - 1], name[cut]
    return not before.isalnum() or (before.islower() and after.isupper())


def unknown_action(file: str, pose: str, names: Sequence[str]) -> str:
    """Error about a pose that names no action of a file."""
    listed = some(sorted(name or "(without a name)" for name in names), 20) if names else "none"
    return f"{file} has no action '{pose}', which its manifest line names as 'pose': its actions are {listed}"
