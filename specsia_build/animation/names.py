"""The words of joints' names."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

SIDES = {"l": 1, "lf": 1, "lt": 1, "left": 1, "r": -1, "rt": -1, "right": -1}
"""Words that say a side: 1 is the left one."""

_STUCK = re.compile(
    r"(?<![^\W_])([Ll]eft|[Rr]ight|[LRlr])(?=(?:upper|up|lower|low|fore)?(?:buttock|hip|thigh|femur|shin|tibia|calf|knee|"
    r"leg|foot|ankle|toes?|collar|clavicle|shoulder|arm|humerus|elbow|radius|hand|wrist|thumb|index|ring|pinky|eye)\d*"
    r"(?![^\W_]))|(?<![^\W_])([LR])(?=[UF]Arm)"
)
"""A side that nothing separates from its part of the body: ``lhip`` of MakeHuman's BVH, ``LUArm`` of OptiTrack's."""


_SCRIPTS = re.compile(r"(?<=[^\x00-\x7f])(?=[A-Za-z])|(?<=\d)(?=[A-Z][a-z])")
"""Where a word ends that nothing separates from the next: ``足D`` of MMD, ``mixamorig9LeftLeg`` without its colon."""


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """The words of a joint's name in lower case, whatever separates them: ``mixamorig:LeftUpLeg`` has three.

    What a file puts before all of its names, up to a colon or a bar, is none of a joint's as long as a word follows.
    """
    name = unicodedata.normalize("NFKC", name)
    own = re.split(r"[:|]", name)[-1]
    name = own if re.search(r"[^\W_]{2}", own) else name
    spaced = _SCRIPTS.sub(" ", name.replace("左", " left ").replace("右", " right "))
    spaced = _STUCK.sub(r"\g<0> ", spaced)
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", spaced)
    spaced = re.sub(r"([A-Z])([A-Z][a-z])", r"\1 \2", spaced)
    return tuple(word.lower() for word in re.split(r"[\W_]+", spaced) if word)
