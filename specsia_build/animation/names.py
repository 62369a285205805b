"""The words of joints' names."""

from __future__ import annotations

import re
from functools import lru_cache

SIDES = {"l": 1, "left": 1, "r": -1, "right": -1}
"""Words that say a side: 1 is the left one."""

_STUCK = re.compile(
    r"(?<![^\W_])([Ll]eft|[Rr]ight|[LRlr])(?=(?:upper|up|lower|low|fore)?(?:buttock|hip|thigh|femur|shin|tibia|calf|knee|"
    r"leg|foot|ankle|toes?|collar|clavicle|shoulder|arm|humerus|elbow|radius|hand|wrist|thumb|index|ring|pinky|eye)\d*"
    r"(?![^\W_]))|(?<![^\W_])([LR])(?=[UF]Arm)"
)
"""A side that nothing separates from its part of the body: ``lhip`` of MakeHuman's BVH, ``LUArm`` of OptiTrack's."""


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """The words of a joint's name in lower case, whatever separates them: ``mixamorig:LeftUpLeg`` has four."""
    spaced = name.replace("左", " left ").replace("右", " right ")
    spaced = _STUCK.sub(r"\g<0> ", spaced)
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", spaced)
    spaced = re.sub(r"([A-Z])([A-Z][a-z])", r"\1 \2", spaced)
    return tuple(word.lower() for word in re.split(r"[\W_]+", spaced) if word)
