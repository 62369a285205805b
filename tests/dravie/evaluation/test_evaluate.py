"""Evaluations of small models on a small dataset, through the command."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pyarrow.parquet as pq
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from torch import nn

from specsia_build import png
from specsia_build.cli.main import main
from specsia_build.dataset.pairs import PAIR_COLUMNS, Pair, decode_pair
from specsia_build.dataset.reading import open_dataset
from specsia_build.dataset.schema import BUILD_FILE, DATA, MOVING_COLUMNS, arrow_schema, frame_uid
from specsia_build.dravie.adapt.adapt import adapt_generator
from specsia_build.dravie.repair.apply import has_bf16
from specsia_build.dravie.config import ABLATIONS, AdaptConfig, ModelConfig, TrainConfig, to_json
from specsia_build.dravie.evaluate.methods import choose_methods, load_runs
from specsia_build.dravie.evaluate.following import steps_between
from specsia_build.dravie.metrics import clip_flicker, view_scores
from specsia_build.dravie.model import losses
from specsia_build.dravie.model.checkpoint import load_memory, save_model
from specsia_build.dravie.model.networks import build_generator
from specsia_build.dravie.runs import RUN_FILE
from specsia_build.look.evaluation import gallery_of_evaluation
from specsia_build.gallery.items import TARGET
from specsia_build.pipeline.progress import Progress
from tests.dataset.small import build_small, read_rows, reseal, write_rows
from tests.report.shown import document_of, frames_of

RECALL = ("--without", "recall")


def write_run(run: Path, **settings: Any) -> Path:
    """A run with fresh weights and the settings that it would have been trained with."""
    config = TrainConfig(**{"configs": ("fat",), "steps": 1, **settings})
    torch.manual_seed(config.seed)
    save_model(run, 1, config.model, build_generator(config.model), {})
    (run / RUN_FILE).write_text(json.dumps({"train": to_json(config)}))
    return run


def evaluate(*arguments: object, steps: int = 1) -> Result:
    few = ("--adapt-steps", str(steps), "--fit-steps", str(steps))
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments), *few])


def means(out: Path) -> dict[tuple[str, str, str, str], dict[str, Any]]:
    found = json.loads((out / "scores.json").read_text())["means"]
    return {(m["config"], m["method"], m["views"], m["score"]): m for m in found}


@pytest.fixture(scope="module")
def evaluated(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Two seeds, a run without positions and one on the other backend, with all baselines and ablations."""
    top = tmp_path_factory.mktemp("evaluated")
    runs = [
        write_run(top / "one"),
        write_run(top / "two", seed=1),
        write_run(top / "plain", with_pos=False),
        write_run(top / "other", configs=("thin",)),
    ]
    done = evaluate(*runs, dataset, "--out", top / "out", "--without", "pos", "--without", "adaptation", *RECALL)
    assert done.exit_code == 0, done.output
    return top / "out", done.stdout


def test_tables(evaluated: tuple[Path, str]) -> None:
    out, text = evaluated
    assert (out / "tables.md").read_text() == text.removesuffix("\n")
    for heading in ("Table 1: fat", "Table 1: thin", "Table 2", "Table 3: ablations, fat"):
        assert heading in text
    own = text.split("## Table 1: fat")[1].split("## Table 1: thin")[0]
    for row in ("raw", "line", "DraViE [fat]", *(f"DraViE [fat] without {name}" for name in ABLATIONS)):
        assert f"| {row} " in own
    for row in ("raw", "line", "DraViE [fat] without pos"):
        assert f"| {row} + recall " in own
    assert "without pos without recall" not in text and "oracle + recall" not in text
    assert "DraViE [thin]" not in own and "*line-oracle*" in own
    assert own.count("| sample-wise") == 6 and len(re.findall(r"[|] sample-wise[^|]* [+] recall ", own)) == 3
    across = text.split("## Table 2")[1].split("## Table 3")[0]
    assert "thin L1" in across and "without" not in across
    for row in ("raw", "raw + recall", "line + recall", "sample-wise, the better", "sample-wise + recall, the better"):
        assert f"| {row} " in across
    assert "| DraViE [thin] " in across and "| DraViE [fat] " in across


def test_numbers(evaluated: tuple[Path, str]) -> None:
    out, _ = evaluated
    found = means(out)
    raw = found["fat", "raw", "novel", "l1"]
    assert 0.01 < raw["mean"] < 0.5 and raw["deviation"] is None
    assert found["fat", "DraViE [fat]", "novel", "l1"]["deviation"] > 0
    assert found["fat", "line-oracle", "frontal", "l1"]["mean"] < found["fat", "raw", "frontal", "l1"]["mean"]
    parts = sum(found["thin", "raw", "novel", f"part_{part}"]["mean"] for part in ("silhouette", "line", "interior"))
    assert parts == pytest.approx(found["thin", "raw", "novel", "l1"]["mean"])
    assert not any(key[3] in ("flicker", "lpips", "clip", "fid") for key in found)
    rows = list(csv.DictReader((out / "scores.csv").open()))
    assert {(r["config"], r["method"], r["views"], r["score"]) for r in rows} == set(found)
    each = list(csv.DictReader((out / "characters.csv").open()))
    values = [float(r["value"]) for r in each if (r["config"], r["method"], r["views"]) == ("fat", "raw", "novel")]
    assert values


def test_recall_changes_colours_alone_and_is_not_mixed_up(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from specsia_build.dravie.evaluate import methods

    made: list[str] = []

    def counted(model: nn.Module, config: ModelConfig, frontal: Pair, *more: Any) -> nn.Module:
        made.append(frontal.character_id)
        return adapt_generator(model, config, frontal, *more)

    monkeypatch.setattr(methods, "adapt_generator", counted)
    run, out = write_run(tmp_path / "run"), tmp_path / "out"
    arguments = (run, dataset, "--out", out, "--baselines", "none", "--backend", "fat", *RECALL)
    done = evaluate(*arguments)
    assert done.exit_code == 0, done.output
    assert len(made) == len(set(made)), "one adaptation serves both rows"
    folders = [next(out.rglob(f"DraViE-[[]fat]{name}-0")) for name in ("", "-without-recall")]
    whole, plain = ([png.decode(p.read_bytes(), 4) for p in sorted(f.glob("*.png"))] for f in folders)
    assert all((a[..., 3] == b[..., 3]).all() for a, b in zip(whole, plain, strict=True))
    assert (whole[0] != plain[0]).any()
    found = means(out)
    names = [("fat", f"DraViE [fat]{name}", "frontal", "l1_interior") for name in ("", " without recall")]
    assert found[names[0]]["mean"] < 0.5 * found[names[1]]["mean"]
    # What was painted without it, before there was any, is not taken for what is painted with it.
    shutil.rmtree(folders[0])
    folders[1].rename(folders[0])
    again = evaluate(*arguments)
    assert again.exit_code == 0, again.output
    assert means(out) == found


def test_nothing_is_recalled_where_no_model_sees_positions(dataset: Path, tmp_path: Path) -> None:
    done = evaluate(write_run(tmp_path / "run", with_pos=False), dataset, "--out", tmp_path / "out", *RECALL)
    assert done.exit_code == 2 and "none of these models sees positions" in done.output


def test_nothing_is_recalled_where_positions_are_each_view_s_own(dataset: Path, tmp_path: Path) -> None:
    turned = tmp_path / "turned"
    shutil.copytree(dataset, turned)
    record = json.loads((turned / BUILD_FILE).read_text())
    record["config"]["pos_frame"] = "view"
    (turned / BUILD_FILE).write_text(json.dumps(record))
    assert open_dataset(str(dataset)).keeps_places() and not open_dataset(str(turned)).keeps_places()
    run, few = write_run(tmp_path / "run"), ("--baselines", "none", "--backend", "fat")
    done = evaluate(run, turned, "--out", tmp_path / "out", *few)
    assert done.exit_code == 0, done.output
    assert not json.loads((tmp_path / "out/scores.json").read_text())["methods"][0]["recall"]
    told = evaluate(run, turned, "--out", tmp_path / "other", *few, *RECALL)
    assert told.exit_code == 2 and "nothing is recalled" in told.output
    fitted = ["adapt", run, "--dataset", turned, "--character", "c", "--backend", "fat", "--steps", 1, "--out"]
    assert CliRunner().invoke(main, [*map(str, fitted), str(tmp_path / "adapted")]).exit_code == 0
    assert load_memory(tmp_path / "adapted") is None


def test_every_picture_and_score_can_be_looked_at(evaluated: tuple[Path, str], dataset: Path) -> None:
    out, _ = evaluated
    shown = gallery_of_evaluation(str(out))
    (item,) = shown.items
    assert (shown.kind, item.split, item.yaws) == ("evaluation", "test", (0, 90, 180, 270))
    assert [measure.key for measure in shown.measures][:2] == ["l1", "psnr"]
    assert {m.key: m.better for m in shown.measures}.items() >= {"l1": "low", "psnr": "high"}.items()
    labels = {method["label"] for method in json.loads((out / "scores.json").read_text())["methods"]}
    assert set(item.sides) == {TARGET, *(f"{config}: {label}" for config in ("fat", "thin") for label in labels)}
    opened, columns = open_dataset(dataset), PAIR_COLUMNS("specsia")
    pairs = {name: [decode_pair(row) for row in opened.stream(name, "test", columns)] for name in ("fat", "thin")}
    assert shown.reader.read(item.id, TARGET, "gt", [2]) == [png.encode(pairs["fat"][2].gt)]
    assert shown.reader.read(item.id, "thin: raw", "color", [1]) == [png.encode(pairs["thin"][1].z)]
    for name, side in item.sides.items():
        for frame, data in enumerate(shown.reader.read(item.id, name, side.layers[0], range(4))):
            if name != TARGET:
                scored = view_scores(png.decode(data, 4), pairs[name.partition(":")[0]][frame])
                assert side.values["l1"][frame] == pytest.approx(scored["l1"])


def test_the_page_has_the_tables_and_every_method(evaluated: tuple[Path, str], tmp_path: Path) -> None:
    out, _ = evaluated
    written = document_of(out / "report.html")
    (item,) = written["items"]
    assert written["kind"] == "evaluation" and len(item["sides"]) == len(written["sides"]) > 20
    assert all(
        len(frames_of(strip, written, out)) == 4 for side in item["sides"].values() for strip in side["strips"].values()
    )
    tables = {section["title"]: section["html"] for section in written["sections"]}
    assert {"Table 1: fat", "Table 2: across backends, novel views"} <= set(tables)
    assert "<em>line-oracle</em>" in tables["Table 1: fat"] and "| " not in "".join(tables.values())
    assert tables["Table 1: fat"].count("<table") == 3
    again = CliRunner().invoke(main, ["report", str(out), "--out", str(tmp_path / "again.html")])
    assert again.exit_code == 0, again.output
    assert document_of(tmp_path / "again.html") == written


def test_two_evaluations_beside_each_other(evaluated: tuple[Path, str], tmp_path: Path) -> None:
    out, other = evaluated[0], tmp_path / "other"
    shutil.copytree(out, other)
    told = json.loads((other / "scores.json").read_text())
    for view in told["views"]:
        if (view["config"], view["method"], view["view"]) == ("thin", "line", 2):
            view["values"]["l1"] += 0.25
    (other / "scores.json").write_text(json.dumps(told))
    done = CliRunner().invoke(main, ["report", str(out), str(other), "--out", str(tmp_path / "page.html")])
    assert done.exit_code == 0, done.output
    page = document_of(tmp_path / "page.html")
    assert page["items"][0]["numbers"].items() >= {"change": 0.25, "difference": 0.25}.items()
    assert {"Y*", "out: thin: line", "other: thin: line"} <= set(page["items"][0]["sides"])
    means = {section["title"]: section["html"] for section in page["sections"]}["What changed"]
    assert re.search(r"<td>thin: line</td><td>L1</td>.*?\+0.0625", means, re.DOTALL)


def test_a_page_that_is_no_report_is_seen_before_the_work(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/report.html").write_text("my own")
    done = evaluate(write_run(tmp_path / "run"), dataset, "--out", tmp_path / "out")
    assert done.exit_code == 2 and "is no report of specsia" in done.output
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.html"]


def test_a_folder_of_something_else_is_left_as_it_is(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "out/results").mkdir(parents=True)
    (tmp_path / "out/tables.md").write_text("my own")
    done = evaluate(write_run(tmp_path / "run"), dataset, "--out", tmp_path / "out")
    assert done.exit_code == 2 and "out is not empty and holds no evaluation: name another --out" in done.output
    assert sorted(path.name for path in (tmp_path / "out").rglob("*")) == ["results", "tables.md"]


def test_figure(evaluated: tuple[Path, str]) -> None:
    for config in ("fat", "thin"):
        with Image.open(evaluated[0] / f"cases-{config}.png") as picture:
            assert picture.width > 5 * 300 and picture.height > 600


def test_a_stopped_evaluation_goes_on(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from specsia_build.dravie.evaluate import methods

    run, out = write_run(tmp_path / "run"), tmp_path / "out"
    arguments = (run, dataset, "--out", out, "--baselines", "sample-wise", "--backend", "fat")
    first = evaluate(*arguments)
    assert first.exit_code == 0, first.output
    monkeypatch.setattr(methods, "fit_single", None)
    again = evaluate(*arguments)
    assert again.exit_code == 0 and again.stdout == first.stdout
    next(out.rglob("done.json")).unlink()
    assert evaluate(*arguments).exit_code != 0


@pytest.mark.parametrize(
    ("where", "name", "other"),
    [
        ("results", "code_digest", lambda names: "of edited code"),
        ("methods", "has_bf16", lambda device: not has_bf16(device)),
    ],
)
def test_results_of_other_code_or_arithmetic_are_not_taken(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, name: str, other: object
) -> None:
    arguments = (write_run(tmp_path / "run"), dataset, "--out", tmp_path / "out", "--baselines", "none")
    assert evaluate(*arguments, "--backend", "fat").exit_code == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("done.json")}
    assert evaluate(*arguments, "--backend", "fat").exit_code == 0
    assert before == {path: path.stat().st_mtime_ns for path in before}
    monkeypatch.setattr(f"specsia_build.dravie.evaluate.{where}.{name}", other)
    assert evaluate(*arguments, "--backend", "fat").exit_code == 0
    assert before and all(path.stat().st_mtime_ns != time for path, time in before.items())


def test_fits_have_the_perceptual_loss_that_the_model_was_trained_with(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path / "run", perceptual="", perceptual_weight=1.0)
    stated = json.loads((run / RUN_FILE).read_text())
    (run / RUN_FILE).write_text(json.dumps(stated | {"perceptual": "random"}))
    monkeypatch.setattr(losses, "_downloaded", lambda: pytest.fail("they were not trained with"))
    arguments = (run, dataset, "--out", tmp_path / "out", "--baselines", "sample-wise", "--backend", "fat")
    assert evaluate(*arguments).exit_code == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("sample-wise-0/done.json")}
    (run / RUN_FILE).write_text(json.dumps(stated | {"perceptual": "none"}))
    assert evaluate(*arguments).exit_code == 0
    assert before and all(path.stat().st_mtime_ns != time for path, time in before.items())
    (run / RUN_FILE).write_text(json.dumps(stated | {"perceptual": str(tmp_path / "gone.pth")}))
    done = evaluate(*arguments)
    assert done.exit_code == 2 and "leave that baseline out with --baselines raw,line" in done.output


def test_runs_of_other_perceptual_losses_are_no_repeats_of_each_other(tmp_path: Path) -> None:
    for name, network in (("one", "random"), ("two", "none")):
        run = write_run(tmp_path / name, perceptual="")
        (run / RUN_FILE).write_text(json.dumps(json.loads((run / RUN_FILE).read_text()) | {"perceptual": network}))
    runs = load_runs([tmp_path / "one", tmp_path / "two"], torch.device("cpu"))
    found = choose_methods(runs, [], [], 1, AdaptConfig(), 1, torch.device("cpu"))
    assert [method.label for method in found] == ["DraViE [fat]", "DraViE [fat] perceptual=none"]


def test_what_takes_long_is_said_and_counted(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[tuple[int, int]] = []

    class Shown(Progress):
        @contextmanager
        def bar(self, name: str, total: int | None, *more: Any, **named: Any) -> Iterator[Any]:
            bar = MagicMock()
            yield bar
            counted.append((total or 0, sum(call.args[0] if call.args else 1 for call in bar.call_args_list)))

    monkeypatch.setattr("specsia_build.dravie.evaluate.evaluate.Progress", Shown)
    arguments = (write_run(tmp_path / "run"), dataset, "--out", tmp_path / "out", "--backend", "fat")
    first = evaluate(*arguments, "--baselines", "sample-wise", steps=2)
    again = evaluate(*arguments, "--baselines", "sample-wise", steps=2)
    # Five methods for one character, and two updates for each of three networks.
    assert counted == [(11, 11), (11, 11)]
    said = "updates of sample-wise 2, sample-wise without pos 2, DraViE [fat] 2; --baselines raw,line leaves out"
    assert f"note: networks are fitted to each of 1 character, which takes most of the time: {said}" in first.stderr
    assert again.exit_code == 0


def test_repeats(dataset: Path, tmp_path: Path) -> None:
    run, out = write_run(tmp_path / "run"), tmp_path / "out"
    done = evaluate(run, dataset, "--out", out, "--baselines", "none", "--repeats", "2")
    assert done.exit_code == 0, done.output
    assert means(out)["fat", "DraViE [fat]", "novel", "l1"]["deviation"] > 0
    assert "±" in done.stdout


def test_one_configuration_at_a_time_fills_the_same_folder(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from specsia_build.dravie.evaluate import methods

    run, out = write_run(tmp_path / "run", configs=("fat", "thin")), tmp_path / "out"
    for config in ("thin", "fat"):
        done = evaluate(run, dataset, "--out", out, "--baselines", "none", "--backend", config)
        assert done.exit_code == 0, done.output
        assert {key[0] for key in means(out)} == {config}
    monkeypatch.setattr(methods, "adapt_generator", None)
    both = evaluate(run, dataset, "--out", out, "--baselines", "none")
    assert both.exit_code == 0, both.output
    assert {key[:2] for key in means(out)} == {(config, "DraViE [fat+thin]") for config in ("thin", "fat")}


def test_an_adapted_model_is_evaluated_too(dataset: Path, tmp_path: Path) -> None:
    run, out = write_run(tmp_path / "run"), tmp_path / "out"
    options = ["--dataset", str(dataset), "--character", "a", "--out", str(tmp_path / "a"), "--steps", "1"]
    assert CliRunner().invoke(main, ["adapt", str(run), *options, "--device", "cpu"]).exit_code == 0
    done = evaluate(tmp_path / "a", dataset, "--out", out, "--baselines", "none")
    assert done.exit_code == 0, done.output
    assert "DraViE a" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--without", "pos"), "train one with `specsia train --without pos`"),
        (("--split", "tset"), "has no split 'tset'"),
        (("--backend", "round"), "has no configuration 'round'"),
        (("--baselines", "raw,lin"), "there is no 'lin'; they are raw, line, sample-wise"),
    ],
)
def test_what_cannot_be_done(dataset: Path, tmp_path: Path, arguments: tuple[str, str], sentence: str) -> None:
    done = evaluate(write_run(tmp_path / "run"), dataset, "--out", tmp_path / "out", *arguments)
    assert done.exit_code == 2 and sentence in done.output


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
    reseal(folder)
    return folder


@pytest.fixture(scope="module")
def turning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighteen views all around of one character that is tested on."""
    top = tmp_path_factory.mktemp("turning")
    return build_small(top / "views", ("a",), fixed={"a": "test"}, views=18, size=64)


def test_clips_are_scored_for_flicker_from_frame_to_frame(turning: Path, tmp_path: Path) -> None:
    clips, out = as_clips(turning, tmp_path / "clips"), tmp_path / "out"
    arguments = (write_run(tmp_path / "run", configs=()), clips, "--out", out, "--baselines", "raw")
    done = evaluate(*arguments)
    assert done.exit_code == 0, done.output
    assert "novel clip flicker ↓" in done.stdout and "frontal clip flicker" not in done.stdout
    found = {key[1]: mean["mean"] for key, mean in means(out).items() if key[3] == "clip_flicker"}
    pairs = [decode_pair(row) for row in open_dataset(clips).stream("default", "test", PAIR_COLUMNS("clips"))]
    raw = clip_flicker([pair.z for pair in pairs], [pair.gt for pair in pairs], steps_between(pairs))
    assert found["raw"] == pytest.approx(raw) and len(found) == 3 and min(found.values()) > 0
    shown = gallery_of_evaluation(str(out))
    (item,) = shown.items
    assert (item.id, item.character, item.action) == ("a-turn-00", "a", "turn") and item.fps == pytest.approx(12)
    assert shown.moving and list(item.sides) == [TARGET, "raw", "raw + recall", "DraViE"]
    for name, side in item.sides.items():
        first, last = shown.reader.read(item.id, name, side.layers[0], [0, 17])
        assert first != last
    assert shown.reader.read(item.id, "raw", "color", [17]) == [png.encode(pairs[17].z)]
    assert item.sides["raw"].values["clip_flicker"][0] == pytest.approx(raw)
    assert ("default", "raw", "frontal", "l1") in means(out)
    assert evaluate(*arguments).stdout == done.stdout


def test_stills_have_no_flicker_from_frame_to_frame(evaluated: tuple[Path, str]) -> None:
    assert "clip flicker" not in evaluated[1]
    assert not any(key[3] == "clip_flicker" for key in means(evaluated[0]))


def test_a_clip_in_two_places_is_refused(turning: Path, tmp_path: Path) -> None:
    clips = as_clips(turning, tmp_path / "clips")
    (path,) = (clips / DATA).glob("test-*.parquet")
    schema, rows = pq.read_schema(path), read_rows(path)
    for number, row in enumerate(rows):
        row["clip"] = "jump" if number == 3 else "walk"
    write_rows(path, rows, schema)
    done = evaluate(write_run(tmp_path / "run", configs=()), clips, "--out", tmp_path / "out", "--baselines", "raw")
    assert done.exit_code != 0 and "rows of the clip walk of a in two places" in done.output
    assert "sort('uid')" in done.output


def test_a_character_whose_first_clip_is_not_seen_from_the_front_is_fitted_to_another(
    turning: Path, tmp_path: Path
) -> None:
    clips, out = as_clips(turning, tmp_path / "clips"), tmp_path / "out"
    (path,) = (clips / DATA).glob("test-*.parquet")
    rows = read_rows(path)
    half = len(rows) // 2
    for number, row in enumerate(rows):
        clip, frame = ("back", number) if number < half else ("front", number - half)
        row |= {"clip": clip, "frame": frame, "uid": frame_uid(clip, frame), "view": int(number < half)}
    write_rows(path, rows, arrow_schema(MOVING_COLUMNS))
    reseal(clips)
    done = evaluate(write_run(tmp_path / "run", configs=()), clips, "--out", out, "--baselines", "raw")
    assert done.exit_code == 0, done.output
    scores = json.loads((out / "scores.json").read_text())["views"]
    assert {(score["row"], score["view"]) for score in scores if score["frontal"]} == {(half, 0)}
