"""`specsia bench load` and `specsia bench train`: what they report and refuse, not how fast the machine is."""

from __future__ import annotations

import json

import pytest
import torch
from click.testing import CliRunner

from specsia_build.bench import load as bench_load
from specsia_build.bench import train as bench_train
from specsia_build.bench.reference import plain
from specsia_build.cli import main
from specsia_build.dravie.config import PRESETS
from specsia_build.dravie.network.model import build_generator
from tests.dataset.small import build_small


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_load, "SECONDS", 0.05)
    monkeypatch.setattr(bench_train, "TURNS", 1)
    monkeypatch.setattr(bench_train, "TURN_SECONDS", 0.0)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(build_small(tmp_path_factory.mktemp("bench") / "dataset", ["a"]))


def test_training_is_compared_with_the_plain_step(dataset: str) -> None:
    ran = CliRunner().invoke(main, ["bench", "train", dataset, "--against", "reference", "--preset", "tiny", "--json"])
    assert ran.exit_code == 0, ran.output
    report = json.loads(ran.stdout)
    assert (report["preset"], report["batch"], report["device"]) == ("tiny", PRESETS["tiny"].batch, "cpu")
    for name in ("training", "reference", "loader"):
        assert report[name]["patches_per_second"] > 0
    ratio = report["reference"]["seconds_per_step"] / report["training"]["seconds_per_step"]
    assert report["times_faster"] == pytest.approx(ratio, rel=0.1)


def test_the_loader_alone_is_told_in_words(dataset: str) -> None:
    ran = CliRunner().invoke(main, ["bench", "load", dataset])
    assert ran.exit_code == 0, ran.output
    assert "patches of 32x32 a second" in ran.stdout
    assert "training" not in ran.stdout
    for kind in ("random", "streaming"):
        assert f"rows decoded, {kind}: " in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "nowhere/at/all"], "nowhere/at/all"),
        (["train", "--against", "fast"], "'fast' is not what a training step is compared with"),
        (["load", "--preset", "tiny"], "are for 'specsia bench train'"),
        (["render", "--preset", "tiny"], "are for 'specsia bench train'"),
        (["clips", "--against", "pyrender"], "'specsia bench clips' takes no --against"),
        (["clips", "--device", "cuda"], "'specsia bench clips' takes no --device"),
        (["clips", "--backend", "fusion"], "'specsia bench clips' takes no --backend"),
        (["clips", "--size", "64"], "takes no --size: it measures 256 and 512 pixels"),
        (["train", "somewhere", "--views", "4"], "--views is for the sample dataset"),
        (["load", "somewhere", "--backend", "fusion"], "--backend is for the sample dataset"),
        (["load", "somewhere", "else"], "'else' is one argument too many"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], sentence: str) -> None:
    ran = CliRunner().invoke(main, ["bench", *arguments])
    assert ran.exit_code == 2
    assert sentence in ran.stderr


def test_the_plain_network_is_the_same_function() -> None:
    torch.manual_seed(0)
    network = build_generator(PRESETS["paper"].model).eval()
    x = torch.rand(1, 7, 32, 32) * 2 - 1
    with torch.no_grad():
        wanted = network(x)
        assert torch.allclose(plain(network)(x), wanted, atol=1e-4)
