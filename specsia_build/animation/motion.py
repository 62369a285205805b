"""Motions of a skeleton: keyed tracks as in glTF, and their values at any time."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from specsia_build.animation.skeleton import Skeleton, composed
from specsia_build.arrays import Doubles

Path = Literal["translation", "rotation", "scale", "weights"]
Interpolation = Literal["LINEAR", "STEP", "CUBICSPLINE"]

TRANSLATION: Path = "translation"
ROTATION: Path = "rotation"
SCALING: Path = "scale"
WEIGHTS: Path = "weights"

_ALIKE = 1e-6  # Tolerance for equal keys, as a share of the track's largest value
# What rounding of times in files, in single precision, may amount to: seconds of a key, and share of a frame
_EARLY, _FRAME = 1e-4, 1e-3
JOINT_COST = 500  # Bytes of memory per joint and pose


@dataclass(frozen=True)
class Track:
    """One property of one node over time."""

    node: int  # Index into the skeleton
    path: Path  # The property; rotations are quaternions x, y, z, w
    times: Doubles  # (K,) seconds, ascending, K at least 1
    values: Doubles  # (K, W), finite; for CUBICSPLINE (K, 3, W): incoming tangent, value, outgoing tangent
    interpolation: Interpolation = "LINEAR"  # Of glTF 2.0, section 3.11; rotations take the shorter way round

    @cached_property
    def varies(self) -> bool:
        """Whether the value changes by more than rounding in single precision."""
        splines = self.interpolation == "CUBICSPLINE"
        values = self.values[:, 1] if splines else self.values
        changes = np.ptp(values, axis=0).max(initial=0.0) > _ALIKE * np.abs(values).max(initial=0.0)
        return bool(changes or (splines and len(values) > 1 and self.values[:, ::2].any()))


@dataclass(frozen=True)
class Motion:
    """A clip of a skeleton."""

    name: str  # In its file; may be empty
    tracks: tuple[Track, ...]  # At most one for each property of a node
    start: float  # Seconds, of the first key that is played
    end: float  # Seconds, of the last

    @property
    def duration(self) -> float:
        """Seconds from the first key to the last."""
        return self.end - self.start

    def times(self, fps: float, most: int | None = None) -> Doubles:
        """Times (T,) of frames at start + k / fps before the end; at least one, and at most `most`."""
        count = max(1, int(np.ceil(self.duration * fps - _FRAME)))
        return self.start + np.arange(count if most is None else min(count, most)) / fps


@dataclass(frozen=True)
class Poses:
    """A skeleton at T times."""

    worlds: Doubles  # (T, J, 4, 4), from each node's coordinates to the file's
    morph_weights: Mapping[int, Doubles]  # (T, M) float64 by node


def poses(skeleton: Skeleton, motion: Motion | None, times: Doubles) -> Poses:
    """Pose a skeleton by a motion at times (T,); nodes without tracks, and all if it is None, are at rest."""
    times = np.asarray(times, np.float64)
    count = len(times)
    translations = np.repeat(skeleton.translations[None], count, axis=0)
    rotations = np.repeat(skeleton.rotations[None], count, axis=0)
    scales = np.repeat(skeleton.scales[None], count, axis=0)
    weights = {node: np.repeat(rest[None], count, axis=0) for node, rest in skeleton.morph_weights.items()}
    properties = {TRANSLATION: translations, ROTATION: rotations, SCALING: scales}
    moved = set()
    for tracks in _alike(() if motion is None else motion.tracks):
        values, nodes = _values(tracks, times), [track.node for track in tracks]
        if tracks[0].path == WEIGHTS:
            weights |= dict(zip(nodes, values, strict=True))
        else:
            moved |= set(nodes)
            properties[tracks[0].path][:, nodes] = values.transpose(1, 0, 2)
    local = composed(translations, rotations, scales)
    for node, matrix in skeleton.matrices.items():
        if node not in moved:
            local[:, node] = matrix
    return Poses(skeleton.worlds(local), weights)


def _alike(tracks: Sequence[Track]) -> list[list[Track]]:
    """Group tracks that differ only in node and values, to interpolate them in one call of numpy."""
    groups: dict[tuple[object, ...], list[Track]] = {}
    for track in tracks:
        keys = hashlib.sha256(track.times.tobytes()).digest()
        groups.setdefault((track.path, track.interpolation, track.values.shape, keys), []).append(track)
    return list(groups.values())


def _values(tracks: Sequence[Track], times: Doubles) -> Doubles:
    """Values (N, T, W) of N tracks alike, at times (T,), held before the first and after the last key."""
    path = tracks[0].path
    interpolation = tracks[0].interpolation
    keys = tracks[0].times
    if interpolation == "STEP":
        times = times + _EARLY
    after = np.clip(np.searchsorted(keys, times, side="right"), 1, max(len(keys) - 1, 1))
    before, after = after - 1, np.minimum(after, len(keys) - 1)
    begin, end = keys[before], keys[after]
    span = end - begin
    past = (times >= end).astype(np.float64)
    share = np.clip(np.divide(times - begin, span, out=past, where=span > 0), 0.0, 1.0)[:, None]
    values = np.stack([track.values for track in tracks])
    first, second = values.take(before, axis=1), values.take(after, axis=1)
    if interpolation == "CUBICSPLINE":
        return _spline(first, second, share, span[:, None])
    if interpolation == "STEP":
        share = np.where(share >= 1, 1.0, 0.0)
    if path == ROTATION:
        return slerp(first, second, share)
    return np.asarray(first * (1 - share) + second * share)


def slerp(begin: Doubles, end: Doubles, share: Doubles | float) -> Doubles:
    """Interpolate quaternions (..., 4) of any length the shorter way round, at shares (..., 1) in 0-1."""
    cosine = np.sum(begin * end, axis=-1, keepdims=True)
    end = np.where(cosine < 0, -end, end)
    lengths = np.linalg.norm(begin, axis=-1, keepdims=True) * np.linalg.norm(end, axis=-1, keepdims=True)
    angle = np.arccos(np.clip(np.abs(cosine) / np.where(lengths > 0, lengths, 1.0), 0.0, 1.0))
    near = angle < 1e-4
    sine = np.where(near, 1.0, np.sin(angle))
    first = np.where(near, 1 - share, np.sin((1 - share) * angle) / sine)
    second = np.where(near, share, np.sin(share * angle) / sine)
    return np.asarray(first * begin + second * end)


def _spline(begin: Doubles, end: Doubles, s: Doubles, span: Doubles) -> Doubles:
    """Interpolate keys (..., T, 3, W) of in-tangent, value, out-tangent at shares (T, 1) of spans (T, 1)."""
    s2, s3 = s**2, s**3
    values = (2 * s3 - 3 * s2 + 1) * begin[..., 1, :] + (3 * s2 - 2 * s3) * end[..., 1, :]
    return np.asarray(values + span * ((s3 - 2 * s2 + s) * begin[..., 2, :] + (s3 - s2) * end[..., 0, :]))
