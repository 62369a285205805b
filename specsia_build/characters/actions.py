"""Find the actions of a file that a manifest's `pose` names, or a pattern of `--clip`."""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase

from specsia_build.errors import some

FRAME_RATE = 24.0  # Frames per second where a file counts in seconds, as in Blender


def chosen(names: Sequence[str], pose: str) -> tuple[list[int], float | None]:
    """Indices of the actions that a pose names, none if no name fits, and the frame that it states or None.

    A pose is a name with an optional ``@frame``; ``@`` may stand in a name too.
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

    The whole name counts, or else what follows the last ``|`` in it, then each of these in any letter case.
    """
    ends = [name.rpartition("|")[2] for name in names]
    for case in (str, str.casefold):
        for kind in (names, ends):
            if indices := [k for k, name in enumerate(kind) if fits(case(name), case(text))]:
                return indices
    return []


def unknown_action(file: str, pose: str, names: Sequence[str]) -> str:
    """Error about a pose that names no action of a file."""
    listed = some(sorted(name or "(without a name)" for name in names), 20) if names else "none"
    return f"{file} has no action '{pose}', which its manifest line names as 'pose': its actions are {listed}"
