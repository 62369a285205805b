"""Galleries and pages of runs, clips, datasets, sources and evaluations; damage is named."""

import base64
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

from specsia_build import png
from specsia_build.config import BuildConfig, write_settings
from specsia_build.dataset.reading import open_dataset
from specsia_build.errors import SpecsiaError
from specsia_build.look.evaluation import gallery_of_evaluation, holds_evaluation
from specsia_build.look.items import TARGET
from specsia_build.look.open import open_gallery
from specsia_build.look.run import gallery_of_run
from specsia_build.pipeline.failures import Failure, read_failures, write_failures
from specsia_build.pipeline.run import RunPaths, paths_of
from specsia_build.pipeline.store import read_artefact
from specsia_build.stages import project, render
from tests.characters.bodies import write_glb
from tests.clips import FPS, SIZE
from tests.commands import specsia
from tests.dataset.small import VIEWS
from tests.look.galleries import write_repair
from tests.look.pages import document_of, frames_of, item_of, report_of
from tests.look.tiny_run import IDS, STRANGE_ID, STRANGE_LICENCE, tiny_run
from tests.published.figures import write_rows

Run = tuple[BuildConfig, RunPaths]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that went through all stages, with one broken character."""
    return tiny_run(tmp_path_factory.mktemp("report"))


@pytest.fixture
def copied(whole: Run, tmp_path: Path) -> Run:
    """A copy of the run that a test may spoil."""
    shutil.copytree(whole[1].root, tmp_path / "run")
    return whole[0], RunPaths(tmp_path / "run")


@pytest.fixture(scope="module")
def shown(whole: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """The document of its page, and the page."""
    page = tmp_path_factory.mktemp("shown") / "page.html"
    return report_of(whole[1].root, page), page


def test_items_show_artefact_facts(whole: Run, shown: tuple[dict[str, Any], Path]) -> None:
    document, _ = shown
    gallery, facts = gallery_of_run(*whole)
    assert (document["kind"], document["moving"], document["sides"]) == ("run", False, ["Y*", "relief"])
    assert gallery.missing == ()
    assert [one["id"] for one in document["items"]] == list(IDS)
    for made in gallery.items:
        item = item_of(document, made.id)
        assert (item["split"], item["frames"], item["yaws"]) == (made.split, 4, [0, 90, 180, 270])
        assert item["license"] == STRANGE_LICENCE
        seconds = sum(t.seconds for t in facts.times if t.id == made.id)
        assert item["numbers"]["seconds"] == pytest.approx(seconds, 1e-3)
        meta = read_artefact(whole[1].artefact(project.PROJECT, "relief", made.id), made.id).meta
        assert item["sides"]["relief"]["values"]["iou"] == pytest.approx(meta["iou"], abs=1e-5)
    anchors = [section["anchor"] for section in document["sections"]]
    assert anchors == ["counts", "registration", "times", "dataset", "settings"]


def test_strips_show_artefact_pictures(whole: Run, shown: tuple[dict[str, Any], Path]) -> None:
    document, page = shown
    clean = read_artefact(whole[1].artefact(render.RENDER, None, STRANGE_ID), STRANGE_ID).files
    made = read_artefact(whole[1].artefact(project.PROJECT, "relief", STRANGE_ID), STRANGE_ID).files
    sides = item_of(document, STRANGE_ID)["sides"]
    of_side = {"Y*": (clean, ("gt", "gt_mask")), "relief": (made, ("color", "mask", "pos", "edge"))}
    for side, (files, layers) in of_side.items():
        assert set(sides[side]["strips"]) == set(layers)
        for layer in layers:
            for view, frame in enumerate(frames_of(sides[side]["strips"][layer], document, page)):
                stored = png.decode(files[f"{layer}_{view:02d}.png"], 1 if frame.ndim == 2 else 4)
                inside = stored == stored if frame.ndim == 2 else stored[..., 3] == 255
                assert np.abs(frame[inside].astype(int) - stored[inside]).mean() < 12


def test_failures(whole: Run, shown: tuple[dict[str, Any], Path]) -> None:
    (failure,) = read_failures(whole[1].failures)
    (found,) = shown[0]["failures"]
    assert (found["id"], found["stage"]) == ("bröken", "render")
    assert (found["reason"], found["strip"]) == (failure.reason, None)
    assert found["command"] == f"specsia build --out {whole[1].root}"


def test_quarantined_pictures(tmp_path: Path) -> None:
    _, paths = tiny_run(tmp_path, ("render", "reconstruct", "project"), min_iou=1.0)
    document = report_of(paths.root, tmp_path / "page.html")
    found = {one["id"]: one for one in document["failures"]}[STRANGE_ID]
    assert found["command"].endswith("--low-iou keep")
    kept = sorted((paths.root / found["details"]).glob("color_*.png"))
    frames = frames_of(found["strip"], document, tmp_path / "page.html")
    assert len(frames) == found["frames"] == len(kept)
    assert np.abs(frames[0][..., 3].astype(int) - png.decode(kept[0].read_bytes(), 4)[..., 3]).mean() < 3


@pytest.mark.parametrize(
    ("changed", "sides"),
    [({"look": "lit"}, []), ({"size": 96}, []), ({"pos_frame": "view"}, ["Y*"] * len(IDS))],
)
def test_other_settings_are_left_out(copied: Run, changed: dict[str, Any], sides: list[str]) -> None:
    config, paths = replace(copied[0], **changed), copied[1]
    write_settings(config, paths.config)
    gallery, _ = gallery_of_run(config, paths)
    assert [name for item in gallery.items for name in item.sides] == sides
    assert any("other settings" in sentence for sentence in gallery.missing)


def test_changed_character_is_outdated(copied: Run, tmp_path: Path) -> None:
    config, paths = copied
    own = tmp_path / "own"
    shutil.copytree(Path(config.source).parent, own, ignore=shutil.ignore_patterns("run"))
    config, mesh = replace(config, source=str(own / Path(config.source).name)), own / "0.obj"
    mesh.write_text(f"{mesh.read_text()}# changed\n")
    gallery, _ = gallery_of_run(config, paths)
    assert [item.id for item in gallery.items] == list(IDS[1:])
    mesh.unlink()
    gallery, _ = gallery_of_run(config, paths)
    assert [item.id for item in gallery.items] == list(IDS)
    assert any("Not compared" in sentence for sentence in gallery.missing)


def test_damage_costs_its_own_pictures(copied: Run, tmp_path: Path) -> None:
    path = copied[1].artefact(project.PROJECT, "relief", "1")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    document = report_of(copied[1].root, tmp_path / "page.html")
    assert "problem" in item_of(document, "1")["sides"]["relief"]
    assert set(item_of(document, "1")["sides"]["Y*"]["strips"]) == {"gt", "gt_mask"}


@pytest.mark.parametrize("of_run", [True, False], ids=["run", "dataset"])
def test_clips_are_items(clips_run: RunPaths, tmp_path: Path, of_run: bool) -> None:
    page = tmp_path / "page.html"
    document = report_of(clips_run.root if of_run else clips_run.dataset, page)
    assert document["moving"] is True and len(document["items"]) == 15
    clip = item_of(document, "a-sway-00")
    assert (clip["character"], clip["action"], clip["yaws"]) == ("a", "sway", None)
    assert (clip["frames"], clip["fps"]) == (FPS, FPS)
    truth, result = clip["sides"]["Y*"], clip["sides"]["relief"]
    assert len(clip["sides"]) == 2 and len(result["values"]["iou"]) == FPS
    assert set(truth["strips"]) == {"gt", "gt_mask"}
    gt, color = (frames_of(of, document, page) for of in (truth["strips"]["gt"], result["strips"]["color"]))
    assert len(gt) == len(color) == FPS and gt[0].shape == (SIZE, SIZE, 4)
    assert np.abs(gt[0].astype(int) - gt[-1]).mean() > 1


def test_failed_clips(clips_run: RunPaths, tmp_path: Path) -> None:
    run = paths_of(shutil.copytree(clips_run.root, tmp_path / "run"))
    for path in (run.root / "artefacts").rglob("a-sway-01.tar"):
        path.unlink()
    document = report_of(run.root, tmp_path / "page.html")
    assert any(sentence.startswith("1 clip of 15 not built") for sentence in document["missing"])
    assert document["go_on"] == f"specsia clips --out {run.root}"
    write_failures(run.failures, [Failure("a", "draw", None, "it moves nowhere", clip="a-sway-01")])
    document = report_of(run.root, tmp_path / "page.html")
    (found,) = document["failures"]
    assert (found["key"], found["id"], found["stage"]) == ("a-sway-01", "a", "draw")
    assert document["missing"] == []


def test_sides_are_configurations(dataset: Path, tmp_path: Path) -> None:
    gallery, opened = open_gallery(str(dataset))[0], open_dataset(dataset)
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


def test_page_beside_dataset(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    specsia("report", dataset)
    assert (dataset.parent / "dataset-report.html").is_file()
    assert not list(tmp_path.iterdir())


def test_published_schema_behind_a_url(tmp_path: Path) -> None:
    write_rows(tmp_path / "published", splits={"test": (5,)})
    store = fsspec.filesystem("memory")
    try:
        store.put(f"{tmp_path / 'published'}/", "/bucket/set/", recursive=True)
        gallery, _ = open_gallery("memory://bucket/set")
        item = gallery.items[0]
        assert (item.license, item.sides[TARGET].layers) == (None, ("gt",))
        assert item.yaws == tuple(range(0, 360, 36))
        (picture,) = gallery.reader.read(item.id, TARGET, ["gt"], [2])["gt"]
        assert png.decode(picture, 4)[0, 0].tolist() == [0, 0, 0, 0]
        specsia("report", "memory://bucket/set", code=2)
    finally:
        store.store.clear()


def test_source(tmp_path: Path) -> None:
    source, page = tmp_path / "in", tmp_path / "look.html"
    source.mkdir()
    write_glb(source / "sound.glb")
    (source / "broken.obj").write_text("v 0 0 0\n")
    specsia("characters", source, "--pictures", page)
    document = document_of(page)
    assert (document["kind"], [one["id"] for one in document["items"]]) == ("source", ["sound"])
    assert [one["id"] for one in document["failures"]] == ["broken"]
    (shown,) = frames_of(item_of(document, "sound")["sides"]["Y*"]["strips"]["gt"], document, page)
    red, green, blue = shown[shown[..., 3] > 128][:, :3].mean(axis=0)
    assert red > 1.3 * green > 1.3 * blue


def test_repair(tmp_path: Path) -> None:
    folder = write_repair(tmp_path / "hero", "the drawing is cut at its <border>")
    document = report_of(folder, tmp_path / "page.html")
    (item,) = document["items"]
    assert (item["id"], item["frames"], item["yaws"]) == ("hero", 4, [0, 90, 180, 270])
    assert item["warnings"] == ["the drawing is cut at its <border>"]
    for side in ("after", "before"):
        shown = frames_of(item["sides"][side]["strips"]["color"], document, tmp_path / "page.html")
        assert [round(float(frame[..., 1].mean()) / 60) for frame in shown[:4]] == [0, 1, 2, 3]
    html = {section["anchor"]: section["html"] for section in document["sections"]}
    assert "&lt;border&gt;" in html["warnings"]
    assert "outline" in html["settings"] and "mask" not in html["settings"]
    for anchor, name in (("film", "turn.mp4"), ("sheet", "sheet.png"), ("drawing", "drawing.png")):
        assert base64.b64encode((folder / name).read_bytes()).decode() in html[anchor]
    (folder / "sheet.png").unlink()
    specsia("report", folder, "--out", tmp_path / "page.html", code=1)
    (folder / "repair.json").write_text('{"specsia": "0.1.0"}')
    specsia("report", folder, "--out", tmp_path / "page.html", code=1)


def test_folder_of_repairs(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write_repair(tmp_path / "all" / name, *["it is cut"] * (name == "b"))
    (tmp_path / "all" / "repairs.json").write_text('{"failed": {"c": "c.png cannot be read"}}')
    specsia("report", tmp_path / "all")
    document = document_of(tmp_path / "all-report.html")
    assert [(item["id"], len(item["warnings"])) for item in document["items"]] == [("a", 0), ("b", 1)]
    assert [(one["id"], one["reason"]) for one in document["failures"]] == [("c", "c.png cannot be read")]
    specsia("sheet", tmp_path / "all", "--out", tmp_path / "sheet.png")


VIEW = {"config": "fat", "method": "raw", "repeat": 0, "character": "a", "view": 0, "row": 0}
VIEW |= {"values": {"l1": 0.25}, "frontal": True, "clip": None, "frame": None, "time": None, "action": None}

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


def test_scores_alone(tmp_path: Path) -> None:
    found = gallery_of_evaluation(written(tmp_path))
    (item,) = found.items
    assert list(item.sides) == [TARGET, "raw"] and item.sides["raw"].values == {"l1": (0.25,)}
    assert found.missing == ("It has no seen.json.",)
    with pytest.raises(SpecsiaError, match=r"results/fat/a/gt/00.png"):
        found.reader.read("a", TARGET, ["gt"], [0])


def test_unscored_views_leave_a_gap(tmp_path: Path) -> None:
    views = [VIEW | {"view": 3, "values": {"l1": float("nan")}}, VIEW, VIEW | {"view": 1, "repeat": 1}]
    (item,) = gallery_of_evaluation(written(tmp_path, views=views)).items
    assert (item.frames, item.yaws, item.sides["raw"].values["l1"]) == (2, (0, 270), (0.25, None))


@pytest.mark.parametrize(
    "changes",
    [{"measures": None}, {"views": 3}, {"views": [{}]}, {"methods": [0]}, {"measures": [{}]}, {"notes": 1}],
)
def test_damage_is_one_sentence(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(SpecsiaError):
        gallery_of_evaluation(written(tmp_path, **changes))


@pytest.mark.parametrize("name", ["..", "a/../../b", "\x1b[2J"])
def test_names_cannot_escape(tmp_path: Path, name: str) -> None:
    found = gallery_of_evaluation(written(tmp_path, views=[VIEW | {"character": name}]))
    with pytest.raises(SpecsiaError):
        found.reader.read(name, TARGET, ["gt"], [0])
