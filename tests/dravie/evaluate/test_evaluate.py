"""`specsia evaluate` with small models on a small dataset."""

import csv
import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import Result
from numpy.testing import assert_array_equal

from specsia_build import png
from specsia_build.arrays import Doubles, Pixels
from specsia_build.dataset.pairs import Pair, decode_pair, pair_columns
from specsia_build.dataset.reading import open_dataset
from specsia_build.dataset.schema import BUILD_FILE, DATA, MOVING_COLUMNS, arrow_schema, frame_uid
from specsia_build.dravie.config import ADAPTATION
from specsia_build.dravie.data.frames import DrawnPair
from specsia_build.dravie.drawing import Drawing
from specsia_build.dravie.evaluate import perceptual
from specsia_build.dravie.evaluate.methods import choose_methods, load_runs
from specsia_build.dravie.evaluate.perceptual import INCEPTION, LPIPS
from specsia_build.dravie.evaluate.rows import DIFIX, ROW_NAMES, WITHOUT_DRAWING
from specsia_build.dravie.evaluate.statistics import frechet
from specsia_build.dravie.metrics import clip_flicker, steps_between, view_scores
from specsia_build.look.evaluation import gallery_of_evaluation
from tests.checksums import write_sums
from tests.commands import specsia
from tests.dataset.small import build_small, read_rows, write_rows
from tests.dravie import pairs

write_run = partial(pairs.write_run, reference="drawing")


def evaluate(*arguments: object, code: int = 0) -> Result:
    return specsia("evaluate", *arguments, "--adapt-steps", 1, code=code)


def means(out: Path) -> dict[tuple[str, str, str, str], dict[str, Any]]:
    found = json.loads((out / "scores.json").read_text())["means"]
    return {(m["config"], m["method"], m["views"], m["score"]): m for m in found}


OWN_ROWS = [name for name in ROW_NAMES if name != DIFIX]  # Without other projects


@pytest.fixture(scope="module")
def evaluated(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Two seeds, a run that sees no drawing and one on the other backend."""
    top = tmp_path_factory.mktemp("evaluated")
    runs = [write_run(top / "one"), write_run(top / "two", seed=1)]
    runs += [write_run(top / "blind", reference="none"), write_run(top / "other", configs=("thin",))]
    done = evaluate(*runs, dataset, "--out", top / "out", "--rows", ",".join(OWN_ROWS), "--fit-steps", 1)
    return top / "out", done.stdout


OURS = "DraViE [fat]"
BLIND = f"{OURS} trained without drawing"
AS_IS = " without adaptation"
ENDINGS = ("", " after one epoch", AS_IS, f"{AS_IS} without positions", f"{AS_IS} without drawing")
LABELS = {
    *OWN_ROWS[: OWN_ROWS.index(WITHOUT_DRAWING)],
    *(f"{name}{ending}" for name in (OURS, "DraViE [thin]") for ending in ENDINGS),
    *(f"{BLIND}{ending}" for ending in ENDINGS[:-1]),
}


def test_tables_of_methods_and_backends(evaluated: tuple[Path, str]) -> None:
    out, printed = evaluated
    text = (out / "tables.md").read_text()
    assert len(printed.splitlines()) <= 10 and f"fat: {OURS} has an L1 of" in printed
    found = means(out)
    assert {key[1] for key in found} == LABELS
    for config in ("fat", "thin"):
        part = text.split(f"## {config}")[1].split("## ")[0]
        rows = [line.split("|")[1].strip() for line in part.splitlines() if line.startswith("|")]
        assert all(rows.count(label) == 2 for label in LABELS)


def test_numbers(evaluated: tuple[Path, str], dataset: Path) -> None:
    out, _ = evaluated
    found = means(out)
    assert found["fat", "raw", "novel", "l1"]["deviation"] is None
    assert found["fat", OURS, "novel", "l1"]["deviation"] > 0
    assert found["fat", "look-up", "frontal", "l1"]["mean"] < found["fat", "raw", "frontal", "l1"]["mean"]
    assert found["fat", "line", "frontal", "l1"]["mean"] < found["fat", "raw", "frontal", "l1"]["mean"]
    rows = list(csv.DictReader((out / "scores.csv").open()))
    assert {(r["config"], r["method"], r["views"], r["score"]) for r in rows} == set(found)
    opened = open_dataset(dataset)
    pairs = [decode_pair(row) for row in opened.stream("thin", "test", pair_columns(opened))]
    folder = next((out / "results" / "thin").rglob("look-up-0"))
    for view in json.loads((out / "scores.json").read_text())["views"]:
        if (view["config"], view["method"]) == ("thin", "look-up"):
            picture = png.decode((folder / f"{view['view']:02d}.png").read_bytes(), 4)
            assert view["values"]["l1"] == pytest.approx(view_scores(picture, pairs[view["view"]])["l1"])


def test_distances_of_sets(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def colours(pictures: list[Pixels]) -> Doubles:
        return np.stack([picture.mean(axis=(0, 1)) for picture in pictures])

    found = {INCEPTION: colours, LPIPS: lambda ours, truths: np.zeros(len(ours))}
    monkeypatch.setattr(perceptual, "find_networks", lambda *_: (found, ("CLIP: not run.",)))
    out = tmp_path / "out"
    evaluate(write_run(tmp_path / "run"), dataset, "--out", out, "--rows", "raw", "--backend", "fat")
    scores = means(out)
    for kind in ("frontal", "novel"):
        opened = open_dataset(dataset)
        pairs = [decode_pair(row) for row in opened.stream("fat", "test", pair_columns(opened))]
        pairs = [pair for pair in pairs if (pair.view == 0) == (kind == "frontal")]
        if len(pairs) > 1:
            expected = frechet(colours([pair.z for pair in pairs]), colours([pair.gt for pair in pairs]))
            assert scores["fat", "raw", kind, "fid"]["mean"] == pytest.approx(expected)
    assert {key[3] for key in scores if key[1] == "raw"} >= {"fid", "kid", "lpips", "ssim_frame"}
    assert "CLIP: not run." in (out / "tables.md").read_text()
    assert not any(d["score"] == "fid" for d in json.loads((out / "scores.json").read_text())["differences"])


def test_view_positions_are_not_looked_up(dataset: Path, tmp_path: Path) -> None:
    turned = tmp_path / "turned"
    shutil.copytree(dataset, turned)
    record = json.loads((turned / BUILD_FILE).read_text())
    record["config"]["pos_frame"] = "view"
    (turned / BUILD_FILE).write_text(json.dumps(record))
    run = write_run(tmp_path / "run")
    evaluate(run, turned, "--out", tmp_path / "out", "--rows", "line,look-up", "--backend", "fat")
    found = means(tmp_path / "out")
    assert found["fat", "look-up", "novel", "l1"]["mean"] == found["fat", "line", "novel", "l1"]["mean"]


def test_repeats_and_adapted_models(dataset: Path, tmp_path: Path) -> None:
    run, out = write_run(tmp_path / "run", reference="none"), tmp_path / "out"
    specsia("adapt", run, "--dataset", dataset, "--character", "a", "--out", tmp_path / "a", "--steps", 1)
    more = ("--rows", "none", "--repeats", "2", "--backend", "fat")
    evaluate(run, tmp_path / "a", dataset, "--out", out, *more)
    assert means(out)["fat", f"{OURS} trained without drawing", "novel", "l1"]["deviation"] > 0
    assert ("fat", "DraViE a", "novel", "l1") in means(out)


def test_impossible_requests(dataset: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    blind = write_run(tmp_path / "blind", reference="none")
    evaluate(blind, dataset, "--out", tmp_path / "out", "--rows", "no-drawing", code=2)
    for option in (("--split", "tset"), ("--backend", "round"), ("--rows", "raw,lin")):
        evaluate(run, dataset, "--out", tmp_path / "out", *option, code=2)


def planted(pair: Pair) -> Pair:
    """The view with another Y*: noise, opaque all over the frame."""
    noise = np.random.default_rng(pair.view).integers(0, 256, pair.gt.shape, dtype=np.uint8)
    noise[..., 3] = 255
    return replace(pair, gt=noise, gt_mask=noise[..., 3])


def test_no_method_sees_its_target(dataset: Path, tmp_path: Path) -> None:
    opened = open_dataset(dataset)
    rows = opened.stream("fat", "test", pair_columns(opened))
    frontal, *novel = [decode_pair(row) for row in rows]
    assert frontal.view == 0
    runs = [write_run(tmp_path / "run"), write_run(tmp_path / "blind", reference="none")]
    loaded, short = load_runs(runs, torch.device("cpu")), replace(ADAPTATION, steps=2)
    compared = choose_methods(loaded, OWN_ROWS, 1, short, fit_steps=2)
    assert len({method.label for method in compared}) == 15
    for method in compared:
        paint = method.fit(DrawnPair(frontal, Drawing.of(frontal)))
        for pair in novel:
            seen, found = (paint(each) for each in (pair, planted(pair)))
            assert_array_equal(found, seen, err_msg=f"{method.label} looks at Y* of the view that it paints")
            assert_array_equal(paint(pair.without_truth()), seen)


def as_clips(source: Path, folder: Path) -> Path:
    """The same dataset, its views the frames of a turn that one camera sees."""
    shutil.copytree(source, folder)
    for path in (folder / DATA).rglob("*.parquet"):
        rows = read_rows(path)
        for row in rows:
            clip, frame = f"{row['character_id']}-turn-00", row["view"]
            row |= {"uid": frame_uid(clip, frame), "view": 0}
            row |= {"clip": clip, "frame": frame, "time": frame / 12, "action": "turn"}
        write_rows(path, rows, arrow_schema(MOVING_COLUMNS))
    write_sums(folder)
    return folder


@pytest.fixture(scope="module")
def turning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighteen views all around of one character that is tested on."""
    top = tmp_path_factory.mktemp("turning")
    return build_small(top / "views", ("a",), fixed={"a": "test"}, views=18, size=64)


def test_clip_flicker_is_scored(turning: Path, tmp_path: Path) -> None:
    clips, out = as_clips(turning, tmp_path / "clips"), tmp_path / "out"
    evaluate(write_run(tmp_path / "run", configs=()), clips, "--out", out, "--rows", "raw")
    found = {key[1]: mean["mean"] for key, mean in means(out).items() if key[3] == "flicker"}
    opened = open_dataset(clips)
    pairs = [decode_pair(row) for row in opened.stream("default", "test", pair_columns(opened))]
    raw = clip_flicker([pair.z for pair in pairs], [pair.gt for pair in pairs], steps_between(pairs))
    assert found["raw"] == pytest.approx(raw) and len(found) == 3 and min(found.values()) > 0
    (item,) = gallery_of_evaluation(str(out)).items
    assert (item.id, item.character, item.action) == ("a-turn-00", "a", "turn")
    assert item.fps == pytest.approx(12)


def test_other_clip_when_first_is_not_frontal(turning: Path, tmp_path: Path) -> None:
    clips, out = as_clips(turning, tmp_path / "clips"), tmp_path / "out"
    (path,) = (clips / DATA).glob("test-*.parquet")
    rows = read_rows(path)
    half = len(rows) // 2
    for number, row in enumerate(rows):
        clip, frame = ("back", number) if number < half else ("front", number - half)
        row |= {"clip": clip, "frame": frame, "uid": frame_uid(clip, frame), "view": int(number < half)}
    write_rows(path, rows, arrow_schema(MOVING_COLUMNS))
    write_sums(clips)
    evaluate(write_run(tmp_path / "run", configs=()), clips, "--out", out, "--rows", "raw")
    scores = json.loads((out / "scores.json").read_text())["views"]
    assert {(score["row"], score["view"]) for score in scores if score["frontal"]} == {(half, 0)}
