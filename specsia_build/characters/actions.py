"""Which of a file's actions a manifest's `pose` means.

Blender's script reads this file too: it needs nothing but Python 3.10.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

FRAMES = 24.0
"""A second, where a file counts in seconds; what Blender takes them for."""

_MOST_LISTED = 20


def chosen(names: Sequence[str], pose: str) -> tuple[list[int], float | None]:
    """The actions that a pose names, and the frame that it gives.

    An action is named whole, by what follows a ``|`` in its name, or by that without what all names begin with, as in
    ``Man_Walk`` and ``Man_Idle``: the surest of these that fits any.

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
    ends = [text.rpartition("|")[2] for text in names]
    for text, at_frame in readings:
        ways = (
            [text == whole for whole in names],
            [text in (end, whole.partition("|")[2]) for whole, end in zip(names, ends, strict=True)],
            [_follows_prefix(text, end, ends) for end in ends],
        )
        for fits in ways:
            if any(fits):
                return [index for index, fit in enumerate(fits) if fit], at_frame
    return [], None


def _follows_prefix(text: str, name: str, names: Sequence[str]) -> bool:
    """Whether a name is a text with whole words before it that all names begin with."""
    prefix = name[: -len(text)] if text and name.endswith(text) else ""
    parted = bool(prefix) and (not prefix[-1].isalnum() or (prefix[-1].islower() and text[0].isupper()))
    return parted and all(other.startswith(prefix) for other in names)


def unknown_action(file: str, pose: str, names: Sequence[str]) -> str:
    """The sentence for a pose that names no action of a file."""
    if not names:
        return f"{file} has no actions, so it cannot take the pose '{pose}': leave 'pose' out"
    listed = sorted(name or "(without a name)" for name in names)
    more = f" and {len(listed) - _MOST_LISTED} more" if len(listed) > _MOST_LISTED else ""
    return f"{file} has no action '{pose}': its actions are {', '.join(listed[:_MOST_LISTED])}{more}"
