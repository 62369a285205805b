"""The animations of a glTF file as motions of its skeleton."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.animation.motion import WEIGHTS, Interpolation, Motion, Path, Track
from specsia_build.characters.actions import chosen, outside, unknown_action
from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.document import Document
from specsia_build.characters.gltf.extensions import denormalise
from specsia_build.characters.gltf.vrm import read_humanoid
from specsia_build.characters.raw import Motions
from specsia_build.errors import CharacterError, CostError, some

_PATHS: tuple[str, ...] = get_args(Path)
_INTERPOLATIONS: tuple[str, ...] = get_args(Interpolation)
_WIDTHS = {"translation": 3, "rotation": 4, "scale": 3}

_KEY_COST = 32
"""Bytes of memory for a number of a key while it is read."""


def read_motions(document: Document, number: NDArray[np.int32], broken: Collection[tuple[int, int]] = ()) -> Motions:
    """The animations of a file, and which bones of a humanoid it says that it has.

    Args:
        document: the file.
        number: (N,) each node's place in the skeleton.
        broken: node in the skeleton and number of each morph target that cannot be shown.
    """
    played, spoilt, warnings = [], [], dict[str, None]()
    for index in range(document.root.count("animations")):
        name = _name(document, index)
        try:
            tracks = _tracks(document, number, index, warnings=warnings)
            if not tracks:
                raise CharacterError(f"{document.name}: animations[{index}] moves no node")
            if any(track.path == WEIGHTS and _shows(track, broken) for track in tracks):
                raise document.error(schema.Animation, index, "shows a morph target that is not of finite numbers")
        except (CharacterError, CostError) as error:
            spoilt.append((name, str(error)))
            continue
        start, end = min(track.times[0] for track in tracks), max(track.times[-1] for track in tracks)
        played.append(Motion(name, tuple(tracks), float(start), float(end)))
    humanoid, doubts = read_humanoid(document, number)
    return Motions(motions=tuple(played), spoilt=tuple(spoilt), humanoid=humanoid, warnings=(*warnings, *doubts))


def standing(document: Document, number: NDArray[np.int32], pose: str) -> tuple[Motion | None, float, tuple[str, ...]]:
    """The motion that a pose is of, as far as it is known around its time, the time, and what is odd about that.

    Args:
        document: the file.
        number: (N,) each node's place in the skeleton.
        pose: ``rest``, or an action's name with an optional frame, 24 a second from 0 on, as `actions.chosen` reads it;
            without one the action's first.
    """
    if pose == "rest":
        return None, 0.0, ()
    names = [_name(document, index) for index in range(document.root.count("animations"))]
    indices, frame = chosen(names, pose)
    if not indices:
        raise CharacterError(unknown_action(document.name, pose, names))
    first, last = _span(document, [document.entry(schema.Animation, index) for index in indices])
    time = first if frame is None else frame / document.fps
    told = outside(pose, frame, first * document.fps, last * document.fps)
    tracks = [track for index in indices for track in _tracks(document, number, index, around=time)]
    return Motion(pose, tuple(tracks), time, time), time, () if told is None else (f"{document.name}: {told}",)


def _shows(track: Track, targets: Collection[tuple[int, int]]) -> bool:
    """Whether a track of morph weights shows any of some targets."""
    numbers = [number for node, number in targets if node == track.node and number < track.values.shape[-1]]
    return bool(track.values[..., numbers].any())


def _name(document: Document, index: int) -> str:
    """An animation's name, also where the rest of it is damaged."""
    try:
        return document.entry(schema.Named, index).name or ""
    except CharacterError:
        return ""


def _span(document: Document, animations: Sequence[schema.Animation]) -> tuple[float, float]:
    """When the first and the last key of some animations are, in seconds."""
    keys = [document.accessor(c.input) for a in animations for c in a.samplers or ()]
    ends = [float(end) for k in keys if len(k) for end in (k[0].min(), k[-1].max())]
    return min(ends, default=0.0), max(ends, default=0.0)


def _tracks(
    document: Document,
    number: NDArray[np.int32],
    index: int,
    around: float | None = None,
    warnings: dict[str, None] | None = None,
) -> list[Track]:
    """What an animation moves: whole and checked, or just the keys before and after a time."""
    animation = document.entry(schema.Animation, index)
    curves = animation.samplers or ()
    said = {} if warnings is None else warnings
    label = f"{document.name}: animations[{index}] ('{animation.name or ''}')"
    found: dict[tuple[int, str], Track] = {}
    others: list[str] = []
    # Most of an animation's channels have the same times.
    stored: dict[int, NDArray[Any]] = {}
    for k, channel in enumerate(animation.channels or ()):
        node, path, place = channel.target.node, channel.target.path or "nothing", f".channels[{k}]"
        if path not in _PATHS:
            others.append(path)
            continue
        if node is None:
            continue
        if node >= len(number) or channel.sampler >= len(curves):
            raise document.error(schema.Animation, index, "names a node or sampler that does not exist", place)
        curve = curves[channel.sampler]
        if curve.input not in stored:
            stored[curve.input] = document.accessor(curve.input)
        if not len(stored[curve.input]):
            said[f"{label}{place} has no keys; it was left out"] = None
            continue
        if (node, path) in found:
            said[f"{label} moves the {path} of a node twice; the first channel counts"] = None
            continue
        try:
            found[node, path] = _track(
                document, curve, stored[curve.input], (int(number[node]), cast(Path, path)), around
            )
        except ValueError as error:
            raise document.error(schema.Animation, index, str(error), place) from error
    if others:
        said[f"{label} moves {some(others, 3)} too, which is not played"] = None
    return list(found.values())


def _track(
    document: Document, curve: schema.Curve, times: NDArray[Any], moved: tuple[int, Path], around: float | None
) -> Track:
    """A curve of something at times as stored; ValueError says what is wrong with it."""
    stored = document.accessor(curve.output)
    interpolation = curve.interpolation or "LINEAR"
    if interpolation not in _INTERPOLATIONS:
        raise ValueError("has an interpolation that glTF does not know")
    parts = 3 if interpolation == "CUBICSPLINE" else 1
    keys, rows = len(times), len(stored)
    per_key = rows // keys
    width = per_key * stored.shape[1] // parts
    fits = times.shape[1] == 1 and per_key > 0 and per_key * keys == rows and per_key % parts == 0
    if not fits or width != _WIDTHS.get(moved[1], width):
        raise ValueError("has other values than its times ask for")
    if not np.isfinite(times).all():
        raise ValueError("has times that are not finite numbers")
    if (times[1:] < times[:-1]).any():
        raise ValueError("has times that run backwards")
    if around is not None:
        after = int(np.clip(np.searchsorted(times[:, 0], around, side="right"), 1, max(keys - 1, 1)))
        times, stored = times[after - 1 : after + 1], stored[per_key * (after - 1) : per_key * (after + 1)]
    memory.ask(_KEY_COST * stored.size)
    memory.take(8 * (len(times) + stored.size))
    normalised = document.entry(schema.Accessor, curve.output).normalized is True
    values = (denormalise(stored) if normalised else stored).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("has values that are not finite numbers")
    shape = (len(times), parts, width) if parts > 1 else (len(times), width)
    return Track(*moved, times[:, 0].astype(np.float64), values.reshape(shape), cast(Interpolation, interpolation))
