"""Recipes write their parts independently of one another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from specsia_build.layouts.folder import keys
from specsia_build.pipeline.parts import NotWritten, PartTask, write_part

from specsia_build.errors import CharacterError
from specsia_build.layouts.layout import Part, Recipe, Written
from specsia_build.pipeline import parts
from specsia_build.pipeline.run import RunLayout
from tests.clips import clips_config, run_clips, write_figures


class Picky(Recipe):
    """Takes some parts only."""

    name = "picky"
    title = "a file for each clip"
    loading = "read it"
    layers = ()

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        if part.key == "odd":
            raise ZeroDivisionError("division by zero")
        if part.key == "short":
            raise CharacterError("short has too few frames")
        (out / f"{part.key}.txt").write_text(part.key)
        return {"frames": 1}


def test_clips_without_pairs(tmp_path: Path) -> None:
    source = write_figures(tmp_path / "figures", 1)
    config = clips_config(source, recipes=["frames"], reconstructed=True, views=1, frames=2, turntable=False)
    layout, summary = run_clips(tmp_path / "run", config)
    assert (summary.stopped, summary.recipes) == (None, {"frames": 4})
    assert keys(layout.root / "frames-relief") == keys(layout.root / "frames") == ["a-sway-00", "a-walk-00"]


def test_failed_part_costs_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "load_recipe", lambda _: Picky())
    layout = RunLayout(tmp_path)
    (tmp_path / "picky").mkdir()
    (tmp_path / "picky/taken.txt").write_text("mine")
    tasks = [
        PartTask(layout, "picky", None, {}, Written(key, key, "train", (key,), None, None, {}, {}, "mark"))
        for key in ("a", "odd", "short", "taken", "z")
    ]
    first, odd, short, taken, last = map(write_part, tasks)
    assert first is None and last is None
    assert short == NotWritten("short has too few frames", suits=False)
    assert odd == NotWritten(
        "the recipe picky cannot write odd: ZeroDivisionError: division by zero", suits=True
    )
    assert taken is not None and "taken.txt was not written" in taken.reason
    assert keys(tmp_path / "picky") == ["a", "z"]
    assert (tmp_path / "picky/taken.txt").read_text() == "mine"
    assert [task.is_written() for task in tasks] == [True, False, False, False, True]
