"""BVH files: a skeleton's hierarchy and its motion, as motion capture gives them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import scipy

from specsia_build import memory
from specsia_build.animation.motion import JOINT_COST, ROTATION, TRANSLATION, Motion, Track, poses
from specsia_build.animation.skeleton import Skeleton
from specsia_build.arrays import Doubles
from specsia_build.characters.character import MotionFile
from specsia_build.characters.checks.joints import MOST_OFF_UP, front_axis, landmarks_of, turned, up_axis
from specsia_build.characters.polygons import numbers
from specsia_build.errors import CharacterError
from specsia_build.files.sources import read_source
from specsia_build.frame import axis_vector, up_rotation

MOST_JOINTS = 10_000
_CHANNEL = re.compile(r"[XYZ](position|rotation)", re.IGNORECASE)
_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:e[-+]?0?\d{1,2})?"  # Some write e-007
_OFFSET = re.compile(rf"\w+(\s+[-+]?{_NUMBER}){{3}}", re.IGNORECASE)
_MOTION = re.compile(
    (
        r"^[ \t]*MOTION[ \t]*\n\s*Frames[ \t]*:[ \t]*(\d{1,9})[ \t]*\n"
        rf"\s*Frame[ \t]*Time[ \t]*:[ \t]*({_NUMBER})[ \t]*(?:\n|$)"
    ).encode(),
    re.MULTILINE | re.IGNORECASE,
)
_WORD_COST = 64  # Bytes of memory for a number of a frame until it is part of a track
_LOOKED_AT = 100  # Frames that decide where the ground is, and which way is up.
_STANDING = 18.0  # Degrees between up and an axis of frames that stand otherwise than at rest
_GROUND = 10.0  # Percentile of the frames' lowest joints that is taken for the ground.


@dataclass
class _Joint:
    name: str
    parent: int
    offset: tuple[float, ...] = (0.0, 0.0, 0.0)
    channels: list[tuple[str, int]] = field(default_factory=list)
    """Kind, ``position`` or ``rotation``, and axis of each."""


def read_bvh(path: Path, root: Path | None = None) -> MotionFile:
    """Read a BVH file, which may not lie outside of `root`, links followed; None is its own folder.

    Channels may be of any order and number, positions of any joint. A position replaces the joint's offset,
    or is added to it in a file whose bones have no length otherwise. The joints of the skeleton are unturned,
    the ends of chains nodes without a name; a root that frames turn or move is upright, where the motion
    begins, on the ground. Raises CharacterError if it is damaged or has no frames.
    """
    data = read_source(path, root or path.parent).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    header = _MOTION.search(data)
    if header is None or not 0 < (seconds := float(header[2])) < np.inf:
        problem = f"{path.name} has no MOTION section with Frames and a Frame Time above 0 seconds"
        raise CharacterError(problem)
    joints = _hierarchy(path.name, data[: header.start()].decode("utf-8-sig", errors="replace"))
    width = sum(len(joint.channels) for joint in joints)
    frames = _frames(path.name, data[header.end() :], int(header[1]), width)
    parents = np.array([joint.parent for joint in joints], np.int32)
    offsets = [joint.offset for joint in joints]
    skeleton = Skeleton.unturned([joint.name for joint in joints], parents, offsets)
    times = np.arange(len(frames), dtype=np.float64) * seconds
    tracks = tuple(_tracks(joints, times, frames, relative=False))
    if _lengthless(tracks, skeleton):
        tracks = tuple(_tracks(joints, times, frames, relative=True))
    motion = Motion(path.stem, tracks, 0.0, float(times[-1]))
    return _standing(path.name, skeleton, motion)


def _hierarchy(name: str, text: str) -> list[_Joint]:
    joints: list[_Joint] = []
    open_: list[int] = []
    for number, line in enumerate(text.splitlines(), 1):
        for part in re.sub(r"([{}])", r"\n\1\n", line).split("\n"):
            words = part.split()
            keyword = words[0].upper() if words else ""
            if keyword in ("", "HIERARCHY", "{"):
                continue
            if keyword in ("ROOT", "JOINT", "END") and (keyword == "ROOT") != bool(open_):
                label = "" if keyword == "END" else " ".join(words[1:])
                joints.append(_Joint(label, open_[-1] if open_ else -1))
                open_.append(len(joints) - 1)
            elif keyword == "}" and open_:
                open_.pop()
            elif keyword == "OFFSET" and open_ and _OFFSET.fullmatch(part.strip()):
                joints[open_[-1]].offset = tuple(map(float, words[1:]))
            elif keyword == "CHANNELS" and open_ and _are_channels(words[1:]):
                joints[open_[-1]].channels = [(w[1:].lower(), "XYZ".index(w[0].upper())) for w in words[2:]]
            else:
                problem = f"{name}, line {number} is damaged: '{part.strip()[:40]}' means nothing here"
                raise CharacterError(problem)
    if open_ or len(joints) > MOST_JOINTS or not any(joint.channels for joint in joints):
        problem = f"{name} has an unclosed joint, none with CHANNELS, or over {MOST_JOINTS:,} joints"
        raise CharacterError(problem)
    return joints


def _are_channels(words: Sequence[str]) -> bool:
    """Whether words are a count and as many different channels."""
    named = {word.upper() for word in words[1:] if _CHANNEL.fullmatch(word)}
    return bool(words) and words[0] == str(len(words) - 1) == str(len(named))


def _frames(name: str, data: bytes, count: int, width: int) -> Doubles:
    """The channels of each frame, (F, C): all frames, at least as many as stated."""
    memory.ask(_WORD_COST * sum(data.count(space) for space in (b" ", b"\t", b"\n")))
    try:
        values = numbers(data)
    except ValueError:
        values = np.array([])
    if not len(values) or len(values) < count * width or len(values) % width or not np.isfinite(values).all():
        raise CharacterError(f"{name} has frames that are cut short, or not {width} finite numbers each")
    return np.asarray(values.reshape(-1, width))


def _lengthless(tracks: Iterable[Track], skeleton: Skeleton) -> bool:
    """Whether positions are counted from the offsets of joints: then they are nearer to 0 than to these."""
    own = [t for t in tracks if t.path == TRANSLATION and skeleton.parents[t.node] >= 0]
    lengths = sum(float(np.abs(track.values).mean()) for track in own)
    moved = sum(float(np.abs(track.values - skeleton.translations[track.node]).mean()) for track in own)
    return lengths < moved


def _tracks(joints: Sequence[_Joint], times: Doubles, frames: Doubles, *, relative: bool) -> Iterator[Track]:
    """Tracks of all joints; `relative` positions are added to offsets, except a root's."""
    column = 0
    for node, joint in enumerate(joints):
        channels = [(kind, axis, column + k) for k, (kind, axis) in enumerate(joint.channels)]
        column += len(channels)
        turns = [(axis, k) for kind, axis, k in channels if kind == "rotation"]
        shifts = [(axis, k) for kind, axis, k in channels if kind == "position"]
        if turns:
            # Each channel turns in what the one before has turned.
            order = "".join("XYZ"[axis] for axis, _ in turns)
            angles = frames[:, [k for _, k in turns]]
            values = scipy.spatial.transform.Rotation.from_euler(order, angles, degrees=True).as_quat()
            yield Track(node, ROTATION, times, np.asarray(values, np.float64))
        if shifts:
            places = np.tile(np.array(joint.offset), (len(frames), 1))
            axes, own = [axis for axis, _ in shifts], frames[:, [k for _, k in shifts]]
            places[:, axes] = places[:, axes] + own if relative and joint.parent >= 0 else own
            yield Track(node, TRANSLATION, times, places)


def _standing(name: str, skeleton: Skeleton, motion: Motion) -> MotionFile:
    """The content of a file: axes by its joints, its root turned and placed as where the motion begins."""
    times = motion.tracks[0].times
    times = times[np.linspace(0, len(times) - 1, min(len(times), _LOOKED_AT)).astype(np.int64)]
    memory.ask(JOINT_COST * len(times) * len(skeleton.names))
    places = poses(skeleton, motion, times).worlds[..., :3, 3]
    resting = landmarks_of(skeleton.names, skeleton.rest_worlds[:, :3, 3])
    at_rest = up_axis(resting)
    moving = landmarks_of(skeleton.names, (places - places[:, :1]).mean(axis=0))
    up = up_axis(moving, MOST_OFF_UP if at_rest is None else _STANDING)
    # A world's up is Y or Z: a figure that rests upright and is along another axis lies or leans.
    if up is None or (at_rest is not None and up not in ("+y", "+z")):
        up = at_rest or "+y"
    turn = up_rotation(at_rest or up)
    front = front_axis(turned(resting, turn)) or "-y"
    rotations = skeleton.rotations.copy()
    turned_roots = [t.node for t in motion.tracks if t.path == ROTATION and skeleton.parents[t.node] < 0]
    rotations[turned_roots] = scipy.spatial.transform.Rotation.from_matrix(up_rotation(up).T @ turn).as_quat()
    skeleton = replace(skeleton, rotations=rotations)
    roots = [t for t in motion.tracks if t.path == TRANSLATION and skeleton.parents[t.node] < 0]
    if roots:
        upward = axis_vector(up)
        way = roots[0].values[0] - skeleton.translations[roots[0].node]
        ground = np.percentile((places @ upward).min(axis=1), _GROUND)
        way += (ground - ((skeleton.rest_worlds[:, :3, 3] + way) @ upward).min()) * upward
        moved = skeleton.translations.copy()
        moved[[track.node for track in roots]] += way
        skeleton = replace(skeleton, translations=moved)
    return MotionFile(name, skeleton, up, front, motions=(motion,))
