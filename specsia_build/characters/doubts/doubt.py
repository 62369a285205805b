"""A warning about a character, and the manifest line that fixes its cause."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from specsia_build.errors import some


@dataclass(frozen=True)
class Fix:
    """A key of a manifest line and a value for it.

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
    """The result of a check.

    Attributes:
        sentence: the warning.
        score: measured value over its threshold, 1 at the threshold.
        fix: what a manifest line can change, or None if the file has to change.
    """

    sentence: str
    score: float = 1.0
    fix: Fix | None = None


def listed(parts: Collection[int], part_names: Sequence[Sequence[str]]) -> str:
    """First names of up to five parts, and the count of the others."""
    return some([f"'{part_names[k][0]}'" if part_names[k] else "a part without a name" for k in sorted(parts)], 5)


def drop(problem: str, effect: str, parts: set[int], part_names: Sequence[Sequence[str]], score: float = 1.0) -> Doubt:
    """A warning that leaving parts out resolves.

    Args:
        problem: the sentence without its end.
        effect: what the manifest line does, such as "keeps the largest".
        parts: to leave out.
        part_names: all names of each part.
        score: of the warning.
    """
    names = names_of(parts, part_names)
    if names is None:
        return Doubt(f"{problem}, but these parts have no names of their own: name them in the file", score)
    line = '"drop": [{}] in its manifest line'.format(", ".join(f'"{name}"' for name in names))
    return Doubt(f"{problem}: {line} {effect}", score, Fix("drop", names, problem))


def names_of(parts: set[int], part_names: Sequence[Sequence[str]]) -> tuple[str, ...] | None:
    """First names of parts; None if one has none, or shares it with a part that is not among them."""
    names = tuple(dict.fromkeys(part_names[k][0] if part_names[k] else "" for k in sorted(parts)))
    others = {name for k, own in enumerate(part_names) if k not in parts for name in own}
    return None if "" in names or not others.isdisjoint(names) else names
