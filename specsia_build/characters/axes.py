"""Which axes of a file are taken for up and for the front, and what is doubtful about them."""

from __future__ import annotations

from dataclasses import dataclass

from specsia_build.characters.character import AUTO, OWN, SETTLED, UNSETTLED, Entry
from specsia_build.characters.facing import Evidence, front_of, rotated
from specsia_build.characters.features import features_of
from specsia_build.characters.finding import Finding, Mending
from specsia_build.characters.raw import RawMesh
from specsia_build.characters.upright import up_of
from specsia_build.frame import signed_axis, up_rotation
from specsia_build.rendering.mesh import Mesh

_AROUND = ("-y", "+x", "+y", "-x")
"""Horizontal axes, each a quarter turn on from the one before, counter-clockwise seen from above."""

_SET_UPRIGHT, _TURNED = ("was set upright", "sets it upright"), ("was turned", "turns it")
"""What is done where evidence is heeded, and what a manifest's line does that mends it."""


@dataclass(frozen=True)
class Axes:
    """What is taken for a character's axes.

    Attributes:
        up: axis of its file.
        front: axis that it faces once `up` has been turned to Z.
        unsure: a sentence where nobody states that front and nothing of the character says it, else None.
        findings: where the character says another axis.
    """

    up: str
    front: str
    unsure: str | None
    findings: tuple[Finding, ...]


def axes_of(entry: Entry, raw: RawMesh, mesh: Mesh) -> Axes:
    """What is taken for up and for the front, and a sentence where the character says another axis, or none.

    What an entry states is taken. Where that is what its format has anyway, it is meant, and not doubted.

    Args:
        entry: whose character it is.
        raw: as its file has it.
        mesh: of that, without what is not finite.

    Raises:
        ValueError: if an axis is none.
    """
    name = entry.path.name
    up_said, front_said = _said(entry.up), _said(entry.front)
    up, front = _taken(up_said, raw.up), _taken(front_said, raw.front)
    said: list[Finding] = []
    if _is_asked(entry, up_said, raw.up):
        # A pose may lay a character down, which its file's axes know nothing of.
        joints = raw.rest_landmarks or raw.landmarks
        found = up_of(mesh, joints, up, settled=up_said != AUTO)
        why = f"{name} stands along {found.axis}, as {found.why},"
        said += _doubt("up", up_said, up, found, why, _SET_UPRIGHT)
        up = (found.axis or up) if up_said == AUTO else up
    if not _is_asked(entry, front_said, raw.front):
        return Axes(up, front, None, tuple(said))
    stated = front_said if front_said not in (None, AUTO) else None
    # Of one who is laid down as stated nothing says the front.
    found = Evidence(None, "it does not stand")
    if not said or up_said in (None, AUTO):
        upright = up_rotation(up)
        usual = front if stated or entry.format not in UNSETTLED else None
        features = features_of(mesh, raw.part_names, raw.face_part)
        # Of what is stated only another axis is a doubt.
        taken = None if stated is None else front
        found = front_of(mesh.rotated(upright), rotated(raw.landmarks, upright), usual, features, stated, taken)
        said += _doubt("front", front_said, front, found, f"{name} faces {found.axis} {found.why},", _TURNED)
        front = (found.axis or front) if front_said == AUTO else front
    if found.axis is None and found.along is not None and found.along[0] != front[1]:
        # What somebody states only joints are enough to doubt.
        told = _sideways(name, front, *found.along) if stated is None or found.strong else None
        doubts = () if told is None else (Finding(told),)
        return Axes(up, front, told if stated is None else None, (*said, *doubts))
    if stated is not None or found.axis is not None:
        return Axes(up, front, None, tuple(said))
    return Axes(up, front, _unsure(name, front, found.why), tuple(said))


def _said(axis: str | None) -> str | None:
    """What an entry says of an axis, its name as in `AXES`.

    Raises:
        ValueError: if it names none.
    """
    return axis if axis in (None, AUTO, OWN) else signed_axis(axis)


def _taken(stated: str | None, own: str) -> str:
    """The axis that is taken where nothing is found: what a manifest states, or else the format's own."""
    return own if stated in (None, OWN, AUTO) else stated


def _is_asked(entry: Entry, stated: str | None, own: str) -> bool:
    """Whether a character is looked at for an axis: not where a line states what it would be taken for anyway."""
    if stated is None:
        return entry.format not in SETTLED
    return stated not in (OWN, own)


def _doubt(
    key: str, stated: str | None, taken: str, found: Evidence, why: str, done: tuple[str, str]
) -> tuple[Finding, ...]:
    """The sentence on an axis where the evidence is another than what is taken.

    Args:
        key: ``up`` or ``front``.
        stated: by the entry.
        taken: unless the evidence is heeded, as it is where `stated` is ``auto``.
        found: the evidence; only what is strong raises a doubt of what a line states.
        why: how the sentence begins.
        done: what is done where it is heeded, and what the line does that mends it.
    """
    if found.axis is None or found.axis == taken or (stated not in (None, AUTO) and not found.strong):
        return ()
    line = f'"{key}": "{found.axis}"'
    if stated == AUTO:
        same = f'{line} in its manifest line says the same, "{key}": "{taken}" leaves it as it was'
        said = f"{why} so it {done[0]}; {same}"
    elif stated is None:
        said = f"{why} not {taken} as its format has it: {line} in its manifest line {done[1]}"
    else:
        said = f"{why} not {taken} as its manifest line states: {line} there {done[1]}"
    return (Finding(said, Mending(key, found.axis, found.why)),)


def _sideways(name: str, front: str, axis: str, why: str) -> str:
    """The sentence on a character that surely stands sideways, where nothing says which end of it is ahead."""
    at = _AROUND.index(front)
    right, left = (_AROUND[(at + turns) % 4] for turns in (1, 3))
    return (
        f"{name} faces along {axis} {why}, so that view 0 shows its side, and nothing says which end is ahead: "
        f'"front": "{right}" in its manifest line turns it if it looks to the right there, "{left}" if to the left'
    )


def _unsure(name: str, front: str, why: str) -> str:
    """The sentence on a character that is taken to face an axis which nothing confirms."""
    at = _AROUND.index(front)
    right, away, left = (_AROUND[(at + turns) % 4] for turns in (1, 2, 3))
    return (
        f"nothing is sure about which way {name} faces (as {why}): state "
        f'"front": "{front}" in its manifest line if view 0 shows its front, "{right}" if it looks to the right there, '
        f'"{left}" to the left, "{away}" away'
    )
