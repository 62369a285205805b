"""A tiny actor, for the code that clips need to be compiled by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from specsia_build.animation.motion import TRANSLATION, Motion, Track, poses
from specsia_build.config import OWN, BuildConfig
from specsia_build.stages.clips.actor import Actor, Shot, clip_settings, shot_of
from specsia_build.stages.stage import Clip
from specsia_build.stages.tiny import CAMERAS, box_rig, textured_box


def box_actor() -> Actor:
    """A box that goes aside."""
    track = Track(0, TRANSLATION, np.array([0.0, 1.0]), np.array([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0]]))
    rig = box_rig()
    motions = {(OWN, 0): Motion("go", (track,), 0.0, 1.0)}
    return Actor(textured_box(), rig, poses(rig.skeleton, None, np.zeros(1)), motions, {OWN: ("go",)}, {}, (), ())


def box_shot(actor: Actor, config: BuildConfig) -> Shot:
    """It as a run would see it, in two frames of few pixels."""
    settings = replace(clip_settings(config), fps=2.0, frames=2)
    clip = Clip("box-go-00", "go", OWN, 0, 2, 0, CAMERAS[0].yaw_deg)
    return shot_of(clip, actor, replace(config, size=CAMERAS[0].size, clips=settings), 3.0)
