"""Real characters in motion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from specsia_build.animation.motion import poses
from specsia_build.animation.rig import posed_as
from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_animated
from specsia_build.config import BuildConfig
from specsia_build.frame import Camera
from specsia_build.rendering.fast.renderer import FastRenderer, Still
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.seen import Seen
from specsia_build.stages.clips.actor import in_frame


def walking(folder: Path, name: str, count: int, size: int) -> Iterator[tuple[Mesh, Seen]]:
    """The mesh at rest and what is seen of frames, 24 a second, of a character's first motion."""
    animated = read_animated(Entry("one", "gltf", folder / name))
    mesh, rig = in_frame(animated, BuildConfig())
    motion = next(motion for motion in animated.motions if "walk" in motion.name.lower())
    found = poses(rig.skeleton, motion, motion.start + np.arange(count) / 24)
    moved = (posed_as(mesh, rig, found, k) for k in range(count))
    camera = Camera(30.0, size, 1.6)
    still = Still.of(mesh, rig.bound, camera.pixels_per_unit)
    for layers in FastRenderer().animate(still, moved, [camera], seen=True):
        assert layers.seen is not None
        yield mesh, layers.seen
