"""`make pretrained` turns a training run into one that can be used, without the files that only training needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from benchmarks.pretrained import main, write_pretrained
from specsia_build.dravie.config import TrainConfig, to_json
from specsia_build.dravie.model.checkpoint import load_generator, save_model
from specsia_build.dravie.model.networks import Generator, build_generator
from specsia_build.dravie.runs import RUN_FILE, Seen, read_run_config, read_seen, write_seen
from specsia_build.errors import UsageError

SEEN = Seen({"fusion": {"knight": ("0" * 32,)}})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder, config = tmp_path / "run", TrainConfig(steps=7)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = build_generator(config.model)
    save_model(folder, 7, Generator(model, config.model), {"moments": torch.zeros(3)})
    write_seen(folder, SEEN)
    (folder / RUN_FILE).write_text(json.dumps({"train": to_json(config), "where": "/home/someone/data"}))
    return folder


def test_a_run_that_can_be_used(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "weights"
    done = CliRunner().invoke(main, [str(run), str(out)])
    assert done.exit_code == 0 and "SHA-256" in done.output
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert files == ["checkpoints/0000007/model.safetensors", "checkpoints/0000007/state.json", "run.json", "seen.json"]
    assert read_seen(out) == SEEN and read_run_config(out) == read_run_config(run)
    assert "someone" not in (out / RUN_FILE).read_text()
    (model, config, _), (own, own_config, _) = load_generator(out), load_generator(run)
    assert config == own_config
    for one, two in zip(model.parameters(), own.parameters(), strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-6)


def test_weights_of_another_step_are_not_left_beside(run: Path, tmp_path: Path) -> None:
    (tmp_path / "weights" / "checkpoints" / "0000003").mkdir(parents=True)
    with pytest.raises(UsageError, match="delete it first"):
        write_pretrained(run, tmp_path / "weights")
