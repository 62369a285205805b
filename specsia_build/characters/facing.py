"""Which way a character faces and which way is up: by its joints, or by its shape, with the evidence; never a guess."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.animation.names import SIDES, words_of
from specsia_build.errors import plural
from specsia_build.frame import AXES, axis_vector, up_rotation
from specsia_build.rendering.mesh import Mesh, doubled_areas

Landmark = tuple[str, tuple[float, float, float]]
"""A named joint or node, and where its origin is."""

LEAST_PAIRS = 2
"""Pairs of a left and a right joint that are evidence."""

LEAST_AGREEMENT = 0.8
"""Share of the pairs that point within 45 degrees of where they point together."""

MOST_DEGREES = 30.0
"""From the nearest axis; further away a character is between two, turned or posed."""

LEAST_UPRIGHT = 0.8
"""Cosine between an axis and the way from the feet to the other joints."""

LEAST_SYMMETRY = 1.5
"""Times by which the mirrored surface must lie closer across the one plane than across the other."""

LEAST_HOVER = 0.02
"""How far the lowest point is from the origin's plane, in heights, where a character does not rest upon that."""

LYING = 0.45
"""Height over the lesser of width and depth, below which a shape lies rather than stands."""

_SAMPLES, _MIRRORED = 4000, 500
_FAR = 0.1
_CENTRAL = 0.1
_FOOT, _SHIN, _HEAD = (0.0, 0.05), (0.1, 0.2), (0.8, 1.01)
_LEAST_FEET, _LEAST_HEAD, _LONG, _FLAT = 0.02, 0.1, 1.3, 0.05

_FEET = frozenset({"foot", "feet", "toe", "toes", "ankle", "ball", "heel", "hoof", "paw"})
_TOES, _ANKLES = frozenset({"toe", "toes", "ball"}), frozenset({"foot", "feet", "ankle"})
_EYES, _HEADS = frozenset({"eye", "eyes", "nose", "mouth", "muzzle", "snout"}), frozenset({"head"})

LEAST_AHEAD = 0.01
"""How far eyes lie ahead of the head, and toes of the ankles, in heights, to say which side is the front."""


@dataclass(frozen=True)
class Evidence:
    """What was found out about an axis.

    Attributes:
        axis: signed axis such as ``-y``, or None where nothing is sure.
        why: what says so, or why nothing does.
    """

    axis: str | None
    why: str


def left_of(landmarks: Iterable[Landmark]) -> NDArray[np.float64]:
    """The way from each right joint to the left one of the same name, (N, 3)."""
    found: dict[str, dict[int, NDArray[np.float64]]] = {}
    for name, place in landmarks:
        words = words_of(name)
        sides = [SIDES[word] for word in words if word in SIDES]
        if len(sides) == 1:
            key = " ".join("*" if word in SIDES else word for word in words)
            found.setdefault(key, {})[sides[0]] = np.array(place, np.float64)
    ways = [sides[1] - sides[-1] for sides in found.values() if len(sides) == 2]
    return np.array(ways, np.float64).reshape(-1, 3)


def up_by_joints(landmarks: Sequence[Landmark]) -> Evidence:
    """The axis that the feet stand across, in the landmarks' own coordinates."""
    feet = [place for name, place in landmarks if _FEET & set(words_of(name))]
    others = [place for name, place in landmarks if not _FEET & set(words_of(name))]
    if not feet or not others:
        return Evidence(None, "no joint is named as a foot")
    way = np.mean(others, axis=0) - np.mean(feet, axis=0)
    length = float(np.linalg.norm(way))
    if not np.isfinite(length) or length == 0:
        return Evidence(None, "its joints do not say which way is up")
    axis = max(AXES, key=lambda name: float(axis_vector(name) @ way))
    if float(axis_vector(axis) @ way) < LEAST_UPRIGHT * length:
        return Evidence(None, "its feet are not below its other joints")
    return Evidence(axis, f"its feet lie at the {_opposite(axis)} end")


def front_by_joints(landmarks: Sequence[Landmark]) -> Evidence:
    """The horizontal axis that a Z-up character faces, from its joints' names and places."""
    across = left_of(landmarks)[:, :2]
    lengths = np.linalg.norm(across, axis=1)
    told = lengths > 1e-3 * lengths.max(initial=0.0)
    across, lengths = across[told], lengths[told]
    if len(across) < LEAST_PAIRS:
        return Evidence(None, "no joints are named as left and right")
    ways = across / lengths[:, None]
    agreeing = ways @ ways.sum(axis=0) >= np.cos(np.pi / 4) * np.linalg.norm(ways.sum(axis=0))
    # A pair of thumbs may be named the wrong way round.
    if not agreeing.mean() >= LEAST_AGREEMENT:
        return Evidence(None, "its left and right joints do not agree")
    left = across[agreeing].sum(axis=0)
    # What a left hand points at, turned by a quarter clockwise seen from above, is ahead.
    front = np.array([left[1], -left[0]]) / np.linalg.norm(left)
    axis = max(AXES[:4], key=lambda name: float(axis_vector(name)[:2] @ front))
    if float(axis_vector(axis)[:2] @ front) < np.cos(np.radians(MOST_DEGREES)):
        return Evidence(None, "by its joints it faces between two axes")
    return Evidence(axis, f"by {plural(int(agreeing.sum()), 'pair')} of left and right joints")


def surface_points(mesh: Mesh, count: int) -> NDArray[np.float64]:
    """Points evenly spread over a surface, (count, 3), the same each time; none where it has no area."""
    return surface_samples(mesh, count)[0]


def surface_samples(mesh: Mesh, count: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """What `surface_points` gives, and the face of each point, (count,)."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    areas = doubled_areas(corners)
    total = float(areas.sum())
    if not np.isfinite(total) or total <= 0:
        return corners.reshape(-1, 3)[:0], np.zeros(0, np.intp)
    random = np.random.default_rng(0)
    chosen = np.searchsorted(np.cumsum(areas), (np.arange(count) + 0.5) / count * total).clip(max=len(areas) - 1)
    u, v = random.random((2, count))
    over = u + v > 1
    u[over], v[over] = 1 - u[over], 1 - v[over]
    first, second, third = corners[chosen].transpose(1, 0, 2)
    return np.asarray(first + u[:, None] * (second - first) + v[:, None] * (third - first)), chosen


@dataclass(frozen=True)
class _Shape:
    """A surface as a standing character's.

    Attributes:
        points: (N, 3) on the surface, Z up.
        side: the axis, 0 or 1, that it is mirrored along; None where that is not sure.
        feet: whether its lowest part lies apart to either side, as feet do.
        head: whether its highest part lies in the middle between them, as a head does.
    """

    points: NDArray[np.float64]
    side: int | None
    feet: bool
    head: bool

    @property
    def height(self) -> float:
        return max(float(np.ptp(self.points[:, 2])), 1e-12)

    @property
    def lies(self) -> bool:
        """Whether it is as low as what lies on its back or front, arms and legs stretched."""
        return self.height < LYING * float(np.ptp(self.points[:, :2], axis=0).min())

    def centre(self, low: float, high: float, axis: int) -> float:
        """Mean coordinate of what lies between two shares of the height, in heights; NaN where little does."""
        level = (self.points[:, 2] - self.points[:, 2].min()) / self.height
        inside = (level >= low) & (level < high)
        return float(self.points[inside, axis].mean()) / self.height if inside.sum() >= 8 else float("nan")


def _shape(points: NDArray[np.float64]) -> _Shape:
    low, high = points.min(axis=0), points.max(axis=0)
    misfit = [_misfit(points, axis, float((high - low).max())) for axis in (0, 1)]
    if max(misfit) < LEAST_SYMMETRY * min(misfit):
        return _Shape(points, None, False, False)
    side = int(np.argmin(misfit))
    reach, level, across = _FOOT[1] * (high[2] - low[2]), points[:, 2], points[:, side]
    middle = across - (low[side] + high[side]) / 2
    central = np.abs(middle[level > high[2] - reach]) < _CENTRAL * (high[side] - low[side])
    return _Shape(points, side, _apart(across[level < low[2] + reach]), bool(central.size and central.mean() > 0.5))


def front_by_shape(mesh: Mesh) -> Evidence:
    """The horizontal axis that a Z-up character faces, from its surface alone.

    A character is mirrored left to right, not front to back; its toes point ahead, and a long body carries its head
    there.
    """
    points = surface_points(mesh, _SAMPLES)
    if len(points) == 0:
        return Evidence(None, "it has no surface to look at")
    extent = np.ptp(points, axis=0)
    if extent.min() < _FLAT * extent.max():
        return Evidence(None, "it is flat")
    shape = _shape(points)
    if shape.side is None:
        return Evidence(None, "its shape is mirrored across no plane, or across several")
    if shape.lies:
        return Evidence(None, "it is as low as what lies")
    side, ahead = shape.side, 1 - shape.side
    toes, sideways = (shape.centre(*_FOOT, axis) - shape.centre(*_SHIN, axis) for axis in (ahead, side))
    if not shape.feet:
        return Evidence(None, "its shape has no feet to say which side is the front")
    signs = {"toes": toes} if abs(toes) >= max(_LEAST_FEET, 2 * abs(sideways)) else {}
    if extent[ahead] > _LONG * extent[side]:
        head = shape.centre(*_HEAD, ahead) - float(points[:, ahead].mean()) / shape.height
        signs |= {"head": head} if abs(head) >= _LEAST_HEAD else {}
    if not signs or len({value > 0 for value in signs.values()}) > 1:
        return Evidence(None, "its shape does not say which side is the front")
    axis = ("+" if next(iter(signs.values())) > 0 else "-") + "xy"[ahead]
    return Evidence(axis, f"by its mirrored shape and its {' and '.join(signs)}")


def stands(points: NDArray[np.float64]) -> bool:
    """Whether points on a surface, Z up, are mirrored left to right, with feet below and a head above."""
    shape = _shape(points)
    return shape.feet and shape.head


def up_by_shape(mesh: Mesh) -> Evidence:
    """The axis, ``+y``, ``+z`` or ``-z``, along which a mesh in its file's own coordinates stands on two feet or more.

    Nothing is sure where it stands along several or none, or would be lower standing than lying.
    """
    points = surface_points(mesh, _SAMPLES)
    if len(points) == 0:
        return Evidence(None, "it has no surface to look at")
    found = {axis: _shape(points @ up_rotation(axis).T) for axis in ("+y", "+z", "-z")}
    standing = [axis for axis, shape in found.items() if shape.feet]
    # Toes and fingers of one who lies are apart as feet are.
    standing = [axis for axis in standing if not found[axis].lies] if len(standing) > 1 else standing
    # What stands on its head has feet above, not a head.
    if (
        len(standing) != 1
        or not found[standing[0]].head
        or found[standing[0]].height < max(shape.height for shape in found.values())
    ):
        return Evidence(None, "its shape does not say which way is up")
    return Evidence(standing[0], "it stands on its feet that way")


def _apart(along: NDArray[np.float64]) -> bool:
    """Whether points lie in two like shares on either side of the middle, as feet do."""
    if len(along) < 16:
        return False
    from_middle = along - (along.min() + along.max()) / 2
    half = max(float(np.abs(from_middle).max()), 1e-12)
    between = float((np.abs(from_middle) < 0.2 * half).mean())
    return between < 0.05 and 0.3 < float((from_middle > 0).mean()) < 0.7


def _misfit(points: NDArray[np.float64], axis: int, size: float) -> float:
    """Mean distance of the mirrored surface from the surface, across the best plane square to an axis."""
    tree, along = scipy.spatial.cKDTree(points), points[:, axis]
    best = float("inf")
    for middle in (float(np.median(along)), float(along.mean()), float(along.min() + along.max()) / 2):
        mirrored = points[:: len(points) // _MIRRORED].copy()
        mirrored[:, axis] = 2 * middle - mirrored[:, axis]
        distances, _ = tree.query(mirrored, distance_upper_bound=_FAR * size)
        best = min(best, float(np.minimum(distances, _FAR * size).mean()))
    return best


def _opposite(axis: str) -> str:
    return ("-" if axis[0] == "+" else "+") + axis[1]


def front_of(mesh: Mesh, landmarks: Sequence[Landmark], usual: str | None = None) -> Evidence:
    """Which way a Z-up character faces: its joints say, or else its shape.

    Args:
        mesh: Z up.
        landmarks: in its coordinates.
        usual: the front that the file's format states; None where exporters keep to none. Names of sides that say the
            opposite may be those that a viewer sees, so that they alone are not sure.
    """
    by_joints = front_by_joints(landmarks)
    if by_joints.axis is None:
        by_shape = front_by_shape(mesh)
        return by_shape if by_shape.axis is not None else Evidence(None, f"{by_joints.why}, and {by_shape.why}")
    if by_joints.axis == usual:
        return by_joints
    ahead = _ahead(mesh, landmarks, by_joints.axis)
    if ahead.axis is None:
        viewed = usual == _opposite(by_joints.axis)
        return Evidence(None, "its sides may be named as a viewer sees them") if viewed else by_joints
    if ahead.axis == by_joints.axis:
        return Evidence(ahead.axis, f"{by_joints.why} and {ahead.why}")
    return Evidence(ahead.axis, f"{ahead.why}, though its sides are named the other way round")


def _ahead(mesh: Mesh, landmarks: Sequence[Landmark], axis: str) -> Evidence:
    """Whether a Z-up character faces an axis or its opposite, by what no name of a side decides."""
    low, high = mesh.bounds()
    head, sides = _middle(landmarks, _HEADS), _middle(landmarks, SIDES)
    ways = {
        "eyes": _middle(landmarks, _EYES) - (sides if np.isnan(head).any() else head),
        "toes": _middle(landmarks, _TOES) - _middle(landmarks, _ANKLES),
    }
    along = {name: float(axis_vector(axis) @ way) for name, way in ways.items()}
    signs = {name: value > 0 for name, value in along.items() if abs(value) >= LEAST_AHEAD * float(high[2] - low[2])}
    if not signs:
        by_shape = front_by_shape(mesh)
        return by_shape if by_shape.axis in (axis, _opposite(axis)) else Evidence(None, "its shape does not say")
    if len(set(signs.values())) > 1:
        return Evidence(None, f"its {' and '.join(signs)} do not agree")
    return Evidence(axis if all(signs.values()) else _opposite(axis), f"by its {' and '.join(signs)}")


def _middle(landmarks: Sequence[Landmark], words: Collection[str]) -> NDArray[np.float64]:
    """The mean place (3,) of the joints with one of some words in their names; NaN where there are none."""
    places = [place for name, place in landmarks if any(word in words for word in words_of(name))]
    return np.mean(places, axis=0) if places else np.full(3, np.nan)


def up_of(mesh: Mesh, landmarks: Sequence[Landmark], usual: str, *, by_shape: bool = True) -> Evidence:
    """Which way is up in a file's own coordinates: its joints say, or else its shape.

    Args:
        mesh, landmarks: in those coordinates.
        usual: what the file's format states. What rests upon its origin that way, and not the other way, stands so.
        by_shape: ask the shape where the joints say nothing.
    """
    found = up_by_joints(landmarks)
    # A rig that is named, but has no feet below the rest, is of something that does not stand.
    if by_shape and found.axis is None and not len(left_of(landmarks)):
        shape = up_by_shape(mesh)
        found = shape if shape.axis is not None else Evidence(None, f"{found.why}, and {shape.why}")
    if found.axis not in (None, usual) and _rests(mesh, usual) and not _rests(mesh, found.axis or usual):
        return Evidence(None, "it rests on the ground as its format has it")
    return found


def _rests(mesh: Mesh, up: str) -> bool:
    """Whether a mesh rests upon the plane through its origin that an axis is square to."""
    along = mesh.vertices[np.unique(mesh.faces)] @ axis_vector(up)
    return bool(abs(along.min()) < LEAST_HOVER * np.ptp(along))


def rotated(landmarks: Sequence[Landmark], turn: NDArray[np.float64]) -> tuple[Landmark, ...]:
    """The landmarks under a rotation (3, 3)."""
    if not landmarks:
        return ()
    places = np.array([place for _, place in landmarks], np.float64) @ turn.T
    return tuple((name, (x, y, z)) for (name, _), (x, y, z) in zip(landmarks, places.tolist(), strict=True))
