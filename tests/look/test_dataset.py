"""Packed datasets, sources and evaluations as galleries and pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fsspec
import pytest

from specsia_build import png
from specsia_build.dataset.convert import to_published
from specsia_build.dataset.reading import open_dataset
from specsia_build.errors import SpecsiaError
from specsia_build.look.evaluation import gallery_of_evaluation, holds_evaluation
from specsia_build.look.items import TARGET
from specsia_build.look.open import open_gallery
from tests.characters.bodies import write_glb
from tests.commands import specsia
from tests.dataset.small import VIEWS, build_small
from tests.look.shown import document_of, frames_of, item_of, report_of


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("page") / "dataset", ("0", "1", "2"), backends=("fat", "thin"))


def test_sides_are_configurations(dataset: Path, tmp_path: Path) -> None:
    gallery, opened = open_gallery(str(dataset)), open_dataset(dataset)
    item = gallery.items[1]
    assert list(item.sides) == [TARGET, *opened.configs]
    document = report_of(dataset, tmp_path / "page.html")
    for config in opened.configs:
        columns = ["character_id", "view", "color", "gt_mask", "iou"]
        found = opened.stream(config, item.split, columns)
        rows = {row["view"]: row for row in found if row["character_id"] == item.id}
        assert item.sides[config].values["iou"] == tuple(rows[view]["iou"] for view in range(VIEWS))
        read = gallery.reader.read(item.id, config, ["color"], [3, 1])
        assert read == {"color": [rows[3]["color"], rows[1]["color"]]}
        strip = item_of(document, item.id)["sides"]["Y*"]["strips"]["gt_mask"]
        masks = frames_of(strip, document, tmp_path / "page.html")
        assert all((masks[view] == png.decode(rows[view]["gt_mask"], 1)).all() for view in range(VIEWS))
    assert open_dataset(dataset).digest() in "".join(section["html"] for section in document["sections"])


def test_the_page_lies_beside_the_dataset(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    specsia("report", dataset)
    assert (dataset.parent / "dataset-report.html").is_file()
    assert not list(tmp_path.iterdir())


def test_published_schema_behind_a_url(dataset: Path, tmp_path: Path) -> None:
    to_published(open_dataset(dataset), tmp_path / "published")
    store = fsspec.filesystem("memory")
    try:
        store.put(f"{tmp_path / 'published'}/", "/bucket/set/", recursive=True)
        gallery = open_gallery("memory://bucket/set")
        item = gallery.items[0]
        assert (item.license, item.sides[TARGET].layers, item.yaws) == (None, ("gt",), (0, 90, 180, 270))
        (picture,) = gallery.reader.read(item.id, TARGET, ["gt"], [2])["gt"]
        assert picture.startswith(b"\x89PNG")
        specsia("report", "memory://bucket/set", code=2)
    finally:
        store.store.clear()


def test_source(tmp_path: Path) -> None:
    source, page = tmp_path / "in", tmp_path / "look.html"
    source.mkdir()
    write_glb(source / "sound.glb", {}, {})
    (source / "broken.obj").write_text("v 0 0 0\n")
    specsia("characters", source, "--pictures", page)
    document = document_of(page)
    assert (document["kind"], [one["id"] for one in document["items"]]) == ("source", ["sound"])
    assert [one["id"] for one in document["failures"]] == ["broken"]
    (shown,) = frames_of(item_of(document, "sound")["sides"]["Y*"]["strips"]["gt"], document, page)
    red, green, blue = shown[shown[..., 3] > 128][:, :3].mean(axis=0)
    assert red > 1.3 * green > 1.3 * blue


VIEW = {"config": "fat", "method": "raw", "repeat": 0, "character": "a", "view": 0, "row": 0, "values": {"l1": 0.25}}
VIEW |= {"frontal": True, "clip": None, "frame": None, "time": None, "action": None}

TOLD: dict[str, Any] = {
    "dataset": "some/where",
    "split": "test",
    "methods": [{"label": "raw", "repeat": 0, "folder": "color"}],
    "measures": [{"key": "l1", "name": "L1", "better": "low", "digits": 4, "note": ""}],
    "views": [VIEW],
    "notes": ["It has no seen.json."],
}


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
    assert found.missing == ("It has no seen.json.",)
    with pytest.raises(SpecsiaError, match=r"results/fat/a/gt/00.png"):
        found.reader.read("a", TARGET, ["gt"], [0])


def test_views_that_were_not_scored_leave_a_gap(tmp_path: Path) -> None:
    views = [VIEW | {"view": 3, "values": {"l1": float("nan")}}, VIEW, VIEW | {"view": 1, "repeat": 1}]
    (item,) = gallery_of_evaluation(written(tmp_path, views=views)).items
    assert (item.frames, item.yaws, item.sides["raw"].values["l1"]) == (2, (0, 270), (0.25, None))


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
