"""Up and front of a character, by votes of its joints, its shape and networks that see it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from specsia_build.characters.checks import joints
from specsia_build.characters.checks.probe import Probe
from specsia_build.characters.front import AROUND, front_logits
from specsia_build.frame import axis_vector, up_rotation

LEAST_LEAD = 2  # Votes: two independent ones, or those of joint sides alone.
OF_SIDES, OF_FEET = 3, 2  # Votes of left and right joints for the front, and of joints of feet for up.
VOTE, OF_FORMAT = 0.75, 1  # Difference of logits that is one vote, and votes of a format beside the networks'
# Votes of a format against the opposite: left and right may be named as a viewer sees them
AGAINST_FORMAT = 2
FAR_AHEAD = 0.1  # Distance in heights from which eyes, toes or the opposite of a tail count twice.

# Ratio of mirror distances from which a shape is symmetric: the median of 48 characters is 4.6, of three that
# walk or aim it is below 1.5.
_SYMMETRIC = 1.5
FOOT, _HEAD = 0.05, 0.8  # Heights below which a foot is, and above which a head.
LYING = 0.45  # Largest height of a lying figure, relative to the lesser of its width and depth.
RESTS = 0.02  # Extent below the origin of what stands on it.
STRADDLES = 0.2  # Extent on both sides of the origin of what does not stand on it.


@dataclass
class Votes:
    """Votes for signed axes with their reasons."""

    count: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    why: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, axis: str | None, votes: float, why: str) -> None:
        if axis is not None:
            self.count[axis] += votes
            self.why[axis].append(why)

    def lead(self, axis: str) -> float:
        """Lead of an axis over all others in votes."""
        others = (votes for other, votes in self.count.items() if other != axis)
        return self.count[axis] - max(others, default=0.0)

    def evidence(self, strong: bool) -> Evidence | None:
        """The evidence for the axis that leads by `LEAST_LEAD`, if one does."""
        axis = max(self.why, key=self.lead, default=None)
        if axis is None or self.lead(axis) < LEAST_LEAD:
            return None
        return Evidence(axis, "by " + " and ".join(self.why[axis]), strong)


@dataclass(frozen=True)
class Evidence:
    """The result of votes on an axis."""

    axis: str | None  # The winner, or None
    why: str  # Its reasons
    strong: bool = False  # Whether joints voted, which is enough to contradict a manifest
    # Without a winner, ``x`` or ``y`` if it faces one way or the other along that, else None
    along: str | None = None


def front_of(probe: Probe, usual: str | None = None, taken: str | None = None) -> Evidence:
    """Find a Z-up character's front, `usual` for its format; by joints alone if `taken`, of a manifest."""
    votes = Votes()
    by_sides = joints.front_axis(probe.landmarks)
    votes.add(by_sides, OF_SIDES, "left and right joints")
    for why, ahead in joints.directions_ahead(probe.landmarks, float(probe.extent[2])).items():
        weight = 2 if float(np.linalg.norm(ahead)) >= FAR_AHEAD else 1
        votes.add(joints.nearest_axis(ahead, 45.0), weight, why)
    if by_sides is not None and usual is not None and usual != by_sides and usual[1] == by_sides[1]:
        votes.count[usual] += AGAINST_FORMAT
    strong, along = by_sides is not None, by_sides and by_sides[1]
    if taken is None and len(probe.points) and (votes.evidence(strong) is None or not strong):
        logits = front_logits(probe.views)
        for axis, logit in logits.items():
            votes.count[axis] += logit / VOTE
        votes.why[max(AROUND, key=logits.__getitem__)].append("how it looks")
        if usual is not None:
            votes.count[usual] += OF_FORMAT
        by_axis = np.logaddexp([logits["-y"], logits["-x"]], [logits["+y"], logits["+x"]])
        if along is None and abs(by_axis[0] - by_axis[1]) >= LEAST_LEAD * VOTE:
            along = "yx"[int(by_axis.argmax())]
    return votes.evidence(strong) or Evidence(None, "neither its joints nor its looks show it", strong, along)


def _are_feet(probe: Probe, side: int) -> bool:
    """Whether the lowest part is in two similar shares on either side of the middle."""
    along = probe.points[probe.levels < FOOT, side]
    if len(along) < 16:
        return False
    offset = along - (along.min() + along.max()) / 2
    between = float((np.abs(offset) < 0.2 * np.abs(offset).max()).mean())
    return between < 0.05 and 0.3 < float((offset > 0).mean()) < 0.7


def up_of(probe: Probe, usual: str, *, settled: bool = False) -> Evidence:
    """Find the axis that points up, `usual` for a format; if `settled`, a shape votes for +y and +z alone."""
    votes = Votes()
    by_feet = joints.up_axis(probe.landmarks)
    votes.add(by_feet, OF_FEET, "joints of its feet")
    if by_feet is None and len(joints.pairs_of(probe.landmarks)) < joints.LEAST_PAIRS and len(probe.points):
        for axis in ("+y", "+z") if settled else ("+y", "+z", "-z"):
            standing = probe.turned(up_rotation(axis))
            side = int(np.argmin(standing.mirror_distance[:2]))
            is_alike = standing.mirror_distance[1 - side] <= _SYMMETRIC * standing.mirror_distance[side]
            if is_alike or standing.extent[2] < LYING * standing.extent[:2].min():
                continue
            if _are_feet(standing, side):
                votes.add(axis, 1, "feet below")
                # The highest part is in the middle, and more than the tip of a tail.
                offset = standing.points[:, side] - standing.low[side] - standing.extent[side] / 2
                top = np.abs(offset[standing.levels > 1 - FOOT]) < 0.1 * standing.extent[side]
                is_head = top.size and top.mean() > 0.5 and (standing.levels > _HEAD).mean() >= 0.04
                if is_head and standing.extent[2] >= probe.extent[1:].max():
                    votes.add(axis, 1, "a head above")
    if by_feet is None and min(_reach(probe, usual)) >= STRADDLES:
        for axis in ("+y", "+z"):
            if axis != usual and _rests(probe, axis):
                votes.add(axis, 2, "the ground through its origin")
    best = votes.evidence(strong=True)
    if best is not None and best.axis and _rests(probe, usual) > _rests(probe, best.axis):
        best = None
    return best or Evidence(None, "its joints, shape and ground do not tell")


def _reach(probe: Probe, up: str) -> tuple[float, float]:
    """Extent of a mesh below and above the origin along an axis, 0-1."""
    along = probe.mesh.vertices[probe.mesh.used] @ (axis_vector(up) @ probe.rotation)
    size = max(float(np.ptp(along)), 1e-12)
    return -float(along.min()) / size, float(along.max()) / size


def _rests(probe: Probe, up: str) -> bool:
    """Whether the mesh rests on the plane through its origin that is square to an axis."""
    return abs(_reach(probe, up)[0]) < RESTS
