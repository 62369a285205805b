"""What was read of the user's files decides whether what came of it is up to date."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig
from specsia_build.pipeline.plan import DONE, MISSING, STALE, judge, judge_character
from specsia_build.pipeline.run import RunLayout, Step, open_run
from specsia_build.pipeline.worker import carry_out
from specsia_build.stages import reconstruct, render
from specsia_build.stages.stage import CharacterStage
from tests.shapes import write_figure


def test_a_texture_that_changes_makes_a_reconstruction_stale(tmp_path: Path) -> None:
    entry = Entry("a", "obj", write_figure(tmp_path / "source" / "a.obj"))
    meshes = tmp_path / "meshes"
    lines = write_figure(meshes / "a.obj").read_text().splitlines()
    faces = [line.replace(" ", "/1 ").replace("f/1", "f") + "/1" for line in lines if line.startswith("f")]
    points = [" ".join(line.split()[:4]) for line in lines if line.startswith("v")]
    (meshes / "a.obj").write_text("\n".join(["mtllib a.mtl", "vt 0.5 0.5", "usemtl skin", *points, *faces]))
    (meshes / "a.mtl").write_text("newmtl skin\nmap_Kd skin.png\n")
    backend = f"mesh-dir:{meshes}"
    config, layout = BuildConfig(size=64, views=2, backends=(backend,)), RunLayout(tmp_path / "run")

    def do(stage: CharacterStage) -> str:
        """Do what is to be done of a stage; gives the state before."""
        step = Step(stage, backend if stage.per_backend else None)
        with open_run(config, layout) as run:
            (found,) = judge_character(run, entry, [step])
            if found.state != DONE:
                task, _ = judge(found.task)
                assert carry_out(task, {})[0].reason is None
        return found.state

    def paint(level: int) -> None:
        Image.fromarray(np.full((2, 2, 3), level, np.uint8)).save(meshes / "skin.png")

    for step in (render.STAGE, reconstruct.STAGE):
        assert do(step) == MISSING
    assert do(reconstruct.STAGE) == DONE
    for level in (10, 200):
        # It was looked for in vain at first, and is another one then.
        paint(level)
        assert do(reconstruct.STAGE) == STALE
        assert do(reconstruct.STAGE) == DONE
