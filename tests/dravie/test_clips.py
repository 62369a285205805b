"""What learns, repairs and adapts reads datasets of clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from specsia_build.cli.main import main
from specsia_build.dataset.pairs import PAIR_COLUMNS, decode_pair, is_frontal
from specsia_build.dataset.reading import open_dataset
from specsia_build.dravie.adapt.command import find_frontal
from specsia_build.dravie.config import ModelConfig
from specsia_build.dravie.data.frames import open_frames
from specsia_build.dravie.train.validation import validation_pairs
from specsia_build.films import GAP, side_by_side
from specsia_build.picture_files import write_film
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.progress import Progress
from tests.clips import FPS, SIZE
from tests.dravie.pairs import sampler
from tests.dravie.repair.test_enhance import write_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def test_pairs_know_their_clip(clips_run: RunLayout) -> None:
    dataset = open_dataset(clips_run.dataset)
    assert (dataset.moving, dataset.kind, dataset.schema) == (True, "clips", "specsia")
    pairs = [decode_pair(row) for row in dataset.stream("default", "test", PAIR_COLUMNS(dataset.kind))]
    second = pairs[1]
    assert (second.uid, second.frame, second.time) == (f"{second.clip}_0001", 1, 1 / FPS)
    assert (second.number, second.action) == (1, "turntable")
    assert {pair.clip for pair in pairs if is_frontal(pair.view, pair.frame)} == {p.clip for p in pairs if p.view == 0}
    assert all(pair.frame == 0 for pair in pairs if is_frontal(pair.view, pair.frame))
    assert {pair.subject for pair in pairs} == {f"{second.character_id} by relief"}


def test_frames_are_decoded_and_patches_drawn(
    clips_run: RunLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    dataset = open_dataset(clips_run.dataset)
    frames = open_frames(dataset, "default", "train", Progress())
    assert len(frames) == dataset.splits("default")["train"]
    assert len(set(frames.uids)) == len(frames)
    inputs, targets = sampler((frames,), 4).batch(0)
    assert inputs.shape[:3] == targets.shape[:3] == (4, 32, 32)
    assert len(validation_pairs(dataset, ["default"], ModelConfig())) == 6


def test_the_frontal_pair_is_the_first_frame_from_the_front(clips_run: RunLayout) -> None:
    found = find_frontal(open_dataset(clips_run.dataset), "b").pair
    assert (found.character_id, found.view, found.frame) == ("b", 0, 0)


def test_adapt_says_which_frame_it_took(clips_run: RunLayout, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = invoke("adapt", run, "--dataset", clips_run.dataset, "--character", "b", "--out", out, "--steps", 1)
    assert done.exit_code == 0, done.output
    assert "frontal view b-turntable-00_0000: mean absolute error" in done.output


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


def test_a_film_keeps_the_dots_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specsia_build.films.importlib.util.find_spec", lambda _: None)
    picture = np.zeros((8, 8, 4), np.uint8)
    written = write_film(tmp_path / "robot.v2-walk-00", 1, iter([side_by_side([picture], (8, 8))]), 4)
    assert written.name == "robot.v2-walk-00.webp"
