"""Parts of a file by the names that leave them out."""

from __future__ import annotations

from collections.abc import Sequence

from specsia_build.characters.finding import Finding, Mending

_MOST_SHOWN = 5


def listed(chosen: set[int], part_names: Sequence[Sequence[str]]) -> str:
    """The first names of parts, a few of them and how many more there are."""
    names = [f"'{part_names[k][0]}'" if part_names[k] else "a part without a name" for k in sorted(chosen)]
    return ", ".join(names[:_MOST_SHOWN]) + (f" and {len(names) - _MOST_SHOWN} more" if names[_MOST_SHOWN:] else "")


def dropping(told: str, effect: str, chosen: set[int], part_names: Sequence[Sequence[str]]) -> Finding:
    """A sentence with the line that drops parts, or that none can."""
    names = names_of(chosen, part_names)
    if names is None:
        return Finding(f"{told}, but no name is theirs alone that could be dropped: name them where they were made")
    return Finding(f"{told}: {drop_line(names)} in its manifest line {effect}", Mending("drop", names, told))


def drop_line(names: Sequence[str]) -> str:
    """What a manifest's line says to leave out parts of these names."""
    quoted = ", ".join(f'"{name}"' for name in names)
    return f'"drop": [{quoted}]'


def names_of(chosen: set[int], part_names: Sequence[Sequence[str]]) -> tuple[str, ...] | None:
    """As few names as cover some parts and no others; None where there are none."""
    holders: dict[str, set[int]] = {}
    for index, names in enumerate(part_names):
        for name in names:
            holders.setdefault(name, set()).add(index)
    usable = {name: held for name, held in holders.items() if held <= chosen}
    left, found = set(chosen), []
    while left:
        name = max(usable, key=lambda n: len(usable[n] & left), default="")
        if not usable.get(name, set()) & left:
            return None
        found.append(name)
        left -= usable[name]
    return tuple(found)
