"""What a clip shows, in words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

_MOST = 12
"""Words of a name that a caption takes; text encoders cut off what is long."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

_VERBS = re.compile(
    "attack|bite|block|bow|cheer|clap|climb|crawl|crouch|dance|duck|eat|fall|fight|gallop|hop|jog|jump|kick|kneel|march|"
    "nod|punch|push|roll|run|shoot|sit|skip|sneak|spin|stand|swim|throw|trot|turn|walk|wave"
)

_PROGRAMS = frozenset(("action", "anim", "animation", "armature", "base", "com", "layer", "mixamo", "take", "unreal"))
"""Words that programs name motions by, whatever they show: ``Take 001|BaseLayer``, ``Armature|mixamo.com|Layer0``."""

_FILES = frozenset(
    ("animated", "copy", "fbx", "glb", "gltf", "model", "obj", "rigged", "scene", "sketchfab", "untitled", "vrm")
)
"""Words in file names that say nothing of the character: ``scene.gltf``, ``fox_animated.glb``, ``robot (copy).glb``."""

_SAID = {"idle": "stands idle", "death": "dies", "die": "dies", "fly": "flies"}


def caption(meta: Mapping[str, Any]) -> str:
    """A line of plain ASCII about a clip, from the names of its character and its motion and nothing else.

    Args:
        meta: of the clip, see `recipe.ClipFrames`.
    """
    named = _words(meta["character"], _FILES)
    whole = named if "character" in named else [*named, "character"]
    who = f"{'an' if whole[0][0] in 'aeiou' else 'a'} {' '.join(whole)}"
    clip = meta["clip"]
    if not clip["origin"]:
        return f"{who} stands still, seen from all around"
    rig, *parts = clip["action"].split("|")
    said = (_words(part, whole) for part in reversed(parts or [rig]))
    action = next((words for words in said if not _PROGRAMS.issuperset(words)), [])
    if len(action) < 2:
        return f"{who} {_deed(action[0]) if action else 'moves'}"
    return f"{who} moves: {' '.join(action)}"


def _deed(word: str) -> str:
    """What somebody does, by the one word that names it."""
    if _VERBS.fullmatch(word):
        return f"{word}{'es' if word.endswith('ch') else 's'}"
    if word.endswith("ing") and len(word) > len("swing"):
        return f"is {word}"
    return _SAID.get(word, f"moves: {word}")


def _words(name: str, but: Collection[str] = ()) -> list[str]:
    """Words in a name, lower case, without numbers, single letters and some others."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    found = []
    for part in re.split(r"[^A-Za-z]+|(?<=\d)[A-Z]{1,2}(?![a-z])", plain):
        if part.lower() not in but:
            found += [word.lower() for word in _WORD.findall(part)]
    return [word for word in found if len(word) > 1 and word not in but][:_MOST]
