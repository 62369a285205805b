"""Which way a character stands and faces: votes of its joints, its shape and its face."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from specsia_build.characters.doubts import joints
from specsia_build.characters.doubts.looks import face_detail
from specsia_build.characters.doubts.probe import Points, Probe, groups_of
from specsia_build.frame import axis_vector, up_rotation

AROUND = ("-y", "+x", "+y", "-x")
"""Horizontal axes, each a quarter turn counter-clockwise from the one before, seen from above."""

SURE = 2
"""Votes by which an axis must lead: two independent ones, or those of joint sides alone."""

OF_SIDES, OF_FEET = 3, 2
"""Votes of left and right joints for the front, and of joints of feet for up."""

FAR_AHEAD = 0.1
"""How far eyes, toes or a tail's opposite lie ahead, in heights, to count twice."""

AGAINST_FORMAT = 2
"""Votes of a file's format against its opposite: left and right may be named as a viewer sees them."""

SYMMETRIC, EVEN = 1.5, 2.5
"""Ratio of mirror distances from which a shape is mirrored across one plane, and from which that plane alone says
along which axis it faces: of 48 characters the median is 4.6, of three that walk or aim it is below 1.5."""

FOOT, SHIN, HEAD = (0.0, 0.05), (0.1, 0.2), (0.8, 1.01)
"""Shares of the height between which feet, shins and a head lie."""

LEAST_TOES, LEAST_HEAD = 0.02, 0.1
"""How far feet lie ahead of shins, and the head of a long body ahead of its middle, in heights."""

LONG, FLAT = 1.3, 0.05
"""Length over width of a body on four legs, and thinnest over longest side of what has no front by its shape."""

LYING = 0.45
"""Height over the lesser of width and depth below which a shape lies, arms and legs stretched."""

RESTS, STRADDLES = 0.02, 0.2
"""Distance of the lowest point from the origin's plane, in heights, of what rests on it; share of the height on either
side of it of what does not."""


@dataclass
class Votes:
    """Votes for signed axes, and the reasons of each.

    Attributes:
        count: votes of each axis.
        why: what voted for each axis.
        along: the axis without a sign that a symmetric shape faces along, or None.
        even: whether that symmetry is beyond doubt.
    """

    count: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    why: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    along: str | None = None
    even: bool = False

    def add(self, axis: str | None, votes: float, why: str = "") -> None:
        if axis is not None:
            self.count[axis] += votes
            self.why[axis] += [why] if why else []

    def lead(self, axis: str) -> float:
        """Votes by which an axis leads all others; a symmetric shape votes for both ends of its axis."""
        others = max((votes for other, votes in self.count.items() if other != axis), default=0.0)
        symmetry = 0 if self.along is None else 1 if self.along == axis[1] else -1
        return self.count[axis] + symmetry - others

    def winner(self) -> str | None:
        """The axis that leads by `SURE` votes."""
        best = max(self.why, key=self.lead, default=None)
        return best if best is not None and self.lead(best) >= SURE else None

    def reasons(self, axis: str) -> str:
        shape = ["its symmetry"] if self.along == axis[1] else []
        return "by " + " and ".join([*self.why[axis], *shape])


@dataclass(frozen=True)
class Evidence:
    """What the votes on an axis came to.

    Attributes:
        axis: the winner, or None.
        why: its reasons.
        strong: whether joints voted, which is enough to doubt what a manifest states.
        along: without a winner, the axis ``x`` or ``y`` that it faces along one way or the other, or None.
        lead: votes by which the winner leads.
    """

    axis: str | None
    why: str
    strong: bool = False
    along: str | None = None
    lead: float = 0.0


def opposite(axis: str) -> str:
    return ("-" if axis[0] == "+" else "+") + axis[1]


def front_of(probe: Probe, usual: str | None = None, taken: str | None = None) -> Evidence:
    """Which way a Z-up character faces.

    Args:
        probe: Z up.
        usual: the front that its format states, or None where exporters keep to none.
        taken: the front that a manifest states, about which shape and face are not asked.
    """
    votes = Votes()
    by_sides = joints.front_axis(probe.landmarks)
    votes.add(by_sides, OF_SIDES, "left and right joints")
    for why, way in joints.ways_ahead(probe.landmarks, float(probe.extent[2])).items():
        votes.add(joints.nearest_axis(way, 45.0), 2 if float(np.linalg.norm(way)) >= FAR_AHEAD else 1, why)
    if by_sides is not None and usual == opposite(by_sides):
        votes.count[usual] += AGAINST_FORMAT
    strong = by_sides is not None
    if votes.winner() is None and taken is None and len(probe.points):
        _named_features(probe, votes)
        if probe.extent.min() >= FLAT * probe.extent.max():
            _shape(_main(probe), votes)
        if votes.winner() is None or not strong:
            axis, times = face_detail(probe)
            votes.add(axis, times, "its face")
    axis = votes.winner()
    if axis is not None:
        return Evidence(axis, votes.reasons(axis), strong, lead=votes.lead(axis))
    along = by_sides[1] if by_sides else votes.along if votes.even else None
    return Evidence(None, "its joints, shape and face do not say it", strong, along)


def _named_features(probe: Probe, votes: Votes) -> None:
    """Let parts and materials that are named for eyes or a mouth vote, where they lie ahead of all at their level."""
    mesh = probe.mesh
    by_material = np.array([bool(joints.words(material.name) & joints.FACE) for material in mesh.materials])
    chosen = by_material[mesh.face_material[probe.faces]]
    chosen |= np.array([any(joints.words(name) & joints.FACE for name in names) for names in probe.part_names])[
        probe.part
    ]
    faces = np.flatnonzero(by_material[mesh.face_material])
    if len(faces) and not chosen.any():
        feature = probe.placed.vertices[mesh.faces[faces]].mean(axis=1, dtype=np.float64)
    else:
        feature = probe.points[chosen]
    if len(feature) < 2 or len(feature) > len(probe.points) / 2:
        return
    height = float(probe.extent[2])
    near = (probe.points[:, 2] > feature[:, 2].min() - 0.02 * height) & (
        probe.points[:, 2] < feature[:, 2].max() + 0.02 * height
    )
    if near.sum() < 8:
        return
    arms = (feature - probe.points[near].mean(axis=0))[:, :2] / height
    way = arms.mean(axis=0)
    ahead = way / max(float(np.linalg.norm(way)), 1e-12)
    if float(np.quantile(arms @ ahead, 0.1)) >= joints.LEAST_AHEAD:
        votes.add(joints.nearest_axis(way, 45.0), 2, "parts named as of a face")


def _main(probe: Probe) -> Probe:
    """The samples without the little that lies apart: a pet beside a figure is no side of it."""
    largest = max(groups_of(probe.points, 0.03 * float(probe.extent[2])), key=len)
    if not len(probe.points) > len(largest) >= len(probe.points) / 2:
        return probe
    chosen = np.zeros(len(probe.points), np.bool_)
    chosen[largest] = True
    return probe.of(chosen)


def _shape(probe: Probe, votes: Votes) -> None:
    """Let the mirror plane vote for an axis, and toes or a long body's head for one end of it."""
    if probe.extent[2] < LYING * probe.extent[:2].min():
        return
    distance = probe.mirror_distance[:2]
    side = int(np.argmin(distance))
    if distance[1 - side] < SYMMETRIC * distance[side]:
        return
    ahead, height = 1 - side, float(probe.extent[2])
    votes.along = "xy"[ahead]
    votes.even = bool(distance[1 - side] >= EVEN * distance[side] and height >= 0.75 * probe.extent[ahead])
    if not _are_feet(probe, side):
        return
    toes, aside = (_centre(probe, FOOT, axis) - _centre(probe, SHIN, axis) for axis in (ahead, side))
    head = _centre(probe, HEAD, ahead) - float(probe.points[:, ahead].mean()) / height
    toes = toes if abs(toes) >= max(LEAST_TOES, 2 * abs(aside)) else 0.0
    if probe.extent[ahead] <= LONG * probe.extent[side]:
        value, why = toes, "its toes"
    elif abs(head) >= LEAST_HEAD or toes * head > 0:
        # Of a long body feet alone say nothing: fins lie behind a fish's middle.
        value, why = (0.0 if toes * head < 0 else head), "its head"
    else:
        return
    if value:
        votes.add(("+" if value > 0 else "-") + "xy"[ahead], 1, why)


def _centre(probe: Probe, between: tuple[float, float], axis: int) -> float:
    """Mean coordinate of what lies between two shares of the height, in heights; NaN where little does."""
    inside = (probe.levels >= between[0]) & (probe.levels < between[1])
    return float(probe.points[inside, axis].mean() / probe.extent[2]) if inside.sum() >= 8 else float("nan")


def _are_feet(probe: Probe, side: int) -> bool:
    """Whether the lowest part lies in two like shares on either side of the middle."""
    along = probe.points[probe.levels < FOOT[1], side]
    if len(along) < 16:
        return False
    offset = along - (along.min() + along.max()) / 2
    between = float((np.abs(offset) < 0.2 * max(float(np.abs(offset).max()), 1e-12)).mean())
    return between < 0.05 and 0.3 < float((offset > 0).mean()) < 0.7


def _is_head(probe: Probe, side: int) -> bool:
    """Whether the highest part lies in the middle, and is more than the tip of a tail."""
    offset = probe.points[:, side] - probe.low[side] - probe.extent[side] / 2
    top = np.abs(offset[probe.levels > 1 - FOOT[1]]) < 0.1 * probe.extent[side]
    return bool(top.size and top.mean() > 0.5 and (probe.levels > HEAD[0]).mean() >= 0.04)


def up_of(probe: Probe, usual: str, *, settled: bool = False) -> Evidence:
    """Which axis of a file's own coordinates a character stands along.

    Args:
        probe: in those coordinates.
        usual: what the format states.
        settled: whether exporters keep to that, so that a shape speaks for no other axis than ``+y`` and ``+z``.
    """
    votes = Votes()
    by_feet = joints.up_axis(probe.landmarks)
    votes.add(by_feet, OF_FEET, "joints of its feet")
    if by_feet is None and len(joints.pairs_of(probe.landmarks)) < joints.LEAST_PAIRS and len(probe.points):
        tallest = {axis: float(probe.extent["xyz".index(axis[1])]) for axis in ("+y", "+z", "-z")}
        for axis in ("+y", "+z") if settled else ("+y", "+z", "-z"):
            standing = probe.turned(up_rotation(axis))
            side = int(np.argmin(standing.mirror_distance[:2]))
            ratio = standing.mirror_distance[1 - side] / max(float(standing.mirror_distance[side]), 1e-12)
            if ratio < SYMMETRIC or standing.extent[2] < LYING * standing.extent[:2].min():
                continue
            if _are_feet(standing, side):
                votes.add(axis, 1, "feet below")
            if _is_head(standing, side) and _are_feet(standing, side) and tallest[axis] >= max(tallest.values()):
                votes.add(axis, 1, "a head above")
    if by_feet is None and _reach(probe, usual).min() >= STRADDLES:
        for axis in ("+y", "+z"):
            if axis != usual and _rests(probe, axis):
                votes.add(axis, 2, "the ground through its origin")
    best = votes.winner()
    if best is None or (best != usual and _rests(probe, usual) and not _rests(probe, best)):
        return Evidence(None, "its joints, shape and ground do not say it")
    return Evidence(best, votes.reasons(best), strong=True, lead=votes.lead(best))


def _reach(probe: Probe, up: str) -> Points:
    """How far a mesh reaches below and above the origin along an axis, (2,), as shares of its extent along it."""
    along = probe.mesh.vertices[probe.mesh.used] @ (axis_vector(up) @ probe.rotation)
    return np.array([-along.min(), along.max()]) / max(float(np.ptp(along)), 1e-12)


def _rests(probe: Probe, up: str) -> bool:
    """Whether a mesh rests on the plane through its origin that an axis is square to."""
    return bool(abs(_reach(probe, up)[0]) < RESTS)
