"""A character that can move: in the frame as the still stages have it, with its rig and its motions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.animation.motion import Motion, Poses, poses
from specsia_build.animation.rig import Rig
from specsia_build.characters.actions import FRAMES, chosen, matching
from specsia_build.characters.character import Entry, MotionFile
from specsia_build.characters.motions import BUILT_IN, SUFFIXES, built_in, motion_for, read_motions
from specsia_build.characters.read import AnimatedCharacter, read_animated
from specsia_build.config import OWN, BuildConfig, ClipSettings
from specsia_build.errors import CharacterError, UsageError, no_such
from specsia_build.frame import Camera
from specsia_build.recipes.recipe import folder_recipes
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Mesh, extremes, turned
from specsia_build.stages import render
from specsia_build.stages.stage import Clip, Job

TURNTABLE = "turntable"

TURN_SECONDS = 3.0
"""How long the camera takes around a still figure."""

SEAM = 1.5
"""Largest distance from the last frame to the first, in longest steps, of a motion that loops."""

_WATCHED = 100
"""Vertices, at most and roughly, that are compared for that."""

NEARLY_ALL = 0.9
"""Share of what hangs on a node that may be a figure, the rest being props."""

POSE_COST, PIXELS_PER_BYTE = 400, 4
"""Bytes of memory for a node in a frame, and pixels of a frame that take up one once they are encoded."""


def is_file_name(name: str) -> bool:
    """Whether a motion of the settings is a file rather than a name."""
    return name != OWN and ("/" in name or Path(name).suffix.lower() in SUFFIXES)


def origin_of(name: str) -> str:
    """A clip's `origin` for a motion of the settings: for a file, its name without the folder."""
    return Path(name).name if is_file_name(name) else name


def taken(origin: str, motions: Mapping[int, Motion], settings: ClipSettings) -> dict[int, Motion]:
    """Motions of an origin that the settings' patterns match, as their file calls them or after it, by number."""
    numbers, names = list(motions), [motion.name for motion in motions.values()]
    named_after = _after(origin, names) if is_file_name(origin) else []
    wanted = {numbers[k] for one in settings.patterns for k in matching(names, one) or matching(named_after, one)}
    return {number: motions[number] for number in numbers if number in wanted or not settings.patterns}


def told_apart(offered: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Make the names of motions distinct by origin, as some programs give all motions one name.

    A file's only motion is called as the file, one of several after both if another origin has its name.
    """
    shared = Counter(name for names in offered.values() for name in set(names))
    distinct = {}
    for origin, names in offered.items():
        names_after = zip(names, _after(origin, names) if is_file_name(origin) else names, strict=True)
        distinct[origin] = [after if len(names) == 1 or shared[name] > 1 else name for name, after in names_after]
    return distinct


def _after(origin: str, names: Sequence[str]) -> list[str]:
    """Names of a file's motions that begin with the file's own."""
    stem = Path(origin).stem
    return [stem] if len(names) == 1 else [f"{stem}|{name}" for name in names]


@dataclass(frozen=True, eq=False)
class Actor:
    """A character in the frame.

    Attributes:
        mesh: at rest, as the still stages draw it.
        rig: of its vertices.
        stands: pose of its skeleton in `mesh`, as its entry states it.
        motions: that it will do, by origin and number in that; see `Clip`.
        offered: names of all motions to choose from, by origin.
        humanoid: node of each humanoid bone as its file says; else empty.
        warnings: about motions that cannot be played, or are changed.
        files: of the character, read or looked for in vain.
    """

    mesh: Mesh
    rig: Rig
    stands: Poses
    motions: Mapping[tuple[str, int], Motion]
    offered: Mapping[str, Sequence[str]]
    humanoid: Mapping[str, int]
    warnings: tuple[str, ...]
    files: tuple[Path, ...]


def box_of(mesh: Mesh) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smallest and largest x, y, z, each (3,), of the figure at rest, the box of `pos`."""
    low, high = extremes(mesh.vertices)
    return low.astype(np.float64), high.astype(np.float64)


def clip_settings(config: BuildConfig) -> ClipSettings:
    """The settings of clips of a run that makes clips."""
    assert config.clips is not None
    return config.clips


def in_frame(animated: AnimatedCharacter, config: BuildConfig) -> tuple[Mesh, Rig]:
    """A character's mesh and rig, placed as the still stages place it."""
    mesh, placed = render.in_frame(animated.character, config)
    place = np.eye(4)
    place[:3, :3] *= placed.scale
    place[:3, 3] = -placed.scale * np.array(placed.centre)
    return mesh, animated.rig.of_vertices(animated.character.mesh.used).placed(place)


def actor_of(job: Job) -> Actor:
    """The actor of a job's character; the last ones are cached while their files do not change."""
    own = () if job.entry.sample is not None else (job.entry.path,)
    return _actor(job.entry, job.config, _state((*own, *motion_files(job.config))))


_State = tuple[tuple[str, int, int], ...]


def _state(paths: Iterable[Path]) -> _State:
    states = []
    for path in paths:
        try:
            stat = path.stat()
            states.append((str(path), stat.st_size, stat.st_mtime_ns))
        except OSError:
            states.append((str(path), -1, -1))
    return tuple(states)


@lru_cache(maxsize=2)
def _actor(entry: Entry, config: BuildConfig, _: _State) -> Actor:
    animated, settings = read_animated(entry), clip_settings(config)
    mesh, rig = in_frame(animated, config)
    files = {path.name: path for path in motion_files(config)}
    motions: dict[tuple[str, int], Motion] = {}
    warnings = [*animated.character.warnings, *animated.warnings]
    offered: dict[str, list[str]] = {}
    for origin in map(origin_of, settings.motions):
        offers = dict(enumerate(animated.motions)) if origin == OWN else {}
        try:
            if origin == OWN:
                chosen_motions = taken(origin, offers, settings)
                warnings += _unplayed(animated.spoilt)
            else:
                file = built_in() if origin in BUILT_IN else _motion_file(files[origin], _state((files[origin],)))
                every = enumerate(file.motions)
                offers = {k: motion for k, motion in every if origin not in BUILT_IN or motion.name == origin}
                chosen_motions, notes = _from_file(animated, file, taken(origin, offers, settings))
                warnings += notes
        except CharacterError as error:
            # Its other motions may be sound, and a character without any says so.
            warnings.append(str(error))
            chosen_motions = {}
        offered[origin] = [motion.name for motion in offers.values()]
        motions.update({(origin, index): motion for index, motion in chosen_motions.items()})
    names = told_apart(offered)
    motions = {
        (origin, index): replace(motion, name=names[origin][index]) if is_file_name(origin) else motion
        for (origin, index), motion in motions.items()
    }
    unique = tuple(dict.fromkeys(warnings))
    stands, files_read = standing(animated, entry.pose), animated.character.files
    return Actor(mesh, rig, stands, motions, names, animated.humanoid, unique, files_read)


def standing(animated: AnimatedCharacter, pose: str) -> Poses:
    """Pose of a character's skeleton that its entry states; the rest pose if no playable motion has it."""
    indices, frame = ([], None) if pose == "rest" else chosen([motion.name for motion in animated.motions], pose)
    named = [animated.motions[index] for index in indices]
    start = min((motion.start for motion in named), default=0.0)
    time = start if frame is None else frame / FRAMES
    tracks = {(track.node, track.path): track for motion in named for track in motion.tracks}
    return poses(animated.rig.skeleton, Motion(pose, tuple(tracks.values()), time, time), np.array([time]))


def _unplayed(spoilt: Iterable[tuple[str, str]]) -> list[str]:
    called = ((f"'{name}'" if name else "a motion without a name", why) for name, why in spoilt)
    return [f"{what} cannot be played: {why}" for what, why in called]


@lru_cache(maxsize=4)
def _motion_file(path: Path, _: _State) -> MotionFile:
    return read_motions(path)


def _from_file(
    animated: AnimatedCharacter, file: MotionFile, asked: Mapping[int, Motion]
) -> tuple[dict[int, Motion], tuple[str, ...]]:
    """Motions of a file on a character, by their number in it, and warnings."""
    playable, notes = {}, _unplayed(file.spoilt)
    if not (file.motions or file.spoilt):
        notes.append(f"{file.name} holds no motion")
    for index, motion in asked.items():
        try:
            playable[index], warnings = motion_for(animated.rig, animated.humanoid, file, motion)
            notes += warnings
        except CharacterError as error:
            notes += (str(error), *file.warnings)
    return playable, tuple(notes)


def motion_files(config: BuildConfig) -> list[Path]:
    """The files among the settings' motions."""
    return [Path(name) for name in clip_settings(config).motions if is_file_name(name)]


def check_settings(config: BuildConfig) -> None:
    """Check that clips can be made as a run's settings ask, before any character is read.

    Raises UsageError if a motion or a recipe is missing, two files have one name, or a setting is for stills only or
    does not suit a recipe's reader.
    """
    settings = clip_settings(config)
    for recipe in folder_recipes(settings.recipes):
        recipe.check(config)
    for name, only in (("renderer", FastRenderer.name), ("pos_frame", BuildConfig.pos_frame)):
        if getattr(config, name) != only:
            raise UsageError(f"clips are made with {name} '{only}', not '{getattr(config, name)}': take that out")
    origins: dict[str, str] = {}
    for name in settings.motions:
        kinds = f"a file ({', '.join(SUFFIXES)})"
        if is_file_name(name) and not (Path(name).is_file() and Path(name).suffix.lower() in SUFFIXES):
            raise UsageError(f"--motion: {name} is not {kinds} that exists")
        if not is_file_name(name) and name not in (OWN, *BUILT_IN):
            raise UsageError(f"--motion takes {kinds} or a name: {no_such('motion', name, (OWN, *BUILT_IN))}")
        if origin_of(name) in origins:
            raise UsageError(f"--motion: {origins[origin_of(name)]} and {name} have the same name: rename one of them")
        origins[origin_of(name)] = name


def times_of(clip: Clip, actor: Actor, settings: ClipSettings) -> NDArray[np.float64]:
    """Seconds (T,) of a clip's frames, from the motion's first key on in its own time."""
    if clip.action == TURNTABLE and not clip.origin:
        return np.arange(clip.frames) / settings.fps
    return actor.motions[clip.origin, clip.index].times(settings.fps, settings.frames)


def turn_frames(settings: ClipSettings) -> int:
    """Frames of a turntable."""
    return settings.frames or max(1, math.ceil(TURN_SECONDS * settings.fps - 1e-6))


@dataclass(frozen=True)
class Shot:
    """A clip as it is to be drawn.

    Attributes:
        times: (T,) seconds.
        poses: of the actor's skeleton; a single one for all frames of a turntable.
        shifts: (T, 3) by which each pose is moved in the frame, so that all of them are in the picture.
        cameras: of each frame, all of one width.
    """

    times: NDArray[np.float64]
    poses: Poses
    shifts: NDArray[np.float64]
    cameras: tuple[Camera, ...]


def shot_of(clip: Clip, actor: Actor, config: BuildConfig, margin_px: float) -> Shot:
    """Frame a clip: one orthographic camera width for all of it, at least that of the stills, that cuts no frame.

    `margin_px` pixels are kept free at the border. Raises CharacterError if a pose is not finite.
    """
    _, frames, held = acted = _acted(clip, actor, config)
    camera = Camera(clip.yaw, config.size)
    if not clip.origin:
        return _shot(clip, acted, config, camera.width, np.zeros(3))
    right, up, _ = basis = camera.basis()
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for k, vertices in enumerate(actor.rig.each_vertices(frames)):
        if not np.isfinite(vertices).all():
            raise CharacterError(f"'{clip.action}' takes vertices to positions that are not numbers")
        least, most = extremes(turned(vertices, basis))
        aside = basis[:2] @ held[k]
        low, high = np.minimum(low, least[:2] + aside), np.maximum(high, most[:2] + aside)
    if max(np.abs(low).max(), np.abs(high).max()) <= camera.width / 2 - margin_px / camera.pixels_per_unit:
        return _shot(clip, acted, config, camera.width, np.zeros(3))
    middle = (low + high) / 2
    width = max(camera.width, float((high - low).max()) * config.size / (config.size - 2 * margin_px))
    return _shot(clip, acted, config, width, -middle[0] * right - middle[1] * up)


def shot_again(clip: Clip, actor: Actor, config: BuildConfig, width: float, shift: Sequence[float]) -> Shot:
    """The shot of a drawn clip, by its `width` and the first of its `shifts`."""
    return _shot(clip, _acted(clip, actor, config), config, width, np.array(shift))


_Acted = tuple[NDArray[np.float64], Poses, NDArray[np.float64]]
"""Seconds (T,) of a clip's frames, the poses, and the moves (T, 3) that hold them in their place."""


def _acted(clip: Clip, actor: Actor, config: BuildConfig) -> _Acted:
    settings = clip_settings(config)
    times = times_of(clip, actor, settings)
    if not clip.origin:
        return times, actor.stands, np.zeros((len(times), 3))
    cost = POSE_COST * len(actor.rig.skeleton.names) + config.size**2 // PIXELS_PER_BYTE
    memory.take(len(times) * cost, f"its {len(times):,} frames are many: fewer --fps or --frames, or raise --memory")
    acted_poses = poses(actor.rig.skeleton, actor.motions[clip.origin, clip.index], times)
    return times, acted_poses, _held(actor.rig, acted_poses) if settings.in_place else np.zeros((len(times), 3))


def _shot(clip: Clip, acted: _Acted, config: BuildConfig, width: float, shift: NDArray[np.float64]) -> Shot:
    times, acted_poses, held = acted
    turns = np.zeros(len(times)) if clip.origin else 360.0 * np.arange(len(times)) / len(times)
    cameras = tuple(Camera(float(yaw), config.size, width) for yaw in clip.yaw + turns)
    return Shot(times, acted_poses, held + shift, cameras)


def loops(rig: Rig, shot: Shot) -> bool:
    """Whether a shot's last frame leads to its first as smoothly as other frames lead to the next."""
    count = len(shot.times)
    if len(shot.poses.worlds) < count or count < 2:
        return True
    watched = rig.of_vertices(np.arange(len(rig.points)) % math.ceil(len(rig.points) / _WATCHED) == 0)
    places = np.array(list(watched.each_vertices(shot.poses))) + shot.shifts[:, None]
    steps = np.linalg.norm(places - np.roll(places, 1, axis=0), axis=2).max(axis=1)
    return bool(steps[0] <= SEAM * steps[1:].max())


def _held(rig: Rig, acted: Poses) -> NDArray[np.float64]:
    """(T, 3) moves that hold the actor's root over its place in the first frame, but for up and down."""
    root = _root(rig, acted)
    places = acted.worlds[:, root, :, 3] @ rig.placement[:3].T
    moves = places[0] - places
    moves[:, 2] = 0.0
    return np.asarray(moves)


def _root(rig: Rig, acted: Poses) -> int:
    """The node that a figure hangs below, the hips most often: of several roots, the one with most below it.

    A node that does not move is passed over for one that nearly all hangs below: a scene holds props, too.
    """
    parents = rig.skeleton.parents
    slots, uses = np.unique(rig.slots[rig.weights > 0], return_counts=True)
    below = np.bincount(rig.nodes[slots], uses, len(parents))
    for node in range(len(parents) - 1, -1, -1):
        if parents[node] >= 0:
            below[parents[node]] += below[node]
    hung, node = np.flatnonzero(parents < 0), -1
    while len(hung):
        heaviest = int(hung[below[hung].argmax()])
        stays = node >= 0 and bool((acted.worlds[:, node] == acted.worlds[0, node]).all())
        if node >= 0 and below[heaviest] < (NEARLY_ALL if stays else 1.0) * below[node]:
            break
        node, hung = heaviest, np.flatnonzero(parents == heaviest)
    return node
