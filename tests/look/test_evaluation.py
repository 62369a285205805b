"""What is not an evaluation's folder as it should be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from specsia_build.errors import SpecsiaError
from specsia_build.look.evaluation import gallery_of_evaluation, holds_evaluation
from specsia_build.look.items import TARGET

VIEW = {"config": "fat", "method": "raw", "repeat": 0, "character": "a", "view": 0, "row": 0, "values": {"l1": 0.25}}
VIEW |= {"frontal": True, "clip": None, "frame": None, "time": None, "action": None}

TOLD: dict[str, Any] = {
    "dataset": "some/where",
    "split": "test",
    "methods": [{"label": "raw", "repeat": 0, "folder": "color", "seen": []}],
    "measures": [{"key": "l1", "name": "L1", "better": "low", "digits": 4, "note": ""}],
    "views": [VIEW],
    "notes": ["There are no weights of LPIPS."],
}


SEEN = {"mine": ["a"], "unknown": None, "theirs": []}


def written(folder: Path, **changes: Any) -> str:
    """An evaluation's folder without its pictures."""
    (folder / "scores.json").write_text(json.dumps(TOLD | changes))
    (folder / "tables.md").write_text("# Evaluation\n")
    assert holds_evaluation(folder)
    return str(folder)


def test_scores_alone_can_be_looked_at(tmp_path: Path) -> None:
    found = gallery_of_evaluation(written(tmp_path))
    (item,) = found.items
    assert list(item.sides) == [TARGET, "raw"] and item.sides["raw"].values == {"l1": (0.25,)}
    assert found.missing == ("There are no weights of LPIPS.",)
    with pytest.raises(SpecsiaError, match=r"results/fat/a/gt/00.png"):
        found.reader.read("a", TARGET, ["gt"], [0])


def test_views_that_were_not_scored_leave_a_gap(tmp_path: Path) -> None:
    views = [VIEW | {"view": 3, "values": {"l1": float("nan")}}, VIEW, VIEW | {"view": 1, "repeat": 1}]
    (item,) = gallery_of_evaluation(written(tmp_path, views=views)).items
    assert (item.frames, item.yaws, item.sides["raw"].values["l1"]) == (2, (0, 270), (0.25, None))


def test_what_a_method_has_seen_is_said(tmp_path: Path) -> None:
    methods = [TOLD["methods"][0] | {"label": label, "folder": label, "seen": ids} for label, ids in SEEN.items()]
    (item,) = gallery_of_evaluation(written(tmp_path, methods=methods)).items
    assert item.warnings == ("mine has seen it: its scores say nothing of others",)


@pytest.mark.parametrize(
    "changes",
    [{"measures": None}, {"views": 3}, {"views": [{}]}, {"methods": ["raw"]}, {"measures": [{}]}, {"notes": None}],
)
def test_damage_is_one_sentence(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(SpecsiaError):
        gallery_of_evaluation(written(tmp_path, **changes))


@pytest.mark.parametrize("name", ["..", "a/../../b", "\x1b[2J"])
def test_names_do_not_lead_elsewhere(tmp_path: Path, name: str) -> None:
    found = gallery_of_evaluation(written(tmp_path, views=[VIEW | {"character": name}]))
    with pytest.raises(SpecsiaError):
        found.reader.read(name, TARGET, ["gt"], [0])
