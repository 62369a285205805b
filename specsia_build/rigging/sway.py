"""Motions that any figure can play, and the rig of a figure that is no person: a spine from ground to top."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from specsia_build.animation.motion import ROTATION, SCALING, TRANSLATION, Motion, Track
from specsia_build.animation.rig import Rig
from specsia_build.arrays import Doubles
from specsia_build.characters.character import RawMoving
from specsia_build.rendering.mesh import Mesh

FOR_ANY = ("turn", "bounce", "sway")
"""Names of the motions that a figure without limbs can play; all can be looped."""

_BONES = 6  # Of a spine
_KEYS = 25  # Keys of a motion
_TURN = 4.0  # Seconds of each motion
_SWAY = 2.4
_BOUNCE = 1.0
_LEAN = np.deg2rad(14.0)  # Angle of the top of a swaying spine against its foot
_LAG = 0.25  # Share of the period by which the top follows the foot
_SQUASH, _HOP = 0.12, 0.06  # Shares of the height by which a bouncing figure gives in, and leaves the ground


def spine_rig(mesh: Mesh) -> RawMoving:
    """A root on the ground and a spine through the middle of a figure, with motions named `FOR_ANY`."""
    points = mesh.vertices.astype(np.float64)
    low, high = (bound.astype(np.float64) for bound in mesh.bounds())
    height = float(high[2] - low[2])
    share = np.clip((points[:, 2] - low[2]) / height, 0.0, 1.0) * (_BONES - 1)
    weights = np.maximum(0.0, 1 - np.abs(share[:, None] - np.arange(_BONES)))
    used = weights * mesh.used[:, None]
    total = np.maximum(used.sum(axis=0), 1e-9)[:, None]
    middles = np.where(total > 1e-6, used.T @ points / total, (low + high) / 2)
    middles[:, 2] = low[2] + np.linspace(0, height, _BONES)
    places = np.stack([middles[0], *middles])
    names = ("root", *(f"spine{number}" for number in range(1, _BONES + 1)))
    parents = np.arange(-1, _BONES, dtype=np.int32)
    skin = np.column_stack([np.zeros(len(points)), weights])
    rig = Rig.unturned(names, parents, places, points, skin)
    motions = (turn(), bounce(places[0], height), sway(range(2, _BONES + 1)))
    return RawMoving(rig=rig, motions=motions)


def turn() -> Motion:
    """A full turn of the root about the vertical."""
    times = np.linspace(0, _TURN, _KEYS)
    return keyed("turn", [Track(0, ROTATION, times, turns_about(2, 2 * np.pi * times / _TURN))])


def bounce(root: Doubles, height: float) -> Motion:
    """Hops of the root, at (3,) at rest, which gives in between them; `height` is the figure's in units."""
    times = np.linspace(0, _BOUNCE, _KEYS)
    phase = np.sin(2 * np.pi * times / _BOUNCE)
    stretch = 1 - _SQUASH * np.maximum(0.0, -phase)
    wide = 1 / np.sqrt(stretch)
    hop = np.tile(root, (_KEYS, 1))
    hop[:, 2] += height * _HOP * np.maximum(0.0, phase)
    scales = np.stack([wide, wide, stretch], axis=1)
    return keyed("bounce", [Track(0, TRANSLATION, times, hop), Track(0, SCALING, times, scales)])


def sway(nodes: Sequence[int]) -> Motion:
    """A spine's nodes, from below, lean to the left and to the right, the upper ones later."""
    times = np.linspace(0, _SWAY, _KEYS)
    tracks = []
    for number, node in enumerate(nodes):
        lag = _LAG * number / len(nodes)
        angles = _LEAN / len(nodes) * np.sin(2 * np.pi * (times / _SWAY - lag))
        tracks.append(Track(node, ROTATION, times, turns_about(1, angles)))
    return keyed("sway", tracks)


def turns_about(axis: int, angles: Doubles) -> Doubles:
    """Quaternions (K, 4) of turns by angles (K,) about x, y or z."""
    turns = np.zeros((len(angles), 4))
    turns[:, axis] = np.sin(angles / 2)
    turns[:, 3] = np.cos(angles / 2)
    return turns


def keyed(name: str, tracks: Sequence[Track]) -> Motion:
    """A motion of tracks with the same keys."""
    times = tracks[0].times
    return Motion(name, tuple(tracks), float(times[0]), float(times[-1]))
