"""Words of joints' names, and the side and the part of the body that they tell."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

SIDE_WORDS = {"l": 1, "lf": 1, "lt": 1, "left": 1, "r": -1, "rt": -1, "right": -1}
"""Words for sides: 1 is left, -1 right."""

_STUCK = re.compile(
    r"(?<![^\W_])([Ll]eft|[Rr]ight|[LRlr])(?=(?:upper|up|lower|low|fore)?(?:buttock|hip|thigh|femur|shin|tibia|calf|knee|"
    r"leg|foot|ankle|toes?|collar|clavicle|shoulder|arm|humerus|elbow|radius|hand|wrist|thumb|index|ring|pinky|eye)\d*"
    r"(?![^\W_]))|(?<![^\W_])([LR])(?=[UF]Arm)"
)
"""A side that is joined to its part of the body: ``lhip`` of MakeHuman's BVH, ``LUArm`` of OptiTrack's."""

_SCRIPTS = re.compile(r"(?<=[^\x00-\x7f])(?=[A-Za-z])|(?<=\d)(?=[A-Z][a-z])")
"""End of a word that is joined to the next: ``足D`` of MMD, ``mixamorig9LeftLeg`` without its colon."""


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """Words of a joint's name in lower case, without a prefix: three of ``mixamorig:LeftUpLeg``."""
    name = unicodedata.normalize("NFKC", name)
    own = re.split(r"[:|]", name)[-1]
    name = own if re.search(r"[^\W_]{2}", own) else name
    spaced = _SCRIPTS.sub(" ", name.replace("左", " left ").replace("右", " right "))
    spaced = _STUCK.sub(r"\g<0> ", spaced)
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", spaced)
    spaced = re.sub(r"([A-Z])([A-Z][a-z])", r"\1 \2", spaced)
    return tuple(word.lower() for word in re.split(r"[\W_]+", spaced) if word)


HELPERS = frozenset(
    (
        *("ik", "fk", "pole", "target", "pt", "ctrl", "control", "tweak", "mch", "org"),
        *("helper", "twist", "roll"),
        *("end", "site", "nub", "tip", "sec", "adj", "prop", "weapon", "slot"),
    )
)
"""Words of joints that control or correct others."""

STEERING = "ik"  # Word of joints whose part of the body follows them

_MIDDLE = frozenset(("m", "c", "x"))
"""Words of joints in the middle: ``Head_M`` of Maya's Advanced Skeleton, ``head.x`` of Auto-Rig Pro."""

_SAYING_NOTHING = frozenset(
    (
        *("bend", "stretch", "jnt", "joint", "bone", "bind", "skin", "d", "ex"),
        *("proximal", "intermediate", "medial", "distal"),
    )
)
"""Words to ignore in names of joints: ``lShldrBend`` of Daz, ``L_knee_JNT``, ``足D`` of MMD."""

_OTHER_LEGS = frozenset(("front", "back", "hind", "rear", "fore", "mid"))
"""Words for legs of figures with more than two."""

_UNSAID = frozenset(SIDE_WORDS) | _MIDDLE | _SAYING_NOTHING

_ENDINGS: Mapping[str, Sequence[str]] = {
    "UpperLeg": ("upperleg", "upleg", "thigh", "legupper", "femur", "足"),
    "Hip": ("hip",),
    "LowerLeg": ("lowerleg", "lowleg", "shin", "calf", "knee", "shank", "leglower", "tibia", "ひざ"),
    "Leg": ("leg",),
    "Foot": ("foot", "ankle", "足首"),
    "Toes": ("toe", "toes", "toebase", "ball", "つま先", "足先"),
    "Shoulder": ("shoulder", "clavicle", "clav", "collar", "collarbone", "scapula", "肩"),
    "UpperArm": ("upperarm", "uparm", "uarm", "armupper", "shldr", "humerus", "腕"),
    "Arm": ("arm",),
    "LowerArm": ("lowerarm", "lowarm", "forearm", "farm", "armlower", "elbow", "radius", "ひじ"),
    "Hand": ("hand", "wrist", "fist", "palm", "手首"),
    "Thumb": ("thumb", "thumbmetacarpal", "親指"),
    "Index": ("index", "indexfinger", "人指", "人差指"),
    "Middle": ("middle", "middlefinger", "mid", "中指"),
    "Ring": ("ring", "ringfinger", "薬指"),
    "Little": ("little", "littlefinger", "pinky", "pinkyfinger", "小指"),
    "Finger": ("finger", "fingermetacarpal"),
    "Neck": ("neck", "necklower", "首"),
    "Head": ("head", "頭"),
}
"""Endings of names without sides and numbers, by part; the longest matching ending decides."""

_PARTS = sorted(
    ((ending, part) for part, endings in _ENDINGS.items() for ending in endings), key=lambda p: -len(p[0])
)


def part_of(name: str) -> tuple[int, str] | None:
    """Side of a joint (1 left, -1 right, 0 neither) and its part; None if it is no part of a human body."""
    words = [word.strip("0123456789") for word in words_of(name)]
    sides = [SIDE_WORDS[word] for word in words if word in SIDE_WORDS]
    if len(sides) > 1 or HELPERS & set(words):
        return None
    joined = "".join(word for word in words if word not in _UNSAID)
    part = next((part for ending, part in _PARTS if joined.endswith(ending)), None)
    if part is None or ("Leg" in part and _OTHER_LEGS & set(words)):
        return None
    return (sides[0] if sides else 0), part
