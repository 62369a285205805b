"""The rig of an animal on four legs that is drawn from its side, by its silhouette, and its walk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy

from specsia_build.animation.motion import ROTATION, TRANSLATION, Motion, Track
from specsia_build.animation.rig import Rig
from specsia_build.arrays import Doubles, Mask
from specsia_build.characters.character import RawMoving
from specsia_build.frame import ORTHO_WIDTH, Camera
from specsia_build.rendering.fast.renderer import glance
from specsia_build.rendering.mesh import Mesh, compacted, concatenate
from specsia_build.rigging.skinning import Segments, skin_weights
from specsia_build.rigging.sway import bounce, keyed, sway, turn, turns_about

_SIZE = 256  # Pixels on a side of the silhouette that is looked at
_SOLES = 0.08  # Share of the height in which feet end
_SPACED = 6  # Least distance of the middles of two legs, in the least widths of one
_CLEAR = 0.4  # Least share of the rows below the knees that show two legs
_THIN = 0.01  # Share of the figure's length below which a run of pixels is no leg
_APART = 0.05  # Least gap between front and hind feet, in lengths of the figure
_LOW = 0.08  # Least height of the belly above the ground, in heights of the figure
_DEEP = 0.25  # Where two legs that are drawn as one lie in its depth, from the front and from the back
_HELD = 0.1  # Share in a leg above which a vertex is part of both legs that are drawn as one
_PIVOT = 0.3  # Height above the belly at which legs turn, in thicknesses of the body
_REACH = 0.5  # Least reach of the head from the chest, in thicknesses of the body
_NECK, _RUMP = 0.5, 0.75  # Distances of the neck from the chest, and of a tail from the hips, in the same
_TAIL = 0.6  # Least length of a tail, in the same
_HEAD, _FACE = 0.55, 0.75  # Where the head begins, and its middle, in shares of the reach from the chest

_STEP, _KEYS = 1.2, 33  # Seconds in which each leg makes a step, and keys of that
_STANCE = 0.65  # Share of the time that a foot is on the ground
_SWING, _FOLD = np.deg2rad(18.0), np.deg2rad(45.0)  # Angles of a leg to both sides, and of its lower part
_NOD, _WAG = np.deg2rad(3.0), np.deg2rad(8.0)
_PHASES = {"leftHind": 0.0, "leftFront": 0.25, "rightHind": 0.5, "rightFront": 0.75}
"""When each leg begins its stance: the order in which most animals on four legs walk."""

_OTHER = {
    "leftHind": "rightHind",
    "leftFront": "rightFront",
    "rightHind": "leftHind",
    "rightFront": "leftFront",
}

_TRUNK = ("hips", "spine", "chest", "neck", "head")
_PARTS = ("Upper", "Lower", "Foot")  # Ends of the names of a leg's bones, of which the last moves nothing


class AnimalShape(NamedTuple):
    """What a silhouette (R, R) shows of an animal that looks to higher columns, rows counted from below.

    Attributes:
        ground, belly, back: rows.
        legs: columns of the foot and the knee of each hind and each front leg, the nearer of two first.
        neck: columns and rows (3, 2) of the neck, the head and the middle of the face.
        tail: the same of its beginning, middle and end; (0, 2) without one.
    """

    ground: float
    belly: float
    back: float
    legs: tuple[Doubles, Doubles]
    neck: Doubles
    tail: Doubles


def rig_animal(mesh: Mesh, facing: str) -> tuple[Mesh, RawMoving] | None:
    """The rig of an animal in the frame, with motions ``turn``, ``bounce``, ``sway`` and ``walk``.

    Where two legs are one wall, the mesh that comes first has both, each half as deep. None where the
    silhouette does not show legs in front and behind, with a gap between them below a belly.
    `facing` is the side of the animal that is drawn, ``left`` or ``right``.
    """
    first, behind = glance(mesh, [Camera(0.0, _SIZE), Camera(180.0, _SIZE)])
    ahead = -1 if facing == "left" else 1
    # Rows from below, and columns towards the head; the camera behind sees them mirrored.
    near, far = first[::-1, ::ahead], -behind[::-1, ::-ahead]
    solid = np.isfinite(near)
    shape = shape_of(solid)
    if shape is None:
        return None
    nearest = scipy.ndimage.distance_transform_edt(~solid, return_distances=False, return_indices=True)

    def place(column: float, row: float, share: float = 0.5) -> Doubles:
        """The place (3,) so far through the body at a pixel, or behind one beside the figure."""
        down, across = nearest[:, int(np.clip(row, 0, _SIZE - 1)), int(np.clip(column, 0, _SIZE - 1))]
        depth = (1 - share) * near[down, across] + share * far[down, across]
        units = ORTHO_WIDTH / _SIZE
        return np.array([ahead * (column + 0.5 - _SIZE / 2) * units, depth, (row + 0.5 - _SIZE / 2) * units])

    bones = _Bones(mesh)
    thick, middle = shape.back - shape.belly, (shape.belly + shape.back) / 2
    hind, front = (legs.mean() for legs in shape.legs)
    trunk = [place(column, middle) for column in (hind, (hind + front) / 2, front)]
    bones.add(_TRUNK, "root", [*trunk, *(place(*point) for point in shape.neck)])
    rows = (shape.belly + _PIVOT * thick, (shape.belly + shape.ground) / 2, shape.ground + 1)
    sides = ("left", "right") if facing == "left" else ("right", "left")
    for group, holder, legs in zip(("Hind", "Front"), ("hips", "chest"), shape.legs, strict=True):
        both = legs[[0, -1]]
        shares = (0.5, 0.5) if len(legs) == 2 else (_DEEP, 1 - _DEEP)
        for side, (foot, knee), share in zip(sides, both, shares, strict=True):
            columns = (legs[:, 1].mean(), knee, foot)
            points = [place(*at, share) for at in zip(columns, rows, strict=True)]
            bones.add([side + group + part for part in _PARTS], holder, points)
    if len(shape.tail):
        bones.add(("tail", "tailEnd"), "hips", [place(*point) for point in shape.tail])
    walls = [
        group
        for group, legs in zip(("Hind", "Front"), shape.legs, strict=True)
        if len(legs) == 1 and _layers(mesh, place(legs[0, 1], rows[1])) <= 2
    ]
    mesh, rig = bones.rigged(mesh, [(sides[0] + group, sides[1] + group) for group in walls])
    height = float(np.ptp(mesh.bounds(), axis=0)[2])
    motions = (turn(), bounce(bones.places[0], height), sway([4, 5]), _walk(rig, ahead))
    return mesh, RawMoving(rig=rig, motions=motions)


class _Bones:
    """Bones of a rig, each after the one that it hangs on, from a root on the ground."""

    def __init__(self, mesh: Mesh) -> None:
        low, high = (bound.astype(np.float64) for bound in mesh.bounds())
        self.names, self.parents = ["root"], [-1]
        self.places = [np.array([(low + high)[0] / 2, (low + high)[1] / 2, low[2]])]
        self.lines: list[Segments] = []

    def add(self, names: Sequence[str], holder: str, points: Sequence[Doubles]) -> None:
        """Add a chain of bones below another; `points` (3,) are their places, and maybe the last end."""
        above = self.names.index(holder)
        for number, name in enumerate(names):
            self.names.append(name)
            self.parents.append(above)
            self.places.append(points[number])
            self.lines.append([*pairwise(points[number : number + 2])])
            above = len(self.names) - 1

    def numbers(self, leg: str) -> list[int]:
        """Numbers of a leg's bones."""
        return [self.names.index(leg + part) for part in _PARTS]

    def rigged(self, mesh: Mesh, single: Sequence[tuple[str, str]]) -> tuple[Mesh, Rig]:
        """The mesh with two legs for each of `single`, pairs of names of which one is drawn, and its rig."""
        lines: list[Segments] = list(self.lines)
        for _, hidden in single:
            for number in self.numbers(hidden):
                lines[number - 1] = ()
        weights = skin_weights(mesh, self.names[1:], lines)
        skin = np.column_stack([np.zeros(len(weights)), weights])
        for shown, hidden in single:
            mesh, skin = _doubled(mesh, skin, self.numbers(shown), self.numbers(hidden))
        parents = np.array(self.parents, np.int32)
        return mesh, Rig.unturned(tuple(self.names), parents, np.stack(self.places), mesh.vertices, skin)


def _layers(mesh: Mesh, place: Doubles) -> int:
    """Number of faces on the line of sight through a place (3,): two of a wall, four of two legs."""
    corners = mesh.vertices[mesh.faces][..., [0, 2]] - place[[0, 2]]
    ahead = np.roll(corners, -1, axis=1)
    turns = corners[..., 0] * ahead[..., 1] - corners[..., 1] * ahead[..., 0]
    return int(np.count_nonzero((turns > 0).all(axis=1) | (turns < 0).all(axis=1)))


def _doubled(mesh: Mesh, skin: Doubles, near: list[int], far: list[int]) -> tuple[Mesh, Doubles]:
    """A mesh and its weights (V, J) with the leg of bones `near` cut in its depth, half of it for `far`."""
    share = skin[:, near].sum(axis=1)
    depth = mesh.vertices[:, 1].astype(np.float64)
    of_leg = depth[share > share.max() / 2]
    first, last = of_leg.min(), of_leg.max()
    halved = 1 - share / 2
    nearer, farther = mesh.vertices.copy(), mesh.vertices.copy()
    nearer[:, 1] = first + halved * (depth - first)
    farther[:, 1] = last + halved * (depth - last)
    other = mesh.with_vertices(farther).of_faces((share > _HELD)[mesh.faces].all(axis=1))
    moved = skin[other.used]
    moved[:, far] = moved[:, near]
    moved[:, near] = 0
    return concatenate([mesh.with_vertices(nearer), compacted(other)]), np.concatenate([skin, moved])


def shape_of(solid: Mask) -> AnimalShape | None:
    """Find legs, neck and tail in a silhouette (R, R) bool, rows from below; None without legs or a belly."""
    rows, columns = (np.flatnonzero(solid.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    ground, height = int(rows[0]), len(rows)
    thin = _THIN * len(columns)
    soles = solid[ground : ground + max(2, round(_SOLES * height))]
    feet = _runs(np.asarray(soles.any(axis=0)), thin)
    # An animal has at most two feet before and two behind the gap below its belly.
    gaps = [(feet[k][1], feet[k + 1][0]) for k in range(max(0, len(feet) - 3), min(2, len(feet) - 1))]
    if not gaps:
        return None
    inner, outer = max(gaps, key=lambda gap: _room(solid, ground, gap))
    if outer - inner < _APART * len(columns):
        return None
    between = solid[:, inner + (outer - inner) // 4 : outer - (outer - inner) // 4]
    belly = float(np.median(between.argmax(axis=0)))
    back = float(np.median(len(solid) - between[::-1].argmax(axis=0)))
    if not between.any(axis=0).all() or belly - ground < _LOW * height:
        return None
    is_front = np.arange(len(solid)) > (inner + outer) / 2
    hind, front = (_legs(solid & side, ground, belly, thin) for side in (~is_front, is_front))
    if not len(hind) or not len(front):
        return None
    thick, middle = back - belly, (belly + back) / 2
    pixels = np.argwhere(solid)[:, ::-1].astype(np.float64)
    chest, hips = np.array([front.mean(), middle]), np.array([hind.mean(), middle])
    before = (pixels[:, 0] > chest[0]) | ((pixels[:, 1] > back) & (pixels[:, 0] > (chest + hips)[0] / 2))
    neck = pixels[before & (pixels[:, 1] > belly)]
    away = np.linalg.norm(neck - chest, axis=1)
    if away.max(initial=0.0) < _REACH * thick:
        return None
    shares = np.abs(away / away.max() - np.array([[_HEAD], [_FACE]]))
    head, face = (neck[share <= max(0.1, share.min())].mean(axis=0) for share in shares)
    start = chest + _NECK * thick * (head - chest) / np.linalg.norm(head - chest)
    free = (pixels[:, 1] > belly) | (pixels[:, 0] < hind.min() - thick / 2)
    tail = _tail(pixels[free & (pixels[:, 0] < hips[0])], hips, thick)
    return AnimalShape(ground, belly, back, (hind, front), np.stack([start, head, face]), tail)


def _room(solid: Mask, ground: int, gap: tuple[int, int]) -> int:
    """Pixels that are free below the body in a gap between feet."""
    return int(solid[ground:, gap[0] + 1 : gap[1]].argmax(axis=0).sum())


def _runs(row: Mask, least: float) -> list[tuple[int, int]]:
    """First and last column of each stretch of a row (R,) that is at least so long."""
    edges = np.flatnonzero(np.diff(row.astype(np.int8), prepend=0, append=0))
    return [(begin, end - 1) for begin, end in edges.reshape(-1, 2).tolist() if end - begin >= least]


def _legs(solid: Mask, ground: int, belly: float, least: float) -> Doubles:
    """Columns (L, 2) of the foot and the knee of each leg of one half, the lower, which is nearer, first.

    Legs that are drawn over each other down to their feet count as one.
    """
    rows = [_runs(row, least) for row in solid[ground + 1 : round((ground + belly) / 2) + 1]]
    rows = [row for row in rows if row]
    apart = [row for row in rows if len(row) == 2]
    if apart and len(apart) >= _CLEAR * len(rows):
        columns = np.mean([apart[0], apart[-1]], axis=2).T
        if np.diff(columns, axis=0).min() >= _SPACED * least:
            lowest = solid[:, columns[:, 0].astype(np.int64)].argmax(axis=0)
            return np.asarray(columns[np.argsort(lowest, kind="stable")])
    ends = [(row[0][0] + row[-1][1]) / 2 for row in rows[:1] + rows[-1:]]
    return np.array([ends]).reshape(-1, 2)


def _tail(pixels: Doubles, hips: Doubles, thick: float) -> Doubles:
    """Beginning, middle and end (3, 2) of a tail in the pixels (P, 2) behind the hips; (0, 2) without one."""
    away = np.linalg.norm(pixels - hips, axis=1)
    tail, away = pixels[away > _RUMP * thick], away[away > _RUMP * thick]
    if away.max(initial=0.0) < (_RUMP + _TAIL) * thick:
        return np.zeros((0, 2))
    return np.stack([tail[away.argmin()], tail.mean(axis=0), tail[away.argmax()]])


def _walk(rig: Rig, ahead: int) -> Motion:
    """Steps in one place, the lowest foot on the ground."""
    times = np.linspace(0, _STEP, _KEYS)
    names, worlds = list(rig.skeleton.names), rig.skeleton.rest_worlds[:, :3, 3]
    starts = {leg: names.index(leg + _PARTS[0]) for leg in _PHASES}
    nodes = {leg: range(start, start + len(_PARTS)) for leg, start in starts.items()}
    tilts = {leg: _forward(worlds[foot] - worlds[upper], ahead) for leg, (upper, _, foot) in nodes.items()}
    tracks = []
    heights = []
    for leg, phase in _PHASES.items():
        upper, lower, foot = nodes[leg]
        swing, fold = _leg_angles((times / _STEP - phase) % 1.0)
        # A leg that is drawn before the other swings about the middle of both.
        swing += (tilts[_OTHER[leg]] - tilts[leg]) / 2
        tracks.append(Track(upper, ROTATION, times, turns_about(1, -ahead * swing)))
        tracks.append(Track(lower, ROTATION, times, turns_about(1, ahead * fold)))
        thigh, shin = worlds[lower] - worlds[upper], worlds[foot] - worlds[lower]
        below = np.linalg.norm(thigh) * np.cos(_forward(thigh, ahead) + swing)
        below += np.linalg.norm(shin) * np.cos(_forward(shin, ahead) + swing - fold)
        heights.append(worlds[upper, 2] - below)
    hop = np.tile(worlds[0], (_KEYS, 1))
    hop[:, 2] -= np.min(heights, axis=0) - worlds[[foot for *_, foot in nodes.values()], 2].min()
    turned = 2 * np.pi * times / _STEP
    nod = Track(names.index("neck"), ROTATION, times, turns_about(1, _NOD * np.sin(2 * turned)))
    tracks += [Track(0, TRANSLATION, times, hop), nod]
    if "tail" in names:
        tracks.append(Track(names.index("tail"), ROTATION, times, turns_about(2, _WAG * np.sin(turned))))
    return keyed("walk", tracks)


def _forward(line: Doubles, ahead: int) -> float:
    """Angle of a line (3,) that hangs down, forward."""
    return float(np.arctan2(ahead * line[0], -line[2]))


def _leg_angles(phase: Doubles) -> tuple[Doubles, Doubles]:
    """Angles of a leg forward, and of its lower part backward, at shares (K,) of its step."""
    share = np.clip((phase - _STANCE) / (1 - _STANCE), 0.0, 1.0)
    stance = _SWING * (1 - 2 * phase / _STANCE)
    swing = np.where(phase < _STANCE, stance, -_SWING * np.cos(np.pi * share))
    return swing, _FOLD * np.sin(np.pi * share)


def joined_bones(names: Sequence[str]) -> Mask:
    """Tell which two bones (J, J) may hold a face: not those of the left and the right leg below the body."""
    legs = np.array([re.sub(f"({'|'.join(_PARTS[1:])})$", "", name) for name in names])
    others = np.array([_OTHER.get(leg, "") for leg in legs.tolist()])
    return np.asarray(legs[:, None] != others)
