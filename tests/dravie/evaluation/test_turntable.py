"""Turntables agree with the dataset of the build that they come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from specsia_build.cli.main import main
from specsia_build.dataset.pairs import PAIR_COLUMNS, decode_pair
from specsia_build.dataset.reading import open_dataset
from specsia_build.dravie.evaluate import turntable
from specsia_build.dravie.evaluate.turntable import VIEWS, open_turntables
from specsia_build.errors import UsageError
from specsia_build.pipeline.settings import existing_run
from tests.dravie.evaluation.test_evaluate import evaluate, means, write_run
from tests.shapes import write_folder

DATASET_VIEWS = 4


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three characters by one backend."""
    top = tmp_path_factory.mktemp("build")
    arguments = ["build", str(write_folder(top / "figures", 3)), "--out", str(top / "out"), "--size", "64"]
    done = CliRunner().invoke(main, [*arguments, "--views", str(DATASET_VIEWS), "--workers", "1"])
    assert done.exit_code == 0, done.output
    return top / "out"


def test_the_datasets_views_are_among_them(build: Path) -> None:
    dataset = open_dataset(build / "dataset")
    around = open_turntables(*existing_run(build))
    (split,) = [name for name in dataset.splits("default") if name == "test"]
    rows = [decode_pair(row) for row in dataset.stream("default", split, PAIR_COLUMNS(dataset.schema))]
    pairs = around("default", rows[0].character_id)
    assert len(pairs) == VIEWS
    for row in rows[:DATASET_VIEWS]:
        same = pairs[row.view * VIEWS // DATASET_VIEWS]
        for name in ("z", "pos", "gt", "gt_mask"):
            assert (getattr(same, name) == getattr(row, name)).all(), (row.uid, name)
        assert (same.outline_px, same.outline_grey) == (row.outline_px, row.outline_grey)
    assert len({pair.gt.tobytes() for pair in pairs}) > VIEWS // 2


def test_flicker_is_measured_where_the_meshes_are(build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turntable, "VIEWS", 6)
    run, out = write_run(tmp_path / "run", configs=("default",)), tmp_path / "out"
    done = evaluate(run, build / "dataset", "--out", out, "--baselines", "raw,line", "--run", build)
    assert done.exit_code == 0, done.output
    found = means(out)
    for method in ("raw", "line", "DraViE"):
        assert np.isfinite(found["default", method, "novel", "flicker"]["mean"])
    assert "novel flicker (1)" in done.stdout and "frontal flicker" not in done.stdout
    again = evaluate(run, build / "dataset", "--out", out, "--baselines", "raw,line", "--run", build)
    assert again.stdout == done.stdout


def test_turns_of_another_build_are_not_taken_for_those_of_this_one(
    build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turntable, "VIEWS", 4)
    arguments = ["build", str(build.parent / "figures"), "--out", str(tmp_path / "other"), "--size", "64"]
    settings = ["--views", str(DATASET_VIEWS), "--workers", "1", "--seed", "7"]
    assert CliRunner().invoke(main, [*arguments, *settings]).exit_code == 0
    run = write_run(tmp_path / "run", configs=("default",))
    after, fresh = tmp_path / "after", tmp_path / "fresh"
    for made, out in ((build, after), (tmp_path / "other", after), (tmp_path / "other", fresh)):
        done = evaluate(run, build / "dataset", "--out", out, "--baselines", "none", "--run", made)
        assert done.exit_code == 0, done.output
    one, two = (means(out)["default", "DraViE", "novel", "flicker"]["mean"] for out in (after, fresh))
    assert one == two


def test_another_builds_characters_are_told(build: Path) -> None:
    with pytest.raises(UsageError, match="has no character 'nobody' by 'inflate': --run takes the folder"):
        open_turntables(*existing_run(build))("default", "nobody")
