"""Parts of a recipe are written side by side, and one that cannot be is no other's trouble."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from specsia_build.config import BuildConfig
from specsia_build.errors import CharacterError
from specsia_build.pipeline import recipes
from specsia_build.pipeline.executors import Needs
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.progress import Progress
from specsia_build.pipeline.recipes import PartTask, write_parts
from specsia_build.pool import Results, never
from specsia_build.recipes.folder import keys
from specsia_build.recipes.recipe import Part, Recipe, Written
from tests.clips import clips_config, run_clips, write_figures


class Picky(Recipe):
    """Takes some parts only."""

    name = "picky"
    title = "a file for each clip"
    layers = ()

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        if part.key == "odd":
            raise ZeroDivisionError("division by zero")
        if part.key == "short":
            raise CharacterError("short has too few frames")
        (out / f"{part.key}.txt").write_text(part.key)
        return {"frames": 1}

    def load(self) -> str:
        return "read it"


T = TypeVar("T")
R = TypeVar("R")


def one_by_one(
    function: Callable[[T], R], items: Sequence[T], needs: Needs, enough: Callable[[], bool] = never
) -> Results[R]:
    yield from enumerate(map(function, items))


def test_reconstructions_are_moved_where_no_dataset_of_pairs_is_asked_for(tmp_path: Path) -> None:
    source = write_figures(tmp_path / "figures", 1)
    config = clips_config(source, recipes=["frames"], reconstructed=True, views=1, frames=2, turntable=False)
    layout, summary = run_clips(tmp_path / "run", config)
    assert (summary.stopped, summary.recipes) == (None, {"frames": 4})
    assert keys(layout.root / "frames-relief") == keys(layout.root / "frames") == ["a-sway-00", "a-walk-00"]


def test_a_part_that_cannot_be_written_is_told_and_the_others_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipes, "load_recipe", lambda _: Picky())
    layout = RunLayout(tmp_path)
    (tmp_path / "picky").mkdir()
    (tmp_path / "picky/taken.txt").write_text("mine")
    tasks = [
        PartTask(layout, "picky", None, {}, Written(key, key, "train", (key,), None, None, {}, {}, "mark"))
        for key in ("a", "odd", "short", "taken", "z")
    ]
    found = write_parts(tasks, BuildConfig("a"), one_by_one, Progress())
    assert found.made == 2
    assert found.left_out == {"short": ["short has too few frames"]}
    assert found.faults[0] == "the recipe picky cannot write odd: ZeroDivisionError: division by zero"
    assert "taken.txt is no file of this part" in found.faults[1]
    assert keys(tmp_path / "picky") == ["a", "z"]
    assert (tmp_path / "picky/taken.txt").read_text() == "mine"
    again = write_parts(tasks, BuildConfig("a"), one_by_one, Progress())
    assert (again.made, len(again.faults)) == (0, 2)
