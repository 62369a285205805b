"""BVH files: a skeleton's hierarchy and its motion, as motion capture gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.animation.motion import JOINT_COST, ROTATION, TRANSLATION, Motion, Track, poses
from specsia_build.animation.skeleton import Skeleton
from specsia_build.characters.bvh_doubts import in_radians, of_two_units
from specsia_build.characters.facing import front_by_joints, rotated
from specsia_build.characters.landmarks import Landmark
from specsia_build.characters.upright import up_by_joints
from specsia_build.characters.words import floats
from specsia_build.errors import CharacterError, brief, plural
from specsia_build.files.sources import read_source
from specsia_build.frame import axis_vector, up_rotation

MOST_JOINTS = 10_000

_CHANNEL = re.compile(r"([XYZ])(position|rotation)", re.IGNORECASE)
_MOTION = re.compile(rb"^[ \t]*MOTION[ \t]*$", re.MULTILINE | re.IGNORECASE)
_HEADER = re.compile(
    rb"\s*Frames[ \t]*:[ \t]*(\S*)[ \t]*\n\s*Frame[ \t]*Time[ \t]*:[ \t]*(\S*)[ \t]*(?:\n|$)", re.IGNORECASE
)
_WORD_COST = 64
"""Bytes of memory for a number of a frame until it is part of a track."""

_LOOKED_AT = 100
"""Frames that are asked where the ground and which way up is."""

_LEAST_STEPS, _LEAP, _LEAPS = 3, np.pi, 2.5
"""Steps from frame to frame by which a leap is told; radians of all joints together, and other steps' most."""

_NO_LENGTH = 1e-3
"""Share of a joint's offset within which its positions are where its parent is."""

_GROUND = 10.0
"""Percentile of the frames' lowest joints that is taken for the ground."""


@dataclass
class _Joint:
    name: str
    parent: int
    offset: tuple[float, ...] = (0.0, 0.0, 0.0)
    channels: list[tuple[str, int]] = field(default_factory=list)
    """Kind, ``position`` or ``rotation``, and axis of each."""


@dataclass(frozen=True)
class BvhFile:
    """What a BVH file holds.

    Attributes:
        skeleton: its joints, offset from each other and turned nowhere; the ends of chains are nodes without a name.
            A root that frames turn or put somewhere is upright, where the motion begins, on the ground that it treads.
        motion: all frames, called as the file; LINEAR. One that leaps from its first frame starts at the second.
        up: signed axis that points up by its joints, ``+y`` where they do not say.
        front: axis that it faces at rest once `up` is turned to Z, ``-y`` where its joints do not say.
        warnings: sentences on what in it does not agree.
    """

    skeleton: Skeleton
    motion: Motion
    up: str
    front: str
    warnings: tuple[str, ...] = ()


def read_bvh(path: Path, root: Path | None = None) -> BvhFile:
    """Read a BVH file.

    Channels may be of any order and number, positions of any joint; a position stands for the joint's offset, or is
    told from it where else most joints would lie where those lie that they hang on.

    Args:
        path: the file.
        root: folder that it may not lie outside of, links followed; None is its own.

    Raises:
        CharacterError: with the line, if it is damaged or has no frames.
        CostError: if it would take more memory than it may.
    """
    data = read_source(path, root or path.parent).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found = _MOTION.search(data)
    if found is None:
        raise CharacterError(f"{path.name} has no MOTION section: it is cut short or no BVH file")
    joints = _hierarchy(path.name, data[: found.start()].decode("utf-8-sig", errors="replace"))
    seconds, count, frames = _frames(path.name, data, found.end(), joints)
    skeleton = Skeleton(
        names=tuple(joint.name for joint in joints),
        parents=np.array([joint.parent for joint in joints], np.int32),
        translations=np.array([joint.offset for joint in joints], np.float64).reshape(-1, 3),
        rotations=np.tile([0.0, 0.0, 0.0, 1.0], (len(joints), 1)),
        scales=np.ones((len(joints), 3)),
    )
    times = np.arange(len(frames), dtype=np.float64) * seconds
    tracks = tuple(_tracks(joints, times, frames))
    leaps, more = _leaps(tracks), len(frames) > count
    motion = Motion(path.stem, tracks, float(times[1] if leaps else 0.0), float(times[-1]))
    said = (
        (more, f"says that it has {plural(count, 'frame')}, and has {len(frames):,}: all are played"),
        (leaps, "leaps from its first frame to the second, as from a T-pose: it is played from the second on"),
    )
    stood = _stood(skeleton, motion)
    rotations = [kind == "rotation" for joint in joints for kind, _ in joint.channels]
    doubt = in_radians(frames[:, rotations]) or of_two_units(skeleton, motion, axis_vector(stood.up))
    told = (*(what for so, what in said if so), *((doubt,) if doubt is not None else ()))
    return replace(stood, warnings=tuple(f"{path.name} {what}" for what in told))


def _leaps(tracks: Sequence[Track]) -> bool:
    """Whether joints turn so much more from the first frame to the second than ever after that the first is no part."""
    steps = np.zeros(max(len(tracks[0].times) - 1, 0))
    for track in tracks:
        if track.path == ROTATION:
            cosines = np.abs(np.sum(track.values[1:] * track.values[:-1], axis=1))
            steps += 2 * np.arccos(np.clip(cosines, 0.0, 1.0))
    return len(steps) >= _LEAST_STEPS and bool(steps[0] > max(_LEAP, _LEAPS * steps[1:].max()))


def _hierarchy(name: str, text: str) -> list[_Joint]:
    joints: list[_Joint] = []
    open_: list[int] = []
    pending: int | None = None

    def wrong(line: int, problem: str) -> CharacterError:
        return CharacterError(f"{name}, line {line}: {problem}: the file is damaged or no BVH file")

    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        for part in re.sub(r"([{}])", r"\n\1\n", line).split("\n"):
            words = part.split()
            keyword = words[0].upper() if words else ""
            if not words or keyword == "HIERARCHY":
                continue
            if pending is not None and keyword != "{":
                raise wrong(number, f"'{brief(part.strip(), 40)}' stands where a '{{' must")
            if keyword in ("ROOT", "JOINT", "END"):
                if (keyword == "ROOT") == bool(open_):
                    raise wrong(number, f"{keyword} stands {'inside' if open_ else 'outside'} a joint")
                joints.append(_Joint("" if keyword == "END" else " ".join(words[1:]), open_[-1] if open_ else -1))
                pending = len(joints) - 1
                if len(joints) > MOST_JOINTS:
                    raise CharacterError(f"{name} has more than {MOST_JOINTS:,} joints")
            elif keyword == "{" and pending is not None:
                open_.append(pending)
                pending = None
            elif keyword == "}" and open_:
                open_.pop()
            elif keyword == "OFFSET" and open_:
                joints[open_[-1]].offset = _three(words[1:]) or ()
                if not joints[open_[-1]].offset:
                    raise wrong(number, "OFFSET is not followed by three finite numbers")
            elif keyword == "CHANNELS" and open_:
                channels = [_CHANNEL.fullmatch(word) for word in words[2:]]
                named = [(m[2].lower(), "XYZ".index(m[1].upper())) for m in channels if m is not None]
                if not words[1:] or words[1] != str(len(channels)) or len(set(named)) != len(channels):
                    raise wrong(number, "CHANNELS is not followed by a number and as many different channels")
                joints[open_[-1]].channels = named
            else:
                raise wrong(number, f"'{brief(part.strip(), 40)}' means nothing here")
    if open_ or pending is not None or not joints:
        raise wrong(len(lines), f"{'a joint is not closed' if joints else 'there are no joints'} before MOTION")
    if not any(joint.channels for joint in joints):
        raise CharacterError(f"{name} has no joint with CHANNELS, so nothing moves in it")
    return joints


def _three(words: Sequence[str]) -> tuple[float, ...] | None:
    try:
        values = tuple(map(float, words))
    except ValueError:
        return None
    return values if len(values) == 3 and np.isfinite(values).all() else None


def _frames(name: str, data: bytes, start: int, joints: Sequence[_Joint]) -> tuple[float, int, NDArray[np.float64]]:
    """Seconds from frame to frame, how many frames it says there are, and the channels of each that there is (F, C)."""
    header = _HEADER.match(data, start)
    line = data.count(b"\n", 0, start) + 1
    count = int(header[1]) if header and re.fullmatch(rb"\d{1,9}", header[1]) else -1
    seconds = _number(header[2]) if header else float("nan")
    if header is None or count < 0 or not 0 < seconds < np.inf:
        raise CharacterError(
            f"{name}, line {line}: MOTION is not followed by 'Frames:' with a number and 'Frame Time:' with seconds "
            "above 0"
        )
    if count == 0:
        raise CharacterError(f"{name} has no frames, so there is no motion in it")
    width = sum(len(joint.channels) for joint in joints)
    begin = header.end()
    # Not by what is said to be there: all that is there is read.
    memory.ask(_WORD_COST * (1 + sum(data.count(space, begin) for space in (b" ", b"\t", b"\n"))))
    try:
        values = floats(data[begin:])
    except ValueError:
        values = np.zeros(0)
    if len(values) < count * width or len(values) % width or not np.isfinite(values).all():
        raise CharacterError(f"{name}{_damage(data, begin, width, count)}")
    return seconds, count, np.asarray(values.reshape(-1, width))


def _number(word: bytes) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")


def _damage(data: bytes, begin: int, width: int, count: int) -> str:
    """What is wrong with the frames, and in which line."""
    frames, number = 0, data.count(b"\n", 0, begin)
    for line in data[begin:].split(b"\n"):
        number += 1
        words = line.split()
        if not words:
            continue
        bad = next((word for word in words if not np.isfinite(_number(word))), None)
        if bad is not None:
            return f", line {number}: '{brief(bad.decode(errors='replace'), 40)}' is no finite number"
        if len(words) != width:
            return f", line {number}: the frame has {len(words)} numbers, and the joints have {width} channels"
        frames += 1
    return f", line {number}: it says that it has {count} frames, and has {frames}: it is cut short"


def _columns(joints: Sequence[_Joint]) -> Iterator[tuple[int, _Joint, list[tuple[int, int]], list[tuple[int, int]]]]:
    """Each joint with its node, and axis and column in the frames of the channels that turn and that shift it."""
    column = 0
    for node, joint in enumerate(joints):
        found = [(kind, axis, column + k) for k, (kind, axis) in enumerate(joint.channels)]
        column += len(found)
        turns, shifts = ([(axis, k) for kind, axis, k in found if kind == of] for of in ("rotation", "position"))
        yield node, joint, turns, shifts


def _from_offsets(joints: Sequence[_Joint], frames: NDArray[np.float64]) -> bool:
    """Whether positions of joints are told from their offsets, not in their stead: most bones would have no length."""
    lying = []
    for _, joint, _, shifts in _columns(joints):
        if joint.parent >= 0 and len(shifts) == 3 and any(joint.offset):
            lying.append(np.abs(frames[:, [k for _, k in shifts]]).max() <= _NO_LENGTH * np.abs(joint.offset).max())
    return bool(2 * sum(lying) > len(lying))


def _tracks(joints: Sequence[_Joint], times: NDArray[np.float64], frames: NDArray[np.float64]) -> Iterator[Track]:
    from_offsets = _from_offsets(joints, frames)
    for node, joint, turns, shifts in _columns(joints):
        if turns:
            angles = frames[:, [k for _, k in turns]]
            # Channels turn one after the other, each in what the one before has turned.
            order = "".join("XYZ"[axis] for axis, _ in turns)
            values = scipy.spatial.transform.Rotation.from_euler(order, angles, degrees=True).as_quat()
            yield Track(node, ROTATION, times, np.asarray(values, np.float64))
        if shifts:
            places = np.tile(np.array(joint.offset), (len(frames), 1))
            axes, own = [axis for axis, _ in shifts], frames[:, [k for _, k in shifts]]
            places[:, axes] = own + places[:, axes] if from_offsets and joint.parent >= 0 else own
            yield Track(node, TRANSLATION, times, places)


def _stood(skeleton: Skeleton, motion: Motion) -> BvhFile:
    """The file's content: its axes told by its joints, its root turned and put as where the motion begins."""
    times = motion.tracks[0].times
    times = times[np.linspace(0, len(times) - 1, min(len(times), _LOOKED_AT)).astype(np.int64)]
    memory.ask(JOINT_COST * len(times) * len(skeleton.names))
    places = poses(skeleton, motion, times).worlds[..., :3, 3]
    resting = _landmarks(skeleton, skeleton.rest_worlds[:, :3, 3])
    at_rest = up_by_joints(resting).axis
    up = up_by_joints(_landmarks(skeleton, (places - places[:, :1]).mean(axis=0))).axis or at_rest or "+y"
    turn = up_rotation(at_rest or up)
    front = front_by_joints(rotated(resting, turn)).axis or "-y"
    skeleton = _turned(skeleton, motion, up_rotation(up).T @ turn)
    roots = [t for t in motion.tracks if t.path == TRANSLATION and skeleton.parents[t.node] < 0]
    if roots:
        upward = axis_vector(up)
        way = roots[0].values[0] - skeleton.translations[roots[0].node]
        ground = np.percentile((places @ upward).min(axis=1), _GROUND)
        way += (ground - ((skeleton.rest_worlds[:, :3, 3] + way) @ upward).min()) * upward
        moved = skeleton.translations.copy()
        moved[[track.node for track in roots]] += way
        skeleton = replace(skeleton, translations=moved)
    return BvhFile(skeleton, motion, up, front)


def _turned(skeleton: Skeleton, motion: Motion, turn: NDArray[np.float64]) -> Skeleton:
    """The skeleton with the roots that frames turn anyhow at rest turned by (3, 3)."""
    rotations = skeleton.rotations.copy()
    for track in motion.tracks:
        if track.path == ROTATION and skeleton.parents[track.node] < 0:
            rotations[track.node] = scipy.spatial.transform.Rotation.from_matrix(turn).as_quat()
    return replace(skeleton, rotations=rotations)


def _landmarks(skeleton: Skeleton, places: NDArray[np.float64]) -> tuple[Landmark, ...]:
    named = ((name, place) for name, place in zip(skeleton.names, places.tolist(), strict=True) if name)
    return tuple((name, (x, y, z)) for name, (x, y, z) in named)
