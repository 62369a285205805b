"""A character that can move: its mesh in the frame as in the still stages, with its rig and its motions."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.animation.motion import Motion, Poses, poses
from specsia_build.animation.rig import Rig, posed_through
from specsia_build.characters.actions import FRAME_RATE, chosen, matching
from specsia_build.characters.character import Entry, MotionFile
from specsia_build.characters.motions import BUILT_IN, SUFFIXES, built_in, motion_for, read_motions
from specsia_build.characters.read import AnimatedCharacter, read_animated
from specsia_build.config import OWN, BuildConfig, ClipSettings
from specsia_build.errors import CharacterError, UsageError, no_such, some
from specsia_build.files.sources import state_of
from specsia_build.folders import expanded
from specsia_build.frame import ORTHO_WIDTH, Camera
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Mesh, extremes, turned
from specsia_build.rigging.skeleton import rig_by_front
from specsia_build.stages import render
from specsia_build.stages.stage import Clip, Job
from specsia_build.warning import Warning

SEAM = 1.5  # Largest distance from last to first frame of a looping motion, in units of its longest step
_WATCHED = 100  # Rough number of vertices compared to decide whether a motion loops
NEARLY_ALL = 0.9  # Share of the vertices below a node that the figure must have, the rest being props

POSE_COST, PIXELS_PER_BYTE = 400, 4
"""Bytes of memory per node and frame, and pixels of a frame per byte once it is encoded."""


def is_file_name(name: str) -> bool:
    """Whether a motion of the settings is a file rather than a name."""
    return name != OWN and ("/" in name or Path(name).suffix.lower() in SUFFIXES)


def located(name: str) -> str:
    """A motion as settings have it: a file by its absolute path, whatever folder a command runs in."""
    return str(expanded(name).absolute()) if is_file_name(name) else name


def origin_of(name: str) -> str:
    """A clip's `origin` for a motion of the settings: for a file, its name without the folder."""
    return Path(name).name if is_file_name(name) else name


def matching_motions(origin: str, motions: Mapping[int, Motion], settings: ClipSettings) -> dict[int, Motion]:
    """Motions of an origin by number whose name, or file's and own name, a pattern of `settings` matches."""
    numbers, names = list(motions), [motion.name for motion in motions.values()]
    named_after = _after(origin, names) if is_file_name(origin) else []
    matched: set[int] = set()
    for pattern in settings.patterns:
        matched |= {numbers[k] for k in matching(names, pattern) or matching(named_after, pattern)}
    return {number: motions[number] for number in numbers if number in matched or not settings.patterns}


def distinct_names(offered: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Make names of motions distinct across origins, as some programs give all motions one name.

    A file's only motion gets the file's name; one of several gets both names if another origin has its name.
    """
    shared = Counter(name for names in offered.values() for name in set(names))
    distinct = {}
    for origin, names in offered.items():
        names_after = zip(names, _after(origin, names) if is_file_name(origin) else names, strict=True)
        alone = len(names) == 1
        distinct[origin] = [after if alone or shared[name] > 1 else name for name, after in names_after]
    return distinct


def _after(origin: str, names: Sequence[str]) -> list[str]:
    """Names of a file's motions, prefixed with the file's name."""
    stem = Path(origin).stem
    return [stem] if len(names) == 1 else [f"{stem}|{name}" for name in names]


@dataclass(frozen=True, eq=False)
class Actor:
    """A character in the frame."""

    mesh: Mesh  # At rest, as in the still stages
    rig: Rig  # Of the mesh's vertices
    pose: Poses  # Pose of its skeleton in `mesh`, as its entry states
    motions: Mapping[tuple[str, int], Motion]  # To be played, by origin and number in that; see `Clip`
    offered: Mapping[str, Sequence[str]]  # Names of all motions to choose from, by origin
    humanoid: Mapping[str, int]  # Node of each humanoid bone as its file states; else empty
    warnings: tuple[Warning, ...]  # About motions that cannot be played, or are changed
    files: tuple[Path, ...]  # The character's files, read or looked for in vain


def box_of(mesh: Mesh) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smallest and largest x, y, z, each (3,), of a mesh at rest, the box of `pos`."""
    low, high = extremes(mesh.vertices)
    return low.astype(np.float64), high.astype(np.float64)


def clip_settings(config: BuildConfig) -> ClipSettings:
    """Clip settings of a run of clips."""
    assert config.clips is not None
    return config.clips


def in_frame(animated: AnimatedCharacter, config: BuildConfig) -> tuple[Mesh, Rig]:
    """Place a character's mesh and rig in the frame as the still stages do."""
    mesh, placed = render.in_frame(animated.character, config)
    place = np.eye(4)
    place[:3, :3] *= placed.scale
    place[:3, 3] = -placed.scale * np.array(placed.centre)
    return mesh, animated.rig.of_vertices(animated.character.mesh.used).placed(place)


def actor_of(job: Job) -> Actor:
    """Return the actor of a job's character; the latest ones are cached while their files do not change."""
    own = () if job.entry.sample is not None else (job.entry.path,)
    return _actor(job.entry, job.config, tuple(map(state_of, (*own, *motion_files(job.config)))))


@lru_cache(maxsize=2)
def _actor(entry: Entry, config: BuildConfig, _: object) -> Actor:
    animated, settings = read_animated(entry), clip_settings(config)
    mesh, rig = in_frame(animated, config)
    if entry.format == "3dbicar" and len(rig.nodes) < 2:
        animated = _with_found_rig(animated, mesh, rig)
        rig = animated.rig
    files = {path.name: path for path in motion_files(config)}
    motions: dict[tuple[str, int], Motion] = {}
    warnings = [*animated.character.warnings, *animated.warnings]
    offered: dict[str, list[str]] = {}
    for origin in map(origin_of, settings.motions):
        offers = dict(enumerate(animated.motions)) if origin == OWN else {}
        try:
            if origin == OWN:
                chosen_motions = matching_motions(origin, offers, settings)
                warnings += unplayed(animated.spoilt)
            else:
                path = files.get(origin)
                file = built_in() if path is None else _motion_file(path, state_of(path))
                every = enumerate(file.motions)
                offers = {k: motion for k, motion in every if origin not in BUILT_IN or motion.name == origin}
                matching = matching_motions(origin, offers, settings)
                chosen_motions, of_file = _from_file(animated, file, matching)
                warnings += of_file
        except CharacterError as error:
            # Other origins may work; a character without any motion gets a warning of its own.
            warnings.append(Warning(error.code, str(error), origin))
            chosen_motions = {}
        offered[origin] = [motion.name for motion in offers.values()]
        motions.update({(origin, index): motion for index, motion in chosen_motions.items()})
    names = distinct_names(offered)
    for (origin, index), motion in motions.items():
        if is_file_name(origin):
            motions[origin, index] = replace(motion, name=names[origin][index])
    unique = tuple(dict.fromkeys(warnings))
    pose = entry_pose(animated, entry.pose)
    return Actor(mesh, rig, pose, motions, names, animated.humanoid, unique, animated.character.files)


def _with_found_rig(animated: AnimatedCharacter, mesh: Mesh, rig: Rig) -> AnimatedCharacter:
    """A character whose files hold no rig, with one of `mesh` by its front; with `rig` if it is no person."""
    name = animated.character.entry.id
    try:
        found = rig_by_front(mesh, name)
    except CharacterError as error:
        warning = Warning("joints-unsure", f"{error}: it stays still", name)
        return replace(animated, rig=rig, warnings=(*animated.warnings, warning))
    warnings = (*animated.warnings, *found.warnings)
    return replace(animated, rig=found.rig, humanoid=found.humanoid, warnings=warnings)


def entry_pose(animated: AnimatedCharacter, pose: str) -> Poses:
    """Pose of a skeleton that its character's entry states; at rest if no playable motion has that name."""
    names = [motion.name for motion in animated.motions]
    indices, frame = ([], None) if pose == "rest" else chosen(names, pose)
    motions = [animated.motions[index] for index in indices]
    start = min((motion.start for motion in motions), default=0.0)
    time = start if frame is None else frame / FRAME_RATE
    tracks = {(track.node, track.path): track for motion in motions for track in motion.tracks}
    return poses(animated.rig.skeleton, Motion(pose, tuple(tracks.values()), time, time), np.array([time]))


def unplayed(spoilt: Iterable[tuple[str, str]]) -> Iterator[Warning]:
    """Warn of each motion that cannot be played, by its name and the reason."""
    for name, reason in spoilt:
        label = f"'{name}'" if name else "a motion without a name"
        yield Warning("motion-unplayable", f"{label} cannot be played: {reason}", name)


@lru_cache(maxsize=4)
def _motion_file(path: Path, _: object) -> MotionFile:
    return read_motions(path)


def _from_file(
    animated: AnimatedCharacter, file: MotionFile, motions: Mapping[int, Motion]
) -> tuple[dict[int, Motion], tuple[Warning, ...]]:
    """Retarget a file's motions to a character; returns the playable ones by number, and warnings."""
    playable, warnings = {}, list(unplayed(file.spoilt))
    if not (file.motions or file.spoilt):
        warnings.append(Warning("motion-unplayable", f"{file.name} holds no motion", file.name))
    for index, motion in motions.items():
        try:
            playable[index], own = motion_for(animated.rig, animated.humanoid, file, motion)
            warnings += own
        except CharacterError as error:
            warnings += (Warning(error.code, str(error), motion.name), *file.warnings)
    return playable, tuple(warnings)


def motion_files(config: BuildConfig) -> list[Path]:
    """Files among the motions of the settings."""
    return [Path(name) for name in clip_settings(config).motions if is_file_name(name)]


def check_settings(config: BuildConfig) -> None:
    """Check a run's clip settings, before any character is read.

    Raises UsageError if a motion does not exist, two files share a name, or a setting is for stills only.
    """
    settings = clip_settings(config)
    for name, required in (("renderer", FastRenderer.name), ("pos_frame", BuildConfig.pos_frame)):
        if (stated := getattr(config, name)) != required:
            raise UsageError(f"clips are made with {name} '{required}', not '{stated}': take that out")
    origins: dict[str, str] = {}
    for name in settings.motions:
        kinds = f"a file ({', '.join(SUFFIXES)})"
        if is_file_name(name) and not (Path(name).is_file() and Path(name).suffix.lower() in SUFFIXES):
            raise UsageError(f"--motion: {name} is not {kinds} that exists")
        if not is_file_name(name) and name not in (OWN, *BUILT_IN):
            raise UsageError(f"--motion takes {kinds} or a name: {no_such('motion', name, (OWN, *BUILT_IN))}")
        if (other := origins.get(origin_of(name))) is not None:
            raise UsageError(f"--motion: {other} and {name} have the same name: rename one of them")
        origins[origin_of(name)] = name


@dataclass(frozen=True)
class Shot:
    """Times, poses and cameras of a clip's frames."""

    times: NDArray[np.float64]  # (T,) seconds
    poses: Poses  # Of the actor's skeleton; a single one for all frames of a turntable
    shifts: NDArray[np.float64]  # (T, 3) translation of each pose that keeps it in the picture
    cameras: tuple[Camera, ...]  # One per frame, all of one width


def shot_of(clip: Clip, actor: Actor, config: BuildConfig, margin_px: float) -> Shot:
    """Frame a clip with one camera width, at least that of the stills, so that no frame is cut.

    `margin_px` pixels stay free at the border. Raises CharacterError if a pose is not finite.
    """
    shot, camera = shot_again(clip, actor, config), Camera(clip.yaw, config.size)
    if not clip.origin:
        return shot
    right, up, _ = basis = camera.basis()
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for k, vertices in enumerate(actor.rig.each_vertices(shot.poses)):
        if not np.isfinite(vertices).all():
            raise CharacterError(f"'{clip.action}' takes vertices to positions that are not numbers")
        least, most = extremes(turned(vertices, basis))
        offset = basis[:2] @ shot.shifts[k]
        low, high = np.minimum(low, least[:2] + offset), np.maximum(high, most[:2] + offset)
    if max(np.abs(low).max(), np.abs(high).max()) <= camera.width / 2 - margin_px / camera.pixels_per_unit:
        return shot
    middle = (low + high) / 2
    width = max(camera.width, float((high - low).max()) * config.size / (config.size - 2 * margin_px))
    cameras = (replace(camera, width=width),) * len(shot.times)
    return replace(shot, shifts=shot.shifts + (-middle[0] * right - middle[1] * up), cameras=cameras)


def shot_again(
    clip: Clip,
    actor: Actor,
    config: BuildConfig,
    width: float = ORTHO_WIDTH,
    shift: Sequence[float] = (0.0, 0.0, 0.0),
) -> Shot:
    """Shot of a drawn clip by its `width` and first of its `shifts`; by default that of the stills."""
    settings, skeleton = clip_settings(config), actor.rig.skeleton
    if not clip.origin:
        steps = np.arange(clip.frames)
        yaws = clip.yaw + 360.0 * steps / clip.frames
        cameras = tuple(Camera(float(yaw), config.size, width) for yaw in yaws)
        return Shot(steps / settings.fps, actor.pose, np.zeros((clip.frames, 3)) + shift, cameras)
    motion = actor.motions[clip.origin, clip.index]
    times = motion.times(settings.fps, settings.frames)
    cost = POSE_COST * len(skeleton.names) + config.size**2 // PIXELS_PER_BYTE
    advice = "fewer --fps or --frames, or raise --memory"
    memory.take(len(times) * cost, f"its {len(times):,} frames are many: {advice}")
    acted = poses(skeleton, motion, times)
    shifts = moves_in_place(actor.rig, acted) if settings.in_place else np.zeros((len(times), 3))
    return Shot(times, acted, shifts + shift, (Camera(clip.yaw, config.size, width),) * len(times))


def loops(rig: Rig, shot: Shot) -> bool:
    """Whether the step from a shot's last frame to its first is about as small as its other steps."""
    count = len(shot.times)
    if len(shot.poses.worlds) < count or count < 2:
        return True
    sampled = rig.of_vertices(np.arange(len(rig.points)) % math.ceil(len(rig.points) / _WATCHED) == 0)
    places = np.array(list(sampled.each_vertices(shot.poses))) + shot.shifts[:, None]
    steps = np.linalg.norm(places - np.roll(places, 1, axis=0), axis=2).max(axis=1)
    return bool(steps[0] <= SEAM * steps[1:].max())


def moves_in_place(rig: Rig, acted: Poses) -> NDArray[np.float64]:
    """Horizontal translations (T, 3) that keep the actor's root where it is in the first frame."""
    root = _root(rig, acted)
    places = acted.worlds[:, root, :, 3] @ rig.placement[:3].T
    moves = places[0] - places
    moves[:, 2] = 0.0
    return np.asarray(moves)


def _root(rig: Rig, acted: Poses) -> int:
    """Root node of the figure, usually the hips: follow the node with most vertices below at each branching.

    A node that does not move is skipped for a child with nearly all vertices, as a scene may hold props.
    """
    parents = rig.skeleton.parents
    slots, uses = np.unique(rig.slots[rig.weights > 0], return_counts=True)
    weight_below = np.bincount(rig.nodes[slots], uses, len(parents))
    for node in range(len(parents) - 1, -1, -1):
        if parents[node] >= 0:
            weight_below[parents[node]] += weight_below[node]
    children, node = np.flatnonzero(parents < 0), -1
    while len(children):
        heaviest = int(children[weight_below[children].argmax()])
        stays = node >= 0 and bool((acted.worlds[:, node] == acted.worlds[0, node]).all())
        if node >= 0 and weight_below[heaviest] < (NEARLY_ALL if stays else 1.0) * weight_below[node]:
            break
        node, children = heaviest, np.flatnonzero(parents == heaviest)
    return node


def with_motion(name: str) -> BuildConfig:
    """Settings of clips of one motion: a built-in one, one of the character's own, or those of a file."""
    if is_file_name(name) or name in (OWN, *BUILT_IN):
        return BuildConfig(clips=ClipSettings(motions=(name,)))
    return BuildConfig(clips=ClipSettings(motions=(OWN,), patterns=(name,)))


def in_motion(actor: Actor, character_id: str, name: str) -> tuple[Mesh, Callable[[int], Iterator[Mesh]]]:
    """An actor at rest, whose longest side is 1, and a function that yields it in so many poses.

    These are spread evenly over its first motion, and hold the figure in its place. Raises CharacterError, by
    the names of the character and of the motion that was asked for, if it has none.
    """
    if not actor.motions:
        offered = [motion for motions in actor.offered.values() for motion in motions]
        reason = "; ".join(map(str, actor.warnings)) or f"it has {some(offered) or 'none'}"
        problem = f"{character_id} has no motion '{name}' that can be played"
        raise CharacterError(f"{problem}: {reason}", "no-motion")
    motion = next(iter(actor.motions.values()))
    low, high = box_of(actor.mesh)
    scale = 1.0 / float((high - low).max())

    def moved(count: int) -> Iterator[Mesh]:
        times = motion.start + motion.duration * np.arange(count) / count
        acted = poses(actor.rig.skeleton, motion, times)
        shifts = moves_in_place(actor.rig, acted)
        for shift, pose in zip(shifts, posed_through(actor.mesh, actor.rig, acted), strict=True):
            if not np.isfinite(pose.vertices).all():
                raise CharacterError(f"'{motion.name}' takes vertices to positions that are not numbers")
            yield pose.with_vertices(((pose.vertices + shift) * scale).astype(np.float32))

    rest = actor.mesh.with_vertices((actor.mesh.vertices * scale).astype(np.float32))
    return rest, moved
