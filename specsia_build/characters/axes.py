"""Which axes of a file are taken for up and for the front."""

from __future__ import annotations

from dataclasses import dataclass

from specsia_build.characters.character import AUTO, OWN, SETTLED, UNSETTLED, Entry
from specsia_build.characters.doubts.axes import AROUND, Evidence, front_of, up_of
from specsia_build.characters.doubts.doubt import Doubt, Fix
from specsia_build.characters.doubts.probe import Probe
from specsia_build.characters.raw import RawMesh
from specsia_build.frame import front_rotation, signed_axis, up_rotation


@dataclass(frozen=True)
class Axes:
    """What is taken for a character's axes.

    Attributes:
        up: axis of its file.
        front: axis that it faces once `up` has been turned to Z.
        unsure: a sentence where nobody states that front and nothing of the character says it, else None.
        doubts: where the character says another axis.
    """

    up: str
    front: str
    unsure: str | None
    doubts: tuple[Doubt, ...]


def axes_of(entry: Entry, raw: RawMesh, probe: Probe) -> Axes:
    """Axes of a character, as its manifest, its format or, where asked, the character itself says.

    What an entry states is taken. Where that is what its format has anyway, it is meant and not doubted.

    Args:
        entry: whose character it is.
        raw: as its file has it.
        probe: samples in the file's coordinates.

    Raises:
        ValueError: if an axis is none.
    """
    name = entry.path.name
    stated_up, stated_front = _signed(entry.up), _signed(entry.front)
    up, front = _taken(stated_up, raw.up), _taken(stated_front, raw.front)
    front_rotation(front)  # An axis that nobody can face is refused.
    doubts: list[Doubt] = []
    if _is_asked(entry, stated_up, raw.up):
        # A pose may lay a character down, which its file's axes know nothing of.
        found = up_of(probe.at_rest(raw.rest_landmarks), up, settled=stated_up != AUTO)
        doubts += _doubt("up", stated_up, up, found, f"{name} stands along {found.axis}")
        up = (found.axis or up) if stated_up == AUTO else up
    if not _is_asked(entry, stated_front, raw.front):
        return Axes(up, front, None, tuple(doubts))
    stated = None if stated_front in (None, AUTO) else front
    found = Evidence(None, "it does not stand")
    if not doubts or stated_up in (None, AUTO):
        usual = front if stated is not None or entry.format not in UNSETTLED else None
        found = front_of(probe.turned(up_rotation(up)), usual, stated)
        doubts += _doubt("front", stated_front, front, found, f"{name} faces {found.axis}")
        front = (found.axis or front) if stated_front == AUTO else front
    unsure = None
    if found.axis is None and found.along not in (None, front[1]):
        unsure = _sideways(name, front, found)
        if stated is None or found.strong:
            doubts.append(Doubt(unsure))
    elif found.axis is None:
        unsure = _unsure(name, front, found.why)
    return Axes(up, front, None if stated is not None else unsure, tuple(doubts))


def _signed(axis: str | None) -> str | None:
    return axis if axis in (None, AUTO, OWN) else signed_axis(axis)


def _taken(stated: str | None, own: str) -> str:
    """The axis without evidence: what a manifest states, or else the format's own."""
    return own if stated in (None, OWN, AUTO) else stated


def _is_asked(entry: Entry, stated: str | None, own: str) -> bool:
    """Whether a character is asked for an axis: not where its line states what its format has anyway."""
    return entry.format not in SETTLED if stated is None else stated not in (OWN, own)


def _doubt(key: str, stated: str | None, taken: str, found: Evidence, what: str) -> list[Doubt]:
    """The doubt about an axis where the evidence is for another; of what a line states, only joints raise one."""
    if found.axis is None or found.axis == taken or (stated not in (None, AUTO) and not found.strong):
        return []
    line = f'"{key}": "{found.axis}" in its manifest line'
    if stated == AUTO:
        end = f'so it was turned; {line} says the same, "{key}": "{taken}" leaves it as it was'
    elif stated is None:
        end = f"not {taken} as its format has it: {line} turns it"
    else:
        end = f"not {taken} as its manifest line states: {line} turns it"
    return [Doubt(f"{what}, {found.why}, {end}", found.lead / 2, Fix(key, found.axis, found.why))]


def _sideways(name: str, front: str, found: Evidence) -> str:
    at = AROUND.index(front)
    right, left = (AROUND[(at + turns) % 4] for turns in (1, 3))
    return (
        f"{name} stands sideways, along {found.along}, and nothing says which end is its front: "
        f'"front": "{right}" in its manifest line turns it if it looks to the right in view 0, "{left}" if to the left'
    )


def _unsure(name: str, front: str, why: str) -> str:
    at = AROUND.index(front)
    right, away, left = (AROUND[(at + turns) % 4] for turns in (1, 2, 3))
    return (
        f"cannot tell which way {name} faces (as {why}): state "
        f'"front": "{front}" in its manifest line if view 0 shows its front, "{right}" if it looks to the right there, '
        f'"{left}" to the left, "{away}" away'
    )
