"""Find the actions of a file that a manifest's `pose` names, or a pattern of `--clip`."""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase

from specsia_build.errors import some

FRAME_RATE = 24.0  # Frames per second where a file counts in seconds, as in Blender


def chosen(names: Sequence[str], pose: str) -> tuple[list[int], float | None]:
    """Indices of the actions that a pose, NAME or NAME@FRAME, names, and its frame or None."""
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
    """Indices of the actions whose name, or else its end behind the last ``|``, fits; then in any case."""
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
