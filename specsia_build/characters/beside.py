"""What engines keep beside a character and show in its stead or never: coarser levels of detail, collision shapes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from specsia_build.animation.names import words_of

_LEVEL = re.compile(r"(?P<stem>.*?)[\W_]*lod[\W_]*(?P<level>\d+)(?!.*lod)", re.IGNORECASE | re.DOTALL)
_UNREAL = re.compile(r"(UCX|UBX|USP|UCP|MCDCX)_")
_SHAPES = frozenset(
    {"collider", "colliders", "collision", "collisions", "colonly", "convcolonly", "hitbox", "hitboxes", "navmesh"}
)


def collision_shapes(part_names: Sequence[Sequence[str]], present: set[int]) -> set[int]:
    """Which of the parts that are present are called as shapes for a physics engine are; none if all are."""
    found = {k for k in present if any(map(_is_shape, part_names[k]))}
    return found if found < present else set()


def coarser_levels(part_names: Sequence[Sequence[str]], present: set[int]) -> set[int]:
    """Which of the parts that are present are called a coarser level of detail of what is there in a finer one."""
    levels: dict[str, dict[int, set[int]]] = {}
    for k in present:
        told = next((match for name in part_names[k] if (match := _LEVEL.match(name))), None)
        if told is not None:
            levels.setdefault(told["stem"].casefold(), {}).setdefault(int(told["level"]), set()).add(k)
    return {k for of in levels.values() for level, parts in of.items() if level > min(of) for k in parts}


def _is_shape(name: str) -> bool:
    return _UNREAL.match(name) is not None or not _SHAPES.isdisjoint(words_of(name))
