"""Evaluations of small models on a small dataset, through the command."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from specsia_build.cli.main import main
from specsia_build.dravie.checkpoint import RUN_FILE, save_model
from specsia_build.dravie.config import TrainConfig, to_json
from specsia_build.dravie.model import build_generator


def write_run(run: Path, **settings: Any) -> Path:
    """A run with fresh weights and the settings that it would have been trained with."""
    config = TrainConfig(**{"configs": ("fat",), "steps": 1, **settings})
    torch.manual_seed(config.seed)
    save_model(run, 1, config.model, build_generator(config.model), {})
    (run / RUN_FILE).write_text(json.dumps({"train": to_json(config)}))
    return run


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def evaluate(*arguments: object) -> Result:
    steps = ("--adapt-steps", "2", "--fit-steps", "2")
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments), *steps])


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
    done = evaluate(*runs, dataset, "--out", top / "out", "--without", "pos", "--without", "adaptation")
    assert done.exit_code == 0, done.output
    return top / "out", done.stdout


def test_tables(evaluated: tuple[Path, str]) -> None:
    out, text = evaluated
    assert (out / "tables.md").read_text() == text.removesuffix("\n")
    for heading in ("Table 1: fat", "Table 1: thin", "Table 2", "Table 3: ablations, fat"):
        assert heading in text
    own = text.split("## Table 1: fat")[1].split("## Table 1: thin")[0]
    for row in ("raw", "line", "DraViE [fat]", "DraViE [fat] without pos", "DraViE [fat] without adaptation"):
        assert f"| {row} " in own
    assert "DraViE [thin]" not in own and "*line-oracle*" in own
    assert own.count("| sample-wise") == 3
    assert "DraViE [thin] L1" in text.split("## Table 2")[1]
    assert "without" not in text.split("## Table 2")[1].split("## Table 3")[0]


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


def test_figure(evaluated: tuple[Path, str]) -> None:
    for config in ("fat", "thin"):
        with Image.open(evaluated[0] / f"cases-{config}.png") as picture:
            assert picture.width == 5 * 300 and picture.height > 600


def test_a_stopped_evaluation_goes_on(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from specsia_build.dravie import methods

    run, out = write_run(tmp_path / "run"), tmp_path / "out"
    first = evaluate(run, dataset, "--out", out, "--baselines", "sample-wise")
    assert first.exit_code == 0, first.output
    monkeypatch.setattr(methods, "fit_single", None)
    again = evaluate(run, dataset, "--out", out, "--baselines", "sample-wise")
    assert again.exit_code == 0 and again.stdout == first.stdout
    next(out.rglob("done.json")).unlink()
    assert evaluate(run, dataset, "--out", out, "--baselines", "sample-wise").exit_code != 0


def test_repeats(dataset: Path, tmp_path: Path) -> None:
    run, out = write_run(tmp_path / "run"), tmp_path / "out"
    done = evaluate(run, dataset, "--out", out, "--baselines", "none", "--repeats", "2")
    assert done.exit_code == 0, done.output
    assert means(out)["fat", "DraViE [fat]", "novel", "l1"]["deviation"] > 0
    assert "±" in done.stdout


def test_one_configuration_at_a_time_fills_the_same_folder(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from specsia_build.dravie import methods

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
    options = ["--dataset", str(dataset), "--character", "b", "--out", str(tmp_path / "b"), "--steps", "1"]
    assert CliRunner().invoke(main, ["adapt", str(run), *options, "--device", "cpu"]).exit_code == 0
    done = evaluate(tmp_path / "b", dataset, "--out", out, "--baselines", "none")
    assert done.exit_code == 0, done.output
    assert "DraViE b" in done.stdout


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
