"""Characters of 3DBiCar, whose files hold no rig: one by the joints of their front, if they are people."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray

from specsia_build.characters.bicar import bicar_entry
from specsia_build.characters.samples import METADATA
from specsia_build.characters.samples.write import write_sample
from specsia_build.pipeline.store import read_meta
from specsia_build.stages.clips.actor import actor_of, in_motion, with_motion
from specsia_build.stages.clips.motions import MOTIONS
from specsia_build.stages.stage import Job
from tests.clips import clips_config, run_clips

EYE = 0.03  # Radius of an eye in heights


def walk(folder: Path) -> NDArray[np.float64]:
    """Vertices (T, N, 3) of a character that walks, where its longest side is 1."""
    actor = actor_of(Job(bicar_entry(folder, "walker"), with_motion("walk")))
    _, moved = in_motion(actor, "walker", "walk")
    return np.stack([mesh.vertices for mesh in moved(5)]).astype(np.float64)


def write_mesh(path: Path, mesh: trimesh.Trimesh) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mesh.export(str(path), include_color=False, include_normals=False)


@pytest.mark.parametrize("index", [1, 3])
def test_person_walks_as_by_its_own_rig(tmp_path: Path, index: int) -> None:
    """So do eyes in a file of their own, which stay as they are on the head."""
    write_sample(tmp_path, index)
    folder = shutil.copytree(tmp_path / str(index), tmp_path / "found")
    (folder / METADATA).unlink()
    true = walk(tmp_path / str(index))
    body = trimesh.load_mesh(folder / "tpose/m.obj", process=False)
    eye = trimesh.creation.icosphere(1, EYE * body.extents[1])
    eye.apply_translation(body.vertices[body.vertices[:, 1].argmax()] * (1, 0.8, 1))
    write_mesh(folder / "tpose/e.obj", eye)
    points = walk(folder)
    away = np.linalg.norm(points[:, : true.shape[1]] - true, axis=2)
    assert away.mean() < 0.02 and np.quantile(away, 0.99) < 0.05
    lowest, ground = points[..., 2].min(axis=1), true[..., 2].min(axis=1)
    assert np.abs(lowest - ground).max() < 0.015
    assert np.ptp(np.ptp(points[:, true.shape[1] :], axis=1), axis=0).max() < 0.01 * EYE * 2


def test_figure_that_is_no_person_stays_still(tmp_path: Path) -> None:
    write_mesh(tmp_path / "source/1/tpose/m.obj", trimesh.creation.box((1, 1, 1)))
    config = clips_config(tmp_path / "source", layouts=["frames"], motions=["walk"], views=1)
    paths, _ = run_clips(tmp_path / "out", config)
    meta = read_meta(paths.artefact(MOTIONS, None, "1"))
    assert meta is not None
    assert [clip["id"] for clip in meta["clips"]] == ["1-turntable-00"]
    assert {warning["code"] for warning in meta["warnings"]} >= {"joints-unsure", "no-motion"}
