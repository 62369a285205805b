"""Up and front of a character, by votes of its joints, its shape and its face."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from specsia_build.characters.doubts import joints
from specsia_build.characters.doubts.looks import face_detail
from specsia_build.characters.doubts.probe import Probe
from specsia_build.frame import axis_vector, up_rotation

LEAST_LEAD = 2  # Votes: two independent ones, or those of joint sides alone.
OF_SIDES, OF_FEET = 3, 2  # Votes of left and right joints for the front, and of joints of feet for up.
AGAINST_FORMAT = 2  # Votes of a format against the opposite: left and right may be named as a viewer sees them.
FAR_AHEAD = 0.1  # Distance in heights from which eyes, toes or the opposite of a tail count twice.

# Ratios of mirror distances from which a shape is symmetric, and from which that alone gives the axis along which it
# faces: the median of 48 characters is 4.6, of three that walk or aim it is below 1.5.
SYMMETRIC, EVEN = 1.5, 2.5

FOOT, SHIN, HEAD = (0.0, 0.05), (0.1, 0.2), (0.8, 1.01)  # Ranges of the height.
LEAST_TOES, LEAST_HEAD = 0.02, 0.1  # Heights of feet ahead of shins, and of a head ahead of a long body's middle.
LONG = 1.3  # Length over width of a body on four legs.
FLAT = 0.05  # Thinnest over longest side of what has no front by its shape.
LYING = 0.45  # Height over the lesser of width and depth of what lies.
RESTS = 0.02  # Extent below the origin of what stands on it.
STRADDLES = 0.2  # Extent on both sides of the origin of what does not stand on it.


@dataclass
class Votes:
    """Votes for signed axes with their reasons; a shape that is symmetric, or very `even`, faces `along` x or y."""

    count: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    why: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    along: str | None = None
    even: bool = False

    def add(self, axis: str | None, votes: float, why: str) -> None:
        if axis is not None:
            self.count[axis] += votes
            self.why[axis].append(why)

    def lead(self, axis: str) -> float:
        """Lead of an axis over all others in votes; symmetry votes for both ends of its axis."""
        others = max((votes for other, votes in self.count.items() if other != axis), default=0.0)
        symmetry = 0 if self.along is None else 1 if self.along == axis[1] else -1
        return self.count[axis] + symmetry - others

    def evidence(self, strong: bool) -> Evidence | None:
        """The evidence for the axis that leads by `LEAST_LEAD`, if one does."""
        axis = max(self.why, key=self.lead, default=None)
        if axis is None or self.lead(axis) < LEAST_LEAD:
            return None
        reasons = [*self.why[axis], *(["its symmetry"] if self.along == axis[1] else [])]
        return Evidence(axis, "by " + " and ".join(reasons), strong)


@dataclass(frozen=True)
class Evidence:
    """The result of votes on an axis.

    Attributes:
        axis: the winner, or None.
        why: its reasons.
        strong: whether joints voted, which is enough to doubt what a manifest states.
        along: without a winner, ``x`` or ``y`` if it faces one way or the other along that, else None.
    """

    axis: str | None
    why: str
    strong: bool = False
    along: str | None = None


def front_of(probe: Probe, usual: str | None = None, taken: str | None = None) -> Evidence:
    """Find the front of a Z-up character, `usual` for its format; if a manifest has `taken` one, only joints vote."""
    votes = Votes()
    by_sides = joints.front_axis(probe.landmarks)
    votes.add(by_sides, OF_SIDES, "left and right joints")
    for why, ahead in joints.directions_ahead(probe.landmarks, float(probe.extent[2])).items():
        votes.add(joints.nearest_axis(ahead, 45.0), 2 if float(np.linalg.norm(ahead)) >= FAR_AHEAD else 1, why)
    if by_sides is not None and usual is not None and usual != by_sides and usual[1] == by_sides[1]:
        votes.count[usual] += AGAINST_FORMAT
    strong = by_sides is not None
    if votes.evidence(strong) is None and taken is None and len(probe.points):
        if probe.extent.min() >= FLAT * probe.extent.max():
            _add_shape(probe, votes)
        if votes.evidence(strong) is None or not strong:
            votes.add(*face_detail(probe), "its face")
    along = by_sides[1] if by_sides else votes.along if votes.even else None
    return votes.evidence(strong) or Evidence(None, "its joints, shape and face do not say it", strong, along)


def _add_shape(probe: Probe, votes: Votes) -> None:
    """Let symmetry vote for an axis, and toes or a long body's head for one end of it."""
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
        # Feet alone say nothing about a long body: fins lie behind a fish's middle.
        value, why = (0.0 if toes * head < 0 else head), "its head"
    else:
        return
    if value:
        votes.add(("+" if value > 0 else "-") + "xy"[ahead], 1, why)


def _centre(probe: Probe, between: tuple[float, float], axis: int) -> float:
    """Mean coordinate of the points in a range of the height, in heights; NaN if there are few."""
    inside = (probe.levels >= between[0]) & (probe.levels < between[1])
    return float(probe.points[inside, axis].mean() / probe.extent[2]) if inside.sum() >= 8 else float("nan")


def _are_feet(probe: Probe, side: int) -> bool:
    """Whether the lowest part is in two similar shares on either side of the middle."""
    along = probe.points[probe.levels < FOOT[1], side]
    if len(along) < 16:
        return False
    offset = along - (along.min() + along.max()) / 2
    between = float((np.abs(offset) < 0.2 * max(float(np.abs(offset).max()), 1e-12)).mean())
    return between < 0.05 and 0.3 < float((offset > 0).mean()) < 0.7


def up_of(probe: Probe, usual: str, *, settled: bool = False) -> Evidence:
    """Find the axis of a file's coordinates that points up, `usual` for its format.

    If exporters keep to it (`settled`), a shape votes for ``+y`` and ``+z`` alone.
    """
    votes = Votes()
    by_feet = joints.up_axis(probe.landmarks)
    votes.add(by_feet, OF_FEET, "joints of its feet")
    if by_feet is None and len(joints.pairs_of(probe.landmarks)) < joints.LEAST_PAIRS and len(probe.points):
        for axis in ("+y", "+z") if settled else ("+y", "+z", "-z"):
            standing = probe.turned(up_rotation(axis))
            side = int(np.argmin(standing.mirror_distance[:2]))
            ratio = standing.mirror_distance[1 - side] / max(float(standing.mirror_distance[side]), 1e-12)
            if ratio < SYMMETRIC or standing.extent[2] < LYING * standing.extent[:2].min():
                continue
            if _are_feet(standing, side):
                votes.add(axis, 1, "feet below")
                # The highest part is in the middle, and more than the tip of a tail.
                offset = standing.points[:, side] - standing.low[side] - standing.extent[side] / 2
                top = np.abs(offset[standing.levels > 1 - FOOT[1]]) < 0.1 * standing.extent[side]
                is_head = top.size and top.mean() > 0.5 and (standing.levels > HEAD[0]).mean() >= 0.04
                if is_head and standing.extent[2] >= probe.extent[1:].max():
                    votes.add(axis, 1, "a head above")
    if by_feet is None and min(_reach(probe, usual)) >= STRADDLES:
        for axis in ("+y", "+z"):
            if axis != usual and _rests(probe, axis):
                votes.add(axis, 2, "the ground through its origin")
    best = votes.evidence(strong=True)
    if best is not None and best.axis not in (None, usual) and _rests(probe, usual) > _rests(probe, best.axis or usual):
        best = None
    return best or Evidence(None, "its joints, shape and ground do not say it")


def _reach(probe: Probe, up: str) -> tuple[float, float]:
    """Extent of a mesh below and above the origin along an axis, 0-1."""
    along = probe.mesh.vertices[probe.mesh.used] @ (axis_vector(up) @ probe.rotation)
    size = max(float(np.ptp(along)), 1e-12)
    return -float(along.min()) / size, float(along.max()) / size


def _rests(probe: Probe, up: str) -> bool:
    """Whether the mesh rests on the plane through its origin that is square to an axis."""
    return abs(_reach(probe, up)[0]) < RESTS
