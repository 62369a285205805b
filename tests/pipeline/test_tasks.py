"""One stage of one character: what it leaves behind when it fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from specsia_build.characters.sources import open_source
from specsia_build.config import BuildConfig
from specsia_build.pipeline.plan import Task
from specsia_build.pipeline.run import Run, RunLayout, Step
from specsia_build.pipeline.store import read_meta
from specsia_build.pipeline.worker import Outcome, carry_out
from specsia_build.stages import render
from tests.shapes import write_figure


def perform(task: Task) -> Outcome:
    return carry_out(task, {})[0]


@pytest.fixture
def task(tmp_path: Path) -> Task:
    path = write_figure(tmp_path / "figure.obj")
    config = BuildConfig(source=str(path), views=2, size=64)
    (entry,) = open_source(config.source, tmp_path).entries
    return Task(Run(config, RunLayout(tmp_path / "out")), Step(render.STAGE), entry)


@pytest.mark.parametrize("name", ["figure.obj", "figure.mtl"])
def test_nothing_is_made_of_a_file_that_is_another_by_the_end(task: Task, name: str) -> None:
    """One that is saved, or turns up, after it was read and before its digest was taken."""

    def saved(*given: Any) -> Any:
        made = render.STAGE.make(*given)
        write_figure(task.entry.path.with_name(name), 1.5)
        return made

    task.entry.path.write_text(f"mtllib figure.mtl\n{task.entry.path.read_text()}")
    slow = replace(task, step=Step(replace(render.STAGE, make=saved)))
    assert perform(slow).reason == f"{name} changed while it was read: build again once it is complete"
    assert read_meta(task.path) is None
    assert perform(task).reason is None


def test_what_there_is_to_look_at_comes_back_with_the_outcome(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(_: object) -> None:
        raise RuntimeError("the sky falls")

    monkeypatch.setattr(render, "read_character", fall)
    found = perform(task)
    assert found.details == "logs/render/figure.txt"
    assert b"the sky falls" in found.evidence[found.details]
    assert not task.run.layout.root.exists()
