"""`specsia train`: Adam, the run's files, stopping and resuming, bad input."""

import csv
import errno
import json
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from specsia_build import png
from specsia_build.cli.main import stoppable
from specsia_build.dravie.config import PRESETS, TrainConfig, train_config
from specsia_build.dravie.model.checkpoint import MODEL_FILE, TRAINING, load_generator
from specsia_build.dravie.runs import STATE_FILE, checkpoints
from specsia_build.dravie.train.loop import TERMS, Adam, Trainer
from specsia_build.dravie.train.train import Trained, _begin_log, train
from specsia_build.errors import SpecsiaError, WriteError
from specsia_build.pictures.films import FILM_GAP
from tests.commands import specsia

SMALL = train_config("tiny", {"steps": 10, "batch": 4})


@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_weights_follow_the_formula(decay: float) -> None:
    gradients = torch.randn(6, 5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weight = torch.ones(5, 3)
    optimiser = Adam([weight], decay)
    expected, mean, square = torch.ones(5, 3, dtype=torch.float64), 0.0, 0.0
    for step, gradient in enumerate(gradients):
        weight.grad = gradient.float()
        optimiser.update(0.1 / (1 + step))
        pulled = gradient + decay * expected
        mean, square = 0.9 * mean + 0.1 * pulled, 0.999 * square + 0.001 * pulled**2
        whole = (square / (1 - 0.999 ** (step + 1))) ** 0.5 + 1e-8
        expected = expected - 0.1 / (1 + step) * mean / (1 - 0.9 ** (step + 1)) / whole
    assert torch.allclose(weight.double(), expected, atol=1e-6)
    assert weight.grad is None


def _train(dataset: Path, run: Path, config: TrainConfig = SMALL, **options: Any) -> Trained:
    return train(dataset, run, config, device_name="cpu", checkpoint_every=4, **options)


def _weights(run: Path) -> bytes:
    return (checkpoints(run)[-1] / MODEL_FILE).read_bytes()


def _log(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def trained(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the small settings that nothing disturbed; not to be changed."""
    run = tmp_path_factory.mktemp("trained") / "run"
    _train(dataset, run)
    return run


def test_run_records(dataset: Path, trained: Path) -> None:
    run = json.loads((trained / "run.json").read_bytes())
    assert run["train"].items() >= {"configs": ["fat"], "steps": 10, "perceptual": "ssim"}.items()
    assert len(run["dataset"]) == 64
    rows = _log(trained / "log.csv")
    assert [row["step"] for row in rows] == ["4", "8", "10"]
    assert all(float(row[name]) > 0 for row in rows for name in ("l1", "norm"))
    (validated,) = _log(trained / "validation.csv")
    assert 0 < float(validated["raw_l1"]) < 1
    picture = png.decode((trained / "validation" / "step-0000010.png").read_bytes(), 3)
    assert picture.shape[1] == 3 * 96 + 2 * FILM_GAP
    assert [path.name for path in checkpoints(trained)] == ["0000008", "0000010"]


@pytest.mark.parametrize(("architecture", "steps"), [("tiny", 30), ("paper", 5)])
def test_loss_falls_on_same_patches(architecture: str, steps: int) -> None:
    config = replace(PRESETS[architecture], reference="none", perceptual="none", schedule="constant")
    trainer = Trainer(replace(config, precision="float32"), None, torch.device("cpu"))
    seen = torch.rand(2, 7, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    values = [trainer.step(step, seen, -seen[:, :4]) for step in range(steps)]
    assert values[-1][TERMS.index("l1")] < 0.9 * values[0][TERMS.index("l1")]


class _Broken(Exception):
    """A test's own interruption."""


STEP = Trainer.step


def _breaking(at: int) -> Callable[..., Tensor]:
    def step(trainer: Trainer, number: int, *patches: Tensor) -> Tensor:
        if number == at:
            raise _Broken
        return STEP(trainer, number, *patches)

    return step


@pytest.mark.parametrize(("architecture", "stops"), [("tiny", (2, 5)), ("paper", (5,))])
def test_stopped_run_resumes_to_same_weights(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architecture: str, stops: Sequence[int]
) -> None:
    """Stopped before its first checkpoint, and where a step after the last one is lost."""
    config = replace(PRESETS[architecture], steps=6, batch=2, patch=16, perceptual="none")
    whole = tmp_path / "whole"
    _train(dataset, whole, config)
    for at in stops:
        with monkeypatch.context() as patched:
            patched.setattr(Trainer, "step", _breaking(at))
            with pytest.raises(_Broken):
                _train(dataset, tmp_path / "run", config, resume=at != stops[0])
    _train(dataset, tmp_path / "run", config, resume=True)
    for file in checkpoints(whole)[-1].iterdir():
        assert (checkpoints(tmp_path / "run")[-1] / file.name).read_bytes() == file.read_bytes()
    before, after = (_log(run / "log.csv") for run in (whole, tmp_path / "run"))
    assert [row["l1"] for row in after] == [row["l1"] for row in before]


def test_log_continues(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("step,l1\n1,0.5\n2,0.4\n3,0.3\nx\n")
    _begin_log(log, ("l1",), 2)
    assert log.read_text() == "step,l1\n1,0.5\n2,0.4\n"


def test_nan_loss_stops(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(trainer: Trainer, number: int, *patches: Tensor) -> Tensor:
        values = STEP(trainer, number, *patches)
        at = torch.tensor(TERMS.index("adversarial"))
        return values.index_fill(0, at, float("nan")) if number == 6 else values

    monkeypatch.setattr(Trainer, "step", step)
    with pytest.raises(SpecsiaError, match="adversarial of step 7"):
        _train(dataset, tmp_path / "run")
    assert [path.name for path in checkpoints(tmp_path / "run")] == ["0000004"]


@pytest.mark.parametrize(
    "options",
    [(), ("--resume", "--steps", "11"), ("--resume", "--seed", "9"), ("--resume", "--reference", "none")],
)
def test_other_settings_are_refused(dataset: Path, trained: Path, options: Sequence[str]) -> None:
    before = (trained / "run.json").read_bytes()
    specsia("train", dataset, "--out", trained, "--device", "cpu", *options, code=2)
    assert (trained / "run.json").read_bytes() == before


def test_resume_takes_recorded_settings(dataset: Path, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "run")
    ran = specsia("train", dataset, "--out", tmp_path / "run", "--resume", "--device", "cpu", "--json")
    assert json.loads(ran.stdout)["steps"] == 10
    assert _weights(tmp_path / "run") == _weights(trained)


def test_nothing_to_resume(dataset: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    resume = ("train", dataset, "--out", run, "--preset", "tiny", "--device", "cpu", "--resume")
    specsia(*resume, code=2)
    assert not run.exists()
    _train(dataset, run, replace(SMALL, steps=1))
    shutil.rmtree(run / "checkpoints")
    specsia(*resume)


def _put(path: Path, name: str, value: Tensor, old: str | None = None) -> None:
    """Change a tensor of a file, or replace the tensor `old` by one of another name."""
    tensors = load_file(path)
    tensors.pop(old or name)
    save_file(tensors | {name: value}, path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda at: os.truncate(at / MODEL_FILE, 5000),
        lambda at: _put(at / MODEL_FILE, "head.bias", torch.full((10,), float("nan"))),
        lambda at: (at / MODEL_FILE).unlink(),
        lambda at: (at / STATE_FILE).write_text('{"step": 10, "model": {"architecture": "paper"}}'),
        lambda at: (at / STATE_FILE).write_text('{"step": 10, "model": {"architecture": ["tiny"]}}'),
        lambda at: (at / STATE_FILE).write_text("[" * 100_000),
        lambda at: (at / STATE_FILE).write_text('{"step": -1, "model": {}}'),
    ],
)
def test_damaged_checkpoint_is_named(trained: Path, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    damage(checkpoints(run)[-1])
    with pytest.raises(SpecsiaError, match=f"0000010.*damaged.*delete {checkpoints(run)[-1]}"):
        load_generator(run)


MOMENT, MOMENTS = "generator-optimiser.0.exp_avg", f"checkpoints/0000010/{TRAINING}"


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda run: _put(run / MOMENTS, "generator-optimiser.0.\x1b", torch.zeros(3), MOMENT), TRAINING),
        (lambda run: _put(run / MOMENTS, MOMENT, torch.zeros(3)), TRAINING),
        (lambda run: (run / "run.json").write_text("[" * 100_000), "run.json"),
        (lambda run: (run / "run.json").write_text("[]"), "run.json"),
        (lambda run: (run / "run.json").write_text('{"train": []}'), "run.json"),
    ],
)
def test_damaged_training_is_refused(
    dataset: Path, trained: Path, tmp_path: Path, damage: Callable[[Path], None], named: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    damage(run)
    with pytest.raises(SpecsiaError, match=named) as raised:
        _train(dataset, run, resume=True)
    assert str(raised.value).isprintable()


def test_full_disk_keeps_checkpoints(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, write = tmp_path / "run", Path.write_bytes

    def fill(path: Path, data: bytes) -> int:
        if path.name == TRAINING and len(checkpoints(run)) == 1:
            write(path, data[:100])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(WriteError, match=r"disk .*checkpoints/0000008"):
        _train(dataset, run)
    monkeypatch.undo()
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["0000004"]
    assert load_generator(run)


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_signal_then_same_weights(
    dataset: Path, trained: Path, tmp_path: Path, kind: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(trainer: Trainer, number: int, *patches: Tensor) -> Tensor:
        if number == 5:
            signal.raise_signal(kind)
        return STEP(trainer, number, *patches)

    run = tmp_path / "run"
    options = ("--out", run, "--preset", "tiny", "--steps", "10", "--set", "batch=4", "--device", "cpu")
    with monkeypatch.context() as patched, stoppable():
        patched.setattr(Trainer, "step", step)
        ran = specsia("train", dataset, *options, code=130)
    assert "--resume" in ran.stderr
    specsia("train", dataset, *options, "--resume")
    assert _weights(run) == _weights(trained)


@pytest.mark.parametrize(("ours", "warned"), [(0.3, True), (0.1, False)])
def test_useless_model_warns(
    dataset: Path, tmp_path: Path, ours: float, warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("specsia_build.dravie.train.train.validate", lambda *_: (ours, 0.2, b""))
    result = _train(dataset, tmp_path / "run", replace(SMALL, steps=1))
    assert [warning.code for warning in result.warnings] == ["no-gain"] * warned


def test_dataset_without_fronts_warns(dataset: Path, tmp_path: Path) -> None:
    backs = tmp_path / "backs"
    specsia("select", dataset, "view > 0", "--out", backs, "--workers", 1)
    for reference, codes in (("drawing", ["drawing-advised"]), ("none", [])):
        config = train_config("tiny", {"steps": 1, "batch": 1, "reference": reference})
        warnings = _train(backs, tmp_path / reference, config).warnings
        assert [warning.code for warning in warnings if warning.code != "no-gain"] == codes


@pytest.mark.parametrize(
    "options",
    [
        ("--backend", "none-such"),
        ("--steps", "0"),
        ("--set", "batch=many"),
        ("--set", "colour=1"),
        ("--perceptual", "absent.pth"),
        pytest.param(
            ("--device", "cuda"), marks=pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is there")
        ),
    ],
)
def test_wrong_options(dataset: Path, tmp_path: Path, options: Sequence[str]) -> None:
    ran = specsia("train", dataset, "--out", tmp_path / "run", "--device", "cpu", *options, code=2)
    assert options[-1] in ran.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("option", "inputs"), [("--reference=drawing", 23), ("--reference=none", 7)])
def test_inputs_are_chosen_and_recorded(dataset: Path, tmp_path: Path, option: str, inputs: int) -> None:
    options = ("--steps", "1", "--set", "batch=2", option, "--device", "cpu")
    specsia("train", dataset, "--out", tmp_path / "run", *options)
    model, *_ = load_generator(tmp_path / "run")
    assert model(torch.zeros(1, inputs, 16, 16)).shape == (1, 4, 16, 16)
