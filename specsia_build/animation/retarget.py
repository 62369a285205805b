"""Retarget a motion to another skeleton: by shared names of joints, else as humanoids."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import scipy

from specsia_build import memory
from specsia_build.animation.figure import Figure
from specsia_build.animation.humanoid import NEEDED, WANTED, Humanoid, spoken
from specsia_build.animation.motion import JOINT_COST, ROTATION, TRANSLATION, WEIGHTS, Motion, Track, poses
from specsia_build.animation.skeleton import Skeleton
from specsia_build.animation.transfer import Retargeted, Transfer, sample_times
from specsia_build.arrays import Doubles
from specsia_build.errors import CharacterError, plural, some

LEAST_SHARED = 0.5  # Least share of a motion's joints that a figure has by name, unless both are humanoids
MOST_LEFT = 0.1  # Largest share of them to miss without a warning, as helper joints move nothing visible
_ALIKE = 1e-3  # Largest relative difference of two joints' rests that count as equal
_SAMPLED = 200  # Frames in which the lowest feet are searched
_SWAPPED = (
    "joints that are named left lie on the character's right, and follow the motion's right ones; "
    'if the character faces away in view 0, state its "front" in its manifest line'
)


def retargeted(motion: Motion, source: Figure, target: Figure) -> Retargeted:
    """Retarget a motion from one figure to another.

    Raises CharacterError if they have too little in common (it says what is missing) or positions that are
    not finite, CostError if it would need too much memory.
    """
    if not all(np.isfinite(figure.skeleton.rest_worlds).all() for figure in (source, target)):
        raise CharacterError("the coordinates of one figure's joints are too large")
    if (same := _as_it_is(motion, source, target)) is not None:
        return Retargeted(same)
    if motion.tracks and all(track.path == WEIGHTS for track in motion.tracks):
        raise CharacterError("it moves only morph targets, which need meshes of the same names and targets")
    pairs = _pairs(motion, source, target)
    people = not (source.human.missing or target.human.missing) and not _on_all_fours(source, target, pairs)
    changes: tuple[str, ...] = ()
    stand = source.skeleton.rest_worlds
    if people:
        source, changes = _facing_viewer(motion, source)
        stand, stands_in = _stand(motion, source)
        changes += stands_in
        if target.swapped:
            changes += (_SWAPPED,)
    still = target.neutral if people else target.skeleton
    if names := _unmapped(motion, source, target, pairs, people=people):
        changes += (f"joints that only one of the two figures has are not played: {some(names, 5)}",)
    flat = _flat(motion, source, stand) if people and not source.level(stand) else stand
    result = Transfer(source, replace(target, skeleton=still), pairs, stand, flat, people).of(motion, changes)
    return replace(result, motion=_with_rest_of(result.motion, still, target.skeleton))


def _unmapped(
    motion: Motion, source: Figure, target: Figure, pairs: Mapping[int, int], *, people: bool
) -> list[str]:
    """Names of joints that only one of the motion and the target has."""
    if people:
        a, b = source.human.bones, target.human.bones
        return [spoken(bone) for bone in WANTED if (bone in a) != (bone in b)]
    turned = {track.node for track in motion.tracks if track.path == ROTATION and track.varies}
    unpaired = sorted(turned - set(pairs.values()))
    is_minor = len(unpaired) <= MOST_LEFT * len(turned)
    return [] if is_minor else [source.skeleton.names[node] or f"node {node}" for node in unpaired]


def _with_rest_of(motion: Motion, still: Skeleton, skeleton: Skeleton) -> Motion:
    """Convert a motion to a skeleton with another rest; joints without tracks keep the first one's pose."""
    moved = {(track.node, track.path) for track in motion.tracks}
    paths = (
        (ROTATION, still.rotations, skeleton.rotations),
        (TRANSLATION, still.translations, skeleton.translations),
    )
    constant = [
        Track(node, path, np.array([motion.start]), values[node][None])
        for path, values, others in paths
        for node in np.flatnonzero((values != others).any(axis=1)).tolist()
        if (node, path) not in moved
    ]
    tracks = sorted((*motion.tracks, *constant), key=lambda track: (track.node, track.path))
    return replace(motion, tracks=tuple(tracks))


def _on_all_fours(source: Figure, target: Figure, pairs: Mapping[int, int]) -> bool:
    """Whether two figures share a rig that is not upright, such as an animal's with names of a humanoid."""
    upright = any(figure.upright(figure.neutral.rest_worlds) for figure in (source, target))
    names = (source.skeleton.names, target.skeleton.names)
    return not upright and all(names[0][other] == names[1][node] for node, other in pairs.items())


def _as_it_is(motion: Motion, source: Figure, target: Figure) -> Motion | None:
    """The motion with its own tracks if both figures are equal in all that it moves; else None."""
    a, b = source.skeleton, target.skeleton
    nodes = target.unique()
    size = float(np.ptp(b.rest_worlds[:, :3, 3], axis=0).max())
    tracks = []
    for track in motion.tracks:
        node = nodes.get(a.names[track.node])
        if node is None or not _alike(a, track.node, b, node, size):
            return None
        targets = len(b.morph_weights.get(node, ()))
        if track.path != WEIGHTS or track.values.shape[-1] == targets:
            tracks.append(replace(track, node=node))
    return replace(motion, tracks=tuple(tracks)) if tracks else None


def _alike(a: Skeleton, i: int, b: Skeleton, j: int, size: float) -> bool:
    up = [skeleton.parents[node] for skeleton, node in ((a, i), (b, j))]
    names = [of.names[parent] if parent >= 0 else None for of, parent in zip((a, b), up, strict=True)]
    here, there = a.rest_worlds[i], b.rest_worlds[j]
    turned = np.abs(here[:3, :3] - there[:3, :3]).max() <= _ALIKE * np.abs(there[:3, :3]).max()
    near = np.linalg.norm(here[:3, 3] - there[:3, 3]) <= _ALIKE * size
    return bool(names[0] == names[1] and turned and near)


def _pairs(motion: Motion, source: Figure, target: Figure) -> dict[int, int]:
    """Node of the source by the node of the target that follows it."""
    names = source.unique()
    shared = {node: names[name] for name, node in target.unique().items() if name in names}
    a, b = source.human, target.human
    if not (a.missing or b.missing):
        required = [b.bones[bone] for bone in (*NEEDED, *WANTED) if bone in b.bones]
        alike = all(node in shared for node in required) and not target.swapped
        return shared if alike else _as_humanoids(a, b)
    turned = {track.node for track in motion.tracks if track.path == ROTATION}
    followed, moved = len(turned & set(shared.values())), len(turned)
    if moved and followed >= LEAST_SHARED * moved:
        return shared
    if moved == 0:
        raise CharacterError("it turns no joint, so there is nothing to transfer to another figure")
    whose, missing = ("character", b.missing) if b.missing else ("motion's skeleton", a.missing)
    raise CharacterError(
        f"the {whose} has no joints for {some(list(map(spoken, missing)), 8)}, and by name the two share "
        f"{followed} of the {plural(moved, 'joint')} that turn: give a motion of a rig like the character's"
    )


def _as_humanoids(a: Humanoid, b: Humanoid) -> dict[int, int]:
    pairs = {node: a.bones[bone] for bone, node in b.bones.items() if bone in a.bones and node not in b.spine}
    # Spines of other lengths are matched from the top.
    for k, node in enumerate(b.spine):
        pairs[node] = a.spine[-(-(k + 1) * len(a.spine) // len(b.spine)) - 1]
    return pairs


def _facing_viewer(motion: Motion, source: Figure) -> tuple[Figure, tuple[str, ...]]:
    """The source, turned to the front if the motion begins with its back to the viewer, and that change."""
    yaw = source.yaw(poses(source.skeleton, motion, np.array([motion.start])).worlds[0])
    if abs(yaw) <= np.pi / 2:
        return source, ()
    turn = scipy.spatial.transform.Rotation.from_euler("z", -yaw).as_matrix()
    change = f"the motion begins turned away by {abs(np.degrees(yaw)):.0f} degrees: it is turned to the front"
    return replace(source, turn=turn @ source.turn), (change,)


def _stand(motion: Motion, source: Figure) -> tuple[Doubles, tuple[str, ...]]:
    """Pose (J, 4, 4) in which the source stands: its neutral one, or the motion's first frame; and changes.

    Motions exported without a mesh often rest in one of their frames. CharacterError if it stands in neither.
    """
    rest = source.neutral.rest_worlds
    if source.upright(rest) and source.level(rest):
        return rest, ()
    # A T-pose before the motion's start stands as well.
    first = min((track.times[0] for track in motion.tracks), default=motion.start)
    begin = poses(source.skeleton, motion, np.array([first])).worlds[0]
    if not source.upright(begin):
        raise CharacterError(
            "the motion's figure stands neither at rest nor in the first frame, so it cannot be compared "
            "with another: begin the motion with a standing figure"
        )
    change = "the motion's figure does not stand at rest: the first frame is taken as its standing pose"
    return begin, (change,)


def _flat(motion: Motion, source: Figure, stand: Doubles) -> Doubles:
    """A pose (J, 4, 4) with each foot as at its lowest in up to `_SAMPLED` frames: flat on the ground."""
    times = np.linspace(motion.start, motion.end, min(_SAMPLED, len(sample_times(motion))))
    memory.ask(JOINT_COST * len(times) * len(source.skeleton.names))
    worlds = poses(source.skeleton, motion, times).worlds
    heights = (worlds[..., :3, 3] @ source.turn.T)[..., 2]
    flat = stand.copy()
    for side in ("left", "right"):
        foot = np.flatnonzero(source.skeleton.below([source.human.bones[side + "Foot"]]))
        flat[foot] = worlds[heights[:, foot].mean(axis=1).argmin(), foot]
    return flat
