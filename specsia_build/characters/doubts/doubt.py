"""A warning about a character, and the manifest line that fixes its cause."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from specsia_build.errors import some


@dataclass(frozen=True)
class Fix:
    """A key of a manifest line and the value that there is evidence for.

    Attributes:
        key: ``up``, ``front``, ``sides``, ``texture`` or ``drop``.
        value: a text, or the names of parts.
        why: the evidence.
    """

    key: str
    value: str | tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Doubt:
    """What a check found.

    Attributes:
        sentence: the warning.
        score: how far the measured value lies beyond its threshold, 1 where it just reaches it.
        fix: what a manifest line could say, or None where the file itself has to change.
    """

    sentence: str
    score: float = 1.0
    fix: Fix | None = None


def listed(parts: Collection[int], part_names: Sequence[Sequence[str]]) -> str:
    """First names of five parts, and how many more there are."""
    return some([f"'{part_names[k][0]}'" if part_names[k] else "a part without a name" for k in sorted(parts)], 5)


def drop(told: str, effect: str, parts: set[int], part_names: Sequence[Sequence[str]], score: float = 1.0) -> Doubt:
    """A doubt that leaving parts out resolves.

    Args:
        told: what is doubtful.
        effect: what the line does, such as "keeps the largest".
        parts: to leave out.
        part_names: all names of each part.
        score: of the doubt.
    """
    names = names_of(parts, part_names)
    if names is None:
        return Doubt(f"{told}, but these parts have no names of their own: name them in the file", score)
    quoted = ", ".join(f'"{name}"' for name in names)
    line = f'"drop": [{quoted}] in its manifest line {effect}'
    return Doubt(f"{told}: {line}", score, Fix("drop", names, told))


def names_of(parts: set[int], part_names: Sequence[Sequence[str]]) -> tuple[str, ...] | None:
    """As few names as cover some parts and no others; None where there are none."""
    holders: dict[str, set[int]] = {}
    for index, names in enumerate(part_names):
        for name in names:
            holders.setdefault(name, set()).add(index)
    usable = {name: held for name, held in holders.items() if held <= parts}
    left, chosen = set(parts), []
    while left:
        name = max(usable, key=lambda n: len(usable[n] & left), default="")
        if not usable.get(name, set()) & left:
            return None
        chosen.append(name)
        left -= usable[name]
    return tuple(chosen)
