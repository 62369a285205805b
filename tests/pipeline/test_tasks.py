"""One stage of one character: what it leaves behind when it fails."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from specsia_build.characters.sources import open_source
from specsia_build.config import BuildConfig
from specsia_build.errors import WriteError
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.plan import Task
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
    return Task(render.STAGE, entry, None, config, RunLayout(tmp_path / "out"))


@pytest.mark.parametrize("name", ["figure.obj", "figure.mtl"])
def test_nothing_is_made_of_a_file_that_is_another_by_the_end(task: Task, name: str) -> None:
    """One that is saved, or turns up, after it was read and before its digest was taken."""

    def saved(*given: Any) -> Any:
        made = render.STAGE.make(*given)
        write_figure(task.entry.path.with_name(name), 1.5)
        return made

    task.entry.path.write_text(f"mtllib figure.mtl\n{task.entry.path.read_text()}")
    slow = replace(task, stage=replace(render.STAGE, make=saved))
    assert perform(slow).reason == f"{name} changed while it was read: build again once it is complete"
    assert read_meta(task.path) is None
    assert perform(task).reason is None


def test_a_full_disk_is_not_the_characters_fault(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_bytes

    def fill(path: Path, data: bytes) -> int:
        write(path, data[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(WriteError, match=r"the disk is full.*/\w\w/figure\.tar"):
        perform(task)
    assert not list(task.layout.root.rglob("*.t*"))
    monkeypatch.undo()
    assert perform(task).reason is None
    assert read_meta(task.path) is not None


def test_what_there_is_to_look_at_comes_back_with_the_outcome(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(_: object) -> None:
        raise RuntimeError("the sky falls")

    monkeypatch.setattr(render, "read_character", fall)
    found = perform(task)
    assert found.details == "logs/render/figure.txt"
    assert b"the sky falls" in found.shown[found.details]
    assert not task.layout.root.exists()
