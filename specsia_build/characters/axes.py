"""Axes of a character: stated, of its format, or found by its joints and shape."""

from __future__ import annotations

from dataclasses import dataclass, replace

from specsia_build.characters.character import AUTO, OWN, SETTLED, UNSETTLED, Entry
from specsia_build.characters.doubts.axes import AROUND, Evidence, front_of, up_of
from specsia_build.characters.doubts.doubt import Doubt, Fix
from specsia_build.characters.doubts.probe import Probe
from specsia_build.characters.raw import RawMesh
from specsia_build.frame import front_rotation, signed_axis, up_rotation


@dataclass(frozen=True)
class Axes:
    """Axes of a character.

    Attributes:
        up: axis of its file.
        front: axis that it faces once `up` is turned to Z.
        unsure: a sentence if that front is neither stated nor found, else None.
        doubts: warnings about axes that differ from what was found.
    """

    up: str
    front: str
    unsure: str | None
    doubts: tuple[Doubt, ...]


def axes_of(entry: Entry, raw: RawMesh, probe: Probe) -> Axes:
    """Find the axes of a character.

    What an entry states is used; where that is also its format's, it is not checked.

    Args:
        entry: of the character.
        raw: as its file has it.
        probe: in the file's coordinates.

    Raises:
        ValueError: if an axis is none.
    """
    name = entry.path.name
    stated_up, stated_front = _signed(entry.up), _signed(entry.front)
    up = raw.up if stated_up in (None, OWN, AUTO) else stated_up
    front = raw.front if stated_front in (None, OWN, AUTO) else stated_front
    front_rotation(front)  # Raises an error for a vertical axis.
    doubts: list[Doubt] = []
    if _is_checked(entry, stated_up, raw.up):
        # A pose may lay a character down, which has nothing to do with its file's axes.
        resting = replace(probe, landmarks=raw.rest_landmarks) if raw.rest_landmarks else probe
        evidence = up_of(resting, up, settled=stated_up != AUTO)
        doubts += _doubt("up", stated_up, up, evidence, f"{name} stands along {evidence.axis}")
        up = (evidence.axis or up) if stated_up == AUTO else up
    if not _is_checked(entry, stated_front, raw.front):
        return Axes(up, front, None, tuple(doubts))
    stated = None if stated_front in (None, AUTO) else front
    evidence = Evidence(None, "it does not stand")
    if not doubts or stated_up in (None, AUTO):
        usual = front if stated is not None or entry.format not in UNSETTLED else None
        evidence = front_of(probe.turned(up_rotation(up)), usual, stated)
        doubts += _doubt("front", stated_front, front, evidence, f"{name} faces {evidence.axis}")
        front = (evidence.axis or front) if stated_front == AUTO else front
    unsure = None
    if evidence.axis is None:
        sideways = evidence.along not in (None, front[1])
        unsure = _unsure(name, front, evidence, sideways)
        if sideways and (stated is None or evidence.strong):
            doubts.append(Doubt(unsure))
    return Axes(up, front, None if stated is not None else unsure, tuple(doubts))


def _signed(axis: str | None) -> str | None:
    return axis if axis in (None, AUTO, OWN) else signed_axis(axis)


def _is_checked(entry: Entry, stated: str | None, own: str) -> bool:
    """Whether an axis is checked: not where the manifest states what the format has anyway."""
    return entry.format not in SETTLED if stated is None else stated not in (OWN, own)


def _doubt(key: str, stated: str | None, taken: str, evidence: Evidence, what: str) -> list[Doubt]:
    """The warning if the evidence is for another axis; only joints contradict what a manifest states."""
    if evidence.axis is None or evidence.axis == taken or (stated not in (None, AUTO) and not evidence.strong):
        return []
    line = f'"{key}": "{evidence.axis}" in its manifest line'
    if stated == AUTO:
        end = f'so it was turned; {line} says the same, "{key}": "{taken}" leaves it as it was'
    else:
        end = f"not {taken} as its {'format has it' if stated is None else 'manifest line states'}: {line} turns it"
    return [Doubt(f"{what}, {evidence.why}, {end}", evidence.lead / 2, Fix(key, evidence.axis, evidence.why))]


def _unsure(name: str, front: str, evidence: Evidence, sideways: bool) -> str:
    at = AROUND.index(front)
    right, away, left = (AROUND[(at + turns) % 4] for turns in (1, 2, 3))
    if sideways:
        return (
            f"{name} stands sideways, along {evidence.along}, and nothing says which end is its front: "
            f'"front": "{right}" in its manifest line turns it if it looks to the right in view 0, '
            f'"{left}" if to the left'
        )
    return (
        f"cannot tell which way {name} faces (as {evidence.why}): state "
        f'"front": "{front}" in its manifest line if view 0 shows its front, "{right}" if it looks to the right there, '
        f'"{left}" to the left, "{away}" away'
    )
