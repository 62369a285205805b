"""What learns, repairs and adapts reads datasets of clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from specsia_build.cli.main import main
from specsia_build.dataset.reading import open_dataset
from specsia_build.dravie.adapt.adapt import find_frontal
from specsia_build.dravie.config import ModelConfig
from specsia_build.dravie.data.frames import open_frames
from specsia_build.dravie.train.train import validation_pairs
from specsia_build.films import GAP
from specsia_build.pipeline.run import RunLayout
from tests.clips import FPS, SIZE
from tests.dravie.pairs import sampler
from tests.dravie.repair.test_enhance import write_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def test_frames_are_decoded_and_patches_drawn(
    clips_run: RunLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    dataset = open_dataset(clips_run.dataset)
    frames = open_frames(dataset, "default", "train")
    assert len(frames) == dataset.splits("default")["train"]
    assert len({row.uid for row in frames.rows}) == len(frames)
    inputs, targets = sampler((frames,), 4).batch(0)
    assert inputs.shape[:3] == targets.shape[:3] == (4, 32, 32)
    assert len(validation_pairs(dataset, ["default"], ModelConfig())) == 6


def test_the_frontal_pair_is_the_first_frame_from_the_front(clips_run: RunLayout) -> None:
    found = find_frontal(open_dataset(clips_run.dataset), "b").pair
    assert (found.character_id, found.view, found.frame) == ("b", 0, 0)


def test_every_clip_gets_a_film_at_its_own_pace(
    clips_run: RunLayout, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("specsia_build.films.importlib.util.find_spec", lambda _: None)
    out = tmp_path / "out"
    done = invoke("enhance", run, clips_run.dataset, "--split", "test", "--out", out, "--video")
    assert done.exit_code == 0, done.output
    assert "28 frames repaired" in done.output
    films = sorted((out / "film" / "test").iterdir())
    assert [path.suffix for path in films] == [".webp"] * 5
    with Image.open(films[0]) as opened:
        film: Any = opened
        assert film.n_frames == FPS
        assert film.size == (3 * SIZE + 2 * GAP, SIZE)
        film.load()
        assert film.info["duration"] == 1000 / FPS
