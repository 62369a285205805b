"""That no method looks at the answer: Y* of a view that is scored changes a score, and nothing that is painted."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from numpy.testing import assert_array_equal

from specsia_build import png
from specsia_build.cli import main
from specsia_build.dataset import schema
from specsia_build.dataset.pairs import PAIR_COLUMNS, Pair, decode_pair
from specsia_build.dataset.reading import open_dataset
from specsia_build.dravie.config import ABLATIONS, AdaptConfig
from specsia_build.dravie.evaluate.methods import BASELINES, Method, choose_methods, load_runs
from specsia_build.look.evaluation import TRUTH
from tests.dataset.small import StoredRow, change, put
from tests.dravie.evaluation.test_evaluate import means, write_run

CPU = torch.device("cpu")


def planted(pair: Pair) -> Pair:
    """The view with another Y*: noise, opaque all over the frame."""
    noise = np.random.default_rng(pair.view).integers(0, 256, pair.gt.shape, dtype=np.uint8)
    noise[..., 3] = 255
    return replace(pair, gt=noise, gt_mask=noise[..., 3].copy(), iou=0.123)


@pytest.fixture(scope="module")
def views(dataset: Path) -> list[Pair]:
    return [decode_pair(row) for row in open_dataset(dataset).stream("fat", "test", PAIR_COLUMNS("specsia"))]


def every_method(top: Path) -> list[Method]:
    runs = [write_run(top / "run"), write_run(top / "plain", with_pos=False)]
    return choose_methods(load_runs(runs, CPU), BASELINES, ABLATIONS, 1, AdaptConfig(steps=2), 2, CPU)


def test_no_method_looks_at_what_it_is_to_paint(views: list[Pair], tmp_path: Path) -> None:
    frontal, *novel = views
    assert frontal.view == 0
    methods = every_method(tmp_path)
    assert len({method.label for method in methods}) == 14
    for method in methods:
        paint = method.fitted(frontal, lambda _: None)
        for pair in novel:
            seen, found = (paint(each) for each in (pair, planted(pair)))
            assert_array_equal(found, seen, err_msg=f"{method.label} looks at Y* of the view that it paints")
            assert_array_equal(paint(pair.without_truth()), seen)


def test_a_view_without_truth_keeps_none_of_it(views: list[Pair]) -> None:
    blind = views[1].without_truth()
    assert not blind.gt.any() and blind.gt_mask is None and blind.iou is None
    assert_array_equal(blind.z, views[1].z)
    assert_array_equal(blind.pos, views[1].pos)


def test_an_answer_in_the_dataset_changes_scores_and_no_picture(dataset: Path, tmp_path: Path) -> None:
    other = tmp_path / "planted"
    shutil.copytree(dataset, other)

    def plant(rows: dict[str, StoredRow]) -> None:
        for row in rows.values():
            if row["view"]:
                found = planted(decode_pair({n: v["bytes"] if isinstance(v, dict) else v for n, v in row.items()}))
                put(row, schema.GT, found.gt)
                put(row, schema.GT_MASK, np.full(found.gt.shape[:2], 255, np.uint8))

    change(other, plant, "test", "fat")
    run = write_run(tmp_path / "run")
    few = ("--backend", "fat", "--adapt-steps", "2", "--fit-steps", "2", "--without", "recall")
    for name, where in (("as it is", dataset), ("with it", other)):
        done = CliRunner().invoke(main, ["evaluate", str(run), str(where), "--out", str(tmp_path / name), *few])
        assert done.exit_code == 0, done.output
    pictures = sorted(
        path.relative_to(tmp_path / "as it is")
        for path in (tmp_path / "as it is").rglob("results/**/*.png")
        if path.parent.name != TRUTH
    )
    assert len({path.parent for path in pictures}) == 11
    for path in pictures:
        one, two = (png.decode((tmp_path / name / path).read_bytes(), 4) for name in ("as it is", "with it"))
        assert_array_equal(one, two, err_msg=str(path))
    before, after = means(tmp_path / "as it is"), means(tmp_path / "with it")
    for method in {key[1] for key in before}:
        assert before["fat", method, "frontal", "l1"] == after["fat", method, "frontal", "l1"]
        assert before["fat", method, "novel", "l1"] != after["fat", method, "novel", "l1"]
