"""Where motions are from, which of them the settings take, and what they are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from specsia_build.animation.motion import Motion
from specsia_build.characters.actions import matching
from specsia_build.characters.motions import SUFFIXES
from specsia_build.config import OWN, ClipSettings


def is_file_name(name: str) -> bool:
    """Whether a motion of the settings is a file rather than a name."""
    return name != OWN and ("/" in name or Path(name).suffix.lower() in SUFFIXES)


def origin_of(name: str) -> str:
    """Value of a clip's `origin` for a motion of the settings: for a file, its name without the folder."""
    return Path(name).name if is_file_name(name) else name


def taken(origin: str, motions: Mapping[int, Motion], settings: ClipSettings) -> dict[int, Motion]:
    """Motions of an origin that the settings' patterns match, by their number there."""
    numbers, names = list(motions), [motion.name for motion in motions.values()]
    wanted = {numbers[place] for pattern in settings.patterns for place in meant(origin, names, pattern)}
    return {number: motions[number] for number in numbers if number in wanted or not settings.patterns}


def meant(origin: str, names: Sequence[str], pattern: str) -> list[int]:
    """Which of an origin's motions a pattern names, as its file calls them or, where it calls none so, after it."""
    return matching(names, pattern) or (matching(_after(origin, names), pattern) if is_file_name(origin) else [])


def told_apart(offered: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Names of the motions of each origin, made distinct: some programs give all motions one name.

    A file's only motion is called as the file, one of several is called after both where another origin has its name.

    Args:
        offered: names of all motions of each origin.
    """
    shared = Counter(name for names in offered.values() for name in set(names))
    distinct = {}
    for origin, names in offered.items():
        names_after = zip(names, _after(origin, names) if is_file_name(origin) else names, strict=True)
        distinct[origin] = [after if len(names) == 1 or shared[name] > 1 else name for name, after in names_after]
    return distinct


def _after(origin: str, names: Sequence[str]) -> list[str]:
    """Names of a file's motions that begin with the file's own."""
    stem = Path(origin).stem
    return [stem] if len(names) == 1 else [f"{stem}|{name}" for name in names]
