"""A character that can move: in the frame as the still stages have it, with its rig and what it may do."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.motion import Motion, Poses, poses
from specsia_build.animation.rig import Rig
from specsia_build.characters.animated import AnimatedCharacter, read_animated
from specsia_build.characters.character import Entry
from specsia_build.config import OWN, BuildConfig, ClipSettings
from specsia_build.errors import CharacterError
from specsia_build.frame import ORTHO_WIDTH, Camera
from specsia_build.rendering.mesh import Mesh
from specsia_build.stages import render
from specsia_build.stages.stage import Clip, Job

TURNTABLE = "turntable"

TURN_SECONDS = 3.0
"""How long the camera takes around a still figure."""


@dataclass(frozen=True)
class Figure:
    """A character in the frame.

    Attributes:
        mesh: at rest, as the still stages draw it.
        rig: of its vertices.
        motions: what it may do, with where each is from.
        warnings: sentences about motions that cannot be played, or are not played as they are.
        files: of the character, read or looked for in vain.
    """

    mesh: Mesh
    rig: Rig
    motions: tuple[tuple[str, Motion], ...]
    warnings: tuple[str, ...]
    files: tuple[Path, ...]


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
    return mesh, animated.rig.of_vertices(animated.character.mesh.used()).placed(place)


def figure_of(job: Job) -> Figure:
    """The figure of a job's character; the last ones are kept in mind while nothing that decides them changes."""
    return _figure(job.entry, job.config, _state(job.entry, job.config))


def _state(entry: Entry, config: BuildConfig) -> tuple[tuple[str, int, int], ...]:
    """Size and time of change of the files that are known to matter."""
    found = []
    for path in (entry.path, *motion_files(config)):
        try:
            stat = path.stat()
            found.append((str(path), stat.st_size, stat.st_mtime_ns))
        except OSError:
            found.append((str(path), -1, -1))
    return tuple(found)


@lru_cache(maxsize=2)
def _figure(entry: Entry, config: BuildConfig, _: tuple[tuple[str, int, int], ...]) -> Figure:
    animated = read_animated(entry)
    mesh, rig = in_frame(animated, config)
    found: list[tuple[str, Motion]] = []
    warnings = list(animated.character.warnings)
    for origin in clip_settings(config).motions:
        if origin == OWN:
            found += [(OWN, motion) for motion in animated.motions]
            warnings += [sentence for _, sentence in animated.spoilt]
        else:
            raise CharacterError(f"{origin} is no motion that is known")
    return Figure(mesh, rig, tuple(found), tuple(dict.fromkeys(warnings)), animated.character.files)


def motion_files(config: BuildConfig) -> list[Path]:
    """The files among the settings' motions."""
    return [Path(origin) for origin in clip_settings(config).motions if is_file_name(origin)]


def is_file_name(origin: str) -> bool:
    """Whether a motion of the settings is a file rather than a name."""
    return origin != OWN and ("/" in origin or "." in origin)


def chosen(figure: Figure, settings: ClipSettings) -> list[tuple[int, str, Motion]]:
    """Index, origin and motion of those that the settings' patterns take, in order."""
    return [
        (index, origin, motion)
        for index, (origin, motion) in enumerate(figure.motions)
        if not settings.patterns or any(fnmatch.fnmatchcase(motion.name, pattern) for pattern in settings.patterns)
    ]


def times_of(clip: Clip, figure: Figure, settings: ClipSettings) -> NDArray[np.float64]:
    """Seconds (T,) of a clip's frames, from the motion's first key on in its own time."""
    if clip.action == TURNTABLE and not clip.origin:
        return np.arange(clip.frames) / settings.fps
    return figure.motions[clip.index][1].times(settings.fps, settings.frames)


def turn_frames(settings: ClipSettings) -> int:
    """Frames of a turntable."""
    return settings.frames or max(1, math.ceil(TURN_SECONDS * settings.fps - 1e-6))


@dataclass(frozen=True)
class Shot:
    """A clip as it is to be drawn.

    Attributes:
        times: (T,) seconds.
        poses: of the figure's skeleton; one that serves all frames of a turntable.
        shifts: (T, 3) by which each pose is moved in the frame, so that all of them are in the picture.
        cameras: of each frame, all of one width.
    """

    times: NDArray[np.float64]
    poses: Poses
    shifts: NDArray[np.float64]
    cameras: tuple[Camera, ...]

    def pose(self, k: int) -> int:
        """Number of the pose of a frame."""
        return min(k, len(self.poses.worlds) - 1)


def shot_of(clip: Clip, figure: Figure, config: BuildConfig, margin_px: float) -> Shot:
    """How a clip is drawn: one orthographic frame for all of it, wide enough that none of its frames is cut.

    The frame is never narrower than that of the stills, and is theirs where that shows all.

    Args:
        clip: which.
        figure: of its character.
        config: of the run.
        margin_px: pixels kept free at the border.

    Raises:
        CharacterError: if a pose is not finite.
    """
    settings = clip_settings(config)
    times = times_of(clip, figure, settings)
    if not clip.origin:
        yaws = clip.yaw + 360.0 * np.arange(len(times)) / len(times)
        found = poses(figure.rig.skeleton, None, np.zeros(1))
        cameras = tuple(Camera(float(yaw), config.size) for yaw in yaws)
        return Shot(times, found, np.zeros((len(times), 3)), cameras)
    found = poses(figure.rig.skeleton, figure.motions[clip.index][1], times)
    camera = Camera(clip.yaw, config.size)
    right, up, _ = camera.basis()
    held = _held(figure.rig, found) if settings.in_place else np.zeros((len(times), 3))
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for k in range(len(times)):
        seen = (figure.rig.vertices(found, k) + held[k]) @ np.stack([right, up]).T
        low, high = np.minimum(low, seen.min(axis=0)), np.maximum(high, seen.max(axis=0))
    if not np.isfinite([low, high]).all():
        raise CharacterError(f"'{clip.action}' takes vertices to places that are no numbers")
    room = ORTHO_WIDTH / 2 - margin_px / camera.pixels_per_unit
    width, middle = ORTHO_WIDTH, np.zeros(2)
    if max(np.abs(low).max(), np.abs(high).max()) > room:
        middle = (low + high) / 2
        width = max(ORTHO_WIDTH, float((high - low).max()) * config.size / (config.size - 2 * margin_px))
    shifts = held - middle[0] * right - middle[1] * up
    return Shot(times, found, shifts, (Camera(clip.yaw, config.size, width),) * len(times))


def _held(rig: Rig, found: Poses) -> NDArray[np.float64]:
    """(T, 3) moves that hold the figure's root over where it is in its first frame, but for up and down."""
    root = _root(rig)
    places = found.worlds[:, root, :, 3] @ rig.placement[:3].T
    moves = places[0] - places
    moves[:, 2] = 0.0
    return np.asarray(moves)


def _root(rig: Rig) -> int:
    """The node that all others which move anything hang below: the hips, most often."""
    parents = rig.skeleton.parents.tolist()
    slots = np.unique(rig.slots[rig.weights > 0])
    paths = [_path(int(node), parents) for node in np.unique(rig.nodes[slots])]
    common = 0
    while all(len(path) > common and path[common] == paths[0][common] for path in paths):
        common += 1
    return paths[0][max(0, common - 1)]


def _path(node: int, parents: Sequence[int]) -> list[int]:
    """A node and those above it, from the root on."""
    found = [node]
    while parents[found[-1]] >= 0:
        found.append(parents[found[-1]])
    return found[::-1]
