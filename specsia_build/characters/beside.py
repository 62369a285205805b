"""What engines keep beside a character and show in its stead or never: coarser levels of detail, collision shapes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from specsia_build.animation.names import words_of

_NUMBER = re.compile(r"[\W_]*(\d{1,3})(?!\d)")
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
        told = next(filter(None, map(_level, part_names[k])), None)
        if told is not None:
            levels.setdefault(told[0], {}).setdefault(told[1], set()).add(k)
    return {k for of in levels.values() for level, parts in of.items() if level > min(of) for k in parts}


def _level(name: str) -> tuple[str, int] | None:
    """What a part is a level of detail of, in letters and digits alone, and which level; None if it is called none."""
    stem, lod, rest = name.casefold().rpartition("lod")
    number = _NUMBER.match(rest)
    return ("".join(filter(str.isalnum, stem)), int(number[1])) if lod and number is not None else None


def _is_shape(name: str) -> bool:
    return _UNREAL.match(name) is not None or not _SHAPES.isdisjoint(words_of(name))
