"""Positions of a clip's frames, as they are packed: a point of the surface has one colour wherever it goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.layer_measures import first_hits
from specsia_build import png
from specsia_build.animation.rig import posed_as
from specsia_build.characters.sources import open_source
from specsia_build.dataset.layers import POS, frame_file
from specsia_build.frame import POSITION_AXES, position_codes
from specsia_build.pipeline.store import read_artefact
from specsia_build.stages.clips import draw
from specsia_build.stages.clips.actor import actor_of, shot_again
from specsia_build.stages.stage import Clip, Job
from tests.clips import clips_config, run_clips

POINTS = 1000


def test_points_of_a_surface_keep_their_colour_to_one_step(tmp_path: Path) -> None:
    stated = clips_config(Path("sample:1"), recipes=["frames"], motions=["jump"], turntable=False, views=1, frames=4)
    config = replace(stated, size=512)
    layout, _ = run_clips(tmp_path / "out", config)
    (entry,) = open_source("sample:1", tmp_path / "samples").entries
    clip_id = f"{entry.id}-jump-00"
    drawn = read_artefact(layout.artefact(draw.STAGE, None, clip_id), clip_id)
    actor = actor_of(Job(entry=entry, config=config))
    shot = shot_again(Clip(**drawn.meta["clip"]), actor, config, drawn.meta["width"], drawn.meta["shift"])
    rest, faces = actor.mesh.vertices.astype(np.float64), actor.mesh.faces
    gain, offset = position_codes(*drawn.meta["box"])
    codes = rest[:, list(POSITION_AXES)] * gain + offset

    sides = rest[faces[:, 1:]] - rest[faces[:, :1]]
    areas = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    random = np.random.default_rng(0)
    face, weights = random.choice(len(faces), POINTS, p=areas / areas.sum()), random.dirichlet(np.ones(3), POINTS)
    true = (weights[..., None] * codes[faces[face]]).sum(axis=1)
    times_seen = np.zeros(POINTS, np.int64)
    for k, camera in enumerate(shot.cameras):
        shown = png.decode(drawn.files[frame_file(POS, k)], 4)
        places = camera.project(posed_as(actor.mesh, actor.rig, shot.poses, k).vertices + shot.shifts[k])
        column, row = np.floor((weights[..., None] * places[faces[face]]).sum(axis=1)[:, :2]).astype(np.int64).T
        hit, at, _ = first_hits(np.stack([column, row], axis=1) + 0.5, places, faces)
        # Where another face is at the pixel's centre, or the background shares it, the pixel shows another point.
        seen = (hit == face) & (shown[row, column, 3] == 255)
        aside = (true - (at[..., None] * codes[faces[hit]]).sum(axis=1))[seen]
        assert np.abs(shown[row, column, :3][seen] + aside - true[seen]).max() <= 1.0
        times_seen += seen
    assert (times_seen > 1).sum() > POINTS / 8
