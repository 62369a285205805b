"""Animation stacks of ufbx as glTF animations, with keys 30 times a second and where the file has keys."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import ufbx

from specsia_build.arrays import Doubles
from specsia_build.characters.fbx.glb import GlbWriter
from specsia_build.characters.fbx.meshes import Shape
from specsia_build.characters.fbx.scene import Nodes, each

RATE = 30.0  # Keys a second
MOST_SECONDS = 400.0  # Longest take; a longer one is left out
_MOST_SAMPLES = 4096  # Most samples between two keys

_PATHS = ("translation", "rotation", "scale")
_CHANGE = 1e-6  # Smallest change of a node that is written


class Takes:
    """Adds animations to a GLB; `morphed` has the shape of each glTF node with morph targets."""

    def __init__(self, glb: GlbWriter, scene: Any, nodes: Nodes, morphed: Mapping[int, Shape]) -> None:
        self._glb, self._scene, self._nodes, self._morphed = glb, scene, nodes, morphed
        # Blender, whose frames a pose counts in, calls the first frame 1.
        rate = float(scene.settings.frames_per_second)
        self.fps = rate if np.isfinite(rate) and rate > 0 else RATE
        self.warnings: list[str] = []

    def add_all(self) -> None:
        """Add all stacks; those that cannot be baked are named by a warning."""
        for stack in each(self._scene.anim_stacks):
            try:
                options = {"resample_rate": RATE, "max_keyframe_segments": _MOST_SAMPLES}
                baked = ufbx.bake_anim(self._scene, stack.anim, **options)
            except ufbx.UfbxError as error:
                self.warnings.append(f"has an action '{stack.name}' that cannot be played ({error})")
                continue
            begin, end = baked.key_time_min, baked.key_time_max
            if not np.isfinite((begin, end)).all() or end - begin > MOST_SECONDS:
                self.warnings.append(
                    f"has an action '{stack.name}' of more than {MOST_SECONDS:g} seconds, which was left out"
                )
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
            output = self._glb.accessor(values.astype("<f4"))
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


def _morphs(shape: Shape, moving: Sequence[tuple[Doubles, Doubles] | None]) -> tuple[Doubles, Doubles]:
    """Times (K,) and weights (K, M) of all morph targets of a shape."""
    seconds = np.unique(np.concatenate([keys[0] for keys in moving if keys is not None]))
    columns: list[Doubles] = []
    for keys, frames in zip(moving, shape.keys, strict=True):
        if keys is None:
            columns += [np.full(len(seconds), frame.effective_weight) for frame in frames]
            continue
        weight = np.interp(seconds, *keys) / 100.0
        stops = np.array([frame.target_weight for frame in frames])
        if len(frames) == 1:
            columns.append(weight / stops[0] if stops[0] else weight)
            continue
        order = np.argsort(stops)
        for number in range(len(frames)):
            height = np.append(0.0, order == number)
            columns.append(np.interp(weight, np.append(0.0, stops[order]), height))
    return seconds, np.stack(columns, axis=1)
