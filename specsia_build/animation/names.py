"""The words of joints' names."""

from __future__ import annotations

import re
from functools import lru_cache

SIDES = {"l": 1, "left": 1, "r": -1, "right": -1}
"""Words that say a side: 1 is the left one."""

_STUCK = re.compile(
    r"(?<![^\W_])([LRlr])(?=(?:buttock|hip|thigh|shin|calf|knee|leg|foot|ankle|toe|collar|clavicle|shoulder|arm|elbow|"
    r"forearm|hand|wrist|thumb|index|ring|pinky|eye)\d*(?![^\W_]))"
)
"""A side that nothing separates from its part of the body: ``lhip`` of MakeHuman's BVH."""


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """The words of a joint's name in lower case, whatever separates them: ``mixamorig:LeftUpLeg`` has four."""
    spaced = name.replace("左", " left ").replace("右", " right ")
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", spaced)
    spaced = re.sub(r"([A-Z])([A-Z][a-z])", r"\1 \2", spaced)
    spaced = _STUCK.sub(r"\1 ", spaced)
    return tuple(word.lower() for word in re.split(r"[\W_]+", spaced) if word)
