"""The animations of a glTF file as motions of its skeleton."""

from __future__ import annotations

from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.animation.motion import Interpolation, Motion, Path, Track
from specsia_build.characters.actions import chosen, unknown_action
from specsia_build.characters.character import Motions
from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.document import Document, denormalise
from specsia_build.characters.gltf.vrm import read_humanoid
from specsia_build.errors import CharacterError, CostError, some

_PATHS: tuple[str, ...] = get_args(Path)
_INTERPOLATIONS: tuple[str, ...] = get_args(Interpolation)
_WIDTHS = {"translation": 3, "rotation": 4, "scale": 3}

_KEY_COST = 32
"""Bytes of memory for a number of a key while it is read."""


def read_motions(document: Document, number: NDArray[np.int32]) -> Motions:
    """Read all animations of a file, and the humanoid bones that it names.

    Warnings go to the document.

    Args:
        document: the file.
        number: (N,) each node's index in the skeleton.
    """
    motions, spoilt = [], []
    for index in range(document.root.count("animations")):
        name = _name(document, index)
        try:
            tracks = _tracks(document, number, index)
            if not tracks:
                raise CharacterError(f"{document.name}: animations[{index}] moves no node")
        except (CharacterError, CostError) as error:
            spoilt.append((name, str(error)))
            continue
        start, end = min(track.times[0] for track in tracks), max(track.times[-1] for track in tracks)
        motions.append(Motion(name, tuple(tracks), float(start), float(end)))
    return Motions(motions=tuple(motions), spoilt=tuple(spoilt), humanoid=read_humanoid(document, number))


def read_pose(document: Document, number: NDArray[np.int32], pose: str) -> tuple[Motion | None, float]:
    """Read the motion that a pose belongs to, as far as it is needed, and its time in seconds.

    Args:
        document: the file.
        number: (N,) each node's index in the skeleton.
        pose: ``rest``, or an action's name with an optional frame, as `actions.chosen` reads it; without one the
            action's first.
    """
    if pose == "rest":
        return None, 0.0
    names = [_name(document, index) for index in range(document.root.count("animations"))]
    indices, frame = chosen(names, pose)
    if not indices:
        raise CharacterError(unknown_action(document.name, pose, names))
    animations = [document.entry(schema.Animation, index) for index in indices]
    keys = [document.accessor(sampler.input) for a in animations for sampler in a.samplers or ()]
    ends = [float(end) for k in keys if len(k) for end in (k[0].min(), k[-1].max())]
    first, last = min(ends, default=0.0), max(ends, default=0.0)
    time = first if frame is None else frame / document.fps
    begin, end = first * document.fps, last * document.fps
    if frame is not None and not begin - 0.5 <= frame <= end + 0.5:
        document.warn(f"{document.name}: the pose '{pose}' lies outside of its frames, {begin:.6g} to {end:.6g}")
    tracks = [track for index in indices for track in _tracks(document, number, index, around=time)]
    return Motion(pose, tuple(tracks), time, time), time


def _name(document: Document, index: int) -> str:
    """An animation's name; empty where it cannot be decoded."""
    try:
        return document.entry(schema.Animation, index).name or ""
    except CharacterError:
        return ""


def _tracks(document: Document, number: NDArray[np.int32], index: int, around: float | None = None) -> list[Track]:
    """Read what an animation moves, whole or only the keys before and after a time."""
    animation = document.entry(schema.Animation, index)
    samplers = animation.samplers or ()
    label = f"{document.name}: animations[{index}] ('{animation.name or ''}')"
    tracks: dict[tuple[int, str], Track] = {}
    others: list[str] = []
    # Most channels of an animation share their times.
    times: dict[int, NDArray[Any]] = {}
    for k, channel in enumerate(animation.channels or ()):
        node, path, place = channel.target.node, channel.target.path or "nothing", f".channels[{k}]"
        if path not in _PATHS:
            others.append(path)
            continue
        if node is None:
            continue
        if node >= len(number) or channel.sampler >= len(samplers):
            raise document.error(schema.Animation, index, "names a node or sampler that does not exist", place)
        sampler = samplers[channel.sampler]
        if sampler.input not in times:
            times[sampler.input] = document.accessor(sampler.input)
        if not len(times[sampler.input]) or (node, path) in tracks:
            document.warn(f"{label}{place} has no keys, or moves what another channel does; it was left out")
            continue
        moved = int(number[node]), cast(Path, path)
        try:
            tracks[node, path] = _track(document, sampler, times[sampler.input], moved, around)
        except ValueError as error:
            raise document.error(schema.Animation, index, str(error), place) from error
    if others:
        document.warn(f"{label} moves {some(others, 3)} too, which is not played")
    return list(tracks.values())


def _track(
    document: Document,
    sampler: schema.AnimationSampler,
    times: NDArray[Any],
    moved: tuple[int, Path],
    around: float | None,
) -> Track:
    """Read the keys of a track; raises ValueError if they are damaged."""
    stored = document.accessor(sampler.output)
    interpolation = sampler.interpolation or "LINEAR"
    if interpolation not in _INTERPOLATIONS:
        raise ValueError("has an interpolation that glTF does not know")
    parts = 3 if interpolation == "CUBICSPLINE" else 1
    keys, rows = len(times), len(stored)
    per_key = rows // keys
    width = per_key * stored.shape[1] // parts
    fits = times.shape[1] == 1 and per_key > 0 and per_key * keys == rows and per_key % parts == 0
    if not fits or width != _WIDTHS.get(moved[1], width):
        raise ValueError("has other values than its times ask for")
    if not np.isfinite(times).all() or (times[1:] < times[:-1]).any():
        raise ValueError("has times that are not finite, or run backwards")
    if around is not None:
        after = int(np.clip(np.searchsorted(times[:, 0], around, side="right"), 1, max(keys - 1, 1)))
        times, stored = times[after - 1 : after + 1], stored[per_key * (after - 1) : per_key * (after + 1)]
    memory.ask(_KEY_COST * stored.size)
    memory.take(8 * (len(times) + stored.size))
    values = (denormalise(stored) if document.is_normalised(sampler.output) else stored).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("has values that are not finite numbers")
    shape = (len(times), parts, width) if parts > 1 else (len(times), width)
    return Track(*moved, times[:, 0].astype(np.float64), values.reshape(shape), cast(Interpolation, interpolation))
