"""Animation stacks of ufbx as glTF animations, with keys 30 times a second and at the file's own frames."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import ufbx

from specsia_build.arrays import Doubles
from specsia_build.characters.fbx.meshes import SharedMesh
from specsia_build.characters.fbx.scene import Nodes, each
from specsia_build.files.glb import GlbWriter
from specsia_build.warning import Code

RATE = 30  # Keys a second, besides those at the file's own frames
_MOST_RATE = 240  # Most keys a second
MOST_SECONDS = 400.0  # Longest take; a longer one is left out
_MOST_SAMPLES = 4096  # Most samples between two keys

_PATHS = ("translation", "rotation", "scale")
_CHANGE = 1e-6  # Smallest change of a node that is written


class Takes:
    """Adds animations to a GLB; `morphed` has the shape of each glTF node with morph targets."""

    def __init__(self, glb: GlbWriter, scene: Any, nodes: Nodes, morphed: Mapping[int, SharedMesh]) -> None:
        self._glb, self._scene = glb, scene
        self._nodes, self._morphed = nodes, morphed
        # Blender, whose frames a pose counts in, calls the first frame 1.
        rate = float(scene.settings.frames_per_second)
        self.fps = rate if np.isfinite(rate) and rate > 0 else float(RATE)
        self.warnings: list[tuple[Code, str]] = []  # Codes and ends of sentences that begin with the file

    def add_all(self) -> None:
        """Add all stacks; those that cannot be baked are named by a warning."""
        for stack in each(self._scene.anim_stacks):
            try:
                options = {"resample_rate": _rate(self.fps), "max_keyframe_segments": _MOST_SAMPLES}
                baked = ufbx.bake_anim(self._scene, stack.anim, **options)
            except ufbx.UfbxError as error:
                problem = f"has an action '{stack.name}' that cannot be played ({error})"
                self.warnings.append(("motion-unplayable", problem))
                continue
            begin, end = baked.key_time_min, baked.key_time_max
            if not np.isfinite((begin, end)).all() or end - begin > MOST_SECONDS:
                problem = f"has an action '{stack.name}' of over {MOST_SECONDS:g} seconds, which was left out"
                self.warnings.append(("motion-unplayable", problem))
                continue
            self._add(stack.name, baked)

    def _add(self, name: str, baked: Any) -> None:
        ends = np.array([baked.key_time_min, baked.key_time_max])
        samplers: list[dict[str, Any]] = []
        channels: list[dict[str, Any]] = []
        times: dict[bytes, int] = {}

        def track(node: int, path: str, seconds: Doubles, values: Doubles) -> None:
            stored = (seconds + 1.0 / self.fps).astype("<f4")
            key = stored.tobytes()
            if key not in times:
                times[key] = self._glb.accessor(stored)
            flat = values.ravel() if path == "weights" else values
            output = self._glb.accessor(flat.astype("<f4"))
            samplers.append({"input": times[key], "output": output, "interpolation": "LINEAR"})
            channels.append({"sampler": len(samplers) - 1, "target": {"node": node, "path": path}})

        listed = [baked.nodes[k] for k in range(len(baked.nodes))]
        moved = {node.typed_id: node for node in listed}
        for index in sorted(self._nodes.bound | moved.keys()):
            local = self._nodes.nodes[index].local_transform
            for path in _PATHS:
                own = np.array(getattr(local, path))
                keys = getattr(moved[index], f"{path}_keys") if index in moved else ()
                seconds, values = _keys(keys, ends, own)
                still = np.abs(values - own).max() <= _CHANGE * max(1.0, np.abs(own).max())
                if index in self._nodes.bound or not still:
                    track(index, path, seconds, values)
        percent = _percents(baked)
        for index, shape in self._morphed.items():
            moving = [percent.get(channel.element_id) for channel in shape.channels]
            if any(keys is not None for keys in moving):
                track(index, "weights", *_morphs(shape, moving))
        if channels:
            self._glb.add("animations", name=name, samplers=samplers, channels=channels)


def _rate(fps: float) -> float:
    """Keys a second, so that there are keys `RATE` times a second and at each frame if these are not many."""
    if fps == round(fps) and (common := math.lcm(RATE, round(fps))) <= _MOST_RATE:
        return float(common)
    return max(float(RATE), min(fps, float(_MOST_RATE)))


def _keys(keys: Any, ends: Doubles, own: Doubles) -> tuple[Doubles, Doubles]:
    """Times (K,) and values (K, W) of baked keys; the value `own` at both ends where there are none."""
    if not len(keys):
        return ends, np.stack([own, own])
    listed = [keys[k] for k in range(len(keys))]
    values = np.array([key.value for key in listed], np.float64)
    if len(listed) == 1 or np.ptp(values, axis=0).max() == 0.0:
        return ends, values[[0, 0]]
    return np.array([key.time for key in listed]), values


def _percents(baked: Any) -> dict[int, tuple[Doubles, Doubles]]:
    """Times and percents of each animated blend channel, by the number of its element."""
    percents = {}
    for element in (baked.elements[k] for k in range(len(baked.elements))):
        for prop in (element.props[k] for k in range(len(element.props))):
            if prop.name == "DeformPercent" and len(prop.keys):
                listed = [prop.keys[k] for k in range(len(prop.keys))]
                values = np.array([key.value[0] for key in listed], np.float64)
                percents[element.element_id] = np.array([key.time for key in listed]), values
    return percents


def _morphs(shape: SharedMesh, moving: Sequence[tuple[Doubles, Doubles] | None]) -> tuple[Doubles, Doubles]:
    """Times (K,) and weights (K, M) of all morph targets of a shape."""
    channels = zip(moving, shape.keys, strict=True)
    times = [_turning_points(keys, frames) for keys, frames in channels if keys is not None]
    seconds = np.unique(np.concatenate(times))
    columns: list[Doubles] = []
    for keys, frames in zip(moving, shape.keys, strict=True):
        if keys is None:
            columns += [np.full(len(seconds), frame.effective_weight) for frame in frames]
            continue
        if not any(frame.target_weight for frame in frames):
            columns += [np.zeros(len(seconds)) for _ in frames]
            continue
        weight = np.interp(seconds, *keys) / 100.0
        columns += _in_betweens(weight, np.array([frame.target_weight for frame in frames]))
    return seconds, np.stack(columns, axis=1)


def _turning_points(keys: tuple[Doubles, Doubles], frames: Sequence[Any]) -> Doubles:
    """Times of a channel's keys, and those at which it passes one of its targets."""
    seconds, percents = keys
    times = [seconds]
    for stop in (0.0, *(frame.target_weight for frame in frames)):
        beyond = percents / 100.0 - stop
        before = np.flatnonzero(beyond[:-1] * beyond[1:] < 0.0)
        share = beyond[before] / (beyond[before] - beyond[before + 1])
        times.append(seconds[before] + share * (seconds[before + 1] - seconds[before]))
    return np.concatenate(times)


def _in_betweens(weight: Doubles, stops: Doubles) -> list[Doubles]:
    """Weight (K,) of each target of a channel with a weight (K,), and targets that are whole at `stops`."""
    knots = np.unique(np.append(stops, 0.0))
    before = np.clip(np.searchsorted(knots, weight) - 1, 0, len(knots) - 2)
    # Beyond its first and last target a channel goes on alike.
    share = (weight - knots[before]) / (knots[before + 1] - knots[before])
    return [
        np.where(knots[before] == stop, 1.0 - share, np.where(knots[before + 1] == stop, share, 0.0))
        for stop in stops
    ]
