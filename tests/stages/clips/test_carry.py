"""Reconstructions that move as their characters do, and positions that stay on the surface wherever it goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.layer_measures import first_hits
from specsia_build import png
from specsia_build.animation.rig import posed_as
from specsia_build.characters.sources import open_source
from specsia_build.dataset.layers import POS, frame_file
from specsia_build.dataset.reading import open_dataset
from specsia_build.frame import POSITION_AXES, position_codes
from specsia_build.pipeline.store import read_artefact, read_meta
from specsia_build.stages.clips import draw
from specsia_build.stages.clips.actor import actor_of, shot_again
from specsia_build.stages.stage import Clip, Job
from tests.clips import clips_config, run_clips, write_figure


def test_a_figure_whose_rest_is_not_its_bind_pose_moves_from_its_rest(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    for name, bent in (("plain", 0.0), ("bent", 0.6)):
        write_figure(tmp_path / "figures" / f"{name}.glb", 1, bent=bent)
    layout, _ = run_clips(tmp_path / "out", clips_config(tmp_path / "figures", views=1))
    opened = open_dataset(layout.dataset)
    rows = [
        row
        for split in opened.splits("default")
        for row in opened.stream("default", split, ("character_id", "action", "iou"))
    ]
    iou = {
        name: np.mean([row["iou"] for row in rows if row["character_id"] == name and row["action"] == "sway"])
        for name in ("plain", "bent")
    }
    assert iou["plain"] > 0.85 and iou["bent"] > 0.7
    drawn = [read_meta(path) for path in layout.artefact(draw.STAGE, None, "plain-sway-00").parent.iterdir()]
    loops = {meta["clip"]["action"]: meta["loops"] for meta in drawn if meta is not None}
    assert loops == {"sway": True, "turntable": True, "walk": False}


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
