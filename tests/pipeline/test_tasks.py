"""One stage of one character: evidence of failures, and the source files that it depends on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from specsia_build.characters.character import Entry
from specsia_build.characters.sources import open_source
from specsia_build.config import BuildConfig
from specsia_build.pipeline.plan import DONE, MISSING, STALE, Task, judge, judge_character
from specsia_build.pipeline.run import Run, RunPaths, Step, open_run
from specsia_build.pipeline.store import read_meta
from specsia_build.pipeline.worker import Outcome, carry_out
from specsia_build.stages import reconstruct, render
from specsia_build.stages.stage import CharacterStage
from tests.shapes import write_figure


def perform(task: Task) -> Outcome:
    return carry_out(task, judge(task).inputs, {})[0]


@pytest.fixture
def task(tmp_path: Path) -> Task:
    path = write_figure(tmp_path / "figure.obj")
    config = BuildConfig(source=str(path), views=2, size=64)
    (entry,) = open_source(config.source, tmp_path).entries
    return Task(Run(config, RunPaths(tmp_path / "out")), Step(render.RENDER), entry)


@pytest.mark.parametrize("name", ["figure.obj", "figure.mtl"])
def test_file_changed_during_the_work(task: Task, name: str) -> None:
    """One that is saved, or turns up, after it was read and before its digest was taken."""

    def saved(*given: Any) -> Any:
        made = render.RENDER.make(*given)
        write_figure(task.entry.path.with_name(name), 1.5)
        return made

    task.entry.path.write_text(f"mtllib figure.mtl\n{task.entry.path.read_text()}")
    slow = replace(task, step=Step(replace(render.RENDER, make=saved)))
    assert perform(slow).reason == f"{name} changed while it was read: build again once it is complete"
    assert read_meta(task.path) is None
    assert perform(task).reason is None


def test_outcome_has_the_traceback(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(_: object) -> None:
        raise RuntimeError("the sky falls")

    monkeypatch.setattr(render, "read_character", fall)
    found = perform(task)
    assert found.details == "logs/render/figure.txt"
    assert b"the sky falls" in found.evidence[found.details]
    assert not task.run.paths.root.exists()


def test_changed_texture_makes_stale(tmp_path: Path) -> None:
    entry = Entry("a", "obj", write_figure(tmp_path / "source" / "a.obj"))
    meshes = tmp_path / "meshes"
    lines = write_figure(meshes / "a.obj").read_text().splitlines()
    faces = [line.replace(" ", "/1 ").replace("f/1", "f") + "/1" for line in lines if line.startswith("f")]
    points = [" ".join(line.split()[:4]) for line in lines if line.startswith("v")]
    (meshes / "a.obj").write_text("\n".join(["mtllib a.mtl", "vt 0.5 0.5", "usemtl skin", *points, *faces]))
    (meshes / "a.mtl").write_text("newmtl skin\nmap_Kd skin.png\n")
    backend = f"mesh-dir:{meshes}"
    config, paths = BuildConfig(size=64, views=2, backends=(backend,)), RunPaths(tmp_path / "run")

    def do(stage: CharacterStage) -> str:
        """Do what is to be done of a stage; gives the state before."""
        step = Step(stage, backend if stage.per_backend else None)
        with open_run(config, paths) as run:
            found, judgement, _ = next(j for j in judge_character(run, entry) if j[0].step == step)
            if judgement.state != DONE:
                assert perform(found).reason is None
        return judgement.state

    def paint(level: int) -> None:
        Image.fromarray(np.full((2, 2, 3), level, np.uint8)).save(meshes / "skin.png")

    for step in (render.RENDER, reconstruct.RECONSTRUCT):
        assert do(step) == MISSING
    assert do(reconstruct.RECONSTRUCT) == DONE
    for level in (10, 200):
        # It was looked for in vain at first, and is another one then.
        paint(level)
        assert do(reconstruct.RECONSTRUCT) == STALE
        assert do(reconstruct.RECONSTRUCT) == DONE
