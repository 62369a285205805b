"""How a character that only Blender can read moves: its skeleton, how its mesh hangs on that, and its motions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.animation import motion as paths
from specsia_build.animation.motion import Motion, Track, poses
from specsia_build.animation.rig import Morph, Rig
from specsia_build.animation.skeleton import Skeleton, composed, decomposed
from specsia_build.characters.blender.kept import SCENES, Script, arrays_of, facts_of, read_once
from specsia_build.characters.raw import RawMoving
from specsia_build.errors import CostError, brief, some

SCRIPT = Script("rig", ("read_rig.py", *SCENES))

MOST_OFF = 0.005
"""Share of its size that a character may stand from where Blender has it before that is said."""

_STILL = 2e-6
"""What a property may change, rotations in their quaternion and places as a share of the size, and yet be still."""

_MATRIX_COST = 800
"""Bytes of memory for a node in a frame while it is taken apart."""

_SHEARED = 1e-5
_LISTED = 3


def read_rig(path: Path, *, root: Path | None = None) -> RawMoving:
    """How the character of an FBX or .blend file moves, kept as `read_with_blender` keeps its mesh.

    Args:
        path: the file; it may have no mesh.
        root: folder that it may not lie outside of, links followed; None is its own.

    Returns:
        The rig of the vertices that `read_with_blender` gives, at rest, into its coordinates; the motions, by take, are
        sampled at each of the scene's frames and begin at 0 seconds; the warnings say what Blender does otherwise.

    Raises:
        CharacterError: if the file cannot be read, or there is no Blender.
        CostError: if it would cost more memory than it may.
        WriteError: if what was read cannot be kept.
    """
    kept = read_once(path, "rest", SCRIPT, root or path.parent)
    facts = facts_of(kept, SCRIPT)
    morphed = {int(node): int(count) for node, count in facts["morphed"]}
    at_rest = arrays_of(kept, SCRIPT, "_rest")
    rig = _rig(facts["names"], facts["bones"], at_rest, morphed)
    size = _size(rig)
    motions: list[Motion] = []
    spoilt = [(name, f"{path.name}: action '{name}' {why}") for name, why in facts["spoilt"]]
    unlike: list[tuple[str, float]] = []
    for k, name in enumerate(facts["motions"]):
        try:
            arrays = arrays_of(kept, SCRIPT, f"_{k}")
            motions.append(_motion(name, rig, arrays, morphed, size))
        except CostError as error:
            spoilt.append((name, f"{path.name}: action '{name}': {error}"))
            continue
        if not (off := _off(rig, motions[-1], at_rest["checked"], arrays, size)) <= MOST_OFF:
            unlike.append((name, off))
    said = [_unlike(path.name, unlike, facts["unlike"])] if unlike else []
    said += [_layered(path.name, take, layers) for take, layers in facts["layered"].items()]
    return RawMoving(rig, motions=tuple(motions), spoilt=tuple(spoilt), warnings=tuple(said))


def _rig(
    names: Sequence[str], bones: Sequence[int], arrays: Mapping[str, NDArray[Any]], morphed: Mapping[int, int]
) -> Rig:
    local = arrays["local"]
    translations, rotations, scales = decomposed(local)
    lost = np.abs(composed(translations, rotations, scales) - local).max(axis=(1, 2))
    skeleton = Skeleton(
        names=tuple(names),
        parents=arrays["parents"],
        translations=translations,
        rotations=rotations,
        scales=scales,
        matrices={int(k): local[k] for k in np.flatnonzero(lost > _SHEARED * np.abs(local).max(axis=(1, 2)))},
        morph_weights=_by_node(arrays["morph_weights"], morphed),
        joints=frozenset(bones),
    )
    ends = np.cumsum(arrays["morph_sizes"])[:-1]
    parts = zip(
        arrays["morph_nodes"].tolist(),
        arrays["morph_targets"].tolist(),
        np.split(arrays["morph_vertices"], ends),
        np.split(arrays["morph_offsets"], ends),
        strict=False,
    )
    return Rig(
        skeleton=skeleton,
        points=arrays["points"],
        slots=arrays["slots"],
        weights=arrays["weights"],
        nodes=arrays["nodes"],
        inverse_binds=arrays["binds"],
        placement=np.eye(4),
        morphs=tuple(Morph(node, target, rows, offsets) for node, target, rows, offsets in parts),
    )


def _size(rig: Rig) -> float:
    """The largest extent at rest: of the mesh, or where there is none of the skeleton."""
    skeleton = rig.skeleton
    places = rig.vertices(poses(skeleton, None, np.zeros(1)), 0) if len(rig.points) else skeleton.rest_worlds[:, :3, 3]
    return float(np.ptp(places, axis=0).max(initial=0.0)) if len(places) else 0.0


def _motion(name: str, rig: Rig, arrays: Mapping[str, NDArray[Any]], morphed: Mapping[int, int], size: float) -> Motion:
    """A motion; what stands still has one key, and none where it stands as at rest.

    Raises:
        CostError: if it takes more memory than there is.
    """
    skeleton, times, local = rig.skeleton, arrays["times"], arrays["local"]
    memory.ask(_MATRIX_COST * local.shape[0] * local.shape[1])
    translations, rotations, scales = decomposed(local.astype(np.float64))
    rest = skeleton.rotations
    rotations = np.where(np.sum(rotations * rest, axis=-1, keepdims=True) < 0, -rotations, rotations)
    # A place counts in the scene's units, not in those of a parent that may be scaled.
    above = np.where((skeleton.parents < 0)[:, None, None], np.eye(4), skeleton.rest_worlds[skeleton.parents])
    spread = np.abs(np.linalg.det(above[:, :3, :3])) ** (1 / 3)
    near = np.divide(_STILL * size, spread, out=np.zeros_like(spread), where=spread > 0)
    tracks = [
        *_tracks(paths.TRANSLATION, times, translations, skeleton.translations, near),
        *_tracks(paths.ROTATION, times, rotations, rest, np.full(len(rest), _STILL)),
        *_tracks(paths.SCALE, times, scales, skeleton.scales, _STILL * np.abs(skeleton.scales).max(axis=1)),
    ]
    for node, weights in _by_node(arrays["morph_weights"], morphed).items():
        if (weights != skeleton.morph_weights[node]).any():
            tracks.append(Track(node, paths.WEIGHTS, times, weights))
    return Motion(name, tuple(tracks), float(times[0]), float(times[-1]))


def _tracks(
    path: paths.Path,
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    rest: NDArray[np.float64],
    near: NDArray[np.float64],
) -> list[Track]:
    """Tracks of values (T, J, W) of nodes that are at `rest` (J, W) else, and still within `near` (J,)."""
    moving = (np.abs(values - values[0]).max(axis=(0, 2)) > near).tolist()
    elsewhere = (np.abs(values[0] - rest).max(axis=1) > near).tolist()
    return [
        Track(node, path, times if moving[node] else times[:1], values[: None if moving[node] else 1, node])
        for node in range(len(rest))
        if moving[node] or elsewhere[node]
    ]


def _by_node(weights: NDArray[np.float32], morphed: Mapping[int, int]) -> dict[int, NDArray[np.float64]]:
    """Morph weights (..., all) of each node (..., its own)."""
    parts = np.split(weights.astype(np.float64), np.cumsum(list(morphed.values()))[:-1], axis=-1)
    return dict(zip(morphed, parts, strict=False))


def _off(
    rig: Rig, motion: Motion, checked: NDArray[np.int32], arrays: Mapping[str, NDArray[Any]], size: float
) -> float:
    """How far vertices are at most from where Blender has them, as a share of the size."""
    chosen = np.zeros(len(rig.points), np.bool_)
    chosen[checked] = True
    if not chosen.any() or size <= 0:
        return 0.0
    some, found = rig.of_vertices(chosen), poses(rig.skeleton, motion, arrays["check_times"])
    places = np.stack([some.vertices(found, frame) for frame in range(len(found.worlds))])
    return float(np.linalg.norm(places - arrays["check"], axis=-1).max()) / size


def _unlike(name: str, motions: Sequence[tuple[str, float]], reasons: Sequence[str]) -> str:
    named = ", ".join(f"'{motion}'" for motion, _ in motions[:_LISTED])
    more = f" and {len(motions) - _LISTED} more of its motions" if len(motions) > _LISTED else ""
    why = f"by {', '.join(reasons)}" if reasons else "by what no skin can do"
    return brief(
        f"{name} moves in {named}{more} up to {max(share for _, share in motions):.1%} of its size otherwise in "
        f"Blender, {why}: apply or bake that before exporting where it shows"
    )


def _layered(name: str, take: str, layers: Sequence[str]) -> str:
    return brief(
        f"take '{take}' of {name} is the sum of the layers {some(layers)}, and each of them was read as a motion of "
        "its own: merge them into one before exporting"
    )
